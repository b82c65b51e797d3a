"""A master for tests of the serial link, and buses of tiny stations for it to read."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from edge.core.bus.rtu import decode_read_reply, encode_read
from edge.core.errors import BusError, DeviceError
from edge.ports.linux.serial_link import SerialLink

BAUD = 57_600
TIMEOUT_MS = 150

#: (station, function, address, count)
Read = tuple[int, int, int, int]

#: What stations 1 and 2 of `bus` are asked in most tests, and what they have there.
ONE: Read = (1, 3, 0, 4)
TWO: Read = (2, 3, 0, 4)
WORDS = {ONE: (0x0102, 0, 0, 0), TWO: (0x0304, 0, 0, 0)}


class Master:
    """Reads through a SerialLink as the gateway's poller does, one transaction at a time."""

    def __init__(self, port: str, timeout_ms: int = TIMEOUT_MS, baud: int = BAUD) -> None:
        self.link = SerialLink(port, baud, "8N1", self._wake)
        self.timeout_ms = timeout_ms
        self.is_done = threading.Event()

    def _wake(self) -> None:
        self.is_done.set()

    def read(self, read: Read, gap_ms: int = 0) -> tuple[int, ...]:
        """The registers; raises BusError or DeviceError."""
        request = encode_read(*read)
        self.is_done.clear()
        self.link.start(request, self.timeout_ms, gap_ms)
        assert self.is_done.wait(20), "the link never answered"
        try:
            reply = self.link.poll()
            assert reply is not None
            return decode_read_reply(request, reply)
        except BusError as error:
            if error.code in ("bus.crc", "bus.short", "bus.mismatch"):
                self.link.distrust()
            raise

    def try_read(self, read: Read) -> str | tuple[int, ...]:
        """The registers, or the code of the error."""
        try:
            return self.read(read)
        except (BusError, DeviceError) as error:
            return error.code


@contextmanager
def master(port: str, timeout_ms: int = TIMEOUT_MS, baud: int = BAUD) -> Iterator[Master]:
    running = Master(port, timeout_ms, baud)
    try:
        yield running
    finally:
        running.link.close()


def bus(*faults: str, stations: int = 2) -> str:
    """A bus of tiny stations whose register 0 tells them apart: 0x0102, 0x0304, ..."""
    lines = ["seed = 11", "[[bus]]", 'name = "b"', f"baud = {BAUD}"]
    for number in range(1, stations + 1):
        lines += ["[[bus.station]]", f"station = {number}", f'name = "s{number}"']
        word = (2 * number - 1) << 8 | 2 * number
        lines += ['profile = "tiny.toml"', f"points = {{ a = {word}, b = {number} }}"]
    for fault in faults:
        lines += ["[[bus.fault]]", *fault.split("; ")]
    return "\n".join(lines)
