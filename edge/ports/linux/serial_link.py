"""A serial line on Linux: minimalmodbus over pyserial, one worker thread a line.

minimalmodbus waits out its timeout on a 5-byte exception, stops reading at a fixed count and takes
a late reply for the answer to the next request; `Line` replaces its exchange of bytes with one
that ends with the frame and quarantines the line after a failure.
"""

import contextlib
import queue
import termios
import threading
import time
from collections.abc import Callable

import minimalmodbus
import serial

from edge.core.bus.plan import line_timing
from edge.core.bus.rtu import FRAME_MAX_BYTES, READ_HOLDING, READ_INPUT, bytes_missing
from edge.core.errors import BusError
from edge.ports.contracts import Link

#: A line that is still talking after this long has no silence to wait for.
NOISE_LIMIT_S = 2.0

#: A sleep through the body of a frame ends this much before its last byte is due, because waking
#: up takes its time; what is left comes byte by byte.
WAKE_S = 0.0004

#: The end of the silence before a request is waited for awake.
SPIN_S = 0.0002

#: What the operating system may add between two bytes of one frame (USB latency, scheduling).
PAUSE_S = 0.05

#: How long closing waits for the worker, which at 300 baud may sleep through a long frame.
CLOSE_S = 1.0

_PORT_ERRORS = (OSError, termios.error, serial.SerialException)


def character_bits(serial_format: str) -> int:
    """Bits on the wire per character of a format such as "8E1", start bit included."""
    return 1 + int(serial_format[0]) + (serial_format[1] != "N") + int(serial_format[2])


class Line(minimalmodbus.Instrument):  # type: ignore[misc]
    """An instrument on a shared line whose exchanges end with the frame.

    Every call of minimalmodbus goes through `_communicate` and so keeps the line's discipline.
    """

    def __init__(self, port: str, baud: int, serial_format: str, timeout_ms: int) -> None:
        opened = serial.Serial(
            port,
            baud,
            bytesize=int(serial_format[0]),
            parity=serial_format[1],
            stopbits=int(serial_format[2]),
            exclusive=True,
            write_timeout=2.0,
        )
        super().__init__(opened, 1)
        timing = line_timing(baud, character_bits(serial_format))
        self.character_s = timing.character_us / 1e6
        self.silence_s = timing.silence_us / 1e6
        self.timeout_ms = timeout_ms
        self.gap_s = 0.0
        self.latency_us = 0
        self._quiet_since = time.monotonic()
        self._quarantine_s = self.silence_s
        self._is_cancelled = False

    def _communicate(self, request: bytes, number_of_bytes_to_read: int) -> bytes:
        """Send one request and return the whole reply frame.

        number_of_bytes_to_read: of a good reply as minimalmodbus predicts it; 0 for a read.
        """
        self._wait_for_silence(request[0])
        self.serial.write(request)
        sent = time.monotonic() + len(request) * self.character_s
        reply = b""
        try:
            reply = self._read_frame(request, sent, number_of_bytes_to_read)
        finally:
            self._quiet_since = time.monotonic()
            late_s = 0.0 if reply else 2 * self.timeout_ms / 1000
            self._quarantine_s = max(self.silence_s, late_s)
        return reply

    def exchange(self, request: bytes, timeout_ms: int, gap_ms: int) -> bytes:
        """One transaction with its own reply timeout and rest before it."""
        self.timeout_ms = timeout_ms
        self.gap_s = gap_ms / 1000
        return self._communicate(request, 0)

    def quarantine(self) -> None:
        """Distrust the line: the next request waits until a late reply would have come."""
        self._quarantine_s = max(self._quarantine_s, 2 * self.timeout_ms / 1000)

    def cancel(self) -> None:
        """From another thread: end the transaction under way as a timeout; the last one there is.

        Bytes that are certainly on the wire are still slept through.
        """
        self._is_cancelled = True
        self.serial.cancel_read()

    def _wait_for_silence(self, station: int) -> None:
        """Wait until the line has been quiet long enough; what arrives meanwhile is dropped."""
        started = time.monotonic()
        heard = b""
        while True:
            if self._is_cancelled:
                raise BusError("bus.timeout", station=station, timeout_ms=self.timeout_ms)
            now = time.monotonic()
            wait_s = self._quiet_since + max(self._quarantine_s, self.gap_s) - now
            if wait_s <= 0 and not self.serial.in_waiting:
                return
            # The last moment is spun away: a sleep would end late by as much on every frame.
            self.serial.timeout = max(0.0, wait_s - SPIN_S)
            part = self.serial.read(1)
            if not part:
                continue
            self._quiet_since = time.monotonic()
            heard = (heard + part + self.serial.read(self.serial.in_waiting))[-8:]
            if self._quiet_since - started > NOISE_LIMIT_S:
                raise BusError("bus.noise", station=station, frame_hex=heard.hex())

    def _read_frame(self, request: bytes, sent: float, good_bytes: int) -> bytes:
        """Read until the frame is complete; sleep through what is certainly still on the wire."""
        reply = b""
        self.serial.timeout = max(0.0, sent - time.monotonic()) + self.timeout_ms / 1000
        while missing := _bytes_missing(request, reply, good_bytes):
            body_s = (missing - 1) * self.character_s - WAKE_S
            if reply and body_s > 0:
                time.sleep(body_s)
            part = self.serial.read(missing)
            if part and not reply:
                latency_s = time.monotonic() - sent - len(part) * self.character_s
                self.latency_us = max(0, int(latency_s * 1e6))
            if not part and not reply:
                raise BusError("bus.timeout", station=request[0], timeout_ms=self.timeout_ms)
            if not part:
                raise BusError("bus.short", station=request[0], frame_hex=reply.hex())
            reply += part
            if len(reply) > FRAME_MAX_BYTES:
                raise BusError("bus.noise", station=request[0], frame_hex=reply[:8].hex())
            self.serial.timeout = missing * self.character_s + PAUSE_S
        return reply


