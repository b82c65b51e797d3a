"""A stream's emission by a factor that changes with time, summed exactly over its moves.

What moved between two readings is spread over the time between them, see `Tariff.spread`; each
part times its own factor adds to one sum, and an interval is R(sum at its end) - R(sum at its
start), R half-even to 1 mg, so intervals telescope as those of a fixed factor do.
"""

from edge.core.carbon.tariff import Tariff
from edge.core.numbers.fixed import check_int64, div_round


class Timed:
    """One basis of one stream.

    counted: the stream's count up to which everything is in the sum, None before a first one.
    fallback: what moved at factors from a later layer than the tariff's first, in the count's
    mantissa, since the last close.
    """

    def __init__(self, tariff: Tariff, numerator: int, denominator: int) -> None:
        """numerator, denominator: ug per unit of activity x count to mg."""
        self.tariff = tariff
        self.counted: int | None = None
        self.fallback = 0
        self._up, self._down = numerator, denominator
        self._sum = 0  # of count x ug x up: mg times the denominator
        self._told_mg = 0
        self._at_ms: int | None = None

    def take(self, count: int, wall_ms: int | None) -> None:
        """Take the stream's count at a reading in.

        wall_ms: None while no clock has been set; what moves until it is has the factor of the
        moment when it is known.
        """
        if self.counted is None:
            self.counted = count
        if wall_ms is None:
            return
        start_ms = wall_ms if self._at_ms is None else min(self._at_ms, wall_ms)
        self._at_ms = wall_ms
        moved, self.counted = count - self.counted, count
        if moved:
            for ug, fallback, part in self.tariff.spread(start_ms, wall_ms, moved):
                self._sum += part * ug * self._up
                self.fallback += part if fallback else 0

    def close(self) -> tuple[int, int]:
        """(mg since the close before, what moved at fallback factors); a new interval begins."""
        now_mg = div_round(self._sum, self._down)
        gained_mg, self._told_mg = now_mg - self._told_mg, now_mg
        fallback, self.fallback = self.fallback, 0
        return gained_mg, fallback

    def state(self) -> list[object]:
        """What a restart needs: [whole mg, rest of the sum, counted, wall_ms]."""
        whole = check_int64(self._sum // self._down, "a sum by a tariff")
        return [whole, self._sum % self._down, self.counted, self._at_ms]

    def restore(self, state: list) -> None:
        """Go on after the close that gave `state`."""
        whole, rest, self.counted, self._at_ms = state
        self._sum = whole * self._down + rest
        self._told_mg = div_round(self._sum, self._down)

    def begin(self, count: int, wall_ms: int) -> None:
        """Go on after an interval that another factor counted: up to here all is in its sums."""
        self.counted, self._at_ms = count, wall_ms
