"""The masters that race on an emulated bus: ours, and the libraries one could use instead."""

import asyncio
import logging
import select
import socket
from collections.abc import Callable
from typing import NamedTuple, Protocol

import minimalmodbus
from pymodbus.client import AsyncModbusSerialClient, ModbusSerialClient

from edge.app.config import Bus, Device
from edge.app.poller import Poller
from edge.app.station_plan import plan_station
from edge.core.bus.block import Block
from edge.core.bus.profile import Point, Profile
from edge.ports.linux.clock import LinuxClock
from edge.ports.linux.serial_link import SerialLink

TIMEOUT_MS = 300

#: What the library says of each byte it did not expect would be all there is to see.
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)


class Task(NamedTuple):
    """What every master has to read: the same blocks of the same stations."""

    port: str
    baud: int
    stations: tuple[int, ...]
    profile: Profile
    points: tuple[Point, ...]
    blocks: tuple[Block, ...]


class Master(Protocol):
    """One way to read the task."""

    def cycle(self) -> None:
        """Read every block of every station once; stations that are silent are passed over."""

    def close(self) -> None:
        """Let go of the port."""


class Ours:
    """The gateway's own poller over its link, as `carbontally run` uses them."""

    def __init__(self, task: Task) -> None:
        self._woken, self._waker = socket.socketpair()
        self._clock = LinuxClock()
        self.link = SerialLink(task.port, task.baud, "8N1", self._wake)
        bus = Bus("bench", task.port, task.baud, "8N1", TIMEOUT_MS)
        stations = [
            plan_station(
                number,
                Device(
                    f"m{number}", "bench", station, task.profile, task.points, 100, "bench", None
                ),
                bus,
            )
            for number, station in enumerate(task.stations)
        ]
        self._poller = Poller(bus, stations, self.link, self._clock.mono_ms())
        self._live = len(stations)

    def _wake(self) -> None:
        self._waker.send(b"x")

    def cycle(self) -> None:
        answered = 0
        while answered < self._live:
            poll = self._poller.step(self._clock.mono_ms())
            if poll is None:
                self._wait()
            elif poll.error is None:
                answered += 1

    def learn(self, dead: tuple[int, ...]) -> None:
        """Poll until the dead stations are known to be dead; then a cycle means the live ones."""
        self._live -= len(dead)
        for _ in range(5):
            self.cycle()

    def _wait(self) -> None:
        due_ms = self._poller.next_ms()
        timeout_s = None if due_ms is None else max(0, due_ms - self._clock.mono_ms()) / 1000
        if select.select([self._woken], [], [], timeout_s)[0]:
            self._woken.recv(64)

    def close(self) -> None:
        self.link.close()


class PlainMinimalmodbus:
    """minimalmodbus as it comes, with a timeout that lets long reads pass."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._instruments = [minimalmodbus.Instrument(task.port, s) for s in task.stations]
        self._instruments[0].serial.baudrate = task.baud
        self._instruments[0].serial.timeout = TIMEOUT_MS / 1000

    def cycle(self) -> None:
        for instrument in self._instruments:
            for block in self._task.blocks:
                try:
                    instrument.read_registers(block.address, block.count, block.function)
                except minimalmodbus.ModbusException:
                    break

    def close(self) -> None:
        minimalmodbus._serialports.pop(self._task.port).close()


class PlainPymodbus:
    """pymodbus' synchronous client."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._client = ModbusSerialClient(
            task.port, baudrate=task.baud, timeout=TIMEOUT_MS / 1000, retries=0
        )
        self._client.connect()

    def cycle(self) -> None:
        for station in self._task.stations:
            for block in self._task.blocks:
                if not self._read(station, block):
                    break

    def _read(self, station: int, block: Block) -> bool:
        try:
            reply = self._client.read_input_registers(
                block.address, count=block.count, device_id=station
            )
        except Exception:  # the library raises several of its own for silence
            return False
        return not reply.isError()

    def close(self) -> None:
        self._client.close()  # type: ignore[no-untyped-call]


class AsyncPymodbus:
    """pymodbus' asynchronous client, in an event loop of its own."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._loop = asyncio.new_event_loop()
        self._client: AsyncModbusSerialClient = self._loop.run_until_complete(self._connect())

    async def _connect(self) -> AsyncModbusSerialClient:
        client = AsyncModbusSerialClient(
            self._task.port, baudrate=self._task.baud, timeout=TIMEOUT_MS / 1000, retries=0
        )
        await client.connect()
        return client

    def cycle(self) -> None:
        self._loop.run_until_complete(self._read_all())

    async def _read_all(self) -> None:
        for station in self._task.stations:
            for block in self._task.blocks:
                if not await self._read(station, block):
                    break

    async def _read(self, station: int, block: Block) -> bool:
        try:
            if not self._client.connected:  # it hangs up by itself after a silence
                await self._client.connect()
            reply = await self._client.read_input_registers(
                block.address, count=block.count, device_id=station
            )
        except Exception:  # the library raises several of its own for silence
            return False
        return not reply.isError()

    def close(self) -> None:
        self._client.close()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()


MASTERS: dict[str, Callable[[Task], Master]] = {
    "carbontally": Ours,
    "minimalmodbus": PlainMinimalmodbus,
    "pymodbus": PlainPymodbus,
    "pymodbus_async": AsyncPymodbus,
}
