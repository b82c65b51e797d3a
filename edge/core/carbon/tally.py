"""One stream's cumulative quantity and its share of the running interval, by kind of meter.

The emission of an interval is R(C_end x f) - R(C_start x f) with R half-even to 1 mg, so that
intervals sum exactly to any longer period. What was not read in an interval is caught up by the
next: nothing is guessed, coverage says how much was seen.
"""

from edge.core.carbon.counter import Counter, Flag
from edge.core.carbon.interval import CUMULATIVE, EMISSION, OTHERS, STATE, TIMES
from edge.core.carbon.streams import KINDS, TARIFF, Stream
from edge.core.errors import ConfigError
from edge.core.numbers.fixed import check_int64, div_round

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.core.carbon.tariff import Tariff
    from edge.core.carbon.timed import Timed

MS_PER_HOUR = 3_600_000


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
        #: (tally, register) whose rates by tariff follow what this one counts.
        self.followers: list[tuple[Tally, int]] = []
        #: (place of the rate in `_ratios`, basis, its sum) of rates that change with time.
        self.timed: list[tuple[int, str, Timed]] = []

    def wire(self, tariffs: "tuple[Tariff, ...]") -> None:
        """Give each rate that changes with time its tariff; ConfigError when it is not there."""
        stream = self.stream
        rates = [(stream.basis, stream.factor, stream.factor_digest)]
        rates += [(rate.basis, rate.factor, rate.factor_digest) for rate in stream.rates]
        for at, (basis, factor, digest) in enumerate(rates):
            if not factor.startswith(TARIFF):
                continue
            from edge.core.carbon.timed import Timed

            known = [tariff for tariff in tariffs if tariff.digest == digest]
            if not known:
                raise ConfigError(
                    "config.reference",
                    file=stream.name,
                    key="tariff",
                    found=factor,
                    nearest="the tariff of this digest",
                )
            up, down = self._ratios[at + 1]
            self._ratios[at + 1] = (0, 1)
            self.timed.append((at + 1, basis, Timed(known[0], up, down, self.weights())))

    def clock(self, register: int, count: int, wall_ms: int | None) -> None:
        """Let rates that change with time take in what a register has counted at a reading.

        register: 0, of a virtual meter the place of the part.
        """
        for _, _, timed in self.timed:
            if self.has_begun():
                timed.take(register, count, wall_ms)
            else:
                timed.mark(register, count, wall_ms)

    def has_begun(self) -> bool:
        """False while what a register moves is not the stream's yet."""
        return True

    def weights(self) -> tuple[int, ...]:
        """Of the registers that the count is a sum of."""
        return (1,)

    def counts(self) -> list[int | None]:
        """What those registers have counted."""
        count = self.count()
        return [None if count is None else count[0]]

    def count(self) -> tuple[int, int] | None:
        """C as (whole, rest in mg.ms/h); None before a first reading."""
        raise NotImplementedError

    def state(self) -> list[object]:
        """What a meter needs beside C to go on after this interval."""
        return []

    def substituted(self) -> int:
        """The part of the interval's activity that was not measured."""
        return 0

    def figures(self) -> list[list[object]]:
        """What else the interval tells of this stream, see `interval`."""
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

    def close(self, span_ms: int, end_ms: int) -> list[object]:
        """The stream's entry in the interval record; a new interval begins."""
        number = self.stream.number
        good, expected = self.polls(span_ms)
        flags = self.take_flags()
        figures = self.figures()
        end = self.count()
        if end is None:
            others: list[object] = [None] * len(self.stream.rates)
            entry = [number, None, 0, None, None, good, expected, flags, 0, others, []]
            return entry + [figures, []] if figures else entry
        start = end if self.start is None else self.start
        before = self._rounded(start) if self._before is None else self._before
        after = before if start == end else self._rounded(end)
        self.start, self._before = end, after
        sign = KINDS[self.stream.kind].emission
        emissions = [sign * (after[at] - before[at]) for at in range(1, len(after))]
        activity = after[0] - before[0]
        entry = [
            number,
            check_int64(end[0], "a count"),
            end[1],
            activity,
            0,
            good,
            expected,
            flags,
            self.substituted(),
            [],
            self.state(),
        ]
        if self.timed:
            figures = figures + self._close_timed(emissions, sign)
        entry[EMISSION], entry[OTHERS] = emissions[0], emissions[1:]
        if figures or self.timed:
            entry += [figures, [timed.state() for _, _, timed in self.timed]]
        return entry

    def _close_timed(self, emissions: list[int], sign: int) -> list[list[object]]:
        """Put emissions by tariffs in their places; return what a later layer stood in for."""
        figures: list[list[object]] = []
        for at, basis, timed in self.timed:
            gained_mg, fallback = timed.close()
            emissions[at - 1] = sign * gained_mg
            if fallback:
                up, down = self.stream.activity
                shown = div_round(fallback * up, down)
                figures.append(["fallback", timed.tariff.id, basis, shown, 0, self.stream.unit])
        return figures

    def take_up(self, entry: list) -> None:
        """Go on after the interval that this entry closed."""
        self.restore(entry)
        times = entry[TIMES] if len(entry) > TIMES else []
        if len(times) == len(self.timed):
            for at, (_, _, timed) in enumerate(self.timed):
                timed.restore(times[at])

    def go_on(self, wall_ms: int) -> None:
        """Begin sums by tariff that no entry told of where the counts are now.

        wall_ms: the end of the interval before: up to there another factor counted.
        """
        for _, _, timed in self.timed:
            if timed.is_new():
                for register, count in enumerate(self.counts()):
                    if count is not None:
                        timed.mark(register, count, wall_ms)

    def restore(self, entry: list) -> None:
        """The count and its meter as this entry has them."""
        raise NotImplementedError

    def recall(self, entry: list) -> None:
        """Take in what an entry of an earlier interval says about the past."""

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

    def close(self, span_ms: int, end_ms: int) -> list[object]:
        if self.start is None and self.counter.total is not None:
            self.start = (self.counter.first, 0)
        return super().close(span_ms, end_ms)

    def state(self) -> list[object]:
        return self.counter.state()

    def take_flags(self) -> int:
        flags = super().take_flags() | self.counter.flags
        self.counter.flags = 0
        return flags | (Flag.HELD if self.counter.is_held else 0)

    def restore(self, entry: list) -> None:
        self.counter.restore(entry[CUMULATIVE], entry[STATE] if len(entry) > STATE else [])
        self.start = (entry[CUMULATIVE], 0)


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

    def has_begun(self) -> bool:
        return self.start is not None

    def weights(self) -> tuple[int, ...]:
        return tuple([part.weight for part in self.stream.summands])

    def counts(self) -> list[int | None]:
        found: list[int | None] = []
        for tally, _ in self.parts:
            count = tally.count()
            found.append(None if count is None else count[0])
        return found

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
        self.start = (entry[CUMULATIVE], 0)
