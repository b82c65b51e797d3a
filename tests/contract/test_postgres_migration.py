"""A PostgreSQL store of an earlier version is brought to this one while batches arrive."""

import shutil
import threading
from pathlib import Path

import psycopg
import pytest

from cloud_sync.keys import Keys
from cloud_sync.receiver import Receiver
from cloud_sync.store import dialect, postgres_database
from cloud_sync.store.compaction import compact
from cloud_sync.store.dialect import postgres_drops
from cloud_sync.store.postgres import PostgresStore
from cloud_sync.store.postgres_database import FIRST_VERSION
from cloud_sync.store.sqlite_file import SCHEMA_VERSION
from cloud_sync.verify import verify_store
from edge.core.errors import StoreError
from hil_tests.postgres_server import Server
from tests.contract.brokers import wait_until
from tests.contract.conftest import BOTH
from tests.unit.receiver_journal import GATEWAY, KEY, NOW_MS, TENANT, TOPIC, factory
from tests.unit.test_receiver_migration import LATER

pytestmark = pytest.mark.system


def age(url: str, version: int) -> None:
    """Make a database what it was in an earlier version."""
    tables, _, _ = LATER[version]
    with psycopg.connect(url) as db:
        for statement in postgres_drops():
            db.execute(statement.encode())
        for table in tables:
            db.execute(f"DROP TABLE {table}".encode())
        db.execute("UPDATE carbontally_schema SET version = %s, views = ''", (version,))


def shape(url: str) -> list[tuple]:
    with psycopg.connect(url) as db:
        return db.execute(
            "SELECT c.table_name, c.column_name, c.data_type, t.relrowsecurity,"
            " col_description(t.oid, c.ordinal_position::int)"
            " FROM information_schema.columns c JOIN pg_class t ON t.relname = c.table_name"
            " WHERE c.table_schema = 'public' ORDER BY 1, c.ordinal_position"
        ).fetchall()


def is_waiting(url: str) -> bool:
    with psycopg.connect(url) as db:
        return bool(db.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchall())


@BOTH
@pytest.mark.parametrize("version", range(FIRST_VERSION, SCHEMA_VERSION))
def test_with_a_batch_in_flight(postgres_server: Server, version: int):
    url = postgres_server.create()
    journal = factory(polls=300)
    old = PostgresStore(url)
    receiver = Receiver(old, Keys({(TENANT, GATEWAY): KEY}), lambda: NOW_MS)
    receiver.receive(TOPIC, journal.batch(0, 599))
    assert compact(url, NOW_MS + 10**9)
    wanted = shape(url)
    age(url, version)
    old._version = version
    found: list[PostgresStore] = []
    opening = threading.Thread(target=lambda: found.append(PostgresStore(url)))
    with receiver.group():
        receiver.receive(TOPIC, journal.batch(600, 609))
        opening.start()
        wait_until(lambda: is_waiting(url), "the migration waits for the batch")
    opening.join(20)
    assert found[0].query("SELECT version FROM carbontally_schema") == [(SCHEMA_VERSION,)]
    assert shape(url) == wanted
    with pytest.raises(StoreError) as caught:
        receiver.receive(TOPIC, journal.batch(610, 619))
    assert caught.value.code == "cloud.open"
    again = Receiver(found[0], Keys({(TENANT, GATEWAY): KEY}), lambda: NOW_MS)
    assert again.receive(TOPIC, journal.batch(610, len(journal.records) - 1)) is not None
    summary = verify_store(url).journals[0]
    assert summary.ok and summary.readings == len(journal.readings)
    old.close()
    found[0].close()


def test_one_that_fails_changes_nothing(postgres_server: Server, monkeypatch: pytest.MonkeyPatch):
    url = postgres_server.create()
    PostgresStore(url).close()
    age(url, SCHEMA_VERSION - 1)
    before = shape(url)

    def broken(step: int) -> list[str]:
        return ["CREATE TABLE half (done bigint)", "SELECT 1 / 0"]

    monkeypatch.setattr(postgres_database, "postgres_migration", broken)
    with pytest.raises(StoreError) as caught:
        PostgresStore(url)
    assert caught.value.code == "cloud.open" and "zero" in str(caught.value.fields["reason"])
    assert shape(url) == before
    monkeypatch.undo()
    PostgresStore(url).close()


@BOTH
def test_a_version_may_change_what_only_postgres_has(
    postgres_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    url = postgres_server.create()
    store = PostgresStore(url)
    receiver = Receiver(store, Keys({(TENANT, GATEWAY): KEY}), lambda: NOW_MS)
    journal = factory(polls=30)
    receiver.receive(TOPIC, journal.batch(0, 40))
    store.close()
    shutil.copytree(dialect.FOLDER, tmp_path, dirs_exist_ok=True)
    step = SCHEMA_VERSION + 1
    (tmp_path / f"migrate_{step}.sql").write_text("ALTER TABLE points ADD COLUMN more INTEGER;")
    own = "ALTER TABLE record_rows ADD COLUMN more bigint; ALTER TABLE poll_blocks ADD more text;"
    (tmp_path / f"postgres_migrate_{step}.sql").write_text(own)
    monkeypatch.setattr(dialect, "FOLDER", tmp_path)
    monkeypatch.setattr(postgres_database, "SCHEMA_VERSION", step)
    db = postgres_database.connect(url)
    found = db.execute(
        "SELECT table_name, data_type FROM information_schema.columns WHERE column_name = 'more'"
        " AND table_name IN ('points', 'record_rows', 'poll_blocks') ORDER BY 1"
    ).fetchall()
    assert found == [("points", "bigint"), ("poll_blocks", "text"), ("record_rows", "bigint")]
    assert db.execute("SELECT count(*) FROM v_records").fetchone() == (41,)
    db.close()
