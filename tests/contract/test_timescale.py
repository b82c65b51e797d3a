"""Hypertables of TimescaleDB in place of partitions: made where it is there, by anybody's role.

What holds for every layout is in the suites that run with both servers.
"""

import re
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from cloud_sync.keys import Keys
from cloud_sync.receiver import Receiver
from cloud_sync.rows import Rows
from cloud_sync.store.compaction import Compaction, compact
from cloud_sync.store.postgres import PostgresStore
from cloud_sync.verify import verify_store
from edge.core.journal.record import Kind
from hil_tests.postgres_server import RECEIVER, Server
from tests.contract.brokers import mosquitto, wait_until
from tests.contract.receive_process import receiving
from tests.unit.receiver_journal import (
    EPOCH,
    GATEWAY,
    KEY,
    NOW_MS,
    POLL_MS,
    START_MS,
    TENANT,
    TOPIC,
    Journal,
    factory,
)

pytestmark = pytest.mark.system

DAY_MS = 86_400_000
CHUNK_MS = 30 * DAY_MS

#: Where a chunk begins, the one after that of `START_MS`.
FIRST_MS = START_MS - START_MS % CHUNK_MS + CHUNK_MS


@pytest.fixture(scope="module")
def server(postgres_servers: Callable[[str], Server]) -> Server:
    return postgres_servers("timescale")


def receiver_on(store: PostgresStore) -> Receiver:
    return Receiver(store, Keys({(TENANT, GATEWAY): KEY}), lambda: NOW_MS)


def add_times(store: PostgresStore, walls_ms: list[int], first: int = 0) -> None:
    """Records that are no polls, with these times."""
    with store.transaction():
        number = store.open_journal(TENANT, GATEWAY, EPOCH, NOW_MS)
        raw = [(first + at, 3, 1, 0, ms, 2, b"h" * 32, b"b") for at, ms in enumerate(walls_ms)]
        store.add_records(number, raw, Rows())


def chunks(url: str, table: str = "record_rows") -> list[tuple[str, int, bool]]:
    """(name, rows, guarded) of each chunk."""
    with psycopg.connect(url) as db:
        found = db.execute(
            "SELECT c.oid::regclass::text, c.relrowsecurity FROM pg_inherits i"
            " JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = %s::regclass"
            " ORDER BY c.oid",
            (table,),
        ).fetchall()
        counted = []
        for name, is_guarded in found:
            (rows,) = db.execute(f"SELECT count(*) FROM {name}".encode()).fetchone() or (0,)
            counted.append((name, rows, is_guarded))
    return counted


def test_the_layout_is_told(server: Server, postgres_server: Server, tmp_path: Path):
    """By the contract, as an event and as a line; the role owns its database and no more."""
    with psycopg.connect(server.url()) as db:
        sql = "SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = %s"
        assert db.execute(sql, (RECEIVER,)).fetchone() == (False,)
        (version,) = db.execute(
            "SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb'"
        ).fetchone() or ("",)
    url = server.create()
    with mosquitto(tmp_path) as broker, receiving(tmp_path, broker, store=url) as process:
        told = process.wait_for("store")
        process.wait_for("ready")
        assert process.stop()[0] == 0
    assert told["layout"] == "hypertables" and told["timescaledb"] == version
    assert re.fullmatch(r"postgresql 1\d\.\d+", told["store"])
    with (
        mosquitto(tmp_path) as broker,
        receiving(tmp_path, broker, json=False, store=url) as process,
    ):
        line = f"store {told['store']}: hypertables of timescaledb {version}"
        wait_until(lambda: line in [one.strip() for one in process.lines], line)
    plain = PostgresStore(postgres_server.create())
    assert plain.describe()["layout"] == "partitions" and "timescaledb" not in plain.describe()
    plain.close()


def plan(url: str, sql: str) -> str:
    with psycopg.connect(url) as db:
        return "\n".join(line for (line,) in db.execute(f"EXPLAIN {sql}".encode()))


MONTHS = 3


