"""`carbontally receive` killed, stopped, locked out, cut off and fed poison: nothing is lost."""

import random
import sqlite3
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from cloud_sync.broker import Broker as Place
from cloud_sync.fair import PER_GATEWAY_MAX
from cloud_sync.keys import Keys
from cloud_sync.mqtt import GROUP_MAX, Service
from cloud_sync.receiver import Receiver
from cloud_sync.store.sqlite import SqliteStore
from cloud_sync.verify import verify_store
from edge.core.errors import TallyError
from tests.contract.brokers import HOST, Broker, free_port, mosquitto, wait_until
from tests.contract.receive_process import Process, gateway_on, query, receiving
from tests.unit.receiver_journal import GATEWAY, KEY, NOW_MS, TENANT, Journal, factory

pytestmark = pytest.mark.system

KILLS = 12


@pytest.fixture(scope="module")
def journal() -> Journal:
    return factory(polls=120)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with mosquitto(tmp_path) as running:
        yield running


def test_killed_at_random_moments_nothing_is_lost_or_doubled(
    broker: Broker, tmp_path: Path, journal: Journal
):
    """A batch may be killed before, in, and after its commit; what was acknowledged is there."""
    draw = random.Random(20)
    last = len(journal.records) - 1
    kills = 0
    with gateway_on(broker) as gateway:
        at = -1
        while kills < KILLS or gateway.acked < last:
            with receiving(tmp_path, broker) as process:
                process.wait_for("ready")
                # Starting again from the acknowledged seq is what a gateway does.
                at = min(gateway.acked, last - 20) if kills < KILLS else gateway.acked
                fatal = len(gateway.acks) + draw.randrange(1, 6)
                deadline_s = time.monotonic() + 20
                while gateway.acked < last or kills < KILLS:
                    assert time.monotonic() < deadline_s
                    if kills < KILLS and len(gateway.acks) >= fatal:
                        break
                    end = min(at + draw.randrange(1, 12), last)
                    gateway.send(journal.batch(max(at, 0), end)).wait_for_publish(20)
                    at = end if end < last else gateway.acked
                time.sleep(draw.random() / 200)
                process.kill()
                kills += 1
            heads = query(process.path, "SELECT head_seq FROM journals")
            assert heads and heads[0][0] >= gateway.acked
        assert all(ack.hash == journal.hashes[ack.seq] for ack in gateway.acks if ack.seq >= 0)
    assert kills >= KILLS
    (summary,) = verify_store(process.path).journals
    assert summary.ok and (summary.head, summary.records) == (last, last + 1)
    rows = query(process.path, "SELECT seq, device, point, value FROM v_readings")
    assert sorted(rows, key=str) == sorted(
        ((r.seq, r.device, r.point, r.value) for r in journal.readings), key=str
    )
    assert query(process.path, "SELECT count(*) FROM quarantine") == [(0,)]


