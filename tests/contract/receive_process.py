"""A `carbontally receive` process and the gateway that sends to it, for tests on real brokers."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from cloud_sync.store.sqlite import SqliteStore
from edge.core.errors import SyncError
from edge.core.sync import topics
from edge.core.sync.ack import Ack, decode_ack
from tests.contract.brokers import HOST, Broker, wait_until
from tests.unit.receiver_journal import GATEWAY, KEY, TENANT, TOPIC

ACK_TOPIC = topics.topic(TENANT, GATEWAY, topics.ACK)
STATE_TOPIC = topics.topic(TENANT, GATEWAY, topics.STATE)


class Process:
    """One `receive` process; its JSON lines are in `events`, its errors in `errors`."""

    def __init__(
        self, folder: Path, url: str, *options: str, json: bool = True, store: str = ""
    ) -> None:
        self.path = folder / "cloud.db"
        keys = folder / "keys.toml"
        keys.write_text(f'[{TENANT}.{GATEWAY}]\nkey = "{KEY.hex()}"\n')
        keys.chmod(0o600)
        self.errors = folder / "errors.txt"
        command = [sys.executable, "-m", "edge", "receive", "--broker", url]
        command += ["--store", store or f"sqlite:///{self.path}", "--keys", str(keys), *options]
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
def receiving(folder: Path, broker: Broker, *options: str, **more: Any) -> Iterator[Process]:
    process = Process(folder, f"mqtt://{HOST}:{broker.port}", *options, **more)
    try:
        yield process
    finally:
        process.kill()


class Gateway:
    """The sending end, on paho: publishes payloads, keeps the acknowledgements it gets."""

    def __init__(self, port: int) -> None:
        self.acks: list[Ack] = []
        self.keys: tuple[bytes, ...] = (KEY,)
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
        for key in self.keys:
            with suppress(SyncError):
                self.acks.append(decode_ack(bytes(message.payload), GATEWAY, key))
                return
        raise AssertionError("an acknowledgement under no key of the gateway")

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
