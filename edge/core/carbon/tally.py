"""One stream's cumulative quantity and its share of the running interval, by kind of meter.

The emission of an interval is R(C_end x f) - R(C_start x f) with R half-even to 1 mg, so that
intervals sum exactly to any longer period. What was not read in an interval is caught up by the
next: nothing is guessed, coverage says how much was seen.
"""

from edge.core.carbon import cems
from edge.core.carbon.counter import Counter, Flag
from edge.core.carbon.interval import CUMULATIVE, REST, STATE
from edge.core.carbon.streams import KINDS, Stream
from edge.core.errors import DataError
from edge.core.numbers.fixed import check_int64, div_round

MS_PER_HOUR = 3_600_000

#: A stack sample stands for the time since the one before it, at most this many poll periods.
HOLD_PERIODS = 3


class Tally:
    """What every stream has: the count at the start of the interval, polls, flags."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.start: tuple[int, int] | None = None
        self.good = 0
        self.flags = 0
        #: R(C x ratio) at `start`: of the activity, of the main rate, of the others.
        self._ratios = [stream.activity, (stream.numerator, stream.denominator)]
        for rate in stream.rates:
            self._ratios.append((rate.numerator, rate.denominator))
        self._before: list[int] | None = None

    def count(self) -> tuple[int, int] | None:
        """C as (whole, rest in mg.ms/h); None before a first reading."""
        raise NotImplementedError

    def state(self) -> list[object]:
        """What a meter needs beside C to go on after this interval."""
        return []

    def polls(self, span_ms: int) -> tuple[int, int]:
        """(good, expected) polls of an interval that took `span_ms`; begins to count anew."""
        expected = max(1, div_round(span_ms, self.stream.poll_ms))
        good, self.good = min(self.good, expected), 0
        return good, expected

    def take_flags(self) -> int:
        """The flags of the interval; begins anew."""
        flags, self.flags = self.flags, 0
        return flags

    def close(self, span_ms: int) -> list[object]:
        """The stream's entry in the interval record; a new interval begins."""
        number = self.stream.number
        good, expected = self.polls(span_ms)
        flags = self.take_flags()
        end = self.count()
        if end is None:
            others: list[object] = [None] * len(self.stream.rates)
            return [number, None, 0, None, None, good, expected, flags, 0, others, []]
        start = end if self.start is None else self.start
        before = self._rounded(start) if self._before is None else self._before
        after = before if start == end else self._rounded(end)
        self.start, self._before = end, after
        sign = KINDS[self.stream.kind].emission
        emissions = [sign * (after[at] - before[at]) for at in range(1, len(after))]
        return [
            number,
            check_int64(end[0], "a count"),
            end[1],
            after[0] - before[0],
            emissions[0],
            good,
            expected,
            flags,
            0,
            emissions[1:],
            self.state(),
        ]

    def _rounded(self, count: tuple[int, int]) -> list[int]:
        """R(C x ratio) for every ratio of the stream."""
        whole, rest = count
        if rest == 0:
            return [div_round(whole * up, down) for up, down in self._ratios]
        whole = whole * MS_PER_HOUR + rest
        return [div_round(whole * up, down * MS_PER_HOUR) for up, down in self._ratios]


class CounterTally(Tally):
    """A stream over one cumulative register."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self.counter = Counter(stream.limits, stream.poll_ms)

    def count(self) -> tuple[int, int] | None:
        total = self.counter.total
        return None if total is None else (total, 0)

    def close(self, span_ms: int) -> list[object]:
        if self.start is None and self.counter.total is not None:
            self.start = (self.counter.first, 0)
        return super().close(span_ms)

    def state(self) -> list[object]:
        return self.counter.state()

    def take_flags(self) -> int:
        flags = super().take_flags() | self.counter.flags
        self.counter.flags = 0
        return flags | (Flag.HELD if self.counter.is_held else 0)

    def restore(self, entry: list) -> None:
        """Go on after the interval that this entry closed."""
        self.counter.restore(entry[CUMULATIVE], entry[STATE] if len(entry) > STATE else [])
        self.start = (entry[CUMULATIVE], 0)


class StackTally(Tally):
    """A stream over a stack's CEMS: mass rates, each standing for the time since the last."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self.total: int | None = None
        self.rest = 0
        self.last_sample: tuple[int, int] | None = None

    def count(self) -> tuple[int, int] | None:
        return None if self.total is None else (self.total, self.rest)

    def sample(self, quantities: list[tuple[int, int]] | None, boot: int, mono_ms: int) -> None:
        """Take the fields of a `cems.Sample` in; None interrupts: the time is not counted."""
        rate = None
        if quantities is not None:
            try:
                stack = self.stream.source.stack
                rate = cems.mass_rate_mg_per_h(stack, cems.Sample(*quantities))
            except DataError:
                rate = None
        if rate is None:
            self.last_sample = None
            return
        if self.total is None:
            self.total = 0
            self.start = (0, 0)
        if self.last_sample is not None and self.last_sample[0] == boot:
            elapsed_ms = mono_ms - self.last_sample[1]
            if 0 < elapsed_ms <= HOLD_PERIODS * self.stream.poll_ms:
                exact = self.rest + rate * elapsed_ms
                self.total += exact // MS_PER_HOUR
                self.rest = exact % MS_PER_HOUR
        self.last_sample = (boot, mono_ms)
        self.good += 1

    def state(self) -> list[object]:
        return [] if self.last_sample is None else list(self.last_sample)

    def restore(self, entry: list) -> None:
        """Go on after the interval that this entry closed."""
        self.total, self.rest = entry[CUMULATIVE], entry[REST]
        self.start = (entry[CUMULATIVE], entry[REST])
        state = entry[STATE] if len(entry) > STATE else []
        self.last_sample = (state[0], state[1]) if state else None


class VirtualTally(Tally):
    """A virtual meter: a weighted sum of other streams' counts."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self.parts: list[tuple[Tally, int]] = []

    def count(self) -> tuple[int, int] | None:
        total = 0
        for tally, weight in self.parts:
            part = tally.count()
            if part is None:
                return None
            total += weight * part[0]
        return (total, 0)

    def begin(self) -> bool:
        """The first moment at which every part has a count is where this one starts."""
        if self.start is None:
            self.start = self.count()
        return self.start is not None

    def polls(self, span_ms: int) -> tuple[int, int]:
        good = expected = 0
        for tally, _ in self.parts:
            due = max(1, div_round(span_ms, tally.stream.poll_ms))
            good += min(tally.good, due)
            expected += due
        return good, expected

    def take_flags(self) -> int:
        flags = 0
        for tally, _ in self.parts:
            flags |= tally.flags
            if isinstance(tally, CounterTally):
                flags |= tally.counter.flags | (Flag.HELD if tally.counter.is_held else 0)
        return flags

    def restore(self, entry: list) -> None:
        """Go on after the interval that this entry closed."""
        self.start = (entry[CUMULATIVE], 0)


def make_tally(stream: Stream) -> CounterTally | StackTally | VirtualTally:
    """The tally that fits the stream's source."""
    if stream.summands:
        return VirtualTally(stream)
    if stream.source.stack is not None:
        return StackTally(stream)
    return CounterTally(stream)
