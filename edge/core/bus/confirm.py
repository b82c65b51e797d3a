"""Which values of a poll deserve a second look before they count.

CRC-16 lets about 1.5 in 100,000 damaged frames pass, and a late reply can look like the right
one. A counter that moves against its nature is therefore read twice: the truth repeats itself,
noise does not.
"""

from edge.core.numbers.quality import Quality

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: A counter may move this many times faster than it ever did before one looks twice.
JUMP_FACTOR = 20

#: What is kept of a counter, one after the other: its last value, when that was, and its fastest
#: move per second, rounded up; None before a first and a second reading.
_AT_MS, _FASTEST, _KEPT = 1, 2, 3


class Confirm:
    """What one device's counters did so far. counters: their indices among its points."""

    def __init__(self, counters: "Sequence[int]") -> None:
        self._counters = counters
        #: One list of all counters: objects of their own take five times as much.
        self._kept: list = [None] * (_KEPT * len(counters))
        self._troubled = False

    def suspects(self, values: list[int | None], now_ms: int) -> list[int]:
        """Points to read again: a counter that went back or jumped, or any after a failed poll."""
        found = []
        kept = self._kept
        at = 0
        for index in self._counters:
            value, last = values[index], kept[at]
            if value is not None and (
                self._troubled
                or (last is not None and (value < last or self._is_jump(at, value - last, now_ms)))
            ):
                found.append(index)
            at += _KEPT
        return found

    def _is_jump(self, at: int, move: int, now_ms: int) -> bool:
        fastest = self._kept[at + _FASTEST]
        if fastest is None:
            return False
        most = JUMP_FACTOR * (fastest + 1)
        span_ms = now_ms - self._kept[at + _AT_MS] + 1000
        # Mostly whole seconds tell it, in numbers that take no memory.
        return bool(move > most * (span_ms // 1000) and move > most * span_ms // 1000)

    def accept(self, values: list[int | None], qualities: dict[int, int], now_ms: int) -> None:
        """Remember a finished poll."""
        kept = self._kept
        at = -_KEPT
        for index in self._counters:
            at += _KEPT
            value, last = values[index], kept[at]
            if value is None or (index in qualities and qualities[index] != Quality.GOOD):
                continue
            if last is not None:
                move = value - last if value > last else 0
                span_ms, fastest = now_ms - kept[at + _AT_MS] or 1, kept[at + _FASTEST]
                if fastest is None or move * 1000 > fastest * span_ms:
                    kept[at + _FASTEST] = -(-move * 1000 // span_ms)
            kept[at], kept[at + _AT_MS] = value, now_ms
        self._troubled = False

    def trouble(self) -> None:
        """A read failed: what comes next may be the late answer to it."""
        self._troubled = True
