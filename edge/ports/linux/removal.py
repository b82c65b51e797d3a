"""Retention on SQLite: finds what `core.journal.retain` may take, in steps of bounded time."""

import os
import time
from collections.abc import Iterator

from edge.core.journal.record import REASONS, Kind, Part, Record, decode_record
from edge.core.journal.retain import (
    WINDOWS_MS,
    Removal,
    Row,
    Step,
    Tombstone,
    plan_chunk,
    plan_step,
)
from edge.ports.linux.journal_file import State
from edge.ports.linux.journal_reader import JournalReader

#: A step, planned and applied, aims at less than this.
STEP_MS = 50

_ROWS_MIN, _ROWS_FIRST, _ROWS_MAX = 64, 500, 4_000

#: Retention begins at this share of the quota, so that it is never met in full.
_BEGIN_PERCENT = 90

#: On a full disk the journal makes do with this share of what it used then.
_SQUEEZE_PERCENT = 95

#: Spare space without which unacked polls are thinned, where no ballast says otherwise.
_RESERVE_BYTES = 64 << 10

_DEVICE_POINTS = 8


class Remover:
    """Retention of one journal. quota_bytes: None for as much as the disk has.

    ballast_bytes: what is held back; with less than half of it spare, the disk counts as full.
    """

    def __init__(
        self, journal: JournalReader, quota_bytes: int | None, ballast_bytes: int
    ) -> None:
        self.journal = journal
        self._reserve_bytes = ballast_bytes or _RESERVE_BYTES
        self.quota_bytes = quota_bytes
        self.step_ms = 0  # of the last step
        self._squeezed_bytes: int | None = None
        self._rows = _ROWS_FIRST
        self._counters: dict[int, tuple[int, ...]] = {}
        self._counters_of = -1
        self._planned_ms = 0.0

    def squeeze(self) -> None:
        """The disk is full: make do with a little less than what is used now."""
        used = self.journal.file.used_bytes()
        self._squeezed_bytes = min(self._squeezed_bytes or used, used * _SQUEEZE_PERCENT // 100)

    def _allowed(self) -> int:
        """How many of the steps the disk asks for: all, the first, or none when it has room."""
        if self.quota_bytes is not None and self.journal.file.used_bytes() > self._quota_limit():
            return len(REASONS)
        disk = os.statvfs(self.journal.file.path.parent)
        spare = disk.f_bavail * disk.f_frsize
        if spare >= 2 * self._reserve_bytes:
            self._squeezed_bytes = None
            return 0
        return len(REASONS) if spare < self._reserve_bytes // 2 else 1

    def _quota_limit(self) -> int:
        return (self.quota_bytes or 0) * _BEGIN_PERCENT // 100

    def limit_bytes(self) -> int | None:
        """What the journal may take now; None while nothing bounds it."""
        limits = [] if self.quota_bytes is None else [self._quota_limit()]
        if self._squeezed_bytes is not None:
            limits.append(self._squeezed_bytes)
        return min(limits) if limits else None

    def ends(self, state: State) -> tuple[int, ...]:
        """Per step the first seq it may not touch: a restart counts from the newest interval."""
        newest = state.latest[Kind.INTERVAL]
        floor = newest if newest >= 0 else 0 if state.interval else self.journal.next_seq
        return (min(state.acked + 1, floor), floor, floor, floor, floor)

    def plan(self) -> Removal | None:
        """The next bounded step; None while there is room or nothing left to give up."""
        limit = self.limit_bytes()
        if limit is None:
            return None
        begun = time.monotonic()
        state = self.journal.state
        if self.journal.file.used_bytes() <= limit:
            return None
        allowed = self._allowed()
        found = None
        while found is None:
            swept = [max(at, state.acked + 1) if n else at for n, at in enumerate(state.swept)]
            step = plan_step(limit + 1, limit, tuple(swept), self.ends(state))
            self._planned_ms = (time.monotonic() - begun) * 1000
            if step is None or step >= allowed or self._planned_ms > STEP_MS / 2:
                return None
            found = self._chunk(step, swept[step], self.ends(state)[step])
        self._planned_ms = (time.monotonic() - begun) * 1000
        return found

    def project(self, step: int) -> tuple[int, int, int]:
        """(records gone, carried, ranges) of a step that takes all it may; only reads."""
        state = self.journal.state
        first, end = state.swept[step], self.ends(state)[step]
        if step != Step.ACKED:
            first = max(first, state.acked + 1)
        gone = carried = ranges = 0
        while first < end:
            rows = self._read_rows(step, first, end)
            after = rows[-1].seq + 1 if len(rows) == self._rows else end
            held = self._held(first, after)
            kept, runs = plan_chunk(step, rows, self._counter_points(step), held)
            gone += sum(last - first + 1 for first, last in runs)
            carried += len(kept)
            ranges += len(runs)
            first = after
        return gone, carried, ranges

    def _chunk(self, step: int, first: int, end: int) -> Removal | None:
        """One chunk's removal, None when it gives nothing; the sweep moves on then."""
        rows = self._read_rows(step, first, end)
        swept = rows[-1].seq + 1 if len(rows) == self._rows else end
        carried, runs = plan_chunk(
            step, rows, self._counter_points(step), self._held(first, swept)
        )
        if not runs:
            self.journal.state.swept[step] = swept
            return None
        tombs = tuple(self._tombstone(step, *run) for run in runs)
        level = step if WINDOWS_MS[step] else 0
        return Removal(carried, level, tombs, step, swept)

    def _read_rows(self, step: int, first: int, end: int) -> list[Row]:
        found = self.journal.file.query(
            "SELECT seq, kind, level FROM journal WHERE seq >= ? AND seq < ? ORDER BY seq LIMIT ?",
            *(first, end, self._rows),
        )
        records: Iterator[Record | None] = iter([None] * len(found))
        if WINDOWS_MS[step] and found:
            proved = self.journal.read(found[0][0], found[-1][0])
            records = iter([decode_record(data) for data, _ in proved])
        return [Row(seq, kind, level, next(records)) for seq, kind, level in found]

    def _held(self, first: int, end: int) -> set[int]:
        """Tombstones in force: the ranges they explain need them."""
        rows = self.journal.file.query(
            "SELECT tombstone FROM gap WHERE tombstone >= ? AND tombstone < ?", first, end
        )
        return {row[0] for row in rows}

    def _counter_points(self, step: int) -> dict[int, tuple[int, ...]]:
        newest = self.journal.state.latest[Kind.TABLE]
        if WINDOWS_MS[step] and newest != self._counters_of:
            self._counters_of = newest
            for data in self.journal.of_kind(Kind.TABLE):
                for part in decode_record(data).body:
                    if part[0] == Part.DEVICE:
                        points = part[_DEVICE_POINTS]
                        self._counters[part[1]] = tuple(
                            at for at, point in enumerate(points) if point[3] == "counter"
                        )
        return self._counters

    def _tombstone(self, step: int, first: int, last: int) -> Tombstone:
        """For one run; it takes in the range before it where the reason can speak for both."""
        journal = self.journal
        ends = [decode_record(journal.read(seq, seq)[0][0]).wall_ms for seq in (first, last)]
        made = Tombstone(
            *(first, last, REASONS[step], min(ends), max(ends), last - first + 1),
            *(journal.hash_at(first - 1), journal.hash_at(last)),
        )
        gap = journal.gap_from(first - 1) if first else None
        if gap is None or gap.last != first - 1:
            return made
        before = journal.explained(gap)
        if before.reason != made.reason and step == Step.ACKED:
            return made  # what was thinned or dropped did not all reach the cloud
        return Tombstone(
            *(before.first, last, made.reason),
            *(min(before.start_ms, made.start_ms), max(before.end_ms, made.end_ms)),
            *(before.count + made.count, before.hash_before, made.hash_last),
        )

    def apply(
        self, rows: list[tuple[int, int, bytes, bytes]], removal: Removal, state: State
    ) -> None:
        """Insert the rows and take the ranges away; within the caller's transaction."""
        begun = time.monotonic()
        file = self.journal.file
        tombs = len(removal.tombstones)
        file.insert(rows[:-tombs], removal.level)
        file.insert(rows[-tombs:])
        for tomb, row in zip(removal.tombstones, rows[-tombs:], strict=True):
            span = (tomb.first, tomb.last)
            for kind, count in file.query(
                "SELECT kind, count(*) FROM journal WHERE seq BETWEEN ? AND ? GROUP BY kind", *span
            ):
                state.counts[kind] -= count if kind != Kind.POLL else 0
            file.query("DELETE FROM journal WHERE seq BETWEEN ? AND ?", *span)
            file.query("DELETE FROM gap WHERE last BETWEEN ? AND ?", *span)
            file.query("INSERT INTO gap VALUES (?, ?)", tomb.last, row[0])
        state.swept[removal.step] = removal.swept
        self.step_ms = round(self._planned_ms + (time.monotonic() - begun) * 1000)
        if self.step_ms > STEP_MS * 4 // 5:
            self._rows = max(_ROWS_MIN, self._rows // 2)
        elif self.step_ms < STEP_MS // 4:
            self._rows = min(_ROWS_MAX, self._rows * 2)
