"""A serial line with virtual stations behind it: a register map as a function of time.

As `contracts.Link` promises of every line, a late reply never answers another request: a station
that is late is one that timed out.
"""

from collections.abc import Callable
from typing import Protocol

from edge.core.errors import BusError
from edge.ports.contracts import Link
from edge.ports.sim.timeline import Timeline

REPLY_MS = 30


class Meter(Protocol):
    """What answers on the line."""

    def read(self, function: int, address: int, count: int) -> list[int] | int:
        """Registers now, or the number of an exception."""
        ...


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
        table.append(crc)
    return tuple(table)


_CRC = _crc_table()


def seal(body: bytes) -> bytes:
    """A frame: the body and its CRC, low byte first."""
    crc = 0xFFFF
    for byte in body:
        crc = (crc >> 8) ^ _CRC[(crc ^ byte) & 0xFF]
    return body + bytes((crc & 0xFF, crc >> 8))


class SimLink(Link):
    """One line. ready_ms: world time at which the running transaction ends, None without one.

    trouble: asked with the station for each transaction what becomes of it: None (nothing),
    "silent", "late", "damaged", "short", "noise", "port", "stranger" (another station's number in
    the reply) or the number of an exception.
    """

    def __init__(
        self,
        timeline: Timeline,
        meters: dict[int, Meter],
        trouble: Callable[[int], str | int | None],
        strike: Callable[[str], None],
    ) -> None:
        """strike: called at the beginning of each call; it may raise to end the gateway."""
        self.timeline = timeline
        self.meters = meters
        self.trouble = trouble
        self.ready_ms: int | None = None
        self.latency_us = 1000 * (REPLY_MS - 20)
        self._strike = strike
        self._outcome: bytes | BusError = b""

    def start(self, request: bytes, timeout_ms: int, gap_ms: int = 0) -> None:
        self._strike("link.start")
        if self.ready_ms is not None or seal(request[:-2]) != request:
            raise AssertionError("two transactions at once, or a frame that is none")
        station = request[0]
        fault = self.trouble(station)
        if station not in self.meters or fault in ("silent", "late"):
            self._outcome = BusError("bus.timeout", station=station)
            self.ready_ms = self.timeline.now_ms + timeout_ms
            return
        self.ready_ms = self.timeline.now_ms + REPLY_MS
        if fault in ("noise", "port", "short"):
            self._outcome = BusError(f"bus.{fault}", port="sim", station=station, reason="told")
            return
        self._outcome = self._reply(request, fault)

    def _reply(self, request: bytes, fault: str | int | None) -> bytes:
        station, function = request[0], request[1]
        address = request[2] << 8 | request[3]
        count = request[4] << 8 | request[5]
        registers = self.meters[station].read(function, address, count)
        if isinstance(fault, int):
            registers = fault
        if isinstance(registers, int):
            return seal(bytes((station, function | 0x80, registers)))
        body = bytearray((station, function, 2 * count))
        for register in registers:
            body.append(register >> 8)
            body.append(register & 0xFF)
        if fault == "stranger":
            body[0] = station % 247 + 1
        frame = bytearray(seal(bytes(body)))
        if fault == "damaged":
            frame[4] ^= 0x10
        return bytes(frame)

    def poll(self) -> bytes | None:
        self._strike("link.poll")
        if self.ready_ms is None:
            raise AssertionError("no transaction is running")
        if self.timeline.now_ms < self.ready_ms:
            return None
        self.ready_ms = None
        if isinstance(self._outcome, BusError):
            raise self._outcome
        return self._outcome

    def distrust(self) -> None:
        pass

    def close(self) -> None:
        pass
