"""Retention on a ring log: its oldest segment is emptied, by the weakest step that can do it.

What a step keeps is told anew at the head, so what is thinned comes round again a lap later, to
be thinned further. Polls are thinned a few at a time: a run of them fits into little memory.
"""

from edge.core.journal.record import REASONS, Kind, Part, Record, decode_record
from edge.core.journal.retain import (
    WINDOWS_MS,
    Removal,
    Step,
    Tombstone,
    plan_step,
    thin_polls,
)
from edge.ports.esp32.ring_ranges import end_of_segment, missing, tombstone, wall_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.ports.esp32.ring_store import RingStore

#: Polls that one step looks at, and how many of them are in memory at once.
CHUNK_ROWS = 120
_READ_ROWS = 8

#: Polls that take the space of a tombstone, whose hashes nothing makes shorter.
TOMBSTONE_POLLS = 12

_POLL_MS = 7
_DEVICE_POINTS = 8


def plan(store: "RingStore", is_pressed: bool) -> Removal | None:
    """What has to go now, a bounded step of it. is_pressed: no segment is left for appending."""
    weakest = Step.MINUTE
    if is_pressed:
        # Appending has what is left of this segment, and no other.
        weakest = Step.POLLS if 4 * store.offset < 3 * store.segments.size else Step.REST
    if store.state.stale:
        return _without_stale(store, store.state.stale[0])
    is_crowded = store.kept_rows() + store.kept_of_segment > store.kept_max
    return _plan_removal(store, is_crowded, weakest)


def _without_stale(store: "RingStore", seq: int) -> Removal:
    """A table that another has taken the place of, after retention had left it there."""
    tombs = _tombstones(store, Step.ACKED, seq, seq)
    return Removal((), 0, tombs, Step.ACKED, store.state.swept[Step.ACKED])


def _meters(store: "RingStore") -> "tuple[dict[int, tuple[int, ...]], int]":
    """What the newest tables say of the devices: {number: its counter points}, shortest period.

    Kept until there is another table.
    """
    newest = store.state.tables[-1:]
    if store.meters is None or store.meters[0] != newest:
        counters: dict[int, tuple[int, ...]] = {}
        period_ms = 1 << 40
        for data in store.each_of_kind(Kind.TABLE):
            for part in decode_record(data).body:
                if part[0] == Part.DEVICE:
                    points = part[_DEVICE_POINTS]
                    found = [at for at in range(len(points)) if points[at][3] == "counter"]
                    counters[part[1]] = tuple(found)
                    period_ms = min(period_ms, part[_POLL_MS])
        store.meters = (newest, counters, period_ms)
    return store.meters[1], store.meters[2]


def _gains(store: "RingStore", window_ms: int) -> bool:
    """False where a window holds no more polls of a device than it keeps."""
    return 2 * _meters(store)[1] < window_ms


def _plan_removal(store: "RingStore", is_crowded: bool, weakest: int) -> Removal | None:
    """The next bounded step.

    is_crowded: no more rows can outlive their segment. weakest: of the steps that may be taken;
    thinning takes space before it gives some, so there has to be an end to it.
    """
    state = store.state
    newest = state.newest_interval
    floor = newest if newest >= 0 else 0 if state.interval else store.next_seq
    begin = store.first_of(max(state.oldest, state.begun))
    end = min(end_of_segment(store, begin), floor)
    ends = (min(state.acked + 1, floor), end, end, end, end)
    looked = 0
    while looked < CHUNK_ROWS:
        swept = [
            max(at, state.acked + 1, begin) if step else at for step, at in enumerate(state.swept)
        ]
        step = plan_step(1, 0, tuple(swept), ends)
        if step is not None and step != Step.ACKED:
            step = max(step, weakest)
        if is_crowded and step != Step.ACKED and weakest < Step.REST:
            step, swept[Step.REST] = Step.REST, max(state.swept[Step.REST], state.acked + 1)
        if step is None or swept[step] >= ends[step]:
            return None
        if WINDOWS_MS[step] and not _gains(store, WINDOWS_MS[step]):
            state.swept[step] = ends[step]
            continue
        if step in (Step.ACKED, Step.REST):
            first, last, done = _any_run(store, step, swept[step], ends[step])
            kept: list[Record] = []
        else:
            first, last, done, kept = _poll_run(store, step, swept[step], ends[step])
        if done > swept[step]:
            looked += done - swept[step] - missing(store, swept[step], done)
        if last < first:
            state.swept[step] = done
            continue
        tombs = _tombstones(store, step, first, last)
        return Removal(tuple(kept), step if kept else 0, tombs, step, done)
    return None


