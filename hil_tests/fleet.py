"""Many gateways at one receiver: their batches, a few connections for all, and the processes.

Each gateway has history to send, a window at a time, and a run of live records at the head of its
journal, as the uplink sends them. The records are those of one plant; chains and MACs are each
gateway's own.
"""

import json
import os
import pwd
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from edge.core.journal import chain
from edge.core.journal.record import Kind, Record, encode_record
from edge.core.numbers import pack
from edge.core.sync import topics
from edge.core.sync.batch import VERSION
from edge.core.sync.row_columns import put_columns

HOST = "127.0.0.1"
TENANT = "fleet"
POINTS = 5

#: Batches of one gateway on their way at once, as docs/contract/batch.md has it.
WINDOW = 4

START_MS = 1_790_000_000_000


class Cut(NamedTuple):
    """Records first..last as every gateway sends them: packed columns and canonical bytes."""

    first: int
    columns: bytes
    records: tuple[bytes, ...]

    @property
    def last(self) -> int:
        return self.first + len(self.records) - 1


def plan_cuts(polls: int, per_batch: int, lives: int) -> tuple[list[Cut], list[Cut]]:
    """(history, live): `polls` records in batches, then `lives` batches of one record."""
    records = [_poll(seq) for seq in range(polls + lives)]
    ends = [*range(per_batch, polls, per_batch), polls]
    starts = [0, *ends[:-1]]
    cuts = [_cut(records[start:end]) for start, end in zip(starts, ends, strict=True)]
    return cuts, [_cut(records[seq : seq + 1]) for seq in range(polls, polls + lives)]


def _poll(seq: int) -> Record:
    values = [48_000_000 + (seq * (7 + point) + point * 13) % 5_000 for point in range(POINTS)]
    mono_ms = 60_000 * seq
    return Record(Kind.POLL, seq, 1, mono_ms, START_MS + mono_ms, 2, [0, values, [], []])


def _cut(records: list[Record]) -> Cut:
    rows = [encode_record(record) for record in records]
    packed = bytearray()
    put_columns(packed, rows)
    return Cut(records[0].seq, bytes(packed), tuple(rows))


class Gateway:
    """One gateway: its batches are made once, sent by a window, and told as acknowledged."""

    def __init__(self, number: int, history: list[Cut], live: list[Cut]) -> None:
        self.name = f"gw-{number:04}"
        self.key = number.to_bytes(4, "big") * 8
        self.epoch = number.to_bytes(chain.EPOCH_BYTES, "big")
        self.topic = topics.topic(TENANT, self.name, topics.BATCH)
        self._hash = chain.genesis(self.name, self.epoch)
        self.history = deque(self._payload(cut) for cut in history)
        self.live = deque((cut.first, self._payload(cut)) for cut in live)
        self.waiting = 0

    def _payload(self, cut: Cut) -> bytes:
        before = self._hash
        for record in cut.records:
            self._hash = chain.link(self._hash, record)
        head = (VERSION, self.name, self.epoch, cut.first, before)
        signed = b"\x9c" + b"".join(pack.encode(item) for item in head) + cut.columns
        signed += pack.encode(self._hash)
        return signed + pack.encode(chain.mac(self.key, chain.BATCH_PURPOSE, signed))


