"""What a journal gives up when its space runs out, in which order, and what it keeps of it.

Acked history goes first: the cloud has it. Then unacked polls are thinned, oldest first, to what
a minute needs, then to what a quarter of an hour needs: the first and the last good value of
every point stay, and both sides of every step down of a counter, so that energy and carbon over
any longer time stay exact. Only then are polls dropped, and intervals and events last. Nothing
is rewritten: what stays is recorded anew at the head with its own time, then the range goes, and
a tombstone names it, with the chain hash at both ends. A TABLE is never removed.
"""

from collections import namedtuple

from edge.core.errors import DataError
from edge.core.journal.chain import HASH_BYTES
from edge.core.journal.clock import ClockQuality
from edge.core.journal.record import REASONS, Kind, Record, is_integer


class Step:
    """The steps of retention, each taken only when the ones before it have nothing left."""

    ACKED = 0
    MINUTE = 1
    QUARTER = 2
    POLLS = 3
    REST = 4


#: Window of a thinning step in ms, 0 for a step that keeps nothing.
WINDOWS_MS = (0, 60_000, 900_000, 0, 0)

#: A shorter run of polls costs more in tombstones than it gives.
RUN_MIN = 4

#: TOMBSTONE body. first..last: the range, None for polls that never had a seq; start_ms, end_ms:
#: wall time of the oldest and the newest record in it; count: records gone; hash_before: chain
#: hash before `first`; hash_last: chain hash at `last`.
Tombstone = namedtuple(
    "Tombstone",
    ("first", "last", "reason", "start_ms", "end_ms", "count", "hash_before", "hash_last"),
)

#: A row as retention sees it. level: 0 as polled, 1 kept of a minute, 2 kept of a quarter.
Row = namedtuple("Row", ("seq", "kind", "level", "record"))

#: What one bounded step does. carried: tuple of Record to write anew, their seq is to be given;
#: level: of those; tombstones: for the ranges that go; step and swept: how far the step has come.
Removal = namedtuple("Removal", ("carried", "level", "tombstones", "step", "swept"))


def decode_tombstone(body: list) -> Tombstone:
    """Read a TOMBSTONE body.

    Raises DataError "data.record".
    """
    tomb = Tombstone(*body) if len(body) == 8 else None
    if tomb is None or not is_integer(tomb.count) or tomb.count < 1:
        raise DataError("data.record", seq=-1, reason="not a tombstone")
    if tomb.first is None:
        return tomb
    hashes = (tomb.hash_before, tomb.hash_last)
    if not is_integer(tomb.first) or not is_integer(tomb.last):
        raise DataError("data.record", seq=-1, reason="a tombstone without a range")
    if not 0 <= tomb.first <= tomb.last or tomb.count > tomb.last - tomb.first + 1:
        raise DataError("data.record", seq=-1, reason="a tombstone of an impossible range")
    if not all(isinstance(item, bytes) and len(item) == HASH_BYTES for item in hashes):
        raise DataError("data.record", seq=-1, reason="a tombstone without hashes")
    return tomb


def plan_step(
    used_bytes: int, limit_bytes: int, swept: tuple[int, ...], ends: tuple[int, ...]
) -> int | None:
    """The step to take now, None while there is room or nothing is left to give up.

    swept: per step the seq below which it has been; ends: per step the first seq it may not touch.
    """
    if used_bytes <= limit_bytes:
        return None
    for step in range(len(REASONS)):
        if swept[step] < ends[step]:
            return step
    return None


def plan_chunk(
    step: int, rows: list[Row], counters: dict[int, tuple[int, ...]], held: set[int]
) -> tuple[tuple[Record, ...], tuple[tuple[int, int], ...]]:
    """What one step keeps and removes of some rows: (records to carry, (first, last) ranges).

    rows: ascending; polls with their record when the step thins. counters: device -> its counter
    points. held: seq that stay whatever their kind, such as tombstones in force.
    """
    window_ms = WINDOWS_MS[step]
    runs = _runs([row for row in rows if _goes(step, row) and row.seq not in held])
    if window_ms:
        runs = [run for run in runs if len(run) >= RUN_MIN]
    gone = [row for run in runs for row in run]
    carried: list[Record] = []
    if window_ms:
        carried = thin_polls([row.record for row in gone], window_ms, counters)
        if len(carried) + len(runs) >= len(gone):
            return (), ()
    return tuple(carried), tuple((run[0].seq, run[-1].seq) for run in runs)


def _goes(step: int, row: Row) -> bool:
    if row.kind == Kind.TABLE:
        return False
    if step in (Step.ACKED, Step.REST):
        return True
    if row.kind != Kind.POLL:
        return False
    return step == Step.POLLS or bool(row.level < step)


def _runs(rows: list[Row]) -> list[list[Row]]:
    """Rows of consecutive seq, together."""
    runs: list[list[Row]] = []
    for row in rows:
        if runs and runs[-1][-1].seq + 1 == row.seq:
            runs[-1].append(row)
        else:
            runs.append([row])
    return runs


def thin_polls(
    polls: list[Record], window_ms: int, counters: dict[int, tuple[int, ...]]
) -> list[Record]:
    """The polls that tell each window's first and last good value of every point.

    polls: ascending by seq. A device that gave nothing good in a window keeps its first poll of
    it, which says so. Both polls around a counter that went back stay.
    """
    windows: dict[tuple[int, int, int], list[int]] = {}
    for index in range(len(polls)):
        poll = polls[index]
        time_ms = poll.mono_ms if poll.clock == ClockQuality.UNSET else poll.wall_ms
        key = (poll.body[0], poll.boot, time_ms // window_ms)
        if key in windows:
            windows[key].append(index)
        else:
            windows[key] = [index]
    kept: set[int] = set()
    for key in windows:
        members = windows[key]
        good = [_good_points(polls[index]) for index in members]
        chosen = _edges(good) | _steps_down(
            [polls[index] for index in members], good, counters.get(key[0], ())
        )
        kept.update(members[at] for at in chosen or (0,))
    return [polls[index] for index in sorted(kept, key=int)]


def _good_points(poll: Record) -> set[int]:
    _, values, flat, _ = poll.body
    bad = set(flat[at] for at in range(0, len(flat), 2))
    return set(at for at in range(len(values)) if values[at] is not None and at not in bad)


def _edges(good: list[set[int]]) -> set[int]:
    """Positions that hold the first or the last good value of some point."""
    found = set()
    for order in (range(len(good)), range(len(good) - 1, -1, -1)):
        seen: set[int] = set()
        for at in order:
            if not good[at] <= seen:
                found.add(at)
                seen = seen | good[at]
    return found


def _steps_down(polls: list[Record], good: list[set[int]], points: tuple[int, ...]) -> set[int]:
    """Positions on both sides of every counter that went back."""
    found = set()
    for point in points:
        before = None
        for at in range(len(polls)):
            if point not in good[at]:
                continue
            values = polls[at].body[1]
            if before is not None and values[point] < polls[before].body[1][point]:
                found.add(before)
                found.add(at)
            before = at
    return found
