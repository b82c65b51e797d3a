"""Time quality, and wall time as a monotonic clock with an anchor.

Records carry monotonic time since boot; wall time is `mono_ms + offset_ms`. The offset moves only
when the system clock has left it by more than a tolerance, and each move is a CLOCK record, so
that small corrections cause neither noise on the wire nor intervals that overlap.
"""


class ClockQuality:
    """How far wall_ms can be trusted; part of the wire format."""

    UNSET = 0  # no source yet: the value is a guess
    HELD = 1  # was set once (RTC, last shutdown), not confirmed since boot
    SYNCED = 2  # confirmed by a time source


NAMES = ("unset", "held", "synced")

#: A gateway built after this moment never lived before it (2025-01-01T00:00:00Z).
FLOOR_MS = 1_735_689_600_000

#: Nor will it see this one (2100-01-01T00:00:00Z): a clock that says so is broken.
CEILING_MS = 4_102_444_800_000

#: The anchor follows the system clock when they differ by more than this.
TOLERANCE_MS = 50


class Anchor:
    """Wall time of one boot."""

    def __init__(self) -> None:
        self.offset_ms: int | None = None
        self.quality = ClockQuality.UNSET

    def observe(self, mono_ms: int, wall_ms: int, quality: int) -> bool:
        """Compare with the system clock; return True when the anchor moved.

        wall_ms outside of FLOOR_MS..CEILING_MS cannot be true and counts as UNSET whatever the
        source says.
        """
        if not FLOOR_MS <= wall_ms < CEILING_MS:
            quality = ClockQuality.UNSET
        offset_ms = wall_ms - mono_ms
        if self.offset_ms is not None and quality == self.quality:
            if abs(offset_ms - self.offset_ms) <= TOLERANCE_MS:
                return False
        self.offset_ms = offset_ms
        self.quality = quality
        return True

    def wall_ms(self, mono_ms: int) -> int:
        """Unix milliseconds at `mono_ms`; 0 before the first observation."""
        return 0 if self.offset_ms is None else mono_ms + self.offset_ms