class Receiver:
    """A `carbontally receive` process; `stored` takes (gateway, first, last, seconds) in order."""

    def __init__(self, folder: Path, port: int, gateways: list[Gateway], *options: str) -> None:
        keys = folder / "keys.toml"
        text = "".join(f'[{TENANT}.{one.name}]\nkey = "{one.key.hex()}"\n' for one in gateways)
        keys.write_text(text)
        keys.chmod(0o600)
        self.stored: list[tuple[str, int, int, float]] = []
        self.readings = 0
        self.others: list[dict[str, Any]] = []
        command = [sys.executable, "-m", "edge", "receive", "--json", "--keys", str(keys)]
        command += ["--store", f"sqlite:///{folder / 'cloud.db'}", *options]
        self.process = subprocess.Popen(
            [*command, "--broker", f"mqtt://{HOST}:{port}"], stdout=subprocess.PIPE
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event, now_s = json.loads(line), time.monotonic()
            if event["event"] == "stored":
                name = event["gateway"].partition("/")[2]
                self.stored.append((name, event["first"], event["last"], now_s))
                self.readings += event["readings"]
            else:
                self.others.append(event)

    def has_said(self, name: str) -> bool:
        return any(event["event"] == name for event in list(self.others))

    def memory_mb(self, field: str) -> float:
        """VmRSS now or VmHWM, its peak."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
        raise ValueError(field)

    def stop(self) -> None:
        """SIGTERM, and wait for its end."""
        self.process.terminate()
        self.process.wait(20)
        self._reader.join(5)


class Fleet:
    """All gateways on a few connections. Acks are counted, not believed: tests elsewhere do."""

    def __init__(self, port: int, gateways: list[Gateway], connections: int) -> None:
        self._by_name = {one.name: one for one in gateways}
        self._lock = threading.Lock()
        self._unanswered: deque[paho.MQTTMessageInfo] = deque()
        self.sent_s: dict[tuple[str, int], float] = {}
        self._clients: dict[str, paho.Client] = {}
        for number in range(connections):
            client = self._connect(port, number, gateways[number::connections])
            self._clients.update({one.name: client for one in gateways[number::connections]})

    def _connect(self, port: int, number: int, gateways: list[Gateway]) -> paho.Client:
        client = paho.Client(CallbackAPIVersion.VERSION2, f"fleet-{number}")
        client.max_inflight_messages_set(65_000)
        client.max_queued_messages_set(0)
        client.on_message = self._on_ack
        is_granted = threading.Event()
        client.on_subscribe = lambda *_: is_granted.set()
        client.connect(HOST, port)
        client.loop_start()
        client.subscribe([(topics.topic(TENANT, one.name, topics.ACK), 0) for one in gateways])
        if not is_granted.wait(30):
            raise TimeoutError("the broker grants the fleet's subscription")
        return client

    def _on_ack(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        parts = topics.parse_topic(message.topic)
        if parts is not None and not message.retain:
            gateway = self._by_name[parts[1]]
            with self._lock:
                gateway.waiting -= 1
                self._fill(gateway)

    def _fill(self, gateway: Gateway) -> None:
        while gateway.history and gateway.waiting < WINDOW:
            gateway.waiting += 1
            self.publish(gateway, gateway.history.popleft())

    def publish(self, gateway: Gateway, payload: bytes) -> None:
        """Publish anything as a gateway."""
        sent = self._clients[gateway.name].publish(gateway.topic, payload, qos=1)
        self._unanswered.append(sent)
        while self._unanswered and self._unanswered[0].is_published():
            self._unanswered.popleft()

    def send_live(self, name: str) -> None:
        """Send a gateway's next live batch."""
        gateway = self._by_name[name]
        with self._lock:
            if gateway.live:
                seq, payload = gateway.live.popleft()
                self.sent_s[name, seq] = time.monotonic()
                gateway.waiting += 1
                self.publish(gateway, payload)

    def send_history(self, name: str) -> None:
        """Begin to send a gateway's history, a window at a time."""
        with self._lock:
            self._fill(self._by_name[name])

    def flush(self) -> None:
        """Wait until the broker has all that was published."""
        for sent in list(self._unanswered):
            sent.wait_for_publish(60)

    def close(self) -> None:
        """Disconnect all."""
        for client in set(self._clients.values()):
            client.disconnect()
            client.loop_stop()


@contextmanager
def broker(folder: Path, port: int) -> Iterator[None]:
    """Mosquitto as docs/receiver.md asks for it."""
    config = folder / "mosquitto.conf"
    lines = [f"listener {port} {HOST}", "allow_anonymous true"]
    if os.geteuid() == 0:
        # Else it gives up root for a user that cannot read the folder.
        lines.insert(0, f"user {pwd.getpwuid(0).pw_name}")
    lines += ["max_inflight_messages 0", "max_queued_messages 0"]
    config.write_text("\n".join(lines) + "\n")
    process = subprocess.Popen(["mosquitto", "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _accepts(port), "the broker listens")
        yield
    finally:
        process.terminate()
        process.wait(20)


def _accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection((HOST, port), 1):
        return True
    return False


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], object], what: str, deadline_s: float = 60) -> None:
    """Wait for a condition; TimeoutError with `what` after that."""
    end_s = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end_s:
            raise TimeoutError(what)
        time.sleep(0.02)
