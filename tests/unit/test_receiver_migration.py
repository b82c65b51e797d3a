"""A store of an earlier version is brought to this one when it is opened; every row is kept."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cloud_sync.store.sqlite import SqliteStore
from cloud_sync.store.sqlite_file import APPLICATION_ID, SCHEMA_VERSION
from cloud_sync.verify import verify_store
from edge.core.errors import StoreError
from edge.core.journal.record import Kind, Part

from .receiver_journal import TOPIC, Journal, World, content, factory
from .source_tree import ROOT

OLD_SCHEMA = ROOT / "tests" / "data" / "cloud_schema_1.sql"


def old_store(path: Path, journal: Journal, last: int = -1) -> dict[str, list[tuple]]:
    """A file of version 1 that has received `journal`, to record `last`; returns what it holds."""
    model = World(path.with_name(f"model of {path.name}"))
    model.receiver.receive(TOPIC, journal.batch(0, last % len(journal.records)))
    rows = content(model)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(OLD_SCHEMA.read_text("utf-8"))
        tables = [r[0] for r in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        db.execute("BEGIN")
        for table in tables:
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            marks = ", ".join("?" * len(columns))
            query = f"SELECT {', '.join(columns)} FROM {table}"
            db.executemany(f"INSERT INTO {table} VALUES ({marks})", model.query(query))
        db.execute("COMMIT")
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute("PRAGMA user_version = 1")
    model.store.close()
    return rows


def shape(db: SqliteStore) -> dict[str, object]:
    """Tables by their columns, views by their text."""
    found: dict[str, object] = {}
    for kind, name, sql in db.query("SELECT type, name, sql FROM sqlite_master"):
        columns = [row[1:] for row in db.query(f"PRAGMA table_info({name})")]
        found[name] = sql if kind == "view" else columns
    return found


def test_it_keeps_every_row_and_is_proved(tmp_path: Path):
    journal = factory()
    rows = old_store(tmp_path / "cloud.db", journal)
    world = World(tmp_path / "cloud.db")
    assert world.query("PRAGMA user_version") == [(SCHEMA_VERSION,)]
    assert content(world) == rows
    readings = world.count("readings")
    assert readings > 50 and len(rows["interval_streams"]) == 2
    (summary,) = verify_store(tmp_path / "cloud.db").journals
    assert summary.ok and summary.readings == readings
    world.store.close()


def test_it_is_then_like_a_new_one(tmp_path: Path):
    old_store(tmp_path / "cloud.db", factory())
    migrated, new = SqliteStore(tmp_path / "cloud.db"), SqliteStore(tmp_path / "new.db")
    assert shape(migrated) == shape(new)
    migrated.close()
    new.close()


#: A row a reading, as versions 1 to 4 had it.
READINGS = """
CREATE TABLE was (journal INTEGER NOT NULL REFERENCES journals (id), seq INTEGER NOT NULL,
    point INTEGER NOT NULL, device INTEGER NOT NULL, value INTEGER, quality INTEGER,
    PRIMARY KEY (journal, seq, point)) WITHOUT ROWID;