def _bytes_missing(request: bytes, reply: bytes, good_bytes: int) -> int:
    """As `rtu.bytes_missing`, also for a reply to no read, whose length the caller knows."""
    is_read = request[1] in (READ_HOLDING, READ_INPUT)
    if is_read or not good_bytes or len(reply) < 2 or reply[1] & 0x80:
        return bytes_missing(request, reply)
    return max(0, good_bytes - len(reply))


class SerialLink(Link):
    """A Link whose worker thread owns the port; `start` and `poll` never block.

    wake: called from the worker when a transaction has ended.
    A port that fails is closed and opened again by the next transaction.
    """

    def __init__(self, port: str, baud: int, serial_format: str, wake: Callable[[], None]) -> None:
        self.port = port
        self._settings = (baud, serial_format)
        self._wake = wake
        self._line: Line | None = None
        self._requests: queue.SimpleQueue[tuple[bytes, int, int] | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[bytes | BusError] = queue.SimpleQueue()
        self._worker = threading.Thread(target=self._work, name="bus " + port, daemon=True)
        self._worker.start()

    def start(self, request: bytes, timeout_ms: int, gap_ms: int = 0) -> None:
        self._requests.put((request, timeout_ms, gap_ms))

    def poll(self) -> bytes | None:
        try:
            result = self._results.get_nowait()
        except queue.Empty:
            return None
        if isinstance(result, BusError):
            raise result
        return result

    def distrust(self) -> None:
        if self._line is not None:
            self._line.quarantine()

    def close(self) -> None:
        self._requests.put(None)
        line = self._line
        if line is not None:
            # TypeError: the worker has just closed the port itself.
            with contextlib.suppress(*_PORT_ERRORS, TypeError):
                line.cancel()
        self._worker.join(CLOSE_S)

    def _work(self) -> None:
        while (job := self._requests.get()) is not None:
            try:
                self._results.put(self._transact(*job))
            except BusError as error:
                self._results.put(error)
            except _PORT_ERRORS as error:
                self._drop_port()
                self._results.put(BusError("bus.port", port=self.port, reason=str(error)))
            self._wake()
        self._drop_port()

    def _transact(self, request: bytes, timeout_ms: int, gap_ms: int) -> bytes:
        if self._line is None:
            self._line = Line(self.port, *self._settings, timeout_ms)
        reply = self._line.exchange(request, timeout_ms, gap_ms)
        self.latency_us = self._line.latency_us
        return reply

    def _drop_port(self) -> None:
        if self._line is not None and self._line.serial is not None:
            with contextlib.suppress(*_PORT_ERRORS):
                self._line.serial.close()
        self._line = None
