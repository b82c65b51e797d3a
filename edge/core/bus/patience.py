"""How long to wait for one station: learned from its answers, between a floor and a ceiling.

The estimate is that of TCP (RFC 6298): smoothed latency plus four times its smoothed deviation,
integers in microseconds. A station that has never answered gets the ceiling.
"""

#: The floor covers what an operating system adds to a quick station.
FLOOR_MS = 40

#: What is kept across restarts moves in steps of this factor, so that it is written rarely.
STEP = 2


class Patience:
    """The reply timeout of one station. Latency: end of the request to first byte of the reply."""

    def __init__(self, ceiling_ms: int, remembered_ms: int | None = None) -> None:
        """ceiling_ms: the configured timeout. remembered_ms: from an earlier run."""
        self.ceiling_ms = ceiling_ms
        self._remembered_ms = remembered_ms
        self._smooth_us: int | None = None
        self._deviation_us = 0

    def heard(self, latency_us: int) -> None:
        """A good reply began after `latency_us`."""
        latency_us = max(0, latency_us)
        if self._smooth_us is None:
            self._smooth_us = latency_us
            self._deviation_us = latency_us // 2
            return
        error_us = latency_us - self._smooth_us
        self._deviation_us += (abs(error_us) - self._deviation_us) // 4
        self._smooth_us += error_us // 8

    def missed(self) -> None:
        """No reply in time: the estimate may be too short, so it is widened."""
        if self._smooth_us is not None:
            self._deviation_us = min(2 * self._deviation_us + 1000, 1000 * self.ceiling_ms)

    def timeout_ms(self) -> int:
        """What to wait now."""
        if self._smooth_us is None:
            wanted_ms = self._remembered_ms or self.ceiling_ms
        else:
            wanted_ms = (self._smooth_us + 4 * self._deviation_us) // 1000 + FLOOR_MS
        return max(min(FLOOR_MS, self.ceiling_ms), min(wanted_ms, self.ceiling_ms))

    def worth_remembering_ms(self) -> int:
        """The timeout rounded up to a step: floor, 2 x floor, 4 x floor, ..., the ceiling."""
        step_ms = FLOOR_MS
        while step_ms < self.timeout_ms():
            step_ms *= STEP
        return min(step_ms, self.ceiling_ms)