@pytest.fixture(scope="module")
def months(server: Server) -> str:
    """A table, then polls at the start of three chunks, all but the last ones as blocks."""
    url = server.create()
    journal = Journal()
    journal.define()
    store = PostgresStore(url)
    for month in range(MONTHS):
        first = len(journal.records)
        begin_ms = FIRST_MS + month * CHUNK_MS
        for at in range(300):
            journal.append(Kind.POLL, [0, [at, 2 * at], [], []], begin_ms + at * POLL_MS)
        for low in range(first if month else 0, len(journal.records), 100):
            high = min(low + 99, len(journal.records) - 1)
            receiver_on(store).receive(TOPIC, journal.batch(low, high))
        if month < MONTHS - 1:
            assert compact(url, begin_ms + DAY_MS) == 300
    store.close()
    return url


def opened(url: str, sql: str) -> list[str]:
    """The chunks that a question reads, sorted."""
    with psycopg.connect(url) as db:
        plan = "".join(line for (line,) in db.execute(f"EXPLAIN {sql}".encode()))
    return sorted(set(re.findall(r"(?:record_rows|po\w+_blocks)_\d+_chunk(?= )", plan)))


def names_of(url: str, table: str) -> list[str]:
    return [name.partition(".")[2] for name, _, _ in chunks(url, table)]


@pytest.mark.parametrize("month", range(MONTHS))
def test_a_question_of_a_time_opens_the_chunks_of_it(months: str, month: int):
    start_ms = FIRST_MS + month * CHUNK_MS
    span = (start_ms, start_ms + DAY_MS)
    rows = f"SELECT * FROM record_rows WHERE wall_ms >= {span[0]} AND wall_ms < {span[1]}"
    assert opened(months, rows) == [names_of(months, "record_rows")[1 + month]]
    blocks = f"SELECT * FROM poll_blocks WHERE start_ms >= {span[0]} AND start_ms < {span[1]}"
    assert len(opened(months, blocks)) == (month < MONTHS - 1)
    # The function bounds where blocks start from above alone, as their length is unknown.
    between = opened(months, f"SELECT * FROM v_readings_between({span[0]}, {span[1]})")
    assert not set(between) & set(names_of(months, "poll_blocks")[month + 1 :])
    with psycopg.connect(months) as db:
        sql = f"SELECT count(*) FROM v_readings_between({span[0]}, {span[1]})"
        assert db.execute(sql.encode()).fetchone() == (600,)


def test_old_chunks_are_dropped_and_the_rest_is_read(server: Server, months: str):
    """As docs/scale.md has it: raw readings of a time go, what is small stays."""
    with psycopg.connect(months, autocommit=True) as db:
        for table in ("poll_blocks", "point_blocks"):
            sql = f"SELECT drop_chunks('{table}', {FIRST_MS + CHUNK_MS}::bigint)"
            assert len(db.execute(sql.encode()).fetchall()) == 1
        found = db.execute(b"SELECT count(*), min(wall_ms) FROM v_readings").fetchone()
        assert found == (2 * 300 * (MONTHS - 1), FIRST_MS + CHUNK_MS)
        assert db.execute(b"SELECT count(*) FROM v_points").fetchone() == (5,)


def test_a_chunk_of_either_is_made_while_the_other_is_at_work(server: Server):
    """What makes a chunk locks its table until the commit: never both tables of two programs."""
    url = server.create()
    store = PostgresStore(url)
    journal = factory(polls=300)
    receiver_on(store).receive(TOPIC, journal.batch(0, 599))
    compaction = Compaction(url)
    with compaction._db.transaction():
        assert compaction.run(1, NOW_MS)
        add_times(store, [START_MS + 3 * CHUNK_MS], first=10_000)
    assert len(chunks(url)) == 2 and len(chunks(url, "poll_blocks")) == 1
    compaction.close()
    store.close()


def test_two_receivers_that_make_one_chunk_take_turns(server: Server):
    url = server.create()
    one, other = PostgresStore(url), PostgresStore(url)
    thread = threading.Thread(target=lambda: add_other(other))
    with one.transaction():
        number = one.open_journal(TENANT, GATEWAY, EPOCH, NOW_MS)
        one.add_records(number, [(0, 3, 1, 0, START_MS, 2, b"h" * 32, b"b")], Rows())
        thread.start()
        wait_until(lambda: is_waiting(server), "the other waits for the chunk")
    thread.join(30)
    assert chunks(url) == [(chunks(url)[0][0], 2, True)]
    one.close()
    other.close()


