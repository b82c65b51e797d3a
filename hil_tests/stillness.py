"""Whether the machine stood still while a test ran that measures real time.

A wire, a pty and an emulator keep time only as well as their machine does. A pause of a shared one
makes a late reply of a good one, and says nothing about the program.
"""

import os
import threading
import time
from pathlib import Path

#: A thread that asks for 5 ms and gets this much more has been held up by the machine: the
#: interpreter itself hands over every 5 ms. So has a test whose processes together waited this
#: much for a processor within a sample.
STILL_S = 0.03
_TICK_S = 0.005

#: The processes of the test had to wait for a processor for more than this share of the time.
WAITED = 0.2
_SAMPLE_S = 0.1

_PROCESSES = Path("/proc")


class StoodStillError(Exception):
    """A test failed while the machine held up this process, or had others wait for long."""


def _waited_ns(process: int, found: dict[str, int]) -> None:
    """Put {thread: nanoseconds it has waited for a processor} into `found`, children included.

    Nothing of a process that has ended, nor where the kernel does not count it
    (`/proc/PID/task/TID/schedstat`).
    """
    try:
        tasks = list((_PROCESSES / str(process) / "task").iterdir())
    except OSError:
        return
    for task in tasks:
        try:
            found[task.name] = int((task / "schedstat").read_text().split()[1])
            children = (task / "children").read_text().split()
        except OSError:
            continue
        for child in children:
            _waited_ns(int(child), found)


def stolen_s() -> float:
    """How long the processors of a virtual machine ran something else; 0 where nobody tells.

    Whoever was on one then neither waited nor ran, as the kernel sees it.
    """
    try:
        fields = (_PROCESSES / "stat").read_text().split("\n", 1)[0].split()
        return int(fields[8]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError):
        return 0.0


class Stillness:
    """Notes, on a thread of its own, for how long it did not run and the test's processes waited.

    What waits behind them does not count: a campaign at idle priority runs beside.
    """

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._begun_s = time.monotonic()
        self._before_ns: dict[str, int] = {}
        _waited_ns(os.getpid(), self._before_ns)
        self._waited_ns = dict(self._before_ns)
        self._stolen_s = stolen_s()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stillness", daemon=True)

    def __enter__(self) -> "Stillness":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        before_s = sampled_s = time.monotonic()
        while not self._is_over.wait(_TICK_S):
            now_s = time.monotonic()
            self.longest_s = max(self.longest_s, now_s - before_s - _TICK_S)
            if now_s - sampled_s > _SAMPLE_S:
                self.sample()
                sampled_s = now_s = time.monotonic()
            before_s = now_s

    def sample(self) -> None:
        """What all threads together waited between two samples; a reply waits for several."""
        before_ns = sum(self._waited_ns.values())
        _waited_ns(os.getpid(), self._waited_ns)
        held_up_s = (sum(self._waited_ns.values()) - before_ns) / 1e9
        before_s, self._stolen_s = self._stolen_s, stolen_s()
        self.longest_s = max(self.longest_s, held_up_s, self._stolen_s - before_s)

    def explain(self, error: BaseException) -> None:
        """Raise StoodStillError from the error of a test, if that is what happened."""
        self.sample()
        if self.longest_s > STILL_S:
            held_up_ms = round(self.longest_s * 1000)
            raise StoodStillError(f"the machine stood still for {held_up_ms} ms") from error
        waited_s = (sum(self._waited_ns.values()) - sum(self._before_ns.values())) / 1e9
        waited = waited_s / (time.monotonic() - self._begun_s)
        if waited > WAITED:
            raise StoodStillError(f"processes had to wait {waited:.0%} of the time") from error
