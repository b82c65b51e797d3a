"""What a ring log can say of ranges of its rows, removed or about to be."""

from edge.core.errors import DataError
from edge.core.journal.retain import Tombstone, decode_tombstone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.ports.esp32.ring_reader import RingReader


def tombstone(store: "RingReader", gap: list[int]) -> Tombstone:
    """The tombstone of a removed range."""
    try:
        tomb = decode_tombstone(store.row(gap[2]).record.body)
    except (DataError, IndexError):
        raise store.damage(gap[2])
    if tomb.first != gap[0] or tomb.last != gap[1]:
        raise store.damage(gap[2])
    return tomb


def wall_at(store: "RingReader", seq: int) -> int:
    """The wall time of a row that is there."""
    head = store.head_behind(seq)
    return int(store.row(seq).record.wall_ms) if head is None else head.ended_ms


def end_of_segment(store: "RingReader", seq: int) -> int:
    """The first seq behind the segment that a row was appended to."""
    generation = store.segment_of(seq)
    if generation == store.state.generation:
        return store.next_seq
    return store.first_of(generation + 1)


def missing(store: "RingReader", first: int, end: int) -> int:
    """How many of the seqs first..end - 1 are removed."""
    count = 0
    for gap in store.state.gaps:
        count += max(0, min(gap[1] + 1, end) - max(gap[0], first))
    return count
