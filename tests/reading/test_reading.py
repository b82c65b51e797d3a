"""The read layer: one statement for both databases, calendars, files that are too old."""

import sqlite3
from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cloud_sync.reading.calendar import days_of, instant, parse_period, split
from cloud_sync.reading.database import open_reading
from cloud_sync.reports.render import short
from edge.core.errors import StoreError, UsageError

from . import park

CHINA, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    "text", ["2026", "2026-10", "2026-03", "2028-02", "2026-10-25", "2026-03-29"]
)
@pytest.mark.parametrize("zone", [CHINA, BERLIN, ZoneInfo("Asia/Kathmandu")])
def test_the_parts_of_a_period_are_the_whole_of_it(text: str, zone: ZoneInfo):
    period = parse_period(text, zone)
    parts = split(period, zone)
    assert parts[0].start_ms == period.start_ms and parts[-1].end_ms == period.end_ms
    assert all(a.end_ms == b.start_ms for a, b in zip(parts, parts[1:], strict=False))
    assert len({part.name for part in parts}) == len(parts)


def test_a_day_of_the_park_begins_at_its_midnight_also_when_clocks_are_put_back():
    assert parse_period("2026-11-20", CHINA).start_ms == park.START_MS
    assert instant(park.START_MS) == "2026-11-19T16:00:00Z"
    assert instant(park.START_MS + 5, CHINA) == "2026-11-20T00:00:00.005+08:00"
    long = parse_period("2026-10-25", BERLIN)
    assert long.end_ms - long.start_ms == 25 * park.HOUR_MS and len(split(long, BERLIN)) == 25
    assert [day.name for day in days_of(long.start_ms, long.end_ms, BERLIN)] == ["2026-10-25"]


def test_hours_are_named_by_the_clock_on_the_wall_and_apart_where_it_is_put_back():
    names = [part.name for part in split(parse_period("2026-11-20", CHINA), CHINA)]
    assert names == [f"{hour:02}:00" for hour in range(24)]
    names = [part.name for part in split(parse_period("2026-10-25", BERLIN), BERLIN)]
    assert names[1:4] == ["01:00+02:00", "02:00+02:00", "02:00+01:00"]
    assert [short(name) for name in ("08:00", "02:00+01:00", "2026-11-20", "2026-11")] == [
        *("08", "02", "20", "11")
    ]


@pytest.mark.parametrize(
    "text", ["", "26", "2026-13", "2026-02-30", "2026-1", "0000", "9999", "last"]
)
def test_what_is_no_period_is_refused(text: str):
    with pytest.raises(UsageError):
        parse_period(text, CHINA)


def test_a_store_is_never_written_and_older_views_are_told(cloud: Path, tmp_path: Path):
    database = open_reading(f"sqlite:///{cloud}")
    with pytest.raises(StoreError, match="cloud.read"):
        database.rows("DELETE FROM readings")
    database.close()
    old = tmp_path / "old.db"
    old.write_bytes(cloud.read_bytes())
    with closing(sqlite3.connect(old)) as db:
        db.execute("DROP VIEW v_gaps")
    with pytest.raises(StoreError, match="cloud.open"):
        open_reading(f"sqlite:///{old}")


def test_a_file_whose_views_cannot_be_read_is_damaged(cloud: Path, tmp_path: Path):
    path = tmp_path / "damaged.db"
    image = cloud.read_bytes()
    page = int.from_bytes(image[16:18], "big")
    with closing(sqlite3.connect(cloud)) as db:
        roots = {row[0] for row in db.execute("SELECT rootpage FROM sqlite_master")}
    # The schema fills pages behind the first, which no table begins in.
    at = next(number for number in range(2, len(image) // page) if number not in roots)
    damaged = bytearray(image)
    damaged[(at - 1) * page : at * page] = b"\x5a" * page
    path.write_bytes(damaged)
    with pytest.raises(StoreError, match="cloud.damaged"):
        open_reading(f"sqlite:///{path}")
