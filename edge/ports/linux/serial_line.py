"""A serial line on Linux: minimalmodbus over pyserial, with an exchange of bytes of our own.

minimalmodbus waits out its timeout on a 5-byte exception, stops reading at a fixed count and takes
a late reply for the answer to the next request; `Line` replaces its exchange of bytes with one
that ends with the frame and quarantines the line after a failure.
"""

import os
import select
import time
from collections import deque

import minimalmodbus
import serial

from edge.core.bus.plan import character_bits, line_timing
from edge.core.bus.rtu import (
    EXCEPTION_BYTES,
    FRAME_MAX_BYTES,
    READ_HOLDING,
    READ_INPUT,
    bytes_missing,
    crc16,
)
from edge.core.errors import BusError

#: A line that is still talking after this long has no silence to wait for.
NOISE_LIMIT_S = 2.0

#: A sleep through the body of a frame ends this much before its last byte is due, because waking
#: up takes its time; what is left comes byte by byte.
WAKE_S = 0.0002

#: The end of the silence before a request is waited for awake.
SPIN_S = 0.0001

#: Findings kept until somebody asks for them, and bytes kept of each.
FINDINGS_MAX = 8
HEARD_BYTES = 32

#: Length of a read request.
REQUEST_BYTES = 8

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
        super().__init__(opened, 1)
        timing = line_timing(baud, character_bits(serial_format))
        self.character_s = timing.character_us / 1e6
        self.silence_s = timing.silence_us / 1e6
        self.timeout_ms = timeout_ms
        self.gap_s = 0.0
        self.latency_us = 0
        self.findings: deque[BusError] = deque(maxlen=FINDINGS_MAX)
        self._has_failed = False
        self._asked = b""
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
            if crc16(reply) and reply[: len(request)] == request[: len(reply)]:
                reply = self._read_past_echo(request, reply, number_of_bytes_to_read)
        finally:
            self._has_failed = not reply
            self._asked = request
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
        heard = b""
        while True:
            # The last moment is spun away: a sleep would end late by as much on every frame.
            quiet_at = self._quiet_since + max(self._quarantine_s, self.gap_s)
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
                    self.findings.append(self._name(heard))
                return

    def _name(self, heard: bytes) -> BusError:
        """What bytes that nobody asked for are; station: the one asked last."""
        code = "bus.stray"
        if self._has_failed:
            code = "bus.late"
        elif len(heard) >= EXCEPTION_BYTES and heard[:2] == self._asked[:2]:
            code = "bus.two_answers"
        for at in range(len(heard) - REQUEST_BYTES + 1):
            frame = heard[at : at + REQUEST_BYTES]
            if frame[1] in (READ_HOLDING, READ_INPUT) and not crc16(frame):
                code = "bus.foreign_master"
        return BusError(
            code, station=int.from_bytes(self._asked[:1], "big"), frame_hex=heard.hex()
        )

    def _read_past_echo(self, request: bytes, heard: bytes, good_bytes: int) -> bytes:
        """The adapter returns what we send: drop that and read on to the end of the reply."""
        echo_hex = heard[: len(request)].hex()
        self.findings.append(BusError("bus.echo", station=request[0], frame_hex=echo_hex))
        if len(heard) < len(request):
            self.serial.timeout = len(request) * self.character_s + PAUSE_S
            self.serial.read(len(request) - len(heard))
        return self._read_frame(request, time.monotonic(), good_bytes, heard[len(request) :])

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
        """The frame at the beginning of what was heard; what follows it is a finding."""
        end = _frame_bytes(request, heard, good_bytes)
        echo = len(request) if heard.startswith(request) and crc16(heard[:end]) else 0
        if not echo:
            self._asked = request
            self._has_failed = False
            self.findings.append(self._name(heard[end:]))
            return heard[:end]
        return heard


def _frame_bytes(request: bytes, reply: bytes, good_bytes: int) -> int:
    """Length of the complete frame that `reply` begins with."""
    short = len(reply) - 1
    while short > 0 and not _bytes_missing(request, reply[:short], good_bytes):
        short -= 1
    return short + 1


def _bytes_missing(request: bytes, reply: bytes, good_bytes: int) -> int:
    """As `rtu.bytes_missing`, also for a reply to no read, whose length the caller knows."""
    is_read = request[1] in (READ_HOLDING, READ_INPUT)
    if is_read or not good_bytes or len(reply) < 2 or reply[1] & 0x80:
        return bytes_missing(request, reply)
    return max(0, good_bytes - len(reply))
