"""Time on Linux: the monotonic and the real-time clock, and the kernel's word on the latter."""

import ctypes
import time

from edge.core.journal.clock import ClockQuality
from edge.ports.contracts import Clock

_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronized
_TIMEX_BYTES = 512  # more than sizeof(struct timex) on any architecture


class LinuxClock(Clock):
    """Counts from its own construction, which is the gateway's start."""

    def __init__(self) -> None:
        self._start_ns = time.monotonic_ns()
        self._libc = ctypes.CDLL(None, use_errno=True)

    def mono_ms(self) -> int:
        return (time.monotonic_ns() - self._start_ns) // 1_000_000

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def quality(self) -> int:
        # A zeroed struct has modes = 0: adjtimex then only reads, which needs no privilege.
        state = self._libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
        return ClockQuality.HELD if state in (-1, _TIME_ERROR) else ClockQuality.SYNCED
