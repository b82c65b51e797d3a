"""What a device has taught, as a part of a TABLE."""

from edge.core.bus.block import Learned
from edge.core.journal.record import Part


def encode_learned(number: int, learned: Learned, timeout_ms: int) -> list[object]:
    """The LEARNED part of a TABLE."""
    holes = [item for hole in learned.holes for item in hole]
    return [Part.LEARNED, number, learned.limit, holes, list(learned.missing), timeout_ms]


def decode_learned(part: list) -> tuple[Learned, int]:
    """What a LEARNED part says."""
    _, _, limit, flat, missing, timeout_ms = part
    holes = tuple((flat[at], flat[at + 1], flat[at + 2]) for at in range(0, len(flat), 3))
    return Learned(holes, tuple(missing), limit), timeout_ms
