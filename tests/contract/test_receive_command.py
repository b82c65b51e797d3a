"""`carbontally receive` as a process on real brokers: killed, stopped, locked out, cut off."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from cloud_sync.store.sqlite import SqliteStore
from cloud_sync.verify import verify_store
from edge.core.sync import topics
from edge.core.sync.ack import Ack, decode_ack
from hil_tests.micropython.prerequisite import require_command
from tests.contract.brokers import HOST, Broker, amqtt, free_port, mosquitto, wait_until
from tests.unit.receiver_journal import GATEWAY, KEY, TENANT, TOPIC, Journal, factory

pytestmark = pytest.mark.system

ACK_TOPIC = topics.topic(TENANT, GATEWAY, topics.ACK)
STATE_TOPIC = topics.topic(TENANT, GATEWAY, topics.STATE)
KILLS = 12


@pytest.fixture(scope="module")
def journal() -> Journal:
    return factory(polls=120)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with mosquitto(tmp_path) as running:
        yield running


class Process:
    """One `receive` process; its JSON lines are in `events`, its errors in `errors`."""

    def __init__(self, folder: Path, url: str, *options: str, json: bool = True) -> None:
        self.path = folder / "cloud.db"
        keys = folder / "keys.toml"
        keys.write_text(f'[{TENANT}.{GATEWAY}]\nkey = "{KEY.hex()}"\n')
        keys.chmod(0o600)
        self.errors = folder / "errors.txt"
        command = [sys.executable, "-m", "edge", "receive", "--broker", url]
        command += ["--store", f"sqlite:///{self.path}", "--keys", str(keys), *options]
        if json:
            command.append("--json")
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, env={**os.environ, "LC_ALL": "C"}
            )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.decode())

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in list(self.lines)]

    def of(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == name]

    def wait_for(self, name: str, count: int = 1) -> dict[str, Any]:
        """The count-th event of a name, waited for."""

        def is_there() -> bool:
            assert self.process.poll() is None, self.errors.read_text()
            return len(self.of(name)) >= count

        wait_until(is_there, f"{name} number {count}")
        return self.of(name)[count - 1]

    def stop(self) -> tuple[int, float]:
        """SIGTERM; return the exit status and the seconds it took."""
        began_s = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(20)
        self._reader.join(5)
        return status, time.monotonic() - began_s

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(20)
        self._reader.join(5)


@contextmanager
def receiving(folder: Path, broker: Broker, *options: str, **more: bool) -> Iterator[Process]:
    process = Process(folder, f"mqtt://{HOST}:{broker.port}", *options, **more)
    try:
        yield process
    finally:
        process.kill()


class Gateway:
    """The sending end, on paho: publishes payloads, keeps the acknowledgements it gets."""

    def __init__(self, port: int) -> None:
        self.acks: list[Ack] = []
        self.is_listening = threading.Event()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id="a gateway")
        self.client.on_connect = lambda client, *_: client.subscribe(ACK_TOPIC, 1)
        self.client.on_subscribe = lambda *_: self.is_listening.set()
        self.client.on_message = self._on_message
        self.client.will_set(STATE_TOPIC, b"offline", 1, True)
        self.client.connect(HOST, port)
        self.client.loop_start()
        assert self.is_listening.wait(20)

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        self.acks.append(decode_ack(bytes(message.payload), GATEWAY, KEY))

    @property
    def acked(self) -> int:
        return max((ack.seq for ack in list(self.acks)), default=-1)

    def send(self, payload: bytes, topic: str = TOPIC) -> paho.MQTTMessageInfo:
        return self.client.publish(topic, payload, qos=1)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@contextmanager
def gateway_on(broker: Broker) -> Iterator[Gateway]:
    gateway = Gateway(broker.port)
    try:
        yield gateway
    finally:
        gateway.close()


def query(path: Path, sql: str) -> list[tuple]:
    store = SqliteStore(path, read_only=True)
    try:
        return store.query(sql)
    finally:
        store.close()


@pytest.mark.parametrize("kind", [mosquitto, amqtt], ids=["mosquitto", "amqtt"])
def test_batches_are_stored_and_acknowledged(tmp_path: Path, journal: Journal, kind):
    with kind(tmp_path) as broker, receiving(tmp_path, broker) as process:
        process.wait_for("ready")
        with gateway_on(broker) as gateway:
            for payload in journal.cut(30, 60, 90):
                gateway.send(payload)
            wait_until(lambda: gateway.acked == 90, "the last batch is acknowledged")
            assert [ack.hash for ack in gateway.acks if ack.seq == 90][0] == journal.hashes[90]
        process.wait_for("stored", 3)
        spans = [(e["gateway"], e["first"], e["last"], e["head"]) for e in process.of("stored")]
        owner = f"{TENANT}/{GATEWAY}"
        assert spans == [(owner, 0, 30, 30), (owner, 31, 60, 60), (owner, 61, 90, 90)]
        status, seconds = process.stop()
        assert status == 0 and seconds < 5
    expected = [tuple(r) for r in journal.readings if r.seq <= 90]
    found = query(
        process.path,
        "SELECT seq, device, point, unit, value, quality, wall_ms FROM v_readings",
    )
    assert sorted(found) == sorted(expected)
    assert verify_store(process.path).ok


def test_the_acknowledgement_is_retained(broker: Broker, tmp_path: Path, journal: Journal):
    with receiving(tmp_path, broker) as process:
        process.wait_for("ready")
        with gateway_on(broker) as gateway:
            gateway.send(journal.batch(0, 9))
            wait_until(lambda: gateway.acked == 9, "acknowledged")
        with gateway_on(broker) as again:
            wait_until(lambda: again.acks, "the retained acknowledgement")
            assert again.acks[0].seq == 9


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
    with receiving(tmp_path, broker) as process:
        process.wait_for("ready")
        holder = sqlite3.connect(process.path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with gateway_on(broker) as gateway:
            gateway.send(journal.batch(0, 9)).wait_for_publish(20)
            failing = process.wait_for("failing")
            assert failing["code"] == "store.write" and "locked" in failing["text"]
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
    with receiving(tmp_path, broker) as process:
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
        process.wait_for("stored")
        codes = [event["code"] for event in process.of("quarantined")]
        assert codes == ["data.pack", "sync.unknown_gateway", "sync.mac", "data.pack"]
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


def test_users_and_passwords(tmp_path: Path):
    secret = tmp_path / "password"
    options = ("--user", "cloud", "--password-file", str(secret))
    with mosquitto(tmp_path, users={"cloud": "hush"}) as broker:
        for text, event in (("wrong", "failing"), ("hush\n", "ready")):
            secret.write_text(text)
            secret.chmod(0o600)
            with receiving(tmp_path, broker, *options) as process:
                found = process.wait_for(event)
                assert event == "ready" or found["code"] == "sync.refused"
                assert process.stop()[0] == 0
        secret.chmod(0o644)
        with receiving(tmp_path, broker, *options) as process:
            assert process.process.wait(20) == 78
    assert "hush" not in process.errors.read_text() and "config.secret" in (
        process.errors.read_text()
    )


def make_certificates(folder: Path) -> None:
    """An authority, a server certificate of it for 127.0.0.1, and an authority of strangers."""
    openssl = require_command("openssl")
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for name in ("ca", "strangers"):
        made = ["-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}"]
        subprocess.run(
            [openssl, "req", "-x509", *new_key, *made], cwd=folder, check=True, capture_output=True
        )
    made = ["-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server"]
    subprocess.run([openssl, "req", *new_key, *made], cwd=folder, check=True, capture_output=True)
    (folder / "names").write_text(f"subjectAltName=IP:{HOST}")
    sign = ["-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"]
    subprocess.run(
        [openssl, "x509", "-req", *sign, "-out", "server.pem", "-extfile", "names"],
        cwd=folder,
        check=True,
        capture_output=True,
    )


def test_tls_verifies_the_broker(tmp_path: Path):
    make_certificates(tmp_path)
    files = {"certfile": tmp_path / "server.pem", "keyfile": tmp_path / "server.key"}
    with mosquitto(tmp_path, **files) as broker:
        cases = (
            (HOST, ["--ca", str(tmp_path / "ca.pem")], "ready"),
            (HOST, ["--ca", str(tmp_path / "strangers.pem")], "failing"),
            (HOST, [], "failing"),
            ("localhost", ["--ca", str(tmp_path / "ca.pem")], "failing"),
        )
        for host, options, event in cases:
            process = Process(tmp_path, f"mqtts://{host}:{broker.port}", *options)
            try:
                found = process.wait_for(event)
                if event == "failing":
                    assert found["code"] == "sync.offline", found
                    assert "certificate verify failed" in found["text"]
                    assert process.of("ready") == []
            finally:
                process.kill()


def test_state_follows_the_last_will(broker: Broker, tmp_path: Path):
    def state() -> list[tuple]:
        return query(process.path, "SELECT state FROM gateways")

    with receiving(tmp_path, broker) as process:
        process.wait_for("ready")
        with gateway_on(broker) as gateway:
            gateway.client.publish(STATE_TOPIC, b"online", 1, True).wait_for_publish(20)
            wait_until(lambda: state() == [("online",)], "online")
            # Closed without DISCONNECT, so that the broker publishes the will.
            gateway.client.loop_stop()
            connection = gateway.client.socket()
            assert connection is not None
            connection.close()
            wait_until(lambda: state() == [("offline",)], "offline")


def test_for_people_it_says_what_happens(broker: Broker, tmp_path: Path, journal: Journal):
    with receiving(tmp_path, broker, json=False) as process:
        wait_until(lambda: any("ready" in line for line in process.lines), "it says ready")
        with gateway_on(broker) as gateway:
            gateway.send(b"garbage")
            gateway.send(journal.batch(0, 9))
            wait_until(lambda: gateway.acked == 9, "acknowledged")
        assert process.stop()[0] == 0
    assert "quarantined[data.pack]: packed data cannot be read" in process.errors.read_text()
    assert "batches 1  records 10" in process.lines[-1]
