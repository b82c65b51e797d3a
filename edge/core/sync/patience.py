"""How long to wait for an acknowledgement before what was sent is sent again.

Twice the 99th percentile of the measured times to an ack, within bounds, with jitter. Each wait
without progress is followed by one twice as long: a receiver may be away for days, and each round
of retries costs a whole window of traffic.
"""

from edge.core.sync.jitter import spread

#: FIRST: before any ack was timed.
RETRY_FIRST_MS = 10_000
RETRY_MIN_MS = 2_000
RETRY_MAX_MS = 120_000

#: Ack times remembered. Of so few the 99th percentile (nearest rank) is the longest.
ACK_TIMES_MAX = 64


class Patience:
    """Times one batch after the other, and only what was sent once."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._times_ms: list[int] = []
        self.timed: tuple[int, int, int] | None = None  # first, last, when sent

    def sent(self, first: int, last: int, now_ms: int) -> None:
        """A batch left for the first time."""
        if self.timed is None:
            self.timed = (first, last, now_ms)

    def forget(self, first: int | None = None) -> None:
        """The batch from `first` on, or any, is to be sent again: nobody could tell its ack."""
        if self.timed is not None and first in (None, self.timed[0]):
            self.timed = None

    def heard(self, now_ms: int) -> None:
        """What is timed was acknowledged."""
        if self.timed is not None:
            self._times_ms = self._times_ms[1 - ACK_TIMES_MAX :] + [now_ms - self.timed[2]]
            self.timed = None

    def retry_ms(self, now_ms: int) -> int:
        """The wait after progress."""
        base_ms = RETRY_FIRST_MS
        if self._times_ms:
            base_ms = max(RETRY_MIN_MS, min(2 * max(self._times_ms), RETRY_MAX_MS))
        return base_ms + spread(self._seed, now_ms, base_ms >> 3)

    def longer_ms(self, retry_ms: int, now_ms: int) -> int:
        """The wait after one of `retry_ms` in vain."""
        longer_ms = min(2 * retry_ms, RETRY_MAX_MS)
        return longer_ms - spread(self._seed, now_ms, longer_ms >> 3)
