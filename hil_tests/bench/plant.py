"""The load that benchmarks share: SDM630 meters with 30 points whose values drift slowly."""

from edge.core.bus.profile import Point, Profile, parse_profile
from edge.core.journal import chain
from edge.core.journal.record import Kind, Record, encode_record
from edge.ports.linux.files import read_profile

METERS = 8
POINTS = 30


def sdm630() -> tuple[Profile, tuple[Point, ...]]:
    """The profile and its first 30 points."""
    profile = parse_profile(read_profile("eastron_sdm630", "bench", "profile"))
    return profile, profile.points[:POINTS]


def drifting_polls(polls: int) -> tuple[Record, ...]:
    """Records of `polls` polls of 8 x 30 points; values move as meters do, deterministically."""
    records: list[Record] = []
    state = 12345
    values = [
        [10_000 * (device + 1) + 77 * point for point in range(POINTS)] for device in range(METERS)
    ]
    for poll in range(polls):
        for device in range(METERS):
            for point in range(POINTS):
                state = (state * 1_103_515_245 + 12_345) & 0x7FFFFFFF
                values[device][point] += (state >> 16) % 7 - 3
            body = [device, list(values[device]), [], []]
            mono_ms = 60_000 * poll + 230 * device + state % 3
            wall_ms = 1_800_000_000_000 + mono_ms
            records.append(Record(Kind.POLL, len(records), 1, mono_ms, wall_ms, 2, body))
    return tuple(records)


def chained(records: tuple[Record, ...], gateway: str, epoch: bytes) -> list[bytes]:
    """The chain hash at each record."""
    head = chain.genesis(gateway, epoch)
    hashes = []
    for record in records:
        head = chain.link(head, encode_record(record))
        hashes.append(head)
    return hashes
