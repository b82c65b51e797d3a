"""The SQLite file of the cloud store: what is opened, what is refused, what is left alone."""

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from cloud_sync.store.sqlite import SqliteStore
from cloud_sync.store.sqlite_file import SCHEMA_VERSION
from edge.core.errors import StoreError

from .receiver_journal import GATEWAY, NOW_MS, TENANT


def test_sqlite_syncs_each_commit(tmp_path: Path):
    store = SqliteStore(tmp_path / "cloud.db")
    assert store.query("PRAGMA journal_mode") == [("wal",)]
    assert store.query("PRAGMA synchronous") == [(2,)]
    assert store.query("PRAGMA user_version") == [(SCHEMA_VERSION,)]
    store.close()


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        (f"PRAGMA user_version = {SCHEMA_VERSION + 1}", f"version {SCHEMA_VERSION + 1}"),
        ("PRAGMA application_id = 7", "no carbontally"),
    ],
)
def test_sqlite_refuses_a_newer_schema_and_leaves_it_alone(tmp_path: Path, sql: str, told: str):
    path = tmp_path / "cloud.db"
    SqliteStore(path).close()
    with sqlite3.connect(path) as db:
        db.execute(sql)
    db.close()
    before = path.read_bytes()
    for read_only in (False, True):
        with pytest.raises(StoreError) as caught:
            SqliteStore(path, read_only)
        assert caught.value.code == "cloud.open" and told in str(caught.value.fields["reason"])
    assert path.read_bytes() == before


def test_sqlite_refuses_what_is_not_its_own(tmp_path: Path):
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE theirs (x)")
    db.close()
    text = tmp_path / "text.db"
    text.write_text("no database " * 100)
    before = other.read_bytes()
    for path in (other, text, tmp_path, tmp_path / "no" / "such.db"):
        with pytest.raises(StoreError) as caught:
            SqliteStore(path)
        assert caught.value.code == "cloud.open"
    assert other.read_bytes() == before


def test_sqlite_read_only_makes_and_changes_nothing(tmp_path: Path):
    with pytest.raises(StoreError):
        SqliteStore(tmp_path / "cloud.db", read_only=True)
    assert not (tmp_path / "cloud.db").exists()
    SqliteStore(tmp_path / "cloud.db").close()
    store = SqliteStore(tmp_path / "cloud.db", read_only=True)
    with pytest.raises(StoreError), store.transaction():
        store.set_state(TENANT, GATEWAY, "online", NOW_MS)
    store.close()


def test_what_it_makes_is_its_owners_alone(tmp_path: Path):
    """Whatever the umask lets others do; a file that is there keeps its rights."""
    path = tmp_path / "cloud.db"
    before = os.umask(0)
    try:
        store = SqliteStore(path)
        with store.transaction():
            store.set_state(TENANT, GATEWAY, "online", NOW_MS)
        made = {one.name: stat.S_IMODE(one.stat().st_mode) for one in tmp_path.iterdir()}
        assert made == dict.fromkeys(("cloud.db", "cloud.db-wal", "cloud.db-shm"), 0o600)
        store.close()
        path.chmod(0o640)
        SqliteStore(path).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
