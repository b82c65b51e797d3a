"""Which values of a poll deserve a second look before they count, and what the second look says.

CRC-16 lets about 1.5 in 100,000 damaged frames pass, and a late reply can look like the right
one. A counter that moves against its nature is therefore read twice: the truth repeats itself,
noise does not.
"""

from edge.core.bus.profile import Point
from edge.core.numbers.quality import Quality

#: A counter may move this many times faster than it ever did before one looks twice.
JUMP_FACTOR = 20

#: Two reads of one counter agree when they differ by at most this part of it.
AGREE_PART = 1000


class Confirm:
    """What one device's counters did so far."""

    def __init__(self, points: tuple[Point, ...]) -> None:
        self.counters = [i for i, point in enumerate(points) if point.point_class == "counter"]
        # By place in `counters`; three lists take a third of what pairs in a dictionary do.
        self._last: list[int | None] = [None] * len(self.counters)
        self._at_ms = [0] * len(self.counters)
        #: Largest accepted move per second, rounded up; None before a second reading.
        self._fastest: list[int | None] = [None] * len(self.counters)
        self._troubled = False

    def suspects(self, values: list[int | None], now_ms: int) -> list[int]:
        """Points to read again: a counter that went back or jumped, or any after a failed poll."""
        found = []
        for place in range(len(self.counters)):
            index = self.counters[place]
            value, last = values[index], self._last[place]
            if value is None:
                continue
            if self._troubled or (
                last is not None and (value < last or self._is_jump(place, value - last, now_ms))
            ):
                found.append(index)
        return found

    def _is_jump(self, place: int, move: int, now_ms: int) -> bool:
        fastest = self._fastest[place]
        if fastest is None:
            return False
        elapsed_ms = now_ms - self._at_ms[place]
        return move > JUMP_FACTOR * (fastest + 1) * (elapsed_ms + 1000) // 1000

    def settle(
        self,
        first: list[int | None],
        second: list[int | None],
        suspects: list[int],
        qualities: dict[int, int],
    ) -> list[int | None]:
        """Values that count after a second read of the suspects; marks UNCONFIRMED in qualities.

        Two reads that agree are the truth, however odd; of two that do not, none counts.
        """
        values = list(first)
        for index in suspects:
            one, two = first[index], second[index]
            if one is not None and two is not None and _agree(one, two):
                values[index] = two
            else:
                values[index] = None
                qualities[index] = Quality.UNCONFIRMED
        return values

    def accept(self, values: list[int | None], qualities: dict[int, int], now_ms: int) -> None:
        """Remember a finished poll."""
        for place in range(len(self.counters)):
            index = self.counters[place]
            value, last = values[index], self._last[place]
            if value is None or qualities.get(index, Quality.GOOD) != Quality.GOOD:
                continue
            if last is not None:
                elapsed_ms = max(1, now_ms - self._at_ms[place])
                speed = -(-max(0, value - last) * 1000 // elapsed_ms)
                self._fastest[place] = max(self._fastest[place] or 0, speed)
            self._last[place], self._at_ms[place] = value, now_ms
        self._troubled = False

    def trouble(self) -> None:
        """A read failed: what comes next may be the late answer to it."""
        self._troubled = True


def _agree(one: int, two: int) -> bool:
    return abs(two - one) <= max(2, abs(one) // AGREE_PART)