INSERT INTO was SELECT journal, seq, point, device, value, quality FROM readings;
DROP VIEW readings;
DROP TABLE polls;
ALTER TABLE was RENAME TO readings;
"""

#: What versions before 7 and before 4 have not: tables, and the views that stand on them.
RESULTS = ("result_emissions", "result_totals", "results")
OF_RESULTS = ("v_result_emissions", "v_result_totals", "v_results")
FIGURES = ("interval_figures", "windows", "serials")
OF_FIGURES = ("v_figures", "v_windows", "v_serials")

#: What a version has not: tables, indexes, and the views that stand on them.
LATER = {
    6: (RESULTS, (), OF_RESULTS),
    5: (RESULTS, (), OF_RESULTS),
    4: (RESULTS, (), OF_RESULTS),
    3: ((*FIGURES, *RESULTS), (), (*OF_FIGURES, *OF_RESULTS)),
    2: (
        (*FIGURES, *RESULTS),
        ("records_clock", "records_untrusted"),
        (
            *(*OF_FIGURES, *OF_RESULTS),
            *("v_readings", "v_events", "named_readings", "restamped", "stamped"),
        ),
    ),
}


def age(path: Path, version: int) -> None:
    """Make a file what it was in a version from 2 on."""
    tables, indexes, views = LATER[version]
    with closing(sqlite3.connect(path)) as db:
        if version < 6:
            db.execute("DROP INDEX records_whole")
        if version < 5:
            db.executescript("PRAGMA legacy_alter_table = ON;" + READINGS)
        for kind, names in (("VIEW", views), ("TABLE", tables), ("INDEX", indexes)):
            for name in names:
                db.execute(f"DROP {kind} {name}")
        db.execute(f"PRAGMA user_version = {version}")


@pytest.mark.parametrize("version", LATER)
def test_every_later_version_becomes_this_one(tmp_path: Path, version: int):
    world = World(tmp_path / "cloud.db")
    world.receiver.receive(TOPIC, factory().batch(0, 30))
    rows, wanted = content(world), shape(world.store)
    world.store.close()
    age(tmp_path / "cloud.db", version)
    world = World(tmp_path / "cloud.db")
    assert content(world) == rows and shape(world.store) == wanted
    world.store.close()


def test_the_new_form_is_taken_after_the_old_one(tmp_path: Path):
    journal = factory()
    old_store(tmp_path / "cloud.db", journal)
    first = len(journal.records)
    rate = ["national", 5_306_000, 1000, "national_average", b"f" * 32]
    head = [Part.STREAM, 2, "grid", "grid_import", 2, "W.h", 8_325_000, 1000, "f", b"f" * 32]
    part = [*head, "a method", b"s" * 32, "park", [rate], "works/mill"]
    part += [[None, 500_000_000, 0, 1], [["main meter", "energy"]], []]
    swap = [Part.SWAP, "main meter", "energy", None, 0, "2026-11-20", "meter", "serial 7"]
    fact = [Part.FACT, "area", "floor_area", 12_500, 0, "m2", "2026", "2026-01-15", "register"]
    journal.append(Kind.TABLE, [part, swap, fact])
    entry = [2, 500, 0, 5_000, 4_162_500, 9, 10, 1, 0, [2_653_000], [500, 1]]
    bases = [["national", 0, 2_653_000, 2_653_000, 530_600]]
    journal.interval([entry], [0, 4_162_500, 4_162_500, 5_000, 832_500, 0, -7, bases])
    world = World(tmp_path / "cloud.db")
    world.receiver.receive(TOPIC, journal.batch(first, first + 1))
    assert world.count("alarms") == 0 and world.count("quarantine") == 0
    assert world.query("SELECT basis, emission_kg, place FROM v_emissions WHERE basis > ''") == [
        ("park", "4.162500", "works/mill"),
        ("national", "2.653000", "works/mill"),
    ]
    assert world.query("SELECT device, old, new, note FROM swaps") == [
        ("main meter", None, 0, "serial 7")
    ]
    assert world.query("SELECT kind, value, vintage FROM facts") == [
        ("floor_area", 12_500, "2026-01-15")
    ]
    last = "WHERE seq = (SELECT max(seq) FROM intervals)"
    assert world.query(f"SELECT green_wh, storage_wh FROM intervals {last}") == [(0, -7)]
    assert world.query(f"SELECT basis, scope2_mg FROM v_bases {last} ORDER BY basis") == [
        ("national", 2_653_000),
        ("park", 4_162_500),
    ]
    assert verify_store(tmp_path / "cloud.db").ok
    world.store.close()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE interval_emissions SET emission_mg = emission_mg + 1",
        "UPDATE interval_bases SET scope2_mg = 0",
        "UPDATE stream_rates SET numerator = 1",
        "DELETE FROM stream_rates",
        "UPDATE swaps SET new = 1",
        "UPDATE facts SET value = 1",
        "UPDATE interval_streams SET state = x'90' WHERE state IS NOT NULL",
    ],
)
def test_verify_sees_each_new_column(tmp_path: Path, damage: str):
    test_the_new_form_is_taken_after_the_old_one(tmp_path)
    with closing(sqlite3.connect(tmp_path / "cloud.db")) as db:
        assert db.execute(damage).rowcount > 0
        db.commit()
    assert not verify_store(tmp_path / "cloud.db").ok


def test_a_reader_leaves_an_old_store_alone(tmp_path: Path):
    old_store(tmp_path / "cloud.db", factory())
    before = (tmp_path / "cloud.db").read_bytes()
    with pytest.raises(StoreError) as caught:
        SqliteStore(tmp_path / "cloud.db", read_only=True)
    assert "version 1" in str(caught.value.fields["reason"])
    assert (tmp_path / "cloud.db").read_bytes() == before


def test_a_migration_that_fails_leaves_version_1(tmp_path: Path):
    old_store(tmp_path / "cloud.db", factory())
    with closing(sqlite3.connect(tmp_path / "cloud.db")) as db:
        db.execute("CREATE TABLE facts (theirs)")
    with pytest.raises(StoreError):
        SqliteStore(tmp_path / "cloud.db")
    with closing(sqlite3.connect(tmp_path / "cloud.db")) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        columns = [row[1] for row in db.execute("PRAGMA table_info(streams)")]
        assert "basis" not in columns
        assert db.execute("SELECT count(*) FROM v_readings").fetchone()[0] > 50


def test_views_of_another_program_are_made_anew_when_a_receiver_opens_the_file(tmp_path: Path):
    world = World(tmp_path / "cloud.db")
    wanted = shape(world.store)
    world.store.close()
    with closing(sqlite3.connect(tmp_path / "cloud.db")) as db:
        db.execute("DROP VIEW v_gaps")
        db.execute("DROP VIEW v_streams")
        db.execute("CREATE VIEW v_streams AS SELECT 1 AS old")
        db.execute("CREATE VIEW v_other AS SELECT 1 AS old")
    store = SqliteStore(tmp_path / "cloud.db")
    assert shape(store) == wanted
    store.close()
