"""Interval records computed again from raw polls, by the same modules that the gateway runs.

Each interval starts from the record of the one before, as a gateway does after a restart, so that
a figure that does not come out is named where it arises and not in all that follow.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from cloud_sync.differences import ENTRY_NAMES, TOTAL_NAMES, Difference, compared
from cloud_sync.raw import (
    ALWAYS,
    Journal,
    Period,
    read_kind,
    read_late,
    read_proved,
    read_tombstones,
)
from cloud_sync.restream import Definitions
from cloud_sync.sound import has_span
from cloud_sync.store.contract import Store
from edge.core.carbon.account import Accountant
from edge.core.carbon.figures import facts_at, figures_of
from edge.core.carbon.geometry import Geometry
from edge.core.carbon.interval import OLD_ENTRY_FIELDS, TOTAL_FIELDS
from edge.core.carbon.resume import looks_back, recall, restore
from edge.core.carbon.streams import Stream
from edge.core.carbon.tariff import Tariff
from edge.core.carbon.totals import bases_of, totals_of
from edge.core.errors import TallyError
from edge.core.journal.clock import ClockQuality
from edge.core.journal.record import Kind, Part, Record, decode_record
from edge.core.numbers import pack
from edge.core.numbers.fixed import INT64_MAX

EQUAL, DIFFERS, UNPROVEN = "equal", "differs", "unproven"

#: What comes of definitions and polls that are no sense, as an authentic gateway may send.
_UNACCOUNTABLE = (TallyError, LookupError, TypeError, ValueError, ArithmeticError, RecursionError)

#: The longest look-back of any rule for stacks, in intervals of an hour (40 CFR Part 75).
LOOK_BACK_HOURS = 8760


class Outcome(NamedTuple):
    """One interval. lost: records of it that are gone; reason: why it could not be computed.

    given: streams whose definition does not say enough; their figures are taken as recorded.
    streams: in the order of the record's entries. revised: (streams, entries, totals) with other
    factors, None when none were asked for or the interval is not proven.
    """

    record: Record
    status: str
    reason: str
    lost: int
    differences: tuple[Difference, ...]
    given: tuple[str, ...]
    streams: tuple[Stream, ...]
    revised: tuple[list[Stream], list[Any], list[Any]] | None = None


class Recomputer:
    """Goes through one journal; intervals are computed in order."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        revise: Callable[[Stream], Stream] | None = None,
        stacks: Sequence[Geometry] = (),
        tariffs: Sequence[Tariff] = (),
    ) -> None:
        """revise: the same stream with other factors; stacks: see `stacks.read_stacks`.

        tariffs: those that streams of the journal name by their digest.
        """
        self._store, self._number, self._revise = store, journal.number, revise
        self._definitions = Definitions(stacks, tariffs)
        self._tariffs = tuple(tariffs)
        #: Interval bodies that stacks look back to, the newest last.
        self._past: deque[list[Any]] = deque(maxlen=LOOK_BACK_HOURS)
        #: FACT parts and windows as they were at the end of the interval before.
        self._stated: tuple[list[list[Any]], list[list[Any]]] = ([], [])
        #: device number -> its last poll before the interval: stacks take in what is older
        self._latest: dict[int, Record] = {}
        self._counted: dict[int, tuple[int, int]] = {}
        self._polled: dict[int, int] = {}
        self._dropped = _memory_losses(store, journal.number)

    def run(
        self, period: Period = ALWAYS, advance: Callable[[int], None] = lambda count: None
    ) -> Iterator[Outcome]:
        """The outcome of every interval that ends in a period."""
        before: Record | None = None
        for raw in read_kind(self._store, self._number, Kind.INTERVAL):
            record = decode_record(raw.body)
            if not has_span(record):
                continue  # an alarm told of it; nothing of the store's figures is of it
            end_ms = record.body[1]
            is_wanted = (period.start_ms is None or end_ms > period.start_ms) and (
                period.end_ms is None or end_ms <= period.end_ms
            )
            first = 0 if before is None else before.seq + 1
            between = self._read(first, record.seq)[:-1]
            self._refuse_unlisted(between)
            if is_wanted:
                yield self._compare(before, between, record)
            else:
                self._pass(between)
            before = record
            self._past.append(record.body)
            self._stated = list(self._definitions.facts), self._definitions.windows
            advance(1)
        self._refuse_unlisted(self._read(0 if before is None else before.seq + 1, INT64_MAX))

    def _refuse_unlisted(self, between: list[Record]) -> None:
        """Damage must not hide an interval: its bytes say what it is, not a column."""
        for record in between:
            if record.kind == Kind.INTERVAL and has_span(record):
                self._store.refuse_damaged(f"record {record.seq} is not listed as an interval")

    def _read(self, first: int, last: int) -> list[Record]:
        found = [
            decode_record(raw.body) for raw in read_proved(self._store, self._number, first, last)
        ]
        for record in found:
            if record.kind == Kind.TABLE:
                self._definitions.take(record.body)
        return found

    def _pass(self, between: list[Record]) -> None:
        """Note what an interval leaves for the next one."""
        for record in between:
            if record.kind == Kind.POLL and self._is_next(record):
                self._polled[record.body[0]] = record.seq
                self._latest[record.body[0]] = record

    def _is_next(self, record: Record) -> bool:
        """False for a poll that retention has recorded anew: it was counted in its time."""
        device, time = record.body[0], (record.boot, record.mono_ms)
        if time <= self._counted.get(device, (0, -1)):
            return False
        self._counted[device] = time
        return True

    def _compare(self, before: Record | None, between: list[Record], record: Record) -> Outcome:
        first = 0 if before is None else before.seq + 1
        lost = record.seq - first - len(between) + self._lost_in_memory(record)
        counted, latest = dict(self._counted), dict(self._latest)
        polls = between
        if lost:
            period = Period(record.body[0], record.body[1])
            late = read_late(self._store, self._number, Kind.POLL, record.seq, period)
            polls = between + [decode_record(raw.body) for raw in late]
            polls.sort(key=lambda item: (item.boot, item.mono_ms, item.seq))
        self._pass(between)
        self._counted, after = counted, self._counted
        self._latest, newest = latest, self._latest
        try:
            return self._judge(before, polls, record, lost)
        except _UNACCOUNTABLE as error:
            reason = f"its definitions or polls cannot be accounted: {error}"
            return Outcome(record, UNPROVEN, reason, lost, (), (), ())
        finally:
            self._counted, self._latest = after, newest

    def _lost_in_memory(self, record: Record) -> int:
        """Polls that never had a seq, of the time of an interval."""
        start_ms, end_ms = record.body[:2]
        return sum(n for first, last, n in self._dropped if first < end_ms and last >= start_ms)

    def _judge(
        self, before: Record | None, polls: list[Record], record: Record, lost: int
    ) -> Outcome:
        entries = record.body[2]
        streams = [self._definitions.build(entry[0], self._polled) for entry in entries]
        readable = tuple(stream for stream in streams if stream.source is not None)
        given = tuple(stream.name for stream in streams if stream.source is None)
        counted = dict(self._counted)
        if before is None and not any(item.kind == Kind.POLL for item in polls):
            reason = "it was taken over from an earlier epoch, with no polls of its own"
            return Outcome(record, UNPROVEN, reason, lost, (), given, tuple(streams))
        if not readable:
            reason = "none of its streams says where its values come from"
            return Outcome(record, UNPROVEN, reason, lost, (), given, tuple(streams))
        computed = self._account(readable, before, polls, record.body[1])
        if computed is None:
            reason = "no poll of it counts"
            return Outcome(record, UNPROVEN, reason, lost, (), given, tuple(streams))
        found = tuple(self._differences(streams, record.body, computed, bool(lost)))
        status, reason = (DIFFERS if found else EQUAL), ""
        if found and lost:
            status, reason = UNPROVEN, "records of it are gone"
        revised = None
        if self._revise is not None and status == EQUAL:
            self._counted = counted
            others = [one if one.source is None else self._revise(one) for one in streams]
            revised = self._again(others, before, polls, record)
        return Outcome(record, status, reason, lost, found, given, tuple(streams), revised)

    def _again(
        self, streams: list[Stream], before: Record | None, polls: list[Record], record: Record
    ) -> tuple[list[Stream], list[Any], list[Any]] | None:
        """The interval with other factors: (streams, entries, totals)."""
        readable = tuple(stream for stream in streams if stream.source is not None)
        body = self._account(readable, before, polls, record.body[1])
        if body is None or any(len(entry) == OLD_ENTRY_FIELDS for entry in record.body[2]):
            return None
        by_number = {entry[0]: entry for entry in body[2]}
        entries = [by_number.get(entry[0], entry) for entry in record.body[2]]
        totals = totals_of(tuple(streams), entries, bases_of(tuple(streams)))
        return streams, entries, _plain(totals)

    def _account(
        self, streams: tuple[Stream, ...], before: Record | None, polls: list[Record], end_ms: int
    ) -> list[Any] | None:
        accountant = Accountant(streams, 1, self._tariffs)
        facts, windows = self._stated
        accountant.facts = list(facts)
        accountant.declare(windows)
        if before is not None:
            ancestors = {one.number: self._definitions.ancestors(one.number) for one in streams}
            for past in self._past if looks_back(accountant) else ():
                recall(accountant, past, ancestors)
            restore(accountant, before.body, ancestors)
        for device, record in self._latest.items():
            values, qualities = record.body[1], _pairs(record.body[2])
            accountant.remember(device, record.boot, record.mono_ms, values, qualities)
        for record in polls:
            if record.kind == Kind.TABLE:
                self._state(accountant, record)
            elif record.kind == Kind.POLL and self._is_next(record):
                device, values, flat, _ = record.body
                wall_ms = None if record.clock == ClockQuality.UNSET else record.wall_ms
                time = (record.boot, record.mono_ms, wall_ms)
                accountant.observe(device, *time, values, _pairs(flat))
        body: Any = accountant.close(end_ms)
        return None if body is None else _plain(body)

    def _state(self, accountant: Accountant, record: Record) -> None:
        """Let what a TABLE states take effect, as it does in the gateway."""
        for part in record.body:
            if part[0] == Part.FACT:
                accountant.facts.append(part)
            elif part[0] == Part.WINDOWS:
                accountant.declare(part[1])
            elif part[0] == Part.SWAP:
                for device, point in self._definitions.devices_of(part[1], part[2]):
                    accountant.swap(device, point, part[3], part[4])

    def _differences(
        self, streams: list[Stream], recorded: list[Any], computed: list[Any], is_thinned: bool
    ) -> Iterator[Difference]:
        by_number = {entry[0]: entry for entry in computed[2]}
        entries = [by_number.get(entry[0], entry) for entry in recorded[2]]
        for stream, entry, again in zip(streams, recorded[2], entries, strict=True):
            yield from compared(stream.name, ENTRY_NAMES, entry, again, is_thinned)
        # What is only given has no further bases in the first form.
        if any(len(entry) == OLD_ENTRY_FIELDS for entry in entries):
            return
        totals = _plain(totals_of(tuple(streams), entries, bases_of(tuple(streams))))
        if len(recorded[3]) > TOTAL_FIELDS:
            facts = facts_at(self._definitions.facts, recorded[0])
            totals.append(_plain(figures_of(tuple(streams), entries, totals, facts)))
        yield from compared("", TOTAL_NAMES, recorded[3], totals[: len(recorded[3])], False)
        if not is_thinned and recorded[0] != computed[0]:
            yield Difference("", "start_ms", recorded[0], computed[0])


def _pairs(flat: list[Any]) -> dict[Any, Any]:
    return {flat[at]: flat[at + 1] for at in range(0, len(flat), 2)}


def _plain(value: Any) -> Any:
    """As it would be recorded: tuples become arrays."""
    return pack.decode(pack.encode(value))


def _memory_losses(store: Store, journal: int) -> list[tuple[int, int, int]]:
    """(start_ms, end_ms, count) of polls that found no room in a gateway's memory."""
    tombs = [tomb for _, tomb in read_tombstones(store, journal) if tomb.first is None]
    return [(tomb.start_ms, tomb.end_ms, tomb.count) for tomb in tombs]
