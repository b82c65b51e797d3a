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

#: What is kept of a counter, one after the other: its last value, and its fastest move per second,
#: rounded up; None before a first and a second reading.
_FASTEST, _KEPT = 1, 2


class Confirm:
    """What one device's counters did so far. counters: their indices among its points."""

    # Most devices never need these for themselves.
    _troubled = False
    #: When the last value was of those that had none in the last poll, by place in `_kept`.
    _late: dict[int, int] | None = None

    def __init__(self, counters: "Sequence[int]") -> None:
        self._counters = counters
        #: One list of all counters: objects of their own take five times as much.
        self._kept: list = [None] * (_KEPT * len(counters))
        self._at_ms = 0

    def suspects(self, values: list[int | None], now_ms: int) -> list[int]:
        """Points to read again: a counter that went back or jumped, or any after a failed poll."""
        found = []
        kept = self._kept
        # Mostly whole seconds tell a move that is no jump, in numbers that take no memory.
        span_s = (now_ms - self._at_ms) // 1000 + 1
        at = 0
        for index in self._counters:
            value = values[index]
            if value is not None:
                last, fastest = kept[at], kept[at + _FASTEST]
                if self._troubled or (last is not None and value < last):
                    found.append(index)
                elif fastest is not None:
                    most = JUMP_FACTOR * (fastest + 1)
                    if value - last > most * span_s and self._is_jump(at, value - last, now_ms):
                        found.append(index)
            at += _KEPT
        return found

    def _is_jump(self, at: int, move: int, now_ms: int) -> bool:
        span_ms = now_ms - self._last_ms(at) + 1000
        return bool(move > JUMP_FACTOR * (self._kept[at + _FASTEST] + 1) * span_ms // 1000)

    def _last_ms(self, at: int) -> int:
        return self._at_ms if self._late is None else self._late.get(at, self._at_ms)

    def accept(self, values: list[int | None], qualities: dict[int, int], now_ms: int) -> None:
        """Remember a finished poll."""
        kept = self._kept
        late = None
        at = -_KEPT
        for index in self._counters:
            at += _KEPT
            value, last = values[index], kept[at]
            if value is None or (qualities and qualities.get(index, Quality.GOOD) != Quality.GOOD):
                late = late or {}
                late[at] = self._last_ms(at)
                continue
            if last is not None:
                move = value - last if value > last else 0
                span_ms, fastest = now_ms - self._last_ms(at) or 1, kept[at + _FASTEST]
                if fastest is None or move * 1000 > fastest * span_ms:
                    kept[at + _FASTEST] = -(-move * 1000 // span_ms)
            kept[at] = value
        self._at_ms = now_ms
        if late or self._late:
            self._late = late
        if self._troubled:
            self._troubled = False

    def trouble(self) -> None:
        """A read failed: what comes next may be the late answer to it."""
        self._troubled = True