def _any_run(store: "RingStore", step: int, first: int, end: int) -> tuple[int, int, int]:
    """(first, last, where to go on) of rows of any kind but TABLE, in one segment.

    What is dropped takes in the ranges between; what was acked does not speak for them.
    """
    state = store.state
    gap = state.gap_from(first)
    if gap is not None and gap[0] <= first:
        return first, first - 1, gap[1] + 1
    if first in state.tables:
        return first, first - 1, first + 1
    stops = [end, end_of_segment(store, first)] + [seq for seq in state.tables if seq > first]
    if gap is not None and step == Step.ACKED:
        stops.append(gap[0])
    last = min(stops) - 1
    gap = state.gap_from(last)
    if gap is not None and gap[0] <= last:
        last = gap[1]
    return first, last, last + 1


def _poll_run(
    store: "RingStore", step: int, seq: int, end: int
) -> tuple[int, int, int, list[Record]]:
    """(first, last, where to go on, what to carry) of the next polls that follow one another.

    Tombstones between them do not end a run: they are told anew.
    """
    window_ms = WINDOWS_MS[step]
    first, last, count = -1, -1, 0
    kept: list[Record] = []
    stop = min(end, seq + CHUNK_ROWS)
    is_over = False
    while seq < stop and not is_over:
        gap = store.state.gap_from(seq)
        if gap is not None and gap[0] <= seq:
            if first >= 0:
                break
            seq = gap[1] + 1
            continue
        limit = min(stop, seq + _READ_ROWS, stop if gap is None else gap[0])
        polls = []
        for row in store.rows(seq, limit - 1):
            if row.record.kind == Kind.POLL:
                first = row.seq if first < 0 else first
                last = row.seq
                polls.append(decode_record(row.data))
            elif first >= 0 and row.record.kind != Kind.TOMBSTONE:
                is_over = True
                break
            seq = row.seq + 1
        count += len(polls)
        if window_ms and polls:
            kept = thin_polls(kept + polls, window_ms, _meters(store)[0])
    if first < 0 or (window_ms and len(kept) + TOMBSTONE_POLLS >= count):
        return 0, -1, seq, []
    return first, last, last + 1, kept


def _tombstones(store: "RingStore", step: int, first: int, last: int) -> tuple[Tombstone, ...]:
    """For one run, and for ranges elsewhere whose tombstone lies in it."""
    made = _tombstone(store, step, first, last)
    again = [
        tombstone(store, gap)
        for gap in store.state.gaps
        if first <= gap[2] <= last and not made.first <= gap[1] <= made.last
    ]
    return tuple([made] + again)


def _tombstone(store: "RingStore", step: int, first: int, last: int) -> Tombstone:
    """For one run; it takes in the ranges before it where the reason can speak for all."""
    state = store.state
    within = [tombstone(store, gap) for gap in state.gaps if first <= gap[0] and gap[1] <= last]
    count = last - first + 1 - missing(store, first, last + 1)
    walls = [wall_at(store, first)]
    if not within or within[-1].last < last:
        walls.append(wall_at(store, last))
    for tomb in within:
        count += tomb.count
        walls.append(tomb.start_ms)
        walls.append(tomb.end_ms)
    made = Tombstone(
        *(first, last, REASONS[step], min(walls), max(walls), count),
        *(store.hash_at(first - 1), store.hash_at(last)),
    )
    while made.first:
        gap = state.gap_from(made.first - 1)
        if gap is None or gap[1] != made.first - 1:
            break
        before = tombstone(store, gap)
        if before.reason != made.reason and step == Step.ACKED:
            break  # what was thinned or dropped did not all reach the cloud
        made = Tombstone(
            *(before.first, last, made.reason),
            *(min(before.start_ms, made.start_ms), max(before.end_ms, made.end_ms)),
            *(before.count + made.count, before.hash_before, made.hash_last),
        )
    return made
