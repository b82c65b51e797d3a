"""A stream's emission by a factor that changes with time, summed exactly over its moves.

What a register moved between two readings that count is spread over the time between them, see
`Tariff.spread`; each part times its own factor adds to one sum, and an interval is R(sum at its
end) - R(sum at its start), R half-even to 1 mg, so intervals telescope as those of a fixed factor
do.
"""

from edge.core.carbon.interval import TARIFF
from edge.core.carbon.tariff import Tariff
from edge.core.errors import ConfigError
from edge.core.numbers.fixed import check_int64, div_round

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.core.carbon.streams import Stream
    from edge.core.carbon.tally import Tally


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


def wire_rates(stream: "Stream", tally: "Tally", tariffs: tuple[Tariff, ...]) -> None:
    """Give each rate that changes with time its tariff; its ratio counts nothing then.

    The tally has its parts. Raises ConfigError for a tariff that is not there.
    """
    rates = [(stream.basis, stream.factor, stream.factor_digest)]
    rates += [(rate.basis, rate.factor, rate.factor_digest) for rate in stream.rates]
    parts = _parts(tally)
    ratios, timed = list(tally.ratios), []
    for at, (basis, factor, digest) in enumerate(rates):
        if not factor.startswith(TARIFF):
            continue
        known = [tariff for tariff in tariffs if tariff.digest == digest]
        if not known:
            raise ConfigError(
                "config.reference",
                file=stream.name,
                key="tariff",
                found=factor,
                nearest="the tariff of this digest",
            )
        weights = tuple([weight for _, weight in parts])
        up, down = ratios[2 * at + 2 : 2 * at + 4]
        timed.append((at + 1, basis, stream.unit, Timed(known[0], up, down, weights)))
        ratios[2 * at + 2 : 2 * at + 4] = (0, 1)
    tally.ratios, tally.timed = tuple(ratios), timed
    for register, (part, _) in enumerate(parts):
        part.followers = list(part.followers) + [(tally, register)]


def follow(tally: "Tally", wall_ms: int | None) -> None:
    """Let rates that change with time take in what a tally has counted at a reading."""
    count = tally.count() or 0
    for follower, register in tally.followers:
        # What a register moves is a virtual meter's only once all of its parts have a count.
        has_begun = follower.start is not None or not follower.parts
        for _, _, _, timed in follower.timed:
            if has_begun:
                timed.take(register, count, wall_ms)
            else:
                timed.mark(register, count, wall_ms)


def close_rates(tally: "Tally", emissions: list[int], sign: int) -> list[list[object]]:
    """Put emissions by tariffs in their places; return what a later layer stood in for."""
    figures: list[list[object]] = []
    for at, basis, unit, timed in tally.timed:
        gained_mg, fallback = timed.close()
        emissions[at - 1] = sign * gained_mg
        if fallback:
            shown = div_round(fallback * tally.ratios[0], tally.ratios[1])
            figures.append(["fallback", timed.tariff.id, basis, shown, 0, unit])
    return figures


def go_on(tally: "Tally", wall_ms: int) -> None:
    """Begin sums by tariff that no entry told of where the counts are now.

    wall_ms: the end of the interval before: up to there another factor counted.
    """
    for _, _, _, timed in tally.timed:
        if timed.is_new():
            for register, (part, _) in enumerate(_parts(tally)):
                count = part.count()
                if count is not None:
                    timed.mark(register, count // part.SCALE, wall_ms)


def _parts(tally: "Tally") -> "Sequence[tuple[Tally, int]]":
    """The registers that the count is a sum of, each with its weight."""
    return tally.parts or ((tally, 1),)