def add_other(store: PostgresStore) -> None:
    with store.transaction():
        number = store.open_journal(TENANT, "gw-2", EPOCH, NOW_MS)
        store.add_records(number, [(0, 3, 1, 0, START_MS, 2, b"h" * 32, b"b")], Rows())


def is_waiting(server: Server) -> bool:
    with psycopg.connect(server.url()) as db:
        return bool(db.execute(b"SELECT 1 FROM pg_locks WHERE NOT granted").fetchall())


def test_statistics_of_chunks_tell_a_reader_nothing(server: Server):
    """A chunk has the rights of its hypertable, so that pg_stats would show what rows hold."""
    url = server.create()
    store = PostgresStore(url)
    server.execute("CREATE ROLE of_nobody LOGIN")
    store.query("SELECT add_reader('of_nobody', 'another park')")
    receiver_on(store).receive(TOPIC, factory(polls=300).batch(0, 599))
    assert compact(url, NOW_MS)
    store.query("ANALYZE")
    seen = "SELECT count(*) FROM pg_stats WHERE tablename LIKE '%_chunk'"
    assert store.query(seen)[0][0] > 20
    with psycopg.connect(url.replace(RECEIVER, "of_nobody")) as db:
        assert db.execute(seen.encode()).fetchone() == (0,)
        assert db.execute(b"SELECT count(*) FROM record_rows").fetchone() == (0,)
    store.close()


def test_a_database_keeps_the_layout_it_was_made_with(server: Server):
    server.execute(f"CREATE DATABASE older OWNER {RECEIVER}")
    url = server.url("older", RECEIVER)
    store = PostgresStore(url)
    receiver_on(store).receive(TOPIC, factory(polls=300).batch(0, 599))
    store.close()
    server.execute("CREATE EXTENSION timescaledb", server.url("older"))
    again = PostgresStore(url)
    told = again.describe()
    assert told["layout"] == "partitions" and told["timescaledb"]
    journal = factory(polls=300)
    receiver_on(again).receive(TOPIC, journal.batch(600, len(journal.records) - 1))
    assert compact(url, NOW_MS) and verify_store(url).ok
    again.close()


@pytest.mark.parametrize(
    "hindrance", ["REVOKE CREATE ON DATABASE {} FROM receiver", "CREATE SCHEMA carbontally_chunks"]
)
def test_where_chunks_can_have_no_schema_there_are_partitions(server: Server, hindrance: str):
    """The role may make none, or another store of the database has it."""
    url = server.create()
    server.execute(hindrance.format(url.partition("@/")[2].partition("?")[0]), url)
    store = PostgresStore(url)
    assert store.describe()["layout"] == "partitions"
    store.close()


def test_rows_move_from_partitions_to_hypertables(
    server: Server, postgres_server: Server, tmp_path: Path
):
    """As docs/receiver.md has it: pg_dump's data, loaded by way of the tables' names."""
    old, new = postgres_server.create(), server.create()
    store = PostgresStore(old)
    journal = factory(polls=300)
    receiver_on(store).receive(TOPIC, journal.batch(0, 599))
    assert compact(old, NOW_MS)
    receiver_on(store).receive(TOPIC, journal.batch(600, 620))
    sql = "SELECT * FROM v_readings ORDER BY seq, device, point"
    expected = store.query(sql)
    store.close()
    PostgresStore(new).close()
    dump = ["pg_dump", "--data-only", "--load-via-partition-root"]
    for table in ("carbontally_schema", "*_names", "scales", "readers"):
        dump += ["--exclude-table", table]
    moved = tmp_path / "rows.sql"
    subprocess.run([*dump, "--file", str(moved), old], check=True, capture_output=True)
    load = ["psql", "-q", "-v", "ON_ERROR_STOP=1", "-1", "-f", str(moved), new]
    subprocess.run(load, check=True, capture_output=True)
    loaded = PostgresStore(new)
    assert loaded.query(sql) == expected and len(chunks(new, "poll_blocks")) == 1
    assert verify_store(new).ok
    receiver_on(loaded).receive(TOPIC, journal.batch(621, len(journal.records) - 1))
    assert verify_store(new).journals[0].readings == len(journal.readings)
    loaded.close()
