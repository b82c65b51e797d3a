"""A serial line for tools that look: everything that is heard, with its time, at any setting.

The gateway's own link hands over whole frames and drops the rest; to find out what is wrong on a
line, the rest is what matters. Nothing here interprets a byte.
"""

import errno
import os
import select
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import serial

from edge.core.bus import rtu
from edge.core.bus.plan import character_bits, line_timing
from edge.core.errors import BusError
from edge.core.field import device_id, rtu_write
from edge.ports.contracts import Link

#: What the operating system may add between two bytes of one frame (USB latency, scheduling).
PAUSE_S = 0.03

_CHUNK_BYTES = 4096
_PORT_ERRORS = (OSError, termios.error, serial.SerialException)

#: errno -> what is wrong with the port
_MISSING = (errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.ENOTDIR, errno.EISDIR)
_TROUBLES = {
    **dict.fromkeys((*_MISSING, errno.ENAMETOOLONG), "missing"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "denied"),
    **dict.fromkeys((errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK), "busy"),
}

USB_SERIAL = Path("/sys/bus/usb-serial/devices")
BOARD_MODEL = Path("/proc/device-tree/model")


Missing = Callable[[bytes], int]


class Answer(NamedTuple):
    """What one request brought.

    before: heard since the last exchange; data: heard after the request, echo included;
    first_us: from the end of the request to the first byte's arrival, None for silence;
    sent_us, begin_us, end_us: monotonic, request begun, first and last byte heard.
    """

    before: bytes
    data: bytes
    first_us: int | None
    sent_us: int
    begin_us: int
    end_us: int


def now_us() -> int:
    """Monotonic microseconds."""
    return time.monotonic_ns() // 1000


class ProbeLine:
    """A serial port that tells all it hears; also a context manager.

    Raises BusError "bus.port" with `trouble`: "missing", "denied", "busy" or "failed".
    """

    def __init__(self, port: str, baud: int = 9600, serial_format: str = "8N1") -> None:
        self.port = port
        self.baud, self.format = baud, serial_format
        try:
            self._serial = serial.Serial(
                port,
                baud,
                bytesize=int(serial_format[0]),
                parity=serial_format[1],
                stopbits=int(serial_format[2]),
                timeout=0,
                write_timeout=2.0,
                exclusive=True,
            )
        except _PORT_ERRORS as error:
            raise self._trouble(error) from error
        self._quiet_since_s = time.monotonic()
        self._set_timing()

    def __enter__(self) -> "ProbeLine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._serial.close()

    def configure(self, baud: int, serial_format: str) -> None:
        """Change the setting of the open port; what had arrived before is dropped."""
        try:
            self._serial.baudrate = baud
            self._serial.parity = serial_format[1]
            self._serial.stopbits = int(serial_format[2])
            self._serial.reset_input_buffer()
        except _PORT_ERRORS as error:
            raise self._trouble(error) from error
        self.baud, self.format = baud, serial_format
        self._set_timing()

    def exchange(self, request: bytes, wait_ms: int, missing: Missing | None = None) -> Answer:
        """Send `request` and hear what comes until the line is silent again.

        wait_ms: from the end of the request to the first byte, an echo counting as none.
        missing: bytes heard, an echo taken off -> how many more complete them; at 0 the exchange
        is over at once. None: everything is heard.
        """
        try:
            before = self._wait_for_silence()
            sent_us = now_us()
            self._serial.write(request)
            sent_end_s = time.monotonic() + len(request) * self.character_s
            return self._hear(request, before, sent_us, sent_end_s + wait_ms / 1000, missing)
        except _PORT_ERRORS as error:
            raise self._trouble(error) from error

    def listen(self, duration_s: float) -> Iterator[tuple[int, bytes]]:
        """(monotonic us, bytes) of each lump that arrives in the next `duration_s` seconds."""
        end_s = time.monotonic() + duration_s
        while (left_s := end_s - time.monotonic()) > 0:
            data = self._read(left_s)
            if data:
                yield now_us(), data

    def pending(self, within_s: float) -> bytes:
        """What arrives within a time, at once when something does."""
        return self._read(within_s)

    def _set_timing(self) -> None:
        timing = line_timing(self.baud, character_bits(self.format))
        self.character_s = timing.character_us / 1e6
        self.silence_s = timing.silence_us / 1e6

    def _hear(
        self,
        request: bytes,
        before: bytes,
        sent_us: int,
        until_s: float,
        missing: Missing | None,
    ) -> Answer:
        data = b""
        begin_us = end_us = 0
        first_us = None
        sent_end_us = sent_us + int(len(request) * self.character_s * 1e6)
        while (left_s := until_s - time.monotonic()) > 0:
            part = self._read(left_s)
            if not part:
                continue
            end_us = now_us()
            begin_us = begin_us or end_us
            data += part
            echo = len(request) if data.startswith(request) else 0
            if len(data) > echo and first_us is None:
                first_us = max(0, end_us - sent_end_us)
            if missing is not None and len(data) > echo and not missing(data[echo:]):
                break
            if data != request[: len(data)]:
                until_s = time.monotonic() + self.silence_s + PAUSE_S
        self._quiet_since_s = time.monotonic()
        return Answer(before, data, first_us, sent_us, begin_us, end_us)

    def _wait_for_silence(self) -> bytes:
        """Wait for 3.5 characters of silence, two seconds at most; return what was heard."""
        heard = b""
        end_s = time.monotonic() + 2.0
        while time.monotonic() < end_s:
            wait_s = self._quiet_since_s + self.silence_s - time.monotonic()
            part = self._read(max(0.0, wait_s))
            if part:
                heard += part
                self._quiet_since_s = time.monotonic()
            elif wait_s <= 0:
                break
        return heard

    def _read(self, within_s: float) -> bytes:
        try:
            if not select.select([self._serial.fileno()], [], [], max(0.0, within_s))[0]:
                return b""
            data = os.read(self._serial.fileno(), _CHUNK_BYTES)
        except _PORT_ERRORS as error:
            raise self._trouble(error) from error
        if not data:
            raise BusError("bus.port", port=self.port, reason="unplugged", trouble="missing")
        return data

    def _trouble(self, error: BaseException) -> BusError:
        if isinstance(error, BusError):
            return error
        number = getattr(error, "errno", None)
        if number is None and error.args and isinstance(error.args[0], int):
            number = error.args[0]
        trouble = _TROUBLES.get(number or 0, "failed")
        reason = os.strerror(number) if isinstance(number, int) else str(error)
        if trouble == "busy":
            reason = "another program has it open"
        if os.strerror(errno.ENOTTY) in str(error):
            trouble, reason = "missing", "it is no serial port"
        return BusError("bus.port", port=self.port, reason=reason, trouble=trouble)


