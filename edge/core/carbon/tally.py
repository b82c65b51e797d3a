"""One stream's cumulative quantity and what became of its polls, by kind of meter.

A gateway has one of these per stream for as long as it runs, so they hold what an interval is made
with and nothing else; `wiring` takes it from the stream, `closing` makes the interval.
"""

from edge.core.carbon.counter import Counter, Flag
from edge.core.carbon.interval import CUMULATIVE, STATE
from edge.core.numbers.fixed import div_round

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NamedTuple

    from edge.core.carbon.streams import Coal, Rate, Stream
    from edge.core.carbon.timed import Timed

    class Shut(NamedTuple):
        """What `Tally.shut` returns."""

        good: int
        expected: int
        flags: int
        substituted: int
        figures: list[list[object]]
        state: list[object]


class Tally:
    """What every stream has: the count at the start of the interval, polls, flags."""

    #: Of these most streams have none; see `Stream`.
    basis = ""
    rates: "Sequence[Rate]" = ()
    coal: "Sequence[Coal]" = ()
    #: (tally, weight) of a virtual meter's summands.
    parts: "Sequence[tuple[Tally, int]]" = ()
    #: (tally, register) whose rates by tariff follow what this one counts.
    followers: "Sequence[tuple[Tally, int]]" = ()
    #: (place of the rate in `ratios`, basis, unit, its sum) of rates that change with time.
    timed: "Sequence[tuple[int, str, str, Timed]]" = ()
    #: A count is in parts of the mantissa: so many are one.
    SCALE = 1

    def __init__(self, stream: "Stream", ratios: tuple[int, ...]) -> None:
        """ratios: numerator and denominator of the activity, of the main rate, of the others."""
        self.number = stream.number
        self.name = stream.name
        self.kind = stream.kind
        self.poll_ms = stream.poll_ms
        self.ratios = ratios
        self.start: int | None = None
        self.good = 0
        self.flags = 0

    def count(self) -> int | None:
        """C in parts, see SCALE; None before a first reading."""
        raise NotImplementedError

    def shut(self, span_ms: int, end_ms: int) -> "Shut | tuple":
        """Begin to count polls and flags anew; what the interval that ends here had, see `Shut`.

        substituted: the part of its activity that was not measured; figures: what else it tells,
        see `interval`; state: what the meter needs beside C to go on after it.
        """
        raise NotImplementedError

    def restore(self, entry: list) -> None:
        """The count and its meter as this entry has them."""
        raise NotImplementedError


class CounterTally(Tally):
    """A stream over one cumulative register. point: its place in the polls of its device."""

    def __init__(self, stream: "Stream", ratios: tuple[int, ...]) -> None:
        super().__init__(stream, ratios)
        self.counter = Counter(stream.limits, stream.poll_ms)
        self.point: int = stream.source.inputs[0][1]

    def count(self) -> int | None:
        return self.counter.total

    def took(self, wall_ms: int | None) -> None:
        """A reading of its register has been counted."""
        self.good += 1
        if self.start is None:
            self.start = self.counter.total
        if self.followers:
            from edge.core.carbon.timed import follow

            follow(self, wall_ms)

    def counter_flags(self) -> int:
        """Those of the stream and of its register."""
        return self.flags | self.counter.flags | (Flag.HELD if self.counter.is_held else 0)

    def shut(self, span_ms: int, end_ms: int) -> "Shut | tuple":
        good, expected = polls_of(self, span_ms)
        flags = self.counter_flags()
        self.good = self.flags = self.counter.flags = 0
        return good, expected, flags, 0, [], self.counter.state()

    def restore(self, entry: list) -> None:
        self.counter.restore(entry[CUMULATIVE], entry[STATE] if len(entry) > STATE else [])
        self.start = entry[CUMULATIVE]


def polls_of(tally: Tally, span_ms: int) -> tuple[int, int]:
    """(good, expected) polls of an interval that took `span_ms`."""
    expected = max(1, div_round(span_ms, tally.poll_ms))
    return min(tally.good, expected), expected
