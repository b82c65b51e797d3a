"""A stream's emission by a factor that changes with time, summed exactly over its moves.

What a register moved between two readings that count is spread over the time between them, see
`Tariff.spread`; each part times its own factor adds to one sum, and an interval is R(sum at its
end) - R(sum at its start), R half-even to 1 mg, so intervals telescope as those of a fixed factor
do.
"""

from edge.core.carbon.tariff import Tariff
from edge.core.numbers.fixed import check_int64, div_round


class Timed:
    """One basis of one stream; a virtual meter has several registers, each with its weight.

    fallback: what moved at factors from a later layer than the tariff's first, in the count's
    mantissa, since the last close.
    """

    def __init__(
        self, tariff: Tariff, numerator: int, denominator: int, weights: tuple[int, ...] = (1,)
    ) -> None:
        """numerator, denominator: ug per unit of activity x count to mg."""
        self.tariff = tariff
        self.fallback = 0
        self._up, self._down, self._weights = numerator, denominator, weights
        self._sum = 0  # of count x ug x up: mg times the denominator
        self._told_mg = 0
        #: Per register its count up to which all is in the sum, and the time of that reading.
        self._counted: list[int | None] = [None for _ in weights]
        self._at_ms: list[int | None] = [None for _ in weights]

    def mark(self, register: int, count: int, wall_ms: int | None) -> None:
        """Begin at this reading of a register: what it counted before is not the stream's."""
        self._counted[register] = count
        self._at_ms[register] = wall_ms

    def take(self, register: int, count: int, wall_ms: int | None) -> None:
        """Take a register's count at a reading that counts in.

        wall_ms: None while no clock has been set; what moves until it is has the factor of the
        moment when it is known.
        """
        before = self._counted[register]
        if before is None:
            before = self._counted[register] = count
        if wall_ms is None:
            return
        last_ms = self._at_ms[register]
        start_ms = wall_ms if last_ms is None else min(last_ms, wall_ms)
        self._at_ms[register], self._counted[register] = wall_ms, count
        moved = self._weights[register] * (count - before)
        if moved:
            for ug, fallback, part in self.tariff.spread(start_ms, wall_ms, moved):
                self._sum += part * ug * self._up
                self.fallback += part if fallback else 0

    def is_new(self) -> bool:
        """True before anything was taken in or restored."""
        return all([count is None for count in self._counted])

    def close(self) -> tuple[int, int]:
        """(mg since the close before, what moved at fallback factors); a new interval begins."""
        now_mg = self.total_mg()
        gained_mg, self._told_mg = now_mg - self._told_mg, now_mg
        fallback, self.fallback = self.fallback, 0
        return gained_mg, fallback

    def total_mg(self) -> int:
        """R(sum) since the stream's beginning."""
        return div_round(self._sum, self._down)

    def state(self) -> list[object]:
        """What a restart needs: [whole mg, rest of the sum, counts, wall times in ms]."""
        whole = check_int64(self._sum // self._down, "a sum by a tariff")
        return [whole, self._sum % self._down, list(self._counted), list(self._at_ms)]

    def restore(self, state: list) -> None:
        """Go on after the close that gave `state`."""
        whole, rest, counted, at_ms = state
        self._counted, self._at_ms = list(counted), list(at_ms)
        self._sum = whole * self._down + rest
        self._told_mg = self.total_mg()
