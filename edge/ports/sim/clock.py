"""A clock that lies when told to: no RTC, steps both ways, drift, a source that is wrong."""

from edge.core.journal.clock import ClockQuality
from edge.ports.contracts import Clock
from edge.ports.sim.timeline import Timeline

MILLION = 1_000_000


class SimClock(Clock):
    """Time of one boot. truth_ms: Unix time at the beginning of the world."""

    def __init__(self, timeline: Timeline, truth_ms: int) -> None:
        self.timeline = timeline
        self.truth_ms = truth_ms
        self.boot_ms = timeline.now_ms
        self.drift_ppm = 0
        self.stated = ClockQuality.SYNCED
        self._error_ms = 0
        self._since_ms = timeline.now_ms
        self._is_set = True

    def mono_ms(self) -> int:
        return self.timeline.now_ms - self.boot_ms

    def wall_ms(self) -> int:
        if not self._is_set:
            return self.mono_ms()  # 1970, as a board without a battery believes
        return self.truth_ms + self.timeline.now_ms + self.error_ms()

    def quality(self) -> int:
        return self.stated if self._is_set else ClockQuality.UNSET

    def error_ms(self) -> int:
        """How far the wall time is from the truth."""
        passed_ms = self.timeline.now_ms - self._since_ms
        return self._error_ms + passed_ms * self.drift_ppm // MILLION

    def set(self, error_ms: int, quality: int, drift_ppm: int = 0) -> None:
        """Someone sets the clock: so far from the truth, with that quality, drifting from now."""
        self._error_ms = error_ms
        self._since_ms = self.timeline.now_ms
        self._is_set = True
        self.drift_ppm = drift_ppm
        self.stated = quality

    def forget(self) -> None:
        """No RTC and no network yet."""
        self._is_set = False
