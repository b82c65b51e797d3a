"""Whether the machine stood still while a test ran that measures real time.

A wire, a pty and an emulator keep time only as well as their machine does. A pause of a shared one
makes a late reply of a good one, and says nothing about the program.
"""

import threading
import time

#: A thread that asks for 5 ms and gets this much more has been held up by the machine: the
#: interpreter itself hands over every 5 ms.
STILL_S = 0.03
_TICK_S = 0.005


class StoodStillError(Exception):
    """A test failed while the machine was held up for so many milliseconds at once."""


class Stillness:
    """A thread that notes the longest time for which it did not run."""

    def __init__(self) -> None:
        self.longest_s = 0.0
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
