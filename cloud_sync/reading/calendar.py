"""Days, months and years of a park's calendar over times in UTC. Integers, Unix milliseconds."""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from edge.core.errors import UsageError

DEFAULT_ZONE = "Asia/Shanghai"

_PERIOD = re.compile(r"([0-9]{4})(?:-([0-9]{2}))?(?:-([0-9]{2}))?")


class Period(NamedTuple):
    """A year, month, day or hour: its name as ISO 8601 writes it, and [start_ms, end_ms).

    An hour is named as the clock on the wall, 08:00; with its offset on a day that changes it.
    """

    name: str
    start_ms: int
    end_ms: int


def find_zone(name: str) -> ZoneInfo:
    """A time zone by its IANA name; UsageError "usage.value" when there is none."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:
        expected = "a time zone like Asia/Shanghai"
        raise UsageError("usage.value", option="--zone", found=name, expected=expected) from error


def parse_period(text: str, zone: ZoneInfo, option: str = "--of") -> Period:
    """ "2026", "2026-11" or "2026-11-20" in a zone; UsageError "usage.value" for anything else."""
    found = _PERIOD.fullmatch(text)
    try:
        if found is None:
            raise ValueError(text)
        year, month, day = (int(part) if part else 0 for part in found.groups())
        first = datetime(year, month or 1, day or 1, tzinfo=zone)
        last = _after(first, "day" if day else "month" if month else "year")
        if _ms(first) >= _ms(last) or year < 2:  # a day that a zone left out; no year before it
            raise ValueError(text)
        return Period(text, _ms(first), _ms(last))
    except (ValueError, OverflowError) as error:
        expected = "a year, month or day like 2026, 2026-11 or 2026-11-20"
        raise UsageError("usage.value", option=option, found=text, expected=expected) from error


def split(period: Period, zone: ZoneInfo) -> list[Period]:
    """The months of a year, the days of a month, the hours of a day; together the whole of it."""
    parts = []
    step = {4: "month", 7: "day", 10: "hour"}[len(period.name)]
    at = datetime.fromtimestamp(period.start_ms // 1000, zone)
    is_even = at.utcoffset() == datetime.fromtimestamp(period.end_ms // 1000, zone).utcoffset()
    if step != "hour":
        at = _midnight(at)
    while _ms(at) < period.end_ms:
        following = _after(at, step)
        name = at.isoformat()[: {"month": 7, "day": 10, "hour": 16}[step]]
        if step == "hour":
            name = name[11:] + ("" if is_even else at.isoformat()[19:])
        # The last hour is half of one where a zone moves by half an hour.
        part = Period(name, _ms(at), min(_ms(following), period.end_ms))
        if part.start_ms < part.end_ms:
            parts.append(part)
        at = following
    return parts


def days_of(start_ms: int, end_ms: int, zone: ZoneInfo) -> list[Period]:
    """The calendar days that [start_ms, end_ms) touches, whole."""
    at = _midnight(datetime.fromtimestamp(start_ms // 1000, zone))
    found = []
    while _ms(at) < end_ms:
        following = _after(at, "day")
        if _ms(at) < _ms(following):  # not one that a zone left out
            found.append(Period(at.isoformat()[:10], _ms(at), _ms(following)))
        at = following
    return found


def instant(wall_ms: int, zone: ZoneInfo | None = None) -> str:
    """A moment as RFC 3339 text, in UTC with a Z unless a zone is given.

    A time that no calendar has, as of a broken clock, is told in milliseconds.
    """
    try:
        moment = datetime.fromtimestamp(wall_ms // 1000, zone or UTC)
    except (ValueError, OverflowError, OSError):
        return f"{wall_ms} ms"
    text = moment.replace(tzinfo=None).isoformat()
    if wall_ms % 1000:
        text += f".{wall_ms % 1000:03d}"
    if zone is None:
        return text + "Z"
    return text + moment.strftime("%z")[:3] + ":" + moment.strftime("%z")[3:5]


def _midnight(at: datetime) -> datetime:
    """When its day began: where clocks go forward at midnight, at one; where they go back to it,
    at the first of both."""
    return at.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


def _after(at: datetime, step: str) -> datetime:
    if step == "year":
        return at.replace(year=at.year + 1)
    if step == "month":
        return (at.replace(day=28) + timedelta(days=4)).replace(day=1)
    if step == "day":
        return at + timedelta(days=1)  # of the calendar: 23 to 25 hours
    # Hours are of time that passes, also where a clock is put back.
    return (at.astimezone(UTC) + timedelta(hours=1)).astimezone(at.tzinfo)


def _ms(at: datetime) -> int:
    return int(at.timestamp()) * 1000
