"""How complete the cloud is: what was expected, received, substituted and lost, by device and day.

Expected is what came and what the device's poll period lacks in the time that its gateway covers;
lost and substituted are named by the gateway itself, in tombstones and intervals.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cloud_sync.owed import Owed
from cloud_sync.raw import (
    ALWAYS,
    Journal,
    Period,
    read_as_of,
    read_kind,
    read_raw,
    read_segments,
    read_tombstones,
    span_of,
)
from cloud_sync.restream import Definitions
from cloud_sync.sound import can_be_laid, inputs_of
from cloud_sync.store.contract import Store
from edge.core.carbon.counter import Flag
from edge.core.carbon.interval import FLAGS, OLD_ENTRY_FIELDS, SUBSTITUTED
from edge.core.journal.clock import CEILING_MS, FLOOR_MS, ClockQuality
from edge.core.journal.record import Kind, Part, Record, decode_record

DAY_MS = 86_400_000


class Missing(NamedTuple):
    """Records that have not arrived and that the next ack asks for.

    since_ms, until_ms: wall time of the records before and behind them, None where there is none.
    """

    first: int
    last: int
    since_ms: int | None
    until_ms: int | None


class Removed(NamedTuple):
    """Records that a gateway gave up, as its tombstone says. first, last: None without a seq."""

    first: int | None
    last: int | None
    reason: str
    start_ms: int
    end_ms: int
    records: int


@dataclass
class Day:
    """One device on one day. start_ms: of the day; expected: polls; good: all their values good.

    bad: polls that arrived with a value that is not; qualities: how many of those by quality code;
    substituted: intervals of its streams of which a part is not measured; reasons: why polls are
    absent: those of tombstones of that day, "missing" for records that have not arrived.
    """

    device: str
    start_ms: int
    expected: int = 0
    good: int = 0
    bad: int = 0
    substituted: int = 0
    qualities: dict[int, int] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)

    @property
    def received(self) -> int:
        return self.good + self.bad

    @property
    def absent(self) -> int:
        """Polls that are not here."""
        return self.expected - self.received


def find_missing(store: Store, journal: Journal) -> list[Missing]:
    """The gaps between what has arrived, those before the first record included."""
    found, at = [], 0
    for segment in read_segments(store, journal.number):
        if segment.first > at:
            since, until = (_time_of(store, journal, seq) for seq in (at - 1, segment.first))
            found.append(Missing(at, segment.first - 1, since, until))
        at = segment.last + 1
    return found


def _time_of(store: Store, journal: Journal, seq: int) -> int | None:
    for raw in read_raw(store, journal.number, seq, seq):
        return int(decode_record(raw.body).wall_ms)
    return None


def find_removed(store: Store, journal: Journal, period: Period = ALWAYS) -> list[Removed]:
    """What tombstones say is gone from a period, in the order of the tombstones."""
    found = []
    for _, tomb in read_tombstones(store, journal.number):
        if period.start_ms is not None and tomb.end_ms < period.start_ms:
            continue
        if period.end_ms is not None and tomb.start_ms >= period.end_ms:
            continue
        found.append(Removed(*tomb[:6]))
    return found


class Counts:
    """Counts polls by device and day of one journal; offset_ms: of the days' time from UTC."""

    def __init__(self, store: Store, journal: Journal, offset_ms: int = 0) -> None:
        self._store, self._journal, self._offset_ms = store, journal, offset_ms
        self._definitions = Definitions()
        self._days: dict[tuple[str, int], Day] = {}
        #: device number -> what it owes
        self._owed: dict[int, Owed] = {}
        self._counted: dict[int, tuple[int, int]] = {}
        self._last_ms = self._config_ms = 0
        self._begin_ms, self._end_ms = FLOOR_MS, CEILING_MS
        #: boot -> (mono_ms, clock quality, wall_ms - mono_ms) of the record that fixes its time
        self._anchors: dict[int, tuple[int, int, int]] = {}

    def run(
        self, period: Period = ALWAYS, advance: Callable[[int], None] = lambda count: None
    ) -> list[Day]:
        """Every day of every device in a period, by device and day.

        All records are read whatever the period is: a device that is silent in it is known from
        before, and the time of a poll may be known from later.
        """
        if period.start_ms is not None:
            self._begin_ms = max(FLOOR_MS, period.start_ms)
        if period.end_ms is not None:
            self._end_ms = min(CEILING_MS, period.end_ms)
        number = self._journal.number
        for raw in read_kind(self._store, number, Kind.TABLE):
            self._definitions.take(decode_record(raw.body).body)
        for raw in read_kind(self._store, number, Kind.CLOCK):
            self._anchor(decode_record(raw.body))
        span = span_of(self._store, number, ALWAYS)
        if span is None:
            return []
        for raw in read_raw(self._store, number, *span):
            self._take(decode_record(raw.body))
            advance(1)
        self._end()
        self._explain(period)
        return sorted(self._days.values(), key=lambda day: (day.device, day.start_ms))

    def _anchor(self, record: Record) -> None:
        found = self._anchors.get(record.boot)
        if record.clock > (ClockQuality.UNSET if found is None else found[1]):
            offset_ms = record.wall_ms - record.mono_ms
            self._anchors[record.boot] = (record.mono_ms, record.clock, offset_ms)

    def _wall_ms(self, record: Record) -> int | None:
        """When it was made, as `v_readings` has it; None where no clock says what can be true."""
        wall_ms: int = record.wall_ms
        mono_ms, clock, offset_ms = self._anchors.get(record.boot, (-1, 0, 0))
        if record.mono_ms <= mono_ms and record.clock < clock:
            wall_ms = record.mono_ms + offset_ms
        return wall_ms if FLOOR_MS <= wall_ms < CEILING_MS else None

    def _take(self, record: Record) -> None:
        wall_ms = self._wall_ms(record)
        if wall_ms is None:
            return  # it is of no day
        self._last_ms = max(self._last_ms, wall_ms)
        if record.kind == Kind.POLL and record.body[0] in self._definitions.devices:
            self._poll(record, wall_ms)
        elif record.kind == Kind.INTERVAL and can_be_laid(record):
            self._interval(record.body)
        elif record.kind == Kind.TABLE and _is_config(record.body[0]):
            self._config_ms = wall_ms

    def _is_in_turn(self, record: Record) -> bool:
        """False for a poll that retention recorded anew, later than polls that came after it."""
        device, time = record.body[0], (record.boot, record.mono_ms)
        if time <= self._counted.get(device, (0, -1)):
            return False
        self._counted[device] = time
        return True

    def _is_double(self, record: Record) -> bool:
        """True for a poll that was recorded anew although the first record is here."""
        return any(
            raw.seq < record.seq and decode_record(raw.body).body[0] == record.body[0]
            for raw in read_as_of(self._store, self._journal.number, Kind.POLL, record.wall_ms)
        )

    def _start_of(self, wall_ms: int) -> int:
        return (wall_ms + self._offset_ms) // DAY_MS * DAY_MS - self._offset_ms

    def _day(self, name: str, start_ms: int) -> Day:
        return self._days.setdefault((name, start_ms), Day(name, start_ms))

    def _poll(self, record: Record, wall_ms: int) -> None:
        number, values, flat, _ = record.body
        _, _, name, *_, poll_ms, _ = self._definitions.devices[number]
        is_in_turn = self._is_in_turn(record)
        if not is_in_turn and self._is_double(record):
            return
        if number not in self._owed:
            self._owed[number] = Owed(poll_ms, wall_ms)
        elif is_in_turn:
            self._expect(name, self._owed[number].take(wall_ms))
        if not self._begin_ms <= wall_ms < self._end_ms:
            return
        day = self._day(name, self._start_of(wall_ms))
        day.expected += is_in_turn
        if flat or None in values:
            day.bad += 1
        else:
            day.good += 1
        for code in set(flat[1::2]):
            day.qualities[code] = day.qualities.get(code, 0) + 1

    def _interval(self, body: list[Any]) -> None:
        if not self._begin_ms <= body[0] < self._end_ms:
            return
        for entry in body[2]:
            part = self._definitions.streams.get(entry[0], [])
            if len(entry) == OLD_ENTRY_FIELDS:
                continue
            if not (entry[FLAGS] & Flag.SUBSTITUTED or entry[SUBSTITUTED]):
                continue
            for owner, point in inputs_of(part):
                for number, _ in self._definitions.devices_of(owner, point):
                    if number in self._owed:
                        name = self._definitions.devices[number][2]
                        self._day(name, self._start_of(body[0])).substituted += 1

    def _end(self) -> None:
        """What is owed after the last poll, until another definition took the device's place.

        One that falls silent owes polls until the configuration changes, or the records end.
        """
        begins: dict[str, list[int]] = {}
        for number, owed in self._owed.items():
            begins.setdefault(self._definitions.devices[number][2], []).append(owed.first_ms)
        for number, owed in self._owed.items():
            name = self._definitions.devices[number][2]
            later = [begin for begin in begins[name] if begin > owed.first_ms]
            end_ms = self._last_ms if owed.last_ms >= self._config_ms else owed.last_ms
            self._expect(name, owed.lack(min([end_ms, *later])))
        for day in self._days.values():
            # Recorded anew on another side of midnight than the poll that lacks.
            day.expected = max(day.expected, day.received)

    def _expect(self, name: str, lacking: range) -> None:
        """Count polls that did not come on their days."""
        begin_ms, over_ms = max(lacking.start, self._begin_ms), min(lacking.stop, self._end_ms)
        while begin_ms < over_ms:
            day = self._day(name, self._start_of(begin_ms))
            end_ms = min(day.start_ms + DAY_MS, over_ms)
            within = (-((at - lacking.start) // -lacking.step) for at in (begin_ms, end_ms))
            day.expected -= next(within) - next(within)
            begin_ms = end_ms

    def _explain(self, period: Period) -> None:
        removed = find_removed(self._store, self._journal, period)
        missing = find_missing(self._store, self._journal)
        for day in self._days.values():
            if not day.absent:
                continue
            end_ms = day.start_ms + DAY_MS
            reasons = {one.reason for one in removed if _meets(one, day.start_ms, end_ms)}
            if any(_is_within(one, day.start_ms, end_ms) for one in missing):
                reasons.add("missing")
            day.reasons = sorted(reasons) or ["not read"]


def _is_config(part: Any) -> bool:
    return isinstance(part, list) and part[:1] == [Part.CONFIG]


def _meets(one: Removed, start_ms: int, end_ms: int) -> bool:
    return one.start_ms < end_ms and one.end_ms >= start_ms


def _is_within(one: Missing, start_ms: int, end_ms: int) -> bool:
    """True when the missing records may be of that time."""
    return (one.since_ms is None or one.since_ms < end_ms) and (
        one.until_ms is None or one.until_ms >= start_ms
    )
