"""How much of each stream was seen, by day of the park's calendar. Integers."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from cloud_sync.reading.calendar import Period, days_of
from cloud_sync.reading.covered import Covered, read_reaching
from cloud_sync.reading.database import Database

_SHARES = """
    SELECT gateway, stream, start_ms, end_ms, good, expected, flags, activity, substituted
    FROM v_streams
    WHERE tenant = :tenant AND start_ms >= :start AND start_ms < :end {}
    ORDER BY start_ms"""


@dataclass
class Coverage:
    """One stream on one day. An interval's counts belong to the day in which it starts.

    covered_ms: of the day, by intervals that are here, no moment twice; good of expected polls
    counted; unknown: intervals without a figure; substituted: those with a part that was not
    measured.
    """

    gateway: str
    stream: str
    day: Period
    intervals: int = 0
    covered_ms: int = 0
    good: int = 0
    expected: int = 0
    unknown: int = 0
    substituted: int = 0
    flags: int = 0

    def as_object(self) -> dict[str, Any]:
        """The row of the API: times and counts are integers."""
        return {
            "gateway": self.gateway,
            "stream": self.stream,
            "day": self.day.name,
            "day_ms": self.day.end_ms - self.day.start_ms,
            "intervals": self.intervals,
            "covered_ms": self.covered_ms,
            "good": self.good,
            "expected": self.expected,
            "unknown": self.unknown,
            "substituted": self.substituted,
            "flags": self.flags,
        }


def read_coverage(
    database: Database, tenant: str, start_ms: int, end_ms: int, zone: ZoneInfo, gateway: str = ""
) -> list[Coverage]:
    """Every stream on every day that [start_ms, end_ms) touches; a day without intervals too.

    gateway: "" for all of the tenant. Rows by gateway, stream and day.
    """
    days = days_of(start_ms, end_ms, zone)
    sql = _SHARES.format("AND gateway = :gateway" if gateway else "")
    values = {"tenant": tenant, "start": days[0].start_ms, "end": days[-1].end_ms}
    if gateway:
        values["gateway"] = gateway
    found: dict[tuple[str, str], list[Coverage]] = {}
    covered: dict[tuple[str, str], Covered] = {}
    reaching = read_reaching(database, tenant, days[0].start_ms)
    at = 0
    for owner, stream, begin_ms, *rest in database.stream(sql, **values):
        while begin_ms >= days[at].end_ms:
            at += 1
        key = (owner, stream)
        if key not in found:
            found[key] = [Coverage(owner, stream, day) for day in days]
            covered[key] = Covered(days)
            _cover(found[key], covered[key].take(days[0].start_ms, reaching.get(key, 0)))
        _cover(found[key], covered[key].take(begin_ms, rest[0]))
        _add(found[key][at], *rest[1:])
    return [row for key in sorted(found) for row in found[key]]


def _cover(rows: list[Coverage], parts: Iterable[tuple[int, int]]) -> None:
    for number, covered_ms in parts:
        rows[number].covered_ms += covered_ms


def _add(row: Coverage, *rest: Any) -> None:
    good, expected, flags, activity, substituted = rest
    row.intervals += 1
    row.good += good
    row.expected += expected
    row.unknown += activity is None
    row.substituted += bool(substituted)
    row.flags |= flags or 0
