"""One RS-485 line with the wire's timing, in a thread of its own.

A request is received when its characters have had their time on the wire and 3.5 characters of
silence have followed (that is how a receiver knows the end). What is sent then becomes readable
no earlier than its time on the schedule of `wire.Wire`, which also knows what collides.
"""

import os
import select
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from edge.core.errors import BusError
from hil_tests.emulator.frame import request_length
from hil_tests.emulator.port import PtyPort, SerialPort
from hil_tests.emulator.timing import Timing
from hil_tests.emulator.wire import COLLISION, UNPLUG, Sending, Wire

_IDLE_S = 0.02

#: Without pacing a request that came in parts is over after this pause.
_UNPACED_PAUSE_S = 0.005


class Responder(Protocol):
    """What stands behind a line: the stations, and whoever else talks on the pair."""

    def answer(self, frame: bytes, now_s: float) -> Sequence[Sending]:
        """What is sent because of `frame`, complete at monotonic `now_s`."""

    def ignore(self, frame: bytes, reason: str) -> None:
        """Take note of `frame`, which no station heard: "early" or "collision"."""

    def is_echoed(self, station: int, now_s: float) -> bool:
        """Whether the adapter returns the request to `station` that begins now."""

    def speak(self, now_s: float) -> Sequence[Sending]:
        """What somebody sends unasked from now on."""

    def note(self, name: str) -> None:
        """Take note of what happened to the line: "unplug", "replug", "echo"."""

    def idle(self, now_s: float) -> None:
        """Do work ahead while the line has nothing due."""


@dataclass
class Silences:
    """Requests heard, those that came too early, and the shortest silence before one."""

    requests: int = 0
    early: int = 0
    shortest_s: float | None = None


