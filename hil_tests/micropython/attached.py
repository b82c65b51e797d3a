"""A simulated board at the end of a cable: its console on a tty, switched on again when it resets.

What `hil` does to a real board can be done to it: mpremote copies files and writes its ROMFS, and
the program that was copied runs after the reset.
"""

import os
import select
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hil_tests.micropython.device import CAUSES, POWER_ON, Device, Event, Run

RESETS = ("reset", "watchdog", "soft_reset")
DEADLINE_S = 20


@contextmanager
def pty() -> Iterator[tuple[int, str]]:
    """(one end, the name of the other)."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    try:
        yield ours, os.ttyname(theirs)
    finally:
        os.close(ours)
        os.close(theirs)


@contextmanager
def line() -> Iterator[tuple[str, str]]:
    """The names of both ends of a wire."""
    with pty() as (one_end, one), pty() as (other_end, other):
        stop_read, stop_write = os.pipe()

        def carry() -> None:
            while True:
                ready = select.select([one_end, other_end, stop_read], [], [])[0]
                if stop_read in ready:
                    return
                if one_end in ready:
                    os.write(other_end, os.read(one_end, 4096))
                if other_end in ready:
                    os.write(one_end, os.read(other_end, 4096))

        carrier = threading.Thread(target=carry, daemon=True)
        carrier.start()
        try:
            yield one, other
        finally:
            os.write(stop_write, b"x")
            carrier.join(DEADLINE_S)
            os.close(stop_read)
            os.close(stop_write)


class Attached:
    """A device that is on until `stop`. port: of its console; ends: how each boot has ended."""

    def __init__(self, device: Device, console: str, port: str, plan: dict[str, Any]) -> None:
        self.port = port
        self.ends: list[Event] = []
        self._device = device
        self._plan = {**plan, "console": console}
        self._is_on = True
        self._run = self._boot()
        self._switch = threading.Thread(target=self._keep_on, daemon=True)
        self._switch.start()

    def _boot(self) -> Run:
        return self._device.power_on(**self._plan)

    def _keep_on(self) -> None:
        while True:
            self._run.process.wait()
            self._run.kill()
            last = self._run.events[-1] if self._run.events else {"reason": self._run.errors}
            self.ends.append(last)
            if not self._is_on or last["reason"] not in RESETS:
                return
            self._device.cause = CAUSES.get(last["reason"], POWER_ON)
            self._run = self._boot()

    def stop(self) -> None:
        """Pull the plug."""
        self._is_on = False
        while self._switch.is_alive():
            self._run.kill()
            self._switch.join(1)


@contextmanager
def attached(device: Device, **plan: Any) -> Iterator[Attached]:
    """The device, on; plan: as for `power_on`."""
    with line() as (console, port):
        board = Attached(device, console, port, plan)
        try:
            yield board
        finally:
            board.stop()
