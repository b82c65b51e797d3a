"""The sending half of a gateway in this process, in hurried time, with a real journal and socket.

The waits between two attempts would otherwise be most of a run.
"""

import random
import time
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

from edge.app.config import Device
from edge.app.definitions import Definitions
from edge.app.recorder import Recorder
from edge.app.uploader import Uploader
from edge.core.journal.record import Kind
from edge.ports.linux.clock import LinuxClock
from edge.ports.linux.sqlite_store import SqliteStore
from edge.ports.linux.tcp import TcpStream
from edge.ports.mqtt_uplink import MQTTUplink
from tests.contract.brokers import HOST


class _AnyServer(TcpStream):
    """Goes to the next of several ports at each attempt, as behind one name."""

    def __init__(self, ports: Sequence[int]) -> None:
        super().__init__()
        self._ports = cycle(ports)

    def open(self, host: str, port: int, tls: bool) -> None:
        super().open(host, next(self._ports), tls)


class HurriedGateway:
    """One gateway that measures at random and sends to one of `ports`.

    hurry: its seconds in one of ours.
    """

    def __init__(
        self,
        name: str,
        tenant: str,
        key: bytes,
        journal: Path,
        devices: Sequence[Device],
        ports: Sequence[int],
        chance: random.Random,
        hurry: int = 100,
    ) -> None:
        self.chance = chance
        self.codes: set[str] = set()
        self._hurry = hurry
        clock = LinuxClock()
        self.store = SqliteStore(journal, name)
        self.recorder = Recorder(self.store, clock, 0)
        self.stream = _AnyServer(ports)
        uplink = MQTTUplink(
            f"carbontally-{tenant}-{name}",
            HOST,
            self.stream,
            self.now_ms,
            keepalive=30,
            timeout_ms=400 * hurry,
        )
        uplink.set_last_will(f"carbontally/v1/{tenant}/{name}/state", b"offline", True, 1)
        self.uploader = Uploader(uplink, self.store, name, tenant, key, 0)
        definitions = Definitions([])
        self.devices = [(definitions.device(d), len(d.points)) for d in devices]
        self.recorder.keep_time(0)
        for part in definitions.fresh():
            self.recorder.add(Kind.TABLE, [part], 0)

    def now_ms(self) -> int:
        """Time as this gateway takes it."""
        return time.monotonic_ns() * self._hurry // 1_000_000

    def measure(self) -> None:
        """A few polls become durable, as after a turn of a bus."""
        now_ms = self.now_ms()
        for device, points in self.chance.choices(self.devices, k=self.chance.randint(1, 4)):
            values = [self.chance.randrange(1 << 31) for _ in range(points)]
            self.recorder.add(Kind.POLL, [device, values, [], []], now_ms)
        assert self.recorder.commit(now_ms, True), self.recorder.failure

    def upload(self, wait_ms: int = 2) -> None:
        """One step of the uploader, at most so long a wait; an outage becomes an event."""
        now_ms = self.now_ms()
        for error in self.uploader.step(now_ms):
            self.codes.add(error.code)
            self.recorder.event(error.code, error.fields, now_ms)
        self.stream.wait(wait_ms)

    @property
    def depth(self) -> int:
        return self.store.next_seq - 1 - self.store.acked_seq
