"""Whether the machine stood still while a test ran that measures real time.

A wire, a pty and an emulator keep time only as well as their machine does. A pause of a shared one
makes a late reply of a good one, and says nothing about the program.
"""

import threading
import time
from pathlib import Path

#: A thread that asks for 5 ms and gets this much more has been held up by the machine: the
#: interpreter itself hands over every 5 ms.
STILL_S = 0.03
_TICK_S = 0.005

#: Some process had to wait for a processor for more than this share of the time.
WAITED = 0.2

#: Linux counts there, in microseconds, for how long some process waited: `some ... total=N`.
_PRESSURE = Path("/proc/pressure/cpu")


class StoodStillError(Exception):
    """A test failed while the machine held up this process, or had others wait for long."""


def _waited_us() -> int:
    """0 where the kernel does not count it."""
    try:
        return int(_PRESSURE.read_text().splitlines()[0].rpartition("=")[2])
    except OSError:
        return 0


class Stillness:
    """Notes on a thread of its own for how long it did not run, and for how long others waited."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._begun_s, self._waited_us = time.monotonic(), _waited_us()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stillness", daemon=True)

    def __enter__(self) -> "Stillness":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        before_s = time.monotonic()
        while not self._is_over.wait(_TICK_S):
            now_s = time.monotonic()
            self.longest_s = max(self.longest_s, now_s - before_s - _TICK_S)
            before_s = now_s

    def explain(self, error: BaseException) -> None:
        """Raise StoodStillError from the error of a test, if that is what happened."""
        if self.longest_s > STILL_S:
            held_up_ms = round(self.longest_s * 1000)
            raise StoodStillError(f"the machine stood still for {held_up_ms} ms") from error
        waited = (_waited_us() - self._waited_us) / 1e6 / (time.monotonic() - self._begun_s)
        if waited > WAITED:
            raise StoodStillError(f"processes had to wait {waited:.0%} of the time") from error