class ProbeLink(Link):
    """A Link for a person's tools on a ProbeLine: it knows the length of every reply that they
    ask for, writes and device identification too. `start` blocks until the exchange is over.
    """

    def __init__(self, line: ProbeLine) -> None:
        self.line = line
        self._result: bytes | BusError | None = None
        self._rest_s = 0.0

    def start(self, request: bytes, timeout_ms: int, gap_ms: int = 0) -> None:
        self._result = None
        try:
            self._settle(max(self._rest_s, gap_ms / 1000))
            answer = self.line.exchange(
                request, timeout_ms, lambda data: reply_missing(request, data)
            )
        except BusError as error:
            self._result = error
            return
        data = answer.data
        if data.startswith(request) and len(data) > len(request) and request[1] != 6:
            data = data[len(request) :]
        self._rest_s = 0.0
        self._result = data
        if not data:
            self._rest_s = timeout_ms / 1000
            self._result = BusError("bus.timeout", station=request[0], timeout_ms=timeout_ms)

    def poll(self) -> bytes | None:
        result, self._result = self._result, None
        if isinstance(result, BusError):
            raise result
        return result

    def distrust(self) -> None:
        self._rest_s = max(self._rest_s, 0.2)

    def close(self) -> None:
        self.line.close()

    def _settle(self, rest_s: float) -> None:
        """Let a late reply pass: wait until nothing has come for `rest_s`, two seconds at most."""
        end_s = time.monotonic() + 2.0
        while rest_s > 0 and time.monotonic() < end_s and self.line.pending(rest_s):
            pass


def reply_missing(request: bytes, reply: bytes) -> int:
    """How many more bytes complete the reply to any request that our tools send."""
    if len(reply) < 2:
        return rtu.EXCEPTION_BYTES - len(reply)
    if reply[1] & 0x80:
        return max(0, rtu.EXCEPTION_BYTES - len(reply))
    if request[1] == device_id.FUNCTION:
        return device_id.device_id_missing(reply)
    if request[1] in (rtu_write.WRITE_SINGLE, rtu_write.WRITE_MULTIPLE):
        return max(0, rtu_write.REPLY_BYTES - len(reply))
    return rtu.bytes_missing(request, reply)


def latency_timer(port: str, devices: Path = USB_SERIAL) -> Path | None:
    """The file with the latency timer of the USB adapter behind `port`; None if it has none."""
    file = devices / Path(os.path.realpath(port)).name / "latency_timer"
    return file if file.is_file() else None


def read_latency_ms(port: str, devices: Path = USB_SERIAL) -> int | None:
    """How long the USB adapter holds bytes back; None where that is not known."""
    file = latency_timer(port, devices)
    try:
        return None if file is None else int(file.read_text())
    except (OSError, ValueError):
        return None


def is_mini_uart(port: str, model: Path = BOARD_MODEL) -> bool:
    """True for a Raspberry Pi's mini UART: no parity, a baud rate that follows the core clock."""
    try:
        board = model.read_bytes()
    except OSError:
        return False
    return b"Raspberry Pi" in board and Path(os.path.realpath(port)).name == "ttyS0"