def test_the_broker_hands_over_again_what_a_killed_receiver_had_not_stored(
    broker: Broker, tmp_path: Path, journal: Journal
):
    # Compaction would say of itself that the database is locked.
    with receiving(tmp_path, broker, "--no-compact") as process:
        process.wait_for("ready")
        holder = sqlite3.connect(process.path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with gateway_on(broker) as gateway:
            gateway.send(journal.batch(0, 9)).wait_for_publish(20)
            failing = process.wait_for("failing")
            assert failing["code"] == "cloud.write" and "locked" in failing["text"]
            process.kill()
            # Sent once more while nobody is there to take it.
            gateway.send(journal.batch(10, 19)).wait_for_publish(20)
            assert gateway.acks == []
    holder.execute("ROLLBACK")
    holder.close()
    with receiving(tmp_path, broker) as process, gateway_on(broker) as gateway:
        wait_until(lambda: gateway.acked == 19, "both batches arrive without being sent again")
    assert verify_store(process.path).journals[0].head == 19


def test_a_locked_database_delays_and_loses_nothing(
    broker: Broker, tmp_path: Path, journal: Journal
):
    # Compaction would say of itself that the database is locked.
    with receiving(tmp_path, broker, "--no-compact") as process:
        process.wait_for("ready")
        holder = sqlite3.connect(process.path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with gateway_on(broker) as gateway:
            for payload in journal.cut(9, 19, 29):
                gateway.send(payload)
            process.wait_for("failing")
            assert gateway.acks == [] and process.of("stored") == []
            holder.execute("ROLLBACK")
            wait_until(lambda: gateway.acked == 29, "all three batches are acknowledged")
            assert len(process.of("failing")) == 1
            holder.execute("BEGIN IMMEDIATE")
            gateway.send(journal.batch(30, 39))
            process.wait_for("failing", 2)
            status, seconds = process.stop()
            assert status == 0 and seconds < 5
            assert gateway.acked == 29
        holder.close()


def test_poison_holds_nobody_up(broker: Broker, tmp_path: Path, journal: Journal):
    good = journal.batch(0, 9)
    with receiving(tmp_path, broker) as process:
        process.wait_for("ready")
        with gateway_on(broker) as gateway:
            gateway.send(b"garbage")
            gateway.send(good, "carbontally/v1/park/stranger/batch")
            gateway.send(good[:-1] + bytes([good[-1] ^ 1]))
            gateway.send(bytes(100_000))
            gateway.send(good)
            wait_until(lambda: gateway.acked == 9, "the good batch is acknowledged")
        # Whose turn comes first is not promised: strangers have one of their own, small ones go
        # before large ones.
        process.wait_for("quarantined", 4)
        codes = [event["code"] for event in process.of("quarantined")]
        assert sorted(codes) == ["data.pack", "data.pack", "sync.mac", "sync.unknown_gateway"]
        assert process.stop()[0] == 0


def test_a_broker_that_comes_goes_and_comes(tmp_path: Path, journal: Journal):
    port = free_port()
    process = Process(tmp_path, f"mqtt://{HOST}:{port}")
    try:
        offline = process.wait_for("failing")
        assert offline["code"] == "sync.offline" and str(port) in offline["text"]
        with mosquitto(tmp_path, port) as broker:
            process.wait_for("ready")
            with gateway_on(broker) as gateway:
                gateway.send(journal.batch(0, 9))
                wait_until(lambda: gateway.acked == 9, "acknowledged")
            broker.stop()
            assert process.wait_for("failing", 2)["code"] == "sync.offline"
            broker.start()
            process.wait_for("ready", 2)
            with gateway_on(broker) as gateway:
                gateway.send(journal.batch(10, 19))
                wait_until(lambda: gateway.acked == 19, "acknowledged after the restart")
        told = [e for e in process.events if e["event"] in ("failing", "ready")]
        assert all(one != other for one, other in pairwise(told)), told
        status, seconds = process.stop()
        assert status == 0 and seconds < 5
    finally:
        process.kill()


def test_stopping_needs_no_broker(tmp_path: Path):
    process = Process(tmp_path, f"mqtt://{HOST}:{free_port()}")
    try:
        process.wait_for("failing")
        status, seconds = process.stop()
        assert status == 0 and seconds < 5
    finally:
        process.kill()


def make_service(port: int, path: Path, notice) -> tuple[Service, SqliteStore, Receiver]:
    service = Service(Place(((HOST, port),), False, "in this process"), notice)
    store = SqliteStore(path)
    keys = Keys({(TENANT, GATEWAY): KEY})
    return service, store, Receiver(store, keys, lambda: NOW_MS, notice)


def code_of(fields: dict) -> str:
    error = fields.get("error")
    return error.code if isinstance(error, TallyError) else ""


def test_more_than_the_queue_holds_is_sent_again(tmp_path: Path, journal: Journal):
    """A broker without a window, and a database that is held: the queue stays bounded."""
    last = len(journal.records) - 1
    path = tmp_path / "cloud.db"
    told: list[tuple[str, str]] = []
    options = {"max_inflight_messages": 0, "max_queued_messages": 0}
    with mosquitto(tmp_path, **options) as broker, gateway_on(broker) as gateway:
        service, store, receiver = make_service(
            broker.port, path, lambda name, fields: told.append((name, code_of(fields)))
        )
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        service.start(receiver)
        try:
            wait_until(lambda: ("ready", "") in told, "subscribed")
            for number in range(PER_GATEWAY_MAX + GROUP_MAX + 50):
                gateway.send(journal.batch(number % last, number % last))
            wait_until(lambda: service.dropped >= 40, "the queue is full")
            assert gateway.acks == []
            holder.execute("ROLLBACK")
            wait_until(lambda: ("over", "sync.rate") in told, "the gateway's excess is reported")
            while gateway.acked < last:
                before = len(gateway.acks)
                gateway.send(journal.batch(gateway.acked + 1, last))
                wait_until(lambda count=before: len(gateway.acks) > count, "an acknowledgement")
        finally:
            service.stop()
            holder.close()
        assert service.has_ended and service.failure is None
        store.close()
    assert verify_store(path).journals[0].head == last


def test_a_gateway_over_its_rate_is_told_of_slowed_and_loses_nothing(
    tmp_path: Path, broker: Broker, journal: Journal
):
    with receiving(tmp_path, broker, "--rate", "10") as process:
        process.wait_for("ready")
        with gateway_on(broker) as gateway:
            while not process.of("over"):
                gateway.send(journal.batch(0, 0)).wait_for_publish(20)
            told = process.of("over")[0]
            assert (told["code"], told["gateway"], told["rate"]) == (
                *("sync.rate", f"{TENANT}/{GATEWAY}", 10),
            )
            while gateway.acked < 9:
                before = len(gateway.acks)
                gateway.send(journal.batch(0, 9))
                wait_until(lambda count=before: len(gateway.acks) > count, "an acknowledgement")
        assert not [event for event in process.events if event["event"] == "failing"]
        assert process.stop()[0] == 0


def test_a_bug_in_the_worker_is_not_silent(broker: Broker, tmp_path: Path, journal: Journal):
    def notice(name: str, fields: dict) -> None:
        if name == "stored":
            raise ZeroDivisionError

    service, store, receiver = make_service(broker.port, tmp_path / "cloud.db", notice)
    service.start(receiver)
    with gateway_on(broker) as gateway:
        # The subscription may come after the first ones.
        while not service.has_ended:
            gateway.send(journal.batch(0, 3)).wait_for_publish(20)
        assert gateway.acks == []
    service.stop()
    assert isinstance(service.failure, ZeroDivisionError)
    store.close()
