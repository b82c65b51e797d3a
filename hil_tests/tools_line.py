"""A line of small stations for the tools' tests: each answers at its own line setting only.

A pty carries any byte at any setting, so this line looks at what the master has set on the tty
before it lets a station hear a request. The kernel keeps baud rate and stop bits of a pty but
clears its parity flag, so parity is taken from what was asked of `termios.tcsetattr`.
"""

import errno
import os
import select
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from hil_tests.emulator.frame import checksum, encode_exception, encode_reply, seal
from hil_tests.emulator.timing import bits_per_character

_SPEEDS = {
    getattr(termios, f"B{baud}"): baud
    for baud in (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
}

#: A line with chatter of its own is silent this long at most.
_CHATTER_S = 0.04

#: What happens to a write: called with station, address and words; returns what becomes of it:
#: "" done and confirmed, "lost" done but not confirmed, "ignored" neither, or an exception code.
OnWrite = Callable[["ToolStation", int, tuple[int, ...]], "str | int"]


@dataclass
class ToolStation:
    """One station: holding and input registers by (function, address); what is missing refuses.

    baud, format: what it listens at. objects: what function 43 says, None where unknown.
    spoil: reply -> the bytes that reach the line; [] for silence.
    """

    number: int
    registers: dict[tuple[int, int], int]
    baud: int = 9600
    format: str = "8N1"
    objects: dict[int, bytes] | None = None
    turnaround_s: float = 0.005
    on_write: OnWrite | None = None
    spoil: Callable[[bytes], bytes] | None = None
    asked: int = 0
    writes: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)

    def answer(self, frame: bytes) -> bytes:
        """The reply to a whole request; b"" for none."""
        self.asked += 1
        function = frame[1]
        if function in (3, 4):
            return self._read(function, frame)
        if function in (6, 16):
            return self._write(function, frame)
        if function == 43 and self.objects is not None and frame[3] == 1:
            body = bytes((self.number, 43, 14, 1, 1, 0, 0, len(self.objects)))
            for key, text in sorted(self.objects.items()):
                body += bytes((key, len(text))) + text
            return seal(body)
        return encode_exception(self.number, function, 1)

    def _read(self, function: int, frame: bytes) -> bytes:
        address = int.from_bytes(frame[2:4], "big")
        count = int.from_bytes(frame[4:6], "big")
        words = [self.registers.get((function, address + i)) for i in range(count)]
        if None in words:
            return encode_exception(self.number, function, 2)
        data = b"".join(word.to_bytes(2, "big") for word in words if word is not None)
        return encode_reply(self.number, function, data)

    def _write(self, function: int, frame: bytes) -> bytes:
        address = int.from_bytes(frame[2:4], "big")
        data = frame[4:6] if function == 6 else frame[7:-2]
        words = tuple(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
        number = self.number
        outcome = self.on_write(self, address, words) if self.on_write else 1
        if isinstance(outcome, int):
            return encode_exception(number, function, outcome)
        if outcome != "ignored":
            self.writes.append((address, words))
        return seal(frame[:6]) if not outcome else b""


class ToolsLine:
    """A pty with stations behind it, in a thread; `port` is what a master opens.

    chatter: what passes again and again while the master is silent; echoes: what the master sends
    comes back to it.
    """

    def __init__(self, stations: list[ToolStation], parities: dict[int, str]) -> None:
        """parities: what was asked of tcsetattr last, kept up by `watch_parity` under key 0."""
        self.stations = stations
        self.chatter = b""
        self.echoes = False
        self._parities = parities
        self._fd, self._tty_fd = os.openpty()
        tty.setraw(self._fd)
        tty.setraw(self._tty_fd)
        self.port = os.ttyname(self._tty_fd)
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(target=self._run, name="tools line", daemon=True)
        self.requests: list[bytes] = []

    def __enter__(self) -> "ToolsLine":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._stop_write, b"x")
        self._thread.join()
        for fd in (self._fd, self._tty_fd, self._stop_read, self._stop_write):
            os.close(fd)

    def setting(self) -> tuple[int, str]:
        """(baud, format) that the master has set."""
        flags = termios.tcgetattr(self._fd)
        stop = "2" if flags[2] & termios.CSTOPB else "1"
        return _SPEEDS.get(flags[5], 0), "8" + self._parities.get(0, "N") + stop

    def _run(self) -> None:
        while True:
            ready, _, _ = select.select([self._fd, self._stop_read], [], [], _CHATTER_S)
            if self._stop_read in ready:
                return
            if not ready:
                os.write(self._fd, self.chatter)
                continue
            frame = os.read(self._fd, 4096)
            baud, form = self.setting()
            time.sleep(len(frame) * bits_per_character(form) / max(baud, 300))
            self.requests.append(frame)
            if self.echoes:
                os.write(self._fd, frame)
            for station in self.stations:
                if (station.baud, station.format) == (baud, form):
                    self._serve(station, frame)

    def _serve(self, station: ToolStation, frame: bytes) -> None:
        whole = len(frame) >= 4 and checksum(frame[:-2]) == frame[-2:]
        if not whole or frame[0] != station.number:
            return
        reply = station.answer(frame)
        if station.spoil is not None:
            reply = station.spoil(reply)
        if reply:
            time.sleep(station.turnaround_s)
            os.write(self._fd, reply)


def watch_parity(monkeypatch: pytest.MonkeyPatch) -> dict[int, str]:
    """Note what parity is asked of the kernel from now on, under key 0."""
    parities: dict[int, str] = {}
    real = termios.tcsetattr

    def note(fd: int, when: int, attributes: list[Any]) -> None:
        flags = attributes[2]
        odd = "O" if flags & termios.PARODD else "E"
        parities[0] = odd if flags & termios.PARENB else "N"
        try:
            real(fd, when, attributes)
        except termios.error as error:
            # A pty that is asked for nothing but another parity does nothing and says so.
            if error.args[0] != errno.EINVAL:
                raise

    monkeypatch.setattr(termios, "tcsetattr", note)
    return parities


@contextmanager
def tools_line(
    stations: list[ToolStation], monkeypatch: pytest.MonkeyPatch
) -> Iterator[ToolsLine]:
    """A running line whose stations mind the master's settings."""
    with ToolsLine(stations, watch_parity(monkeypatch)) as line:
        yield line
