"""Time that intervals cover, counted once and where it is."""

import json
import random
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cloud_sync.reading.calendar import Period
from cloud_sync.reading.coverage import read_coverage
from cloud_sync.reading.covered import Covered
from cloud_sync.reading.database import open_reading
from edge.__main__ import main
from edge.core.journal.record import Kind

from .receiver_journal import GATEWAY, TENANT, TOPIC, Journal, World

HOUR_MS = 3_600_000
SHANGHAI = ZoneInfo("Asia/Shanghai")
PARTS = [Period("a", 100, 110), Period("b", 110, 125), Period("c", 125, 140)]


@pytest.mark.parametrize("seed", range(200))
def test_it_is_what_marking_every_moment_gives(seed: int):
    draw = random.Random(seed)
    spans = sorted(
        (start, start + draw.choice((-3, 0, 1, 4, 12, 40)))
        for start in (draw.randrange(85, 140) for _ in range(draw.randrange(9)))
    )
    covered, found = Covered(PARTS), [0, 0, 0]
    for span in spans:
        for number, ms in covered.take(*span):
            found[number] += ms
    moments = {at for start, end in spans for at in range(start, end)}
    assert found == [len(moments & {*range(p.start_ms, p.end_ms)}) for p in PARTS]


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text + "+08:00").timestamp() * 1000)


#: (epoch, start, hours) of intervals around the 2nd and 3rd of November 2026.
SPANS = (
    (b"epoch-01", "2026-11-01T23:30", 1),
    (b"epoch-01", "2026-11-02T00:30", 11),
    (b"epoch-02", "2026-11-02T08:30", 3),
    (b"epoch-02", "2026-11-02T22:30", 3),
)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A gateway with two epochs that were at work at once, and a hole of eleven hours."""
    world = World(tmp_path / "cloud.db")
    for epoch in sorted({span[0] for span in SPANS}):
        journal = Journal(epoch=epoch)
        journal.define()
        for of, start, hours in SPANS:
            if of == epoch:
                at = ms(start)
                entry = [1, 100, 0, 10, 10, 1, 1]
                body = [at, at + hours * HOUR_MS, [entry], [None, 10, 10, 10, 1]]
                journal.append(Kind.INTERVAL, body, at)
        world.receiver.receive(TOPIC, journal.batch(0, len(journal.records) - 1))
    world.store.close()
    return tmp_path / "cloud.db"


#: 0:00 to 11:30 and 22:30 to 24:00; 0:00 to 1:30.
SECOND_MS, THIRD_MS = 13 * HOUR_MS, 3 * HOUR_MS // 2


def test_completeness_counts_no_hour_twice(store: Path):
    database = open_reading(f"sqlite:///{store}")
    rows = read_coverage(
        database, TENANT, ms("2026-11-02T00:00"), ms("2026-11-04T00:00"), SHANGHAI
    )
    database.close()
    assert [(row.gateway, row.day.name, row.covered_ms, row.intervals) for row in rows] == [
        (GATEWAY, "2026-11-02", SECOND_MS, 3),
        (GATEWAY, "2026-11-03", THIRD_MS, 0),
    ]


def test_a_report_has_holes_where_they_are(store: Path, capsys: pytest.CaptureFixture):
    for of, wanted in (
        ("2026-11-02", SECOND_MS),
        ("2026-11", HOUR_MS // 2 + SECOND_MS + THIRD_MS),
    ):
        main(["report", "--store", f"sqlite:///{store}", "--of", of, "--json"])
        document = json.loads(capsys.readouterr().out)
        assert document["covered_ms"] == wanted and not document["is_judged"]
        assert document["scope2_mg"] == (30 if of == "2026-11-02" else 40)
