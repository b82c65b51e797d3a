"""A calendar's parts are the whole of it, whatever a zone does to its clocks."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cloud_sync.reading.calendar import Period, days_of, instant, parse_period, split
from edge.core.errors import UsageError

HOUR_MS = 3_600_000

#: Months in which a zone goes forward at midnight, on the first and later; back to midnight; by
#: half an hour; leaves a day out; and one that does nothing.
MONTHS = (
    *(("Asia/Amman", "2011-04"), ("America/Asuncion", "2023-10"), ("America/Havana", "2026-03")),
    *(("America/Havana", "2026-11"), ("Australia/Lord_Howe", "2026-04")),
    *(("Australia/Lord_Howe", "2026-10"), ("America/Caracas", "2007-12")),
    *(("Pacific/Apia", "2011-12"), ("Europe/Berlin", "2026-03"), ("Asia/Shanghai", "2026-11")),
)


def assert_tiles(whole: Period, parts: list[Period]) -> None:
    edges = [part.start_ms for part in parts] + [parts[-1].end_ms]
    assert edges == sorted(set(edges)) and (edges[0], edges[-1]) == whole[1:]
    assert [part.end_ms for part in parts] == edges[1:]
    assert len({part.name for part in parts}) == len(parts)


@pytest.mark.parametrize(("name", "month"), MONTHS)
def test_hours_make_the_day_and_days_the_month(name: str, month: str):
    zone = ZoneInfo(name)
    whole = parse_period(month, zone)
    days = split(whole, zone)
    assert_tiles(whole, days)
    for day in days:
        assert parse_period(day.name, zone) == day
        assert_tiles(day, split(day, zone))
        # The oracle: the zone itself, asked each quarter of an hour.
        for ms in range(day.start_ms, day.end_ms, HOUR_MS // 4):
            local = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
            assert local.astimezone(zone).date().isoformat() == day.name
            if ms % HOUR_MS:
                assert days_of(ms, ms + 1, zone) == [day]
    assert days_of(whole.start_ms, whole.end_ms, zone) == days


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("2011-12-30", "Pacific/Apia"),
        ("0001", "Asia/Shanghai"),
        ("0001-01-01", "UTC"),
        ("9999-12-31", "UTC"),
        ("9999", "Asia/Shanghai"),
        ("\u0662\u0660\u0662\u0666", "UTC"),
        ("2026-02-30", "UTC"),
    ],
)
def test_what_is_no_period_of_a_calendar_is_refused(text: str, name: str):
    with pytest.raises(UsageError):
        parse_period(text, ZoneInfo(name))


@pytest.mark.parametrize(
    ("wall_ms", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (1 << 62, "4611686018427387904 ms"),
        (-(1 << 63), "-9223372036854775808 ms"),
    ],
)
def test_an_instant_of_no_calendar_is_told_in_milliseconds(wall_ms: int, text: str):
    assert instant(wall_ms) == text
