"""Time on an ESP32: ticks that wrap, a real-time clock of epoch 2000, and SNTP to set it."""

from edge.core.journal.clock import FLOOR_MS, ClockQuality
from edge.ports.contracts import Clock
from edge.ports.esp32.ticks import Ticks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: 2000-01-01 in Unix milliseconds: where an ESP32's clock begins (MicroPython, library time).
EPOCH_2000_MS = 946_684_800_000

#: A clock that was set so long ago is held, not synchronized: a crystal of 20 ppm is 2 s off.
SYNCED_FOR_MS = 86_400_000


class BoardClock(Clock):
    """Counts from its own construction; asked more often than the ticks wrap (6 days).

    read_clock_ms: the real-time clock in milliseconds of its own epoch; epoch_ms: that in Unix
    time, see `epoch_of`.
    """

    def __init__(
        self, ticks: Ticks, read_clock_ms: "Callable[[], int]", epoch_ms: int = EPOCH_2000_MS
    ) -> None:
        self._ticks = ticks
        self._read_clock_ms = read_clock_ms
        self._epoch_ms = epoch_ms
        self._last = ticks.ms()
        self._mono_ms = 0
        self._synced_at_ms: int | None = None

    def mono_ms(self) -> int:
        now = self._ticks.ms()
        self._mono_ms += self._ticks.diff(now, self._last)
        self._last = now
        return self._mono_ms

    def wall_ms(self) -> int:
        return self._read_clock_ms() + self._epoch_ms

    def quality(self) -> int:
        if self.wall_ms() < FLOOR_MS:
            return ClockQuality.UNSET
        synced_at = self._synced_at_ms
        if synced_at is None or self.mono_ms() - synced_at > SYNCED_FOR_MS:
            return ClockQuality.HELD
        return ClockQuality.SYNCED

    def synced(self) -> None:
        """The real-time clock has just been set from a time source."""
        self._synced_at_ms = self.mono_ms()


def epoch_of(year_of_zero: int) -> int:
    """Unix milliseconds of a clock's 0, from the year that `gmtime(0)` gives."""
    return EPOCH_2000_MS if year_of_zero == 2000 else 0
