"""What an authentic gateway should never send stops nothing: not others, not who reads."""

import json
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from cloud_sync.reading.database import open_reading
from cloud_sync.reading.explanation import explain_interval
from edge.__main__ import main
from edge.core.errors import UsageError
from edge.core.journal.record import Kind, Part
from edge.core.numbers.fixed import INT64_MAX, INT64_MIN
from tests.reading.serving import serve_here

from .receiver_journal import EPOCH, GATEWAY, START_MS, TENANT, TOPIC, Journal, World, acked

LARGE, SMALL = INT64_MAX, INT64_MIN

#: A code that only a newer gateway knows.
NEWER = 77


def absurd() -> Journal:
    """Intervals of no calendar, counts of no meter, a poll with a quality of the future."""
    journal = Journal()
    journal.define()
    journal.append(Kind.POLL, [0, [5, None], [1, NEWER], []])
    for start_ms, end_ms, number in (
        (START_MS, START_MS - 10, 5),
        (START_MS, LARGE, LARGE),
        (SMALL, SMALL, SMALL),
    ):
        entry = [1, number, number, number, number, number, number]
        journal.append(Kind.INTERVAL, [start_ms, end_ms, [entry], [number] * 5])
    journal.append(Kind.POLL, [0, [5, 6], [], []])
    return journal


@pytest.fixture
def store(tmp_path: Path) -> str:
    world, journal = World(tmp_path / "cloud.db"), absurd()
    reply = world.receiver.receive(TOPIC, journal.batch(0, len(journal.records) - 1))
    assert acked(reply).seq == len(journal.records) - 1 and not world.count("quarantine")
    world.store.close()
    return f"sqlite:///{tmp_path / 'cloud.db'}"


def test_a_second_configuration_in_a_table_blocks_nobody(tmp_path: Path):
    """It is kept as raw bytes, with an alarm; what follows is stored."""
    world, journal = World(tmp_path / "cloud.db"), Journal()
    journal.define()
    twice = [[Part.CONFIG, b"c" * 32, "0.1.0"], [Part.CONFIG, b"d" * 32, "0.2.0"]]
    journal.append(Kind.TABLE, twice)
    journal.append(Kind.POLL, [0, [5, 6], [], []])
    reply = world.receiver.receive(TOPIC, journal.batch(0, 2))
    assert acked(reply).seq == 2
    assert world.query("SELECT code, seq FROM alarms") == [("data.record", 1)]
    assert world.count("configs") == 1 and world.count("records") == 3


def test_an_export_holds_every_integer(store: str, tmp_path: Path):
    assert main(["export", "--store", store, "--to", str(tmp_path / "out")]) == 0
    with duckdb.connect() as duck:
        found = duck.execute(
            f"SELECT good, expected, activity, emission_kg FROM"
            f" read_parquet('{tmp_path}/out/streams/*/*.parquet') ORDER BY good"
        ).fetchall()
    assert [row[:3] for row in found] == [(5, 5, 5), (LARGE, LARGE, LARGE)]
    assert str(found[1][3]) == "9223372036854.775807"


def test_the_api_has_no_number_that_a_browser_rounds(store: str, tmp_path: Path):
    span = {"from": "2026-05-28T00:00:00Z", "to": "2026-05-29T00:00:00Z"}
    assert datetime.fromtimestamp(START_MS / 1000, UTC).date().isoformat() == "2026-05-28"
    with serve_here(store, tmp_path, TENANT) as server:
        found = server.get("/v1/streams", TENANT, **span, limit=1).json()
        items, after = found["items"], found["next"]
        items += server.get("/v1/streams", TENANT, **span, after=after).json()["items"]
        csv = server.get("/v1/streams", TENANT, accept="text/csv", **span).body.decode()
    assert [(one["end_ms"], one["good"], one["activity"]) for one in items] == [
        (START_MS - 10, 5, "5"),
        (None, None, str(LARGE)),
    ]
    assert str(LARGE) in csv


