"""`carbontally receive` on a real broker and a real PostgreSQL: faults lose and ack nothing."""

import os
import random
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cloud_sync.keys import Keys
from cloud_sync.receiver import Receiver
from cloud_sync.rows import Rows
from cloud_sync.store import postgres_database
from cloud_sync.store.postgres import PostgresStore
from cloud_sync.verify import verify_store
from edge.__main__ import main
from edge.core.errors import StoreError
from edge.core.journal.record import Kind, Part
from hil_tests.postgres_server import Server, running
from tests.contract.brokers import Broker, mosquitto, wait_until
from tests.contract.receive_process import gateway_on, receiving
from tests.unit.receiver_journal import (
    EPOCH,
    GATEWAY,
    KEY,
    NOW_MS,
    TENANT,
    TOPIC,
    Journal,
    acked,
    factory,
)

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def journal() -> Journal:
    return factory(polls=120)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with mosquitto(tmp_path) as found:
        yield found


def named_readings(url: str) -> list[tuple]:
    store = PostgresStore(url, read_only=True)
    found = store.query(
        "SELECT seq, device, point, unit, value, quality, wall_ms FROM v_readings"
        " ORDER BY seq, device, point"
    )
    store.close()
    return found


def test_a_server_that_goes_away_costs_time_only(tmp_path: Path, broker: Broker, journal: Journal):
    """Stopped hard between batches and started again; every commit is synced."""
    with running("synchronous_commit=on") as server:
        url = server.create()
        with receiving(tmp_path, broker, store=url) as process:
            process.wait_for("ready")
            with gateway_on(broker) as gateway:
                gateway.send(journal.batch(0, 30))
                wait_until(lambda: gateway.acked == 30, "the first batch is acknowledged")
                server.stop("immediate")
                gateway.send(journal.batch(31, 60))
                gateway.send(journal.batch(61, 90))
                failing = process.wait_for("failing")
                assert failing["code"] in ("cloud.write", "cloud.unavailable")
                assert gateway.acked == 30
                server.start()
                wait_until(lambda: gateway.acked == 90, "all of it is acknowledged")
            assert process.stop()[0] == 0
        expected = sorted(tuple(r) for r in journal.readings if r.seq <= 90)
        assert named_readings(url) == expected
        assert verify_store(url).ok
        assert main(["verify", "--store", url, "--json"]) == 0


def test_a_killed_connection_is_opened_again(postgres_server: Server):
    url = postgres_server.create()
    store = PostgresStore(url)
    with store.transaction():
        number = store.open_journal(TENANT, GATEWAY, EPOCH, NOW_MS)
    end_all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'"
    name = url.partition("@/")[2].partition("?")[0]
    with pytest.raises(StoreError) as caught, store.transaction():
        store.set_state(TENANT, GATEWAY, "online", NOW_MS)
        postgres_server.execute(end_all.format(name))
    assert caught.value.code == "cloud.write"
    with store.transaction():
        assert store.open_journal(TENANT, GATEWAY, EPOCH, NOW_MS) == number
    assert store.query("SELECT state FROM gateways") == [(None,)]
    store.close()


def test_what_stands_against_a_database_is_said_without_its_password(
    postgres_server: Server, monkeypatch: pytest.MonkeyPatch
):
    def reason(url: str, read_only: bool = False, code: str = "cloud.open") -> str:
        with pytest.raises(StoreError) as caught:
            PostgresStore(url, read_only)
        assert caught.value.code == code
        assert "hush" not in str(caught.value.fields)
        return str(caught.value.fields["reason"])

    nowhere = "postgresql://owner:hush@/cloud?host=/nowhere"
    assert "nowhere" in reason(nowhere, code="cloud.unavailable")
    empty = postgres_server.create()
    assert reason(empty, read_only=True) == "it is no carbontally cloud database"
    postgres_server.execute("CREATE TABLE gateways (theirs int)", empty)
    assert "another program" in reason(empty)

    url = postgres_server.create()
    postgres_server.execute("CREATE ROLE stranger LOGIN PASSWORD 'hush'")
    stranger = re.sub("owner", "stranger:hush", url)
    assert "permission denied" in reason(stranger)
    PostgresStore(url).close()
    assert "permission denied" in reason(stranger, read_only=True)
    postgres_server.execute("UPDATE carbontally_schema SET version = 99", url)
    assert "version 99" in reason(url) and "version 99" in reason(url, read_only=True)
    monkeypatch.setattr(postgres_database, "SERVER_VERSION_MIN", 99)
    assert "99 is the oldest" in reason(url)


def test_two_that_make_a_database_at_once(postgres_server: Server):
    url = postgres_server.create()
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            try:
                PostgresStore(url).close()
                os._exit(0)
            except BaseException:
                os._exit(1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]


def test_each_month_has_a_partition_and_odd_clocks_have_one(postgres_server: Server):
    url = postgres_server.create()
    store = PostgresStore(url)
    with store.transaction():
        number = store.open_journal(TENANT, GATEWAY, EPOCH, NOW_MS)
        times = (1_764_547_199_999, 1_764_547_200_000, 0, -5, 1 << 62)
        raw = [(at, 3, 1, 0, wall_ms, 2, b"h" * 32, b"b") for at, wall_ms in enumerate(times)]
        store.add_records(number, raw, Rows())
    store.close()
    with psycopg.connect(url) as db:
        found = db.execute("SELECT seq, tableoid::regclass::text FROM record_rows ORDER BY seq")
        assert [name.removeprefix("record_rows_") for _, name in found] == [
            "2025_11",
            "2025_12",
            "early",
            "early",
            "late",
        ]


@pytest.mark.parametrize("text", ["with a \0 in it", random.Random(1).randbytes(9_000).hex()])
def test_what_a_database_cannot_hold_stops_nobody(postgres_server: Server, text: str):
    """A text with NUL, and one that no index can take: refused, the next batch is stored."""
    store = PostgresStore(postgres_server.create())
    receiver = Receiver(store, Keys({(TENANT, GATEWAY): KEY}), lambda: NOW_MS)
    poison = Journal()
    poison.append(Kind.TABLE, [[Part.FACTORS, text, b"f" * 32]])
    other = factory(epoch=b"epoch-02")
    with receiver.group():
        receiver.receive(TOPIC, poison.batch(0, 0))
        reply = receiver.receive(TOPIC, other.batch(0, 20))
    assert acked(reply).seq == 20
    found = store.query("SELECT code FROM quarantine UNION ALL SELECT code FROM alarms")
    assert found == [("data.record",)]
    store.close()


def test_many_messages_are_one_transaction_and_told_after_it(postgres_server: Server):
    store = PostgresStore(postgres_server.create())
    told: list[str] = []
    keys = Keys({(TENANT, GATEWAY): KEY})
    receiver = Receiver(store, keys, lambda: NOW_MS, lambda name, _: told.append(name))
    journal = factory(polls=30)
    with pytest.raises(ZeroDivisionError), receiver.group():
        receiver.receive(TOPIC, journal.batch(0, 9))
        raise ZeroDivisionError
    assert told == [] and store.query("SELECT count(*) FROM records") == [(0,)]
    with receiver.group():
        for payload in (journal.batch(0, 9), b"no batch", journal.batch(10, 19)):
            receiver.receive(TOPIC, payload)
        assert told == []
    assert told == ["stored", "quarantined", "stored"]
    assert store.query("SELECT head_seq FROM journals") == [(19,)]
    store.close()
