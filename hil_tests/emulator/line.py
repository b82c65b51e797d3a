"""One RS-485 line with the wire's timing, in a thread of its own.

A request is received when its characters have had their time on the wire and 3.5 characters of
silence have followed (that is how a receiver knows the end); then the station's turnaround
passes; then each byte of the reply becomes readable no earlier than its time on an absolute
schedule. Frames never overlap: a reply waits for the one before it.
"""

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from hil_tests.emulator.frame import request_length
from hil_tests.emulator.port import PtyPort, SerialPort
from hil_tests.emulator.timing import Timing

_IDLE_S = 0.02


@dataclass
class Reply:
    """Bytes to put on the line `delay_s` after the request has ended.

    sent: called with the wall clock in ms when the last byte is on the line.
    """

    data: bytes
    delay_s: float
    sent: Callable[[int], None]
    start_s: float = 0.0
    written: int = 0


class Responder(Protocol):
    """What stands behind a line: the stations."""

    def answer(self, frame: bytes, now_s: float) -> Reply | None:
        """The reply to `frame`, complete at monotonic `now_s`; None for silence."""

    def ignore(self, frame: bytes) -> None:
        """Take note of `frame`, dropped because it broke the silence before it."""

    def idle(self, now_s: float) -> None:
        """Do work ahead while the line has nothing due."""


class Line:
    """Serve `responder` on `port` until stop().

    strict: drop a request that begins less than 3.5 characters after the last activity.
    failure: what ended the thread early, else None.
    """

    def __init__(
        self,
        port: PtyPort | SerialPort,
        timing: Timing,
        responder: Responder,
        strict: bool = False,
    ) -> None:
        self._port = port
        self._timing = timing
        self._responder = responder
        self._strict = strict
        self._frame = bytearray()
        self._frame_early = False
        self._busy_until_s = 0.0
        self._outgoing: deque[Reply] = deque()
        self._stop_read_fd, self._stop_write_fd = os.pipe()
        self._thread = threading.Thread(target=self._run, name=f"line {port.name}", daemon=True)
        self.failure: OSError | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread, join it, close the port; a reply under way is cut off."""
        os.write(self._stop_write_fd, b"x")
        self._thread.join()
        self._port.close()
        os.close(self._stop_read_fd)
        os.close(self._stop_write_fd)

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        except OSError as error:
            self.failure = error

    def _turn(self) -> bool:
        """One pass: wait for a byte or for what is due, then do it; False when stopped."""
        wait_s = max(0.0, min(_IDLE_S, self._next_due_s() - time.monotonic()))
        ready, _, _ = select.select([self._port.fileno(), self._stop_read_fd], [], [], wait_s)
        if self._stop_read_fd in ready:
            return False
        if ready:
            data = self._port.read()
            if not data and not self._port.paced:
                raise OSError("the port hung up")
            self._receive(data, time.monotonic())
        self._send(time.monotonic())
        self._finish_frame(time.monotonic())
        if not self._frame and not self._outgoing:
            self._responder.idle(time.monotonic())
        return True

    def _next_due_s(self) -> float:
        due_s = float("inf")
        if self._frame:
            due_s = self._frame_end_s()
        if self._outgoing:
            due_s = min(due_s, self._next_byte_s(self._outgoing[0]))
        return due_s

    def _receive(self, data: bytes, now_s: float) -> None:
        """Take bytes that a pty delivers at once, or that hardware has already timed."""
        duration_s = len(data) * self._timing.character_s
        begin_s = now_s if self._port.paced else now_s - duration_s
        if not self._frame:
            self._frame_early = begin_s < self._busy_until_s + self._timing.silence_s
        self._frame += data
        if self._port.paced:
            self._busy_until_s = max(begin_s, self._busy_until_s) + duration_s
        else:
            self._busy_until_s = now_s

    def _frame_end_s(self) -> float:
        """When the silence after the bytes received so far makes them a frame."""
        length = request_length(bytes(self._frame))
        complete = length is not None and len(self._frame) >= length
        pause_s = 0.0 if complete else self._port.pause_s
        return self._busy_until_s + max(self._timing.silence_s, pause_s)

    def _finish_frame(self, now_s: float) -> None:
        if not self._frame or now_s < self._frame_end_s():
            return
        end_s = self._frame_end_s()
        frame = bytes(self._frame)
        self._frame.clear()
        if self._strict and self._frame_early:
            self._responder.ignore(frame)
            return
        reply = self._responder.answer(frame, end_s)
        if reply is None or not reply.data:
            return
        reply.start_s = end_s + reply.delay_s
        if self._outgoing:
            reply.start_s = max(reply.start_s, self._end_s(self._outgoing[-1]))
        self._outgoing.append(reply)

    def _end_s(self, reply: Reply) -> float:
        return reply.start_s + len(reply.data) * self._timing.character_s

    def _next_byte_s(self, reply: Reply) -> float:
        if self._port.paced:
            return reply.start_s + (reply.written + 1) * self._timing.character_s
        return reply.start_s if reply.written == 0 else self._end_s(reply)

    def _send(self, now_s: float) -> None:
        """Write the bytes whose time has passed, all in one call."""
        if not self._outgoing:
            return
        reply = self._outgoing[0]
        due = len(reply.data)
        if self._port.paced:
            due = min(due, int((now_s - reply.start_s) / self._timing.character_s))
        elif now_s < reply.start_s:
            return
        if due > reply.written:
            self._port.write(reply.data[reply.written : due])
            reply.written = due
            self._busy_until_s = max(self._busy_until_s, self._end_s(reply))
        if reply.written == len(reply.data) and now_s >= self._end_s(reply) - 1e-6:
            reply.sent(time.time_ns() // 1_000_000)
            self._outgoing.popleft()