def test_gaps_name_what_they_can(store: str, capsys: pytest.CaptureFixture):
    assert main(["gaps", "--store", store, "--json"]) == 0
    days = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"unknown": 1} in [day.get("qualities") for day in days]


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_intervals_of_no_calendar_are_recomputed_like_others(
    store: str, capsys: pytest.CaptureFixture, options: tuple[str, ...]
):
    main(["recompute", "--store", store, *options])
    told = capsys.readouterr()
    assert str(SMALL) in told.out and "Traceback" not in told.err


def nonsense() -> Journal:
    """Definitions and intervals that fit no table, before and after those that do."""
    journal = Journal()
    head = [Part.STREAM, 1, "grid", "grid_import", 2, "W.h", 8_325_000, 1000, "f", b"f" * 32]
    stream = [*head, "a method", b"s" * 32]
    journal.append(Kind.TABLE, [[Part.STREAM], 5, [], [[]], [Part.DEVICE, 0, "x"], [99, 1]])
    journal.define()
    inputs = [*stream, "park", [], "", [1, 2], [5, ["x"], ["main meter", 7]], []]
    journal.append(Kind.TABLE, [[Part.STREAM, 2, "odd", *inputs[3:]]])
    journal.append(Kind.POLL, [0, [5, 6], [], []])
    journal.append(Kind.INTERVAL, ["then", None, 5, []])
    entry = [2, 5, 0, 5, 5, 1, 1, 16, 3, [], []]
    totals = [None, None, None, None, None, None, None, []]
    journal.append(Kind.INTERVAL, [START_MS, START_MS + 9_000, [entry], totals])
    journal.append(
        Kind.INTERVAL, [START_MS + 9_000, START_MS + 18_000, [[7, 5, 0, 5, 5, 1, 1]], [None] * 5]
    )
    return journal


@pytest.mark.parametrize("words", [("gaps",), ("recompute",), ("recompute", "--json")])
def test_what_fits_no_table_hides_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture, words: tuple[str, ...]
):
    world, journal = World(tmp_path / "cloud.db"), nonsense()
    world.receiver.receive(TOPIC, journal.batch(0, len(journal.records) - 1))
    assert world.query("SELECT seq FROM alarms ORDER BY seq") == [(0,), (4,)]
    world.store.close()
    assert main([*words, "--store", f"sqlite:///{world.path}"]) == 0
    told = capsys.readouterr()
    assert ("main meter" if words == ("gaps",) else "unproven") in told.out and not told.err
    assert main(["verify", "--store", f"sqlite:///{world.path}"]) == 0


def test_what_fits_no_table_has_no_explanation(tmp_path: Path, capsys: pytest.CaptureFixture):
    world, journal = World(tmp_path / "cloud.db"), nonsense()
    world.receiver.receive(TOPIC, journal.batch(0, len(journal.records) - 1))
    world.store.close()
    words = ["explain", "--store", f"sqlite:///{world.path}", "--stream", "odd", "--interval"]
    assert [main([*words, str(seq)]) for seq in (4, 6)] == [2, 2]
    database = open_reading(f"sqlite:///{world.path}")
    for seq in (4, 6):
        with pytest.raises(UsageError, match="api.not_found"):
            explain_interval(database, TENANT, GATEWAY, EPOCH.hex(), seq, "odd")
    database.close()


def test_one_is_explained(store: str, capsys: pytest.CaptureFixture):
    words = ["explain", "--store", store, "--stream", "grid", "--interval", "3"]
    assert main(words) in (0, 65)
    assert f"{LARGE} ms" in capsys.readouterr().out


def test_a_report_of_its_day_is_made(store: str, tmp_path: Path):
    words = ["report", "--store", store, "--of", "2026-05", "--to", str(tmp_path / "may")]
    assert main(words) in (0, 65)
    assert (tmp_path / "may" / "report.html").exists()
