"""A migration waits for what an older program is storing, from every earlier version."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from cloud_sync.store import sqlite_file
from cloud_sync.store.sqlite import SqliteStore
from cloud_sync.store.sqlite_file import SCHEMA_VERSION
from cloud_sync.verify import verify_store
from edge.core.errors import StoreError

from .receiver_journal import TOPIC, Journal, World, content, factory
from .test_receiver_migration import OF_RESULTS, READINGS, RESULTS, age, old_store, shape


def made_of(path: Path, journal: Journal, last: int, version: int) -> None:
    """A file of a version that has received records 0..last."""
    if version == 1:
        old_store(path, journal, last)
        return
    world = World(path)
    world.receiver.receive(TOPIC, journal.batch(0, last))
    world.store.close()
    age(path, version)


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION))
def test_every_version_waits_for_what_is_being_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
):
    """A batch that an older program has begun is whole in the new form, and the next one fits."""
    monkeypatch.setattr(sqlite_file, "BUSY_MS", 60_000)
    journal = factory()
    made_of(tmp_path / "cloud.db", journal, 9, version)
    made_of(tmp_path / "later.db", journal, 39, version)
    wanted = World(tmp_path / "wanted.db")
    wanted.receiver.receive(TOPIC, journal.batch(0, 39))
    opened: list[World] = []
    opening = threading.Thread(target=lambda: opened.append(World(tmp_path / "cloud.db")))
    with closing(sqlite3.connect(tmp_path / "cloud.db", isolation_level=None)) as old:
        old.execute("ATTACH ? AS later", (str(tmp_path / "later.db"),))
        tables = old.execute("SELECT name FROM later.sqlite_master WHERE type = 'table'")
        names = [name for (name,) in tables.fetchall()]
        old.execute("BEGIN IMMEDIATE")
        opening.start()
        for name in names:
            old.execute(f"INSERT OR REPLACE INTO main.{name} SELECT * FROM later.{name}")
        old.execute("DELETE FROM main.ranges WHERE last < 39")
        opening.join(0.3)
        assert opening.is_alive() and not opened
        assert old.execute("PRAGMA main.user_version").fetchone() == (version,)
        old.execute("COMMIT")
    opening.join(60)
    (world,) = opened
    for last in (39, len(journal.records) - 1):
        assert content(world) == content(wanted) and shape(world.store) == shape(wanted.store)
        summary = verify_store(world.path).journals[0]
        assert summary.ok and summary.readings == wanted.count("readings")
        for one in (world, wanted):
            if last == 39:
                one.receiver.receive(TOPIC, journal.batch(40, len(journal.records) - 1))
    world.store.close()
    wanted.store.close()


def test_with_a_batch_in_flight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The migration waits for the batch, and the older receiver stores nothing after it."""
    monkeypatch.setattr(sqlite_file, "BUSY_MS", 60_000)
    journal = factory()
    old = World(tmp_path / "cloud.db")
    old.receiver.receive(TOPIC, journal.batch(0, 9))
    with closing(sqlite3.connect(tmp_path / "cloud.db")) as db:
        db.execute("DROP INDEX records_whole")
        for kind, names in (("VIEW", OF_RESULTS), ("TABLE", RESULTS)):
            for name in names:
                db.execute(f"DROP {kind} {name}")
        db.executescript("PRAGMA legacy_alter_table = ON;" + READINGS)
        db.execute("PRAGMA user_version = 4")
    old.store._version = 4
    assert old.store.query("SELECT count(*) FROM readings")[0][0] > 0  # it learns of the table
    opened: list[SqliteStore] = []
    opening = threading.Thread(target=lambda: opened.append(SqliteStore(tmp_path / "cloud.db")))
    with old.store.transaction():
        opening.start()
        old.store.query("INSERT INTO readings VALUES (1, 8, 9, 0, 77, 0)")
        assert not opened
    opening.join(60)
    assert opened[0].query("SELECT seq FROM readings WHERE value = 77") == [(8,)]
    with pytest.raises(StoreError) as caught:
        old.receiver.receive(TOPIC, journal.batch(10, 19))
    assert caught.value.code == "cloud.open"
    assert f"version {SCHEMA_VERSION}" in str(caught.value.fields["reason"])
    assert opened[0].query("SELECT max(seq) FROM records") == [(9,)]
    opened[0].close()
    old.store.close()
