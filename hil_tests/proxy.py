"""A TCP proxy on loopback that does to MQTT connections what networks and brokers do.

Each connection has a fate: it passes, or after so many bytes it is closed, reset, silenced,
stalled, cut into single bytes, or its PUBLISH packets come twice or in another order. Fates are
drawn by number of connection, so that a seed gives the same ones again; what happened is counted.
"""

import asyncio
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress

from hil_tests.weather import CUTS, DOWN, UP, Fate

HOST = "127.0.0.1"

#: A PUBLISH held back goes alone when no other has overtaken it for so long.
HOLD_S = 0.1

_CHUNK = 4096
_PUBLISH = 3


class Packets:
    """Bytes of one direction into whole MQTT packets (3.1.1, section 2.2)."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Every packet that is complete now."""
        self._data += data
        while (size := self._size()) and len(self._data) >= size:
            packet, self._data = self._data[:size], self._data[size:]
            yield packet

    def _size(self) -> int:
        """Length of the first packet, 0 while its header is not there."""
        length = 0
        for at, byte in enumerate(self._data[1:5]):
            length |= (byte & 0x7F) << (7 * at)
            if byte < 0x80:
                return at + 2 + length
        return 0


class _OverError(Exception):
    """The connection has met its end."""


class _Connection:
    """One connection and what has become of it."""

    def __init__(self, proxy: "Proxy", fate: Fate) -> None:
        self.proxy = proxy
        self.fate = fate
        self.passed = {UP: 0, DOWN: 0}
        self.writers: dict[str, asyncio.StreamWriter] = {}
        self.is_silent = False
        self._flows = asyncio.Event()
        self._flows.set()
        self._silent_since_s = 0.0
        self._has_acted = False
        self._packets = {UP: Packets(), DOWN: Packets()}
        self._held: dict[str, bytes] = {}

    async def run(
        self, client: tuple[asyncio.StreamReader, asyncio.StreamWriter], port: int
    ) -> None:
        """Carry bytes both ways until the connection is over."""
        self.writers[DOWN] = client[1]
        try:
            server = await asyncio.open_connection(HOST, port)
        except OSError:
            self.proxy.counts["refused"] += 1
            self.abort()
            return
        self.writers[UP] = server[1]
        pumps = [
            asyncio.ensure_future(self._pump(UP, client[0])),
            asyncio.ensure_future(self._pump(DOWN, server[0])),
        ]
        if self.fate.within_s is not None:
            pumps.append(asyncio.ensure_future(self._end_in_time(self.fate.within_s)))
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            if self.is_silent:
                await asyncio.wait(pumps[:1])  # the gateway hears nothing of the broker's end
                self.proxy.silences_s.append(time.monotonic() - self._silent_since_s)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._close()

    async def _pump(self, direction: str, reader: asyncio.StreamReader) -> None:
        with suppress(OSError, _OverError):
            while data := await reader.read(_CHUNK):
                await self._carry(direction, data)
            if direction == DOWN and self.is_silent:
                await asyncio.Event().wait()

    async def _end_in_time(self, seconds: float) -> None:
        """Meet the fate of a cut, or close, when bytes have not done so before."""
        await asyncio.sleep(seconds + self.fate.seconds)
        if self.fate.act not in CUTS:
            self.proxy.counts["close"] += 1
        elif not self._has_acted:
            with suppress(_OverError):
                await self._act()
        if self.is_silent:
            await asyncio.Event().wait()

    async def _carry(self, direction: str, data: bytes) -> None:
        """Pass a chunk on, up to the byte at which the fate is met."""
        await self._flows.wait()
        fate = self.fate
        left = fate.after - self.passed[direction]
        if direction == fate.direction and not self._has_acted and len(data) >= left:
            await self._write(direction, data[:left])
            data = data[left:]
            await self._act()
        if data and not self.is_silent:
            await self._write(direction, data)

    async def _act(self) -> None:
        self._has_acted = True
        act = self.fate.act
        self.proxy.counts[act] += 1
        if act == "silence":
            self.is_silent = True
            self._silent_since_s = time.monotonic()
        elif act == "stall":
            self._flows.clear()
            await asyncio.sleep(self.fate.seconds)
            self._flows.set()
        elif act == "reset":
            self.abort()
            raise _OverError
        elif act == "close":
            raise _OverError

    async def _write(self, direction: str, data: bytes) -> None:
        self.passed[direction] += len(data)
        self.proxy.counts["bytes_" + direction] += len(data)
        writer = self.writers[direction]
        if self._has_acted and self.fate.act == "slice":
            for at in range(len(data)):
                writer.write(data[at : at + 1])
                await writer.drain()
                await asyncio.sleep(0)
        elif self.fate.act in ("twice", "swap"):
            for packet in self._packets[direction].feed(data):
                self._write_packet(direction, packet)
        else:
            writer.write(data)
        await writer.drain()

    def _write_packet(self, direction: str, packet: bytes) -> None:
        """Whole packets, PUBLISH among them twice or after the next one."""
        writer = self.writers[direction]
        if packet[0] >> 4 != _PUBLISH or not self._has_acted or direction != self.fate.direction:
            writer.write(packet)
        elif self.fate.act == "twice":
            writer.write(packet)
            writer.write(packet)
            self.proxy.counts["duplicates"] += 1
        elif direction in self._held:
            writer.write(packet)
            writer.write(self._held.pop(direction))
            self.proxy.counts["reorders"] += 1
        else:
            self._held[direction] = packet
            asyncio.get_running_loop().call_later(HOLD_S, self._let_go, direction)

    def _let_go(self, direction: str) -> None:
        packet = self._held.pop(direction, b"")
        if not self.writers[direction].is_closing():
            self.writers[direction].write(packet)

    def abort(self) -> None:
        """RST to both ends."""
        for writer in self.writers.values():
            with suppress(OSError, AttributeError):
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
            writer.transport.abort()

    def _close(self) -> None:
        for writer in self.writers.values():
            with suppress(OSError):
                writer.close()


class Proxy:
    """Listens on `port` while it is entered and passes every connection to `server_port`.

    fate_of: number of the connection, from 0 -> its fate. counts: acts that took place,
    "connections", "refused" (the broker was away), "duplicates", "reorders", bytes each way.
    silences_s: how long the gateway took to leave each silent connection.
    """

    def __init__(self, server_port: int, fate_of: Callable[[int], Fate]) -> None:
        self.server_port = server_port
        self.fate_of = fate_of
        self.counts: Counter[str] = Counter()
        self.silences_s: list[float] = []
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._is_up = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    @property
    def cuts(self) -> int:
        """Connections that were brought to an end so far."""
        return sum(self.counts[act] for act in CUTS)

    def __enter__(self) -> "Proxy":
        self._thread.start()
        assert self._is_up.wait(10), "the proxy does not listen"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive(), "the proxy does not end"

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
            rest = asyncio.all_tasks(self._loop)
            for task in rest:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._accept, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        self._is_up.set()
        await self._stop.wait()
        server.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fate = self.fate_of(self.counts["connections"])
        self.counts["connections"] += 1
        with suppress(asyncio.CancelledError):
            await _Connection(self, fate).run((reader, writer), self.server_port)
