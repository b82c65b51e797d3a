"""A serial line on Linux: minimalmodbus over pyserial, with an exchange of bytes of our own.

minimalmodbus waits out its timeout on a 5-byte exception, stops reading at a fixed count and takes
a late reply for the answer to the next request; `Line` replaces its exchange of bytes with one
that ends with the frame and quarantines the line after a failure.
"""

import contextlib
import os
import select
import time

import minimalmodbus
import serial

from edge.core.bus.heard import find_reply, name_heard, note_distrusted
from edge.core.bus.hearing import HEARD_BYTES, READS, Hearing
from edge.core.bus.plan import character_bits, line_timing
from edge.core.bus.rtu import FRAME_MAX_BYTES, bytes_missing, crc16
from edge.core.errors import BusError

#: A line that is still talking after this long has no silence to wait for.
NOISE_LIMIT_S = 2.0

#: After a request without its reply, no other goes out before so many reply timeouts have passed.
LATE_TIMEOUTS = 3

#: A sleep through the body of a frame ends this much before its last byte is due, because waking
#: up takes its time; what is left comes byte by byte.
WAKE_S = 0.0002

#: The end of the silence before a request is waited for awake.
SPIN_S = 0.0001

#: What the operating system may add between two bytes of one frame (USB latency, scheduling).
PAUSE_S = 0.05


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
        # A USB adapter holds bytes back for 16 ms unless its driver is told that they are urgent.
        with contextlib.suppress(OSError, ValueError, NotImplementedError):
            opened.set_low_latency_mode(True)
        super().__init__(opened, 1)
        timing = line_timing(baud, character_bits(serial_format))
        self.character_s = timing.character_us / 1e6
        self.silence_s = timing.silence_us / 1e6
        self.timeout_ms = timeout_ms
        self.gap_s = 0.0
        self.latency_us = 0
        self.sent_at = 0.0  # monotonic, end of the last request
        self.hearing = Hearing()
        self._leftover = b""
        self.last_reply = b""
        self._quiet_since = time.monotonic()
        self._late_until = 0.0
        self._trusted_from = 0.0
        self._is_cancelled = False

    def _communicate(self, request: bytes, number_of_bytes_to_read: int) -> bytes:
        """Send one request and return the whole reply frame.

        number_of_bytes_to_read: of a good reply as minimalmodbus predicts it; 0 for a read.
        """
        self._wait_for_silence(request[0])
        self.serial.write(request)
        sent = time.monotonic() + len(request) * self.character_s
        self.sent_at = sent
        self._late_until = sent + LATE_TIMEOUTS * self.timeout_ms / 1000
        reply = b""
        try:
            reply = self._read_frame(request, sent, number_of_bytes_to_read)
            if crc16(reply) and reply[: len(request)] == request[: len(reply)]:
                reply = self._read_past_echo(request, reply, number_of_bytes_to_read)
            if crc16(reply) and request[1] in READS:
                reply = self._find_frame(request, reply)
        finally:
            self.last_reply = reply
            self.hearing.asked(request, not reply)
            self._quiet_since = time.monotonic()
            if not reply:
                self._trusted_from = self._late_until
        return reply

    def exchange(self, request: bytes, timeout_ms: int, gap_ms: int) -> bytes:
        """One transaction with its own reply timeout and rest before it."""
        self.timeout_ms = timeout_ms
        self.gap_s = gap_ms / 1000
        return self._communicate(request, 0)

    def quarantine(self) -> None:
        """Distrust the line: the next request waits until a late reply would have come."""
        self._trusted_from = self._late_until
        note_distrusted(self.hearing, self.last_reply)

    def cancel(self) -> None:
        """From another thread: end the transaction under way as a timeout; the last one there is.

        Bytes that are certainly on the wire are still slept through.
        """
        self._is_cancelled = True
        self.serial.cancel_read()

    def _hear(self, until: float) -> bytes:
        """What has arrived, in one piece; b"" when nothing comes until the time `until`."""
        port = self.serial
        wait_s = max(0.0, until - time.monotonic())
        ready, _, _ = select.select([port.fd, port.pipe_abort_read_r], [], [], wait_s)
        if not ready or self._is_cancelled:
            return b""
        data = os.read(port.fd, FRAME_MAX_BYTES)
        if not data:
            raise serial.SerialException("the port has gone")
        return data

    def _wait_for_silence(self, station: int) -> None:
        """Wait until the line has been quiet long enough; what arrives meanwhile is dropped."""
        started = time.monotonic()
        heard, self._leftover = self._leftover, b""
        while True:
            # The last moment is spun away: a sleep would end late by as much on every frame.
            # Who talks unasked must have stopped for longer than the system holds bytes back.
            quiet_s = PAUSE_S if heard else self.silence_s
            quiet_at = self._quiet_since + max(quiet_s, self.gap_s)
            quiet_at = max(quiet_at, self._trusted_from)
            part = self._hear(quiet_at - SPIN_S)
            if self._is_cancelled:
                raise BusError("bus.timeout", station=station, timeout_ms=self.timeout_ms)
            if part:
                self._quiet_since = time.monotonic()
                heard = (heard + part)[-HEARD_BYTES:]
                if self._quiet_since - started > NOISE_LIMIT_S:
                    raise BusError("bus.noise", station=station, frame_hex=heard[-8:].hex())
            elif time.monotonic() >= quiet_at:
                if heard:
                    self.hearing.note(name_heard(self.hearing, heard))
                return

    def _read_past_echo(self, request: bytes, heard: bytes, good_bytes: int) -> bytes:
        """The adapter returns what we send: drop that and read on to the end of the reply."""
        echo_hex = heard[: len(request)].hex()
        self.hearing.note(BusError("bus.echo", station=request[0], frame_hex=echo_hex))
        if len(heard) < len(request):
            self.serial.timeout = len(request) * self.character_s + PAUSE_S
            self.serial.read(len(request) - len(heard))
        return self._read_frame(request, time.monotonic(), good_bytes, heard[len(request) :])

    def _find_frame(self, request: bytes, heard: bytes) -> bytes:
        """Look for the whole reply behind stray bytes, as a driver that comes on early makes them.

        Returns what was heard first when there is none: the caller sees its wrong CRC.
        """
        data = heard
        while len(data) < HEARD_BYTES:
            part = self._hear(time.monotonic() + self.silence_s)
            if not part:
                break
            data += part
        return find_reply(request, data) or heard

    def _read_frame(
        self, request: bytes, sent: float, good_bytes: int, reply: bytes = b""
    ) -> bytes:
        """Read until the frame is complete; sleep through what is certainly still on the wire.

        reply: what has been read of it already.
        """
        until = sent + self.timeout_ms / 1000
        while missing := _bytes_missing(request, reply, good_bytes):
            part = self._hear(until)
            if not part and not reply:
                raise BusError("bus.timeout", station=request[0], timeout_ms=self.timeout_ms)
            if not part:
                raise BusError("bus.short", station=request[0], frame_hex=reply.hex())
            if not reply:
                latency_s = time.monotonic() - sent - len(part) * self.character_s
                self.latency_us = max(0, int(latency_s * 1e6))
            reply += part
            missing = _bytes_missing(request, reply, good_bytes)
            body_s = missing * self.character_s - WAKE_S
            if body_s > 0:
                time.sleep(body_s)
            until = time.monotonic() + missing * self.character_s + PAUSE_S
        if len(reply) > _frame_bytes(request, reply, good_bytes):
            reply = self._cut(request, reply, good_bytes)
        return reply

    def _cut(self, request: bytes, heard: bytes, good_bytes: int) -> bytes:
        """The frame at the beginning of what was heard; the rest is named with what follows it."""
        end = _frame_bytes(request, heard, good_bytes)
        if heard.startswith(request) and crc16(heard[:end]):
            return heard  # an echo with the reply behind it
        self._leftover = heard[end:]
        return heard[:end]


def _frame_bytes(request: bytes, reply: bytes, good_bytes: int) -> int:
    """Length of the complete frame that `reply` begins with."""
    short = len(reply) - 1
    while short > 0 and not _bytes_missing(request, reply[:short], good_bytes):
        short -= 1
    return short + 1


def _bytes_missing(request: bytes, reply: bytes, good_bytes: int) -> int:
    """As `rtu.bytes_missing`, also for a reply to no read, whose length the caller knows."""
    if request[1] in READS or not good_bytes or len(reply) < 2 or reply[1] & 0x80:
        return bytes_missing(request, reply)
    return max(0, good_bytes - len(reply))
