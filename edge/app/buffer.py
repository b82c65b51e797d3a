"""What waits in a journal for the cloud, and what it had to give up: figures for people."""

from edge.core.journal.clock import ClockQuality
from edge.core.journal.record import REASONS, Kind, Record, decode_record
from edge.core.journal.retain import Step, decode_tombstone
from edge.ports.contracts import Store

#: Reasons of tombstones that are no loss: the cloud has it, or it was made coarser.
RELEASED = REASONS[Step.ACKED]
THINNED = (REASONS[Step.MINUTE], REASONS[Step.QUARTER])

#: How records may have gone.
GONE = ("lost", "thinned", "released")


def read_oldest(store: Store) -> Record | None:
    """The oldest record that is kept and not acked; None when all is acked."""
    seq = store.acked_seq + 1
    while seq < store.next_seq:
        gap = store.gap_from(seq)
        if gap is None or gap.first > seq:
            rows = store.read(seq, seq)
            return decode_record(rows[0][0]) if rows else None
        seq = gap.last + 1
    return None


def age_ms(record: Record, boot: int, mono_ms: int, wall_ms: int, is_set: bool) -> int | None:
    """How old a record is; None where no clock can tell.

    boot, mono_ms: of now, boot 0 for somebody who has no monotonic time of the gateway's;
    is_set: whether wall_ms can be believed.
    """
    if record.boot == boot:
        return max(0, mono_ms - int(record.mono_ms))
    if is_set and record.clock != ClockQuality.UNSET:
        return max(0, wall_ms - int(record.wall_ms))
    return None


def read_losses(store: Store) -> dict[str, int]:
    """Records gone, by how: "lost" for ever, "thinned" to a coarser time, "released" after acks.

    Ranges are counted by the tombstones in force, so none is counted twice.
    """
    bodies = []
    seq = 0
    while (gap := store.gap_from(seq)) is not None:
        bodies.append(decode_record(store.read(gap.tombstone, gap.tombstone)[0][0]).body)
        seq = gap.last + 1
    found = dict.fromkeys(GONE, 0)
    for data in store.of_kind(Kind.TOMBSTONE):
        body = decode_record(data).body
        if body[0] is None:  # of records that never had a seq
            bodies.append(body)
    for body in bodies:
        tomb = decode_tombstone(body)
        gone = "thinned" if tomb.reason in THINNED else "lost"
        found["released" if tomb.reason == RELEASED else gone] += tomb.count
    return found
