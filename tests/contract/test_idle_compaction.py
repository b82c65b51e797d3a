"""Compaction as idle work: in quiet moments, beside batches that arrive, one process a journal."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from cloud_sync import idle
from cloud_sync.idle import IdleCompactor, day_before
from cloud_sync.keys import Keys
from cloud_sync.receiver import Receiver
from cloud_sync.store.compaction import Compaction
from cloud_sync.store.contract import Store
from cloud_sync.store.postgres import PostgresStore
from cloud_sync.store.sqlite import SqliteStore
from cloud_sync.store.sqlite_compaction import SqliteCompaction
from cloud_sync.verify import verify_store
from edge.core.errors import TallyError
from hil_tests.postgres_server import Server
from tests.contract.brokers import mosquitto, wait_until
from tests.contract.conftest import BOTH
from tests.contract.receive_process import gateway_on, receiving
from tests.unit.receiver_journal import GATEWAY, KEY, NOW_MS, TENANT, TOPIC, acked, factory

pytestmark = pytest.mark.system

LATER_MS = NOW_MS + 10**9
JOURNAL = factory(polls=320)
LAST = 629


@pytest.fixture
def url(postgres_server: Server) -> str:
    return postgres_server.create()


@pytest.fixture
def store(url: str) -> Iterator[PostgresStore]:
    """With the records 0..LAST, more than 600 of them polls, and a second epoch."""
    found = PostgresStore(url)
    receiver = receiver_on(found)
    assert acked(receiver.receive(TOPIC, JOURNAL.batch(0, LAST))).seq == LAST
    receiver.receive(TOPIC, factory(polls=200, epoch=b"epoch-02").batch(0, 399))
    yield found
    found.close()


def receiver_on(store: Store) -> Receiver:
    return Receiver(store, Keys({(TENANT, GATEWAY): KEY}), lambda: NOW_MS)


def blocked_polls(url: str) -> int:
    with psycopg.connect(url) as db:
        found = db.execute("SELECT coalesce(sum(polls), 0)::bigint FROM poll_blocks").fetchone()
    assert found is not None
    return int(found[0])


class Watched:
    """An idle compactor; `told` and `notices` take what it says."""

    def __init__(self, url: str, is_quiet: Callable[[], bool] = lambda: True) -> None:
        self.told: list[TallyError | None] = []
        self.notices: list[tuple[str, dict]] = []
        self.idle = IdleCompactor(
            lambda: Compaction(url),
            is_quiet,
            self.told.append,
            lambda name, fields: self.notices.append((name, fields)),
            lambda: LATER_MS,
        )


@BOTH
def test_a_batch_waits_for_no_run(store: PostgresStore, url: str):
    """A lock that both need would fail it: a receiver waits for a second at most."""
    receiver = receiver_on(store)
    compaction = Compaction(url)
    with compaction._db.transaction():
        assert compaction.run(1, LATER_MS)
        again = receiver.receive(TOPIC, JOURNAL.batch(600, len(JOURNAL.records) - 1))
        assert acked(again).seq == len(JOURNAL.records) - 1
        assert acked(receiver.receive(TOPIC, JOURNAL.batch(0, 59))).seq > LAST
    compaction.close()
    assert verify_store(url).ok
    assert store.query("SELECT count(*) FROM quarantine") == [(0,)]
    (size,) = store.query("SELECT count(*), count(DISTINCT seq) FROM records WHERE journal = 1")
    assert size == (len(JOURNAL.records),) * 2


@BOTH
def test_two_leave_each_other_a_journal(store: PostgresStore, url: str):
    one, other = Compaction(url), Compaction(url)
    assert one.run(1, LATER_MS, 10) == 10  # makes a chunk, where there are chunks
    with one._db.transaction():
        done = one.run(1, LATER_MS, 300)
        assert done == 300 and other.run(1, LATER_MS) == 0
        assert other.run(2, LATER_MS) > 300
    left = dict(one.waiting(LATER_MS))
    assert list(left) == [1] and other.run(1, LATER_MS) == left[1]
    assert one.waiting(LATER_MS) == [] and verify_store(url).ok
    one.close()
    other.close()


def test_runs_begin_in_quiet_moments_only(
    store: PostgresStore, url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(idle, "POLLS_MAX", 256)
    monkeypatch.setattr(idle, "QUIET_S", 0.001)
    moments, asked = threading.Semaphore(2), [0]  # to look, and for one run

    def is_quiet() -> bool:
        asked[0] += 1
        return moments.acquire(blocking=False)

    watched = Watched(url, is_quiet)
    watched.idle.start()
    wait_until(lambda: blocked_polls(url) == 256, "the first run")
    before = asked[0]
    wait_until(lambda: asked[0] > before + 20, "it asks whether it may go on")
    assert blocked_polls(url) == 256
    moments.release(1_000)
    wait_until(lambda: watched.told, "the look ends")
    watched.idle.stop()
    assert watched.told == [None]
    assert watched.notices == [("compacted", {"polls": blocked_polls(url)})]
    assert blocked_polls(url) == 3 * 256 and verify_store(url).ok


def test_records_of_yesterday_stay_rows():
    day_ms = 86_400_000
    for now_ms in (10 * day_ms, 11 * day_ms - 1):
        assert day_before(now_ms) == 9 * day_ms


def test_a_stop_breaks_a_run_off(store: PostgresStore, url: str):
    store.query(
        "CREATE FUNCTION slow() RETURNS boolean LANGUAGE sql AS 'SELECT pg_sleep(600) IS NOT NULL'"
    )
    store.query("ALTER TABLE poll_blocks ADD CONSTRAINT slow CHECK (slow()) NOT VALID")
    watched = Watched(url)
    watched.idle.start()
    running = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    wait_until(lambda: store.query(running), "a run is under way")
    watched.idle.stop()
    wait_until(lambda: not watched.idle._thread.is_alive(), "the thread ends")
    assert watched.told == [] and blocked_polls(url) == 0
    store.query("ALTER TABLE poll_blocks DROP CONSTRAINT slow")
    assert verify_store(url).ok


def test_a_database_that_fails_is_told_and_looked_at_again(
    store: PostgresStore, url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(idle, "LOOK_S", 0.01)
    store.query("ALTER TABLE point_blocks ADD CONSTRAINT never CHECK (point < 0) NOT VALID")
    watched = Watched(url)
    watched.idle.start()
    wait_until(lambda: watched.told, "it says what fails")
    assert watched.told[0] is not None and watched.told[0].code == "cloud.write"
    store.query("ALTER TABLE point_blocks DROP CONSTRAINT never")
    wait_until(lambda: watched.told[-1] is None and blocked_polls(url) > 600, "it goes on")
    watched.idle.stop()
    assert verify_store(url).ok


@BOTH
def test_what_a_broken_off_reindex_left_is_dropped(
    store: PostgresStore, url: str, postgres_server: Server
):
    part = store.query("SELECT tableoid::regclass::text FROM record_rows LIMIT 1")[0][0]
    index = part.partition(".")[2] or part
    store.query(f"CREATE UNIQUE INDEX {index}_pkey_ccnew ON {part} (journal, seq, wall_ms)")
    left = f"indexrelid = '{part}_pkey_ccnew'::regclass"
    owned = url.partition("@/")[2].partition("?")[0]
    postgres_server.execute(
        f"UPDATE pg_index SET indisvalid = false WHERE {left}", postgres_server.url(owned)
    )
    compaction = Compaction(url)
    compaction.tidy()
    compaction.close()
    assert store.query(f"SELECT to_regclass('{part}_pkey_ccnew')") == [(None,)]
    assert verify_store(url).ok


@pytest.mark.parametrize("options", [(), ("--no-compact",)])
def test_receive_compacts_unless_told_not_to(
    store: PostgresStore, url: str, tmp_path: Path, options: tuple[str, ...]
):
    with (
        mosquitto(tmp_path) as broker,
        receiving(tmp_path, broker, *options, store=url) as process,
        gateway_on(broker) as gateway,
    ):
        process.wait_for("ready")
        if not options:
            assert process.wait_for("compacted")["polls"] > 600
        last = len(JOURNAL.records) - 1
        gateway.send(JOURNAL.batch(LAST + 1, last))
        wait_until(lambda: gateway.acked == last, "the batch is acknowledged")
        assert process.stop()[0] == 0
        assert process.of("failing") == []
    assert bool(blocked_polls(url)) == (not options)
    assert verify_store(url).ok


def test_a_file_is_compacted_while_batches_come(tmp_path: Path):
    with (
        mosquitto(tmp_path) as broker,
        receiving(tmp_path, broker) as process,
        gateway_on(broker) as gateway,
    ):
        process.wait_for("ready")
        gateway.send(JOURNAL.batch(0, LAST))
        wait_until(lambda: gateway.acked == LAST, "the batch is acknowledged")
        assert process.stop()[0] == 0
        with receiving(tmp_path, broker) as again:
            assert again.wait_for("compacted")["polls"] > 500
            last = len(JOURNAL.records) - 1
            gateway.send(JOURNAL.batch(LAST + 1, last))
            wait_until(lambda: gateway.acked == last, "the batch is acknowledged")
            assert again.stop()[0] == 0
            assert again.of("failing") == []
    assert verify_store(process.path).ok


def test_a_batch_and_readers_go_on_beside_the_compaction_of_a_file(tmp_path: Path):
    path = tmp_path / "cloud.db"
    store = SqliteStore(path)
    receiver = receiver_on(store)
    assert acked(receiver.receive(TOPIC, JOURNAL.batch(0, LAST))).seq == LAST
    reader = SqliteStore(path, read_only=True)
    rows = reader.query("SELECT * FROM readings ORDER BY seq, point")
    compaction = SqliteCompaction(path)
    for first in range(LAST + 1, len(JOURNAL.records)):
        assert compaction.run(1, LATER_MS, 10) == 10
        assert acked(receiver.receive(TOPIC, JOURNAL.batch(first, first))).seq == first
        found = reader.query("SELECT * FROM readings WHERE seq <= ? ORDER BY seq, point", LAST)
        assert found == rows
    compaction.close()
    reader.close()
    assert verify_store(path).ok
    store.close()


def test_two_at_one_file_share_its_polls(tmp_path: Path):
    path = tmp_path / "cloud.db"
    store = SqliteStore(path)
    receiver_on(store).receive(TOPIC, JOURNAL.batch(0, LAST))
    one, other = SqliteCompaction(path), SqliteCompaction(path)
    ((_, polls),) = one.waiting(LATER_MS, 1)
    done = 0
    while found := one.run(1, LATER_MS, 70) + other.run(1, LATER_MS, 70):
        done += found
    assert done == polls and other.waiting(LATER_MS, 1) == [] and verify_store(path).ok
    for each in (one, other, store):
        each.close()
