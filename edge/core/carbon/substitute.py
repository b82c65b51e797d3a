"""Values for hours that were not measured, from hours that were, each with the rule that made it.

All values of one call are integers of one quantity and unit. A rule that lacks history gives no
value: nothing is invented. Rules look at the history before the gap, never into it.
"""

from array import array
from collections import namedtuple

from edge.core.errors import DataError
from edge.core.numbers.fixed import div_round

#: value: integer, None when the rule gives none; rule: why, in the regime's own words.
Filled = namedtuple("Filled", ("value", "rule"))

#: The longest look-back of any rule, in hours.
HOURS_MAX = 2160

#: 32 bits: 42 949 t/h in 10 g/h, or 4294 % in 10^-6 %.
VALUE_MAX = 0xFFFF_FFFF

DAY_HOURS = 24


class Ring:
    """The last valid hourly values: 4 bytes each, 8 640 bytes for the longest look-back."""

    def __init__(self, size: int = HOURS_MAX) -> None:
        self._values = array("I", bytes(4 * size))
        self._size = size
        self._next = 0
        self._count = 0

    def push(self, value: int) -> None:
        """Add the newest value, 0..VALUE_MAX; DataError "data.range" beyond."""
        if not 0 <= value <= VALUE_MAX:
            raise DataError("data.range", what="hourly value", value=value)
        self._values[self._next] = value
        self._next = (self._next + 1) % self._size
        self._count = min(self._count + 1, self._size)

    def last(self, hours: int) -> list[int]:
        """Up to `hours` values, the newest first."""
        found = []
        for back in range(1, min(hours, self._count) + 1):
            found.append(self._values[(self._next - back) % self._size])
        return found

    def __len__(self) -> int:
        return self._count


class Availability:
    """Which of the last operating hours were valid: one bit each."""

    def __init__(self, hours: int) -> None:
        self._bits = bytearray((hours + 7) // 8)
        self._hours = hours
        self._next = 0
        self.count = 0
        self.valid = 0

    def push(self, valid: bool) -> None:
        """Add the newest hour; the oldest leaves when the window is full."""
        at, bit = self._next // 8, 1 << self._next % 8
        if self.count == self._hours:
            self.valid -= 1 if self._bits[at] & bit else 0
        else:
            self.count += 1
        if valid:
            self._bits[at] |= bit
            self.valid += 1
        else:
            self._bits[at] &= ~bit & 0xFF
        self._next = (self._next + 1) % self._hours

    def push_missing(self, hours: int) -> None:
        """Add a run of hours without valid data."""
        for _ in range(min(hours, self._hours)):  # more than the window changes nothing
            self.push(False)

    def reaches(self, percent: int) -> bool:
        """True if at least `percent` of the hours were valid; an empty window reaches nothing."""
        return self.count > 0 and self.valid * 100 >= percent * self.count


def hj75(gap_hours: int, ring: Ring, capture: Availability) -> Filled:
    """HJ 75: the largest of the last valid hours before the gap, by its length and the capture.

    capture >= 90 %: 180 hours for gaps up to 24 h, 720 beyond; 75 % to below 90 %: 2160; below
    75 % the authority decides, so there is no value.
    """
    if not capture.reaches(75):
        return Filled(None, "HJ75/authority")
    hours = HOURS_MAX
    if capture.reaches(90):
        hours = 180 if gap_hours <= DAY_HOURS else 720
    return _largest(ring.last(hours), "HJ75/max" + str(hours))


def _largest(values: list[int], rule: str) -> Filled:
    return Filled(max(values) if values else None, rule)


def part75(
    gap_hours: int,
    before: int | None,
    after: int | None,
    ring: Ring,
    monitor: Availability,
    potential: int | None,
) -> Filled:
    """40 CFR 75.33(b), for CO2 by 75.35, named by method of determination code (MODC).

    before, after: the hours on both sides of the gap; potential: the largest value the unit can
    have, None when the site has not determined it. Monitor availability (PMA) >= 95 %: up to
    24 h the mean of both sides (06), beyond the larger of it and the 90th percentile of 720
    hours (08). 90 % to below 95 %: the same with 8 h and the 95th percentile (06, 09). 80 % to
    below 90 %: the largest of 720 hours (10). Below 80 %: the potential (12).
    """
    if not monitor.reaches(80):
        return Filled(potential, "MODC12")
    if not monitor.reaches(90):
        return _largest(ring.last(720), "MODC10")
    hours, percent, rule = (24, 90, "MODC08") if monitor.reaches(95) else (8, 95, "MODC09")
    sides = None if before is None or after is None else div_round(before + after, 2)
    if gap_hours <= hours:
        return Filled(sides, "MODC06")
    past = ring.last(720)
    if sides is None or not past:
        return Filled(None, rule)
    return Filled(max(percentile(past, percent), sides), rule)


def percentile(values: list[int], percent: int) -> int:
    """The smallest value that at least `percent` of the values do not exceed (nearest rank)."""
    ordered = sorted(values, key=lambda value: value)
    rank = -(-percent * len(ordered) // 100)
    return ordered[max(rank, 1) - 1]


def eu_mean_2_sigma(values: list[int]) -> Filled:
    """EU 2018/2066 Annex VIII Eq. 4: mean + 2 x standard deviation of the sample, rounded up.

    The result c is the smallest integer with c >= S/n + 2 sqrt((n Q - S^2)/(n (n - 1))), S the
    sum and Q the sum of squares: exact, no root is rounded before. n - 1 is ours; the
    regulation's excerpt says "standard deviation" only, and n - 1 is the higher value.
    """
    n = len(values)
    if n < 2:
        return Filled(None, "EU/mean+2sigma")
    total = sum(values)
    spread = n * sum([value * value for value in values]) - total * total
    root = root_up(-(-4 * n * spread // (n - 1)))
    return Filled(-(-(total + root) // n), "EU/mean+2sigma")


def root_up(square: int) -> int:
    """The smallest integer whose square is at least `square` >= 0."""
    if square < 2:
        return square
    root = 2
    while root * root < square:
        root <<= 1
    # Newton's steps from above fall until they reach the floor of the root.
    below = (root + square // root) // 2
    while below < root:
        root, below = below, (below + square // below) // 2
    return root if root * root >= square else root + 1