class Line:
    """Serve `responder` on `port` until stop().

    strict: drop a request that begins less than 3.5 characters after the last activity.
    in_bursts: what one sender sends becomes readable at its end, in one piece.
    failure: what ended the thread early, else None. silences: counted in either mode.
    """

    def __init__(
        self,
        port: PtyPort | SerialPort,
        timing: Timing,
        responder: Responder,
        strict: bool = False,
        in_bursts: bool = False,
    ) -> None:
        self._port = port
        self._in_bursts = in_bursts
        self.timing = timing
        self._responder = responder
        self.strict = strict
        self._wire = Wire(timing.character_s)
        self._pause_s = port.pause_s if timing.character_s > 0 else _UNPACED_PAUSE_S
        self._frame = bytearray()
        self._is_early = False
        self._is_echoed = False
        self._held: list[Sending] = []
        self._replug_s: float | None = None
        self._stop_read_fd, self._stop_write_fd = os.pipe()
        self._thread = threading.Thread(target=self._run, name=f"line {port.name}", daemon=True)
        self.failure: OSError | BusError | None = None
        self.silences = Silences()

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """End the thread and join it; a reply under way is cut off, the port stays open."""
        os.write(self._stop_write_fd, b"x")
        self._thread.join()

    @property
    def is_read(self) -> bool:
        """Whether the master has read what was sent."""
        return not self._port.unread()

    def stop(self) -> None:
        """End the thread, join it, close the port; a reply under way is cut off."""
        self.end()
        self._port.close()
        os.close(self._stop_read_fd)
        os.close(self._stop_write_fd)

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        except (OSError, BusError) as error:
            self.failure = error

    def _turn(self) -> bool:
        """One pass: wait for a byte or for what is due, then do it; False when stopped."""
        if self._replug_s is not None:
            return self._wait_for_replug(self._replug_s)
        wait_s = max(0.0, min(_IDLE_S, self._next_due_s() - time.monotonic()))
        ready, _, _ = select.select([self._port.fileno(), self._stop_read_fd], [], [], wait_s)
        if self._stop_read_fd in ready:
            if not self._port.paced:
                self._tell_sent(self._wire.handed_over_s(), time.time_ns() // 1_000_000)
            return False
        self._send(time.monotonic())
        if self._replug_s is not None:
            return True
        if ready:
            data = self._port.read()
            if not data and not self._port.paced:
                raise OSError("the port hung up")
            self._receive(data, time.monotonic())
        self._finish_frame(time.monotonic())
        for sending in self._responder.speak(time.monotonic()):
            self._wire.put(sending)
        if not self._frame and self._wire.is_idle:
            self._responder.idle(time.monotonic())
        return True

    def _next_due_s(self) -> float:
        due_s = self._wire.next_s(self._port.paced, self._in_bursts)
        return min(due_s, self._frame_end_s()) if self._frame else due_s

    def _receive(self, data: bytes, now_s: float) -> None:
        """Take bytes that a pty delivers at once, or that hardware has already timed."""
        if not data:
            return
        duration_s = len(data) * self.timing.character_s
        begin_s = now_s if self._port.paced else now_s - duration_s
        if not self._frame:
            self._begin_frame(data[0], begin_s)
        self._frame += data
        if self._port.paced:
            begin_s = self._wire.hear(data, now_s)
        else:
            self._wire.busy_until_s = now_s
        if self._is_echoed:
            echo = Sending(data, begin_s, lambda *_: None, "echo", is_on_pair=False)
            self._wire.put(echo)

    def _begin_frame(self, station: int, begin_s: float) -> None:
        silence_s = begin_s - self._wire.busy_until_s
        self._is_early = silence_s < self.timing.silence_s
        self.silences.requests += 1
        self.silences.early += self._is_early
        shortest_s = self.silences.shortest_s
        is_known = self._wire.busy_until_s > 0
        if is_known and (shortest_s is None or silence_s < shortest_s):
            self.silences.shortest_s = max(0.0, silence_s)
        self._is_echoed = self._responder.is_echoed(station, begin_s)
        held, self._held = self._held, []
        for sending in held:
            assert sending.after_next_s is not None
            sending.start_s = begin_s + sending.after_next_s
            # It was on the pair long ago; only the adapter kept it.
            sending.is_on_pair = False
            self._wire.put(sending)

    def _frame_end_s(self) -> float:
        """When the silence after the bytes received so far makes them a frame."""
        length = request_length(bytes(self._frame))
        complete = length is not None and len(self._frame) >= length
        pause_s = 0.0 if complete else self._pause_s
        return self._wire.busy_until_s + max(self.timing.silence_s, pause_s)

    def _finish_frame(self, now_s: float) -> None:
        if not self._frame or now_s < self._frame_end_s():
            return
        end_s = self._frame_end_s()
        frame = bytes(self._frame)
        self._frame.clear()
        if self._wire.take_spoilt():
            self._responder.ignore(frame, COLLISION)
            return
        if self.strict and self._is_early:
            self._responder.ignore(frame, "early")
            return
        for sending in self._responder.answer(frame, end_s):
            if sending.after_next_s is None:
                self._wire.put(sending)
            else:
                self._held.append(sending)

    def _send(self, now_s: float) -> None:
        """Write the bytes whose time has passed, all in one call."""
        if self._port.paced:
            data = self._wire.take_due(now_s, self._in_bursts)
        else:
            data = self._wire.take_run(now_s)
        # Before it is written: who reads it must not have it earlier than the ledger says.
        wall_ms = time.time_ns() // 1_000_000
        if data:
            self._port.write(data)
        self._tell_sent(now_s, wall_ms)

    def _tell_sent(self, now_s: float, wall_ms: int) -> None:
        for sending in self._wire.take_over(now_s):
            sending.sent(sending, wall_ms)
            if sending.unplug_s:
                self._unplug(now_s + sending.unplug_s)
                return

    def _unplug(self, until_s: float) -> None:
        """Take the port away; what was on its way is lost."""
        self._port.unplug()
        self._replug_s = until_s
        self._frame.clear()
        self._held.clear()
        for sending in self._wire.clear():
            sending.sent(sending, time.time_ns() // 1_000_000)
        self._responder.note(UNPLUG)

    def _wait_for_replug(self, replug_s: float) -> bool:
        wait_s = max(0.0, replug_s - time.monotonic())
        if select.select([self._stop_read_fd], [], [], wait_s)[0]:
            return False
        self._port.replug()
        self._replug_s = None
        self._responder.note("replug")
        return True
