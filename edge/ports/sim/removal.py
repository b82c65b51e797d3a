"""Retention on a simulated disk: which rows `core.journal.retain` may take next."""

from edge.core.journal.record import REASONS, Kind, Part, decode_record
from edge.core.journal.retain import (
    WINDOWS_MS,
    Removal,
    Row,
    Step,
    Tombstone,
    decode_tombstone,
    plan_chunk,
    plan_step,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.ports.sim.store import SimStore

CHUNK_ROWS = 200

_DEVICE_POINTS = 8


def plan_removal(store: "SimStore", limit_bytes: int | None) -> Removal | None:
    """The next bounded step; None while there is room or nothing is left to give up."""
    journal = store.journal
    if limit_bytes is None or journal.used_bytes <= limit_bytes:
        return None
    newest = journal.by_kind[Kind.INTERVAL]
    floor = newest[-1] if newest else 0 if journal.interval else store.next_seq
    ends = (min(journal.acked + 1, floor), floor, floor, floor, floor)
    while True:
        swept = [
            max(at, journal.acked + 1) if step else at for step, at in enumerate(journal.swept)
        ]
        step = plan_step(journal.used_bytes, limit_bytes, tuple(swept), ends)
        if step is None:
            return None
        seqs = [seq for seq in range(swept[step], ends[step]) if seq in journal.rows]
        seqs = seqs[:CHUNK_ROWS]
        done = seqs[-1] + 1 if len(seqs) == CHUNK_ROWS else ends[step]
        carried, runs = plan_chunk(
            step, _rows(store, seqs, bool(WINDOWS_MS[step])), _counters(store), _held(store)
        )
        if runs:
            tombs = tuple(_tombstone(store, step, *run) for run in runs)
            return Removal(carried, step if WINDOWS_MS[step] else 0, tombs, step, done)
        journal.swept[step] = done


def _rows(store: "SimStore", seqs: list[int], with_records: bool) -> list[Row]:
    if with_records and seqs:
        store.read(seqs[0], seqs[-1])  # proves them
    return [
        Row(
            seq,
            store.journal.rows[seq].kind,
            store.journal.rows[seq].level,
            decode_record(store.journal.rows[seq].record) if with_records else None,
        )
        for seq in seqs
    ]


def _held(store: "SimStore") -> set[int]:
    return set(store.journal.gaps.values())


def _counters(store: "SimStore") -> dict[int, tuple[int, ...]]:
    counters = {}
    for data in store.of_kind(Kind.TABLE):
        for part in decode_record(data).body:
            if part[0] == Part.DEVICE:
                points = part[_DEVICE_POINTS]
                counters[part[1]] = tuple(
                    at for at, point in enumerate(points) if point[3] == "counter"
                )
    return counters


def _tombstone(store: "SimStore", step: int, first: int, last: int) -> Tombstone:
    """For one run; it takes in the range before it where the reason can speak for both."""
    walls = [decode_record(store.read(seq, seq)[0][0]).wall_ms for seq in (first, last)]
    made = Tombstone(
        *(first, last, REASONS[step], min(walls), max(walls), last - first + 1),
        *(store.hash_at(first - 1), store.hash_at(last)),
    )
    if first - 1 not in store.journal.gaps:
        return made
    at = store.journal.gaps[first - 1]
    before = decode_tombstone(decode_record(store.journal.rows[at].record).body)
    if before.reason != made.reason and step == Step.ACKED:
        return made  # what was thinned or dropped did not all reach the cloud
    return Tombstone(
        *(before.first, last, made.reason),
        *(min(before.start_ms, made.start_ms), max(before.end_ms, made.end_ms)),
        *(before.count + made.count, before.hash_before, made.hash_last),
    )
