"""Time spans from ticks that wrap: what is long ago must not look recent."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Ticks:
    """The tick functions of a platform: `time.ticks_ms`, `time.ticks_us`, `time.ticks_diff`."""

    def __init__(
        self,
        ms: "Callable[[], int]",
        us: "Callable[[], int]",
        diff: "Callable[[int, int], int]",
    ) -> None:
        self.ms = ms
        self.us = us
        self.diff = diff


class Stopwatch:
    """Microseconds since it was started, up to LONG_US; restarting allocates nothing.

    `ticks_us` wraps after 18 minutes and `ticks_diff` tells half of that, too short for a line
    that is polled once an hour: milliseconds decide what is long ago, microseconds the rest.
    """

    LONG_US = 60_000_000

    def __init__(self, ticks: Ticks) -> None:
        self._ticks = ticks
        self._ms = self._us = 0
        self.restart()

    def restart(self) -> None:
        """Count from now on."""
        self._ms = self._ticks.ms()
        self._us = self._ticks.us()

    def elapsed_us(self) -> int:
        """Microseconds since the start; LONG_US for anything longer."""
        waited_ms = self._ticks.diff(self._ticks.ms(), self._ms)
        if not 0 <= waited_ms < self.LONG_US // 1000:
            return self.LONG_US
        return max(0, self._ticks.diff(self._ticks.us(), self._us))
