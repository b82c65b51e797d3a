"""A stack as the account sees it: samples in, and at each close the mass since the one before.

`StackMeter(stack, "hold", poll_ms)` lets a sample stand for the time since the one before it, as
long as that is at most three poll periods; it needs no wall clock. The other families work by
whole hours of the wall clock, with validity and substitution, see `stack_family`.
"""

from collections import namedtuple

from edge.core.carbon import cems, flags
from edge.core.errors import DataError
from edge.core.numbers.fixed import div_round

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.core.carbon.stack_ledger import Ledger

MS_PER_HOUR = 3_600_000

#: A stack sample stands for the time since the one before it, at most this many poll periods.
HOLD_PERIODS = 3

HOLD = "hold"

#: What a close tells. mass_mg, substituted_mg: since the close before; good, expected: samples
#: counted and due; counts: samples by flag in the order of `flags.ORDER`; valid, filled,
#: missing, pending: hours measured, substituted, without any value, and in a gap not yet ended;
#: late: samples of minutes that had been closed; fills: [rule, hours, mg] of each rule; values:
#: [value, hours] of the hours that ended, in order, -1 where not valid: what `remember` takes.
Closed = namedtuple(
    "Closed",
    (
        "mass_mg",
        "substituted_mg",
        "good",
        "expected",
        "counts",
        "valid",
        "filled",
        "missing",
        "pending",
        "late",
        "fills",
        "values",
    ),
)


class StackMeter:
    """One stack by one family of methods."""

    def __init__(
        self, stack: cems.Stack, family: str, poll_ms: int, potential: int | None = None
    ) -> None:
        """family: "hold", "hj75", "eu-mrr", "part75" or "part75-quadrants".

        potential: largest possible CO2 in 10^-6 % for Part 75, None when not determined.
        Raises KeyError for another family.
        """
        self.stack = stack
        self.poll_ms = poll_ms
        self.ledger: "Ledger | None" = None
        if family != HOLD:
            # The families are a third of the carbon core: only a stack that needs them pays.
            from edge.core.carbon.stack_family import of_id
            from edge.core.carbon.stack_ledger import Ledger

            self.ledger = Ledger(stack, of_id(family), poll_ms, potential)
        self.method = stack.method.id if family == HOLD else stack.method.id + "+" + family
        #: Cumulative mg of the "hold" family and what is beyond, in mg.ms/h.
        self.total_mg = 0
        self.rest = 0
        self._start_mg = 0
        self._start_filled_mg = 0
        self._begun = False
        self._last: tuple[int, int] | None = None
        self._counts = [0] * len(flags.ORDER)

    def observe(
        self,
        sample: cems.Sample | None,
        flag: str,
        boot: int,
        mono_ms: int,
        wall_ms: int | None,
    ) -> str:
        """Take a sample in; return the flag it was counted with.

        sample: None when nothing could be read. flag: a letter of Table 8, see `flags`.
        wall_ms: None while no clock has been set; a family of hours leaves such a sample out.
        """
        if self.ledger is None:
            flag = self._hold(sample, flag, boot, mono_ms)
        elif wall_ms is not None:
            flag = self.ledger.observe(sample, flag, boot, mono_ms, wall_ms)
        self._counts[flags.position(flag)] += 1
        self._begun = self._begun or flag == flags.NORMAL
        return flag

    def _hold(self, sample: cems.Sample | None, flag: str, boot: int, mono_ms: int) -> str:
        rate, flag = self._rate(sample, flag)
        if flag != flags.NORMAL:
            self._last = None
            return flag
        if self._last is not None and self._last[0] == boot:
            elapsed_ms = mono_ms - self._last[1]
            if 0 < elapsed_ms <= HOLD_PERIODS * self.poll_ms:
                exact = self.rest + rate * elapsed_ms
                self.total_mg += exact // MS_PER_HOUR
                self.rest = exact % MS_PER_HOUR
        self._last = (boot, mono_ms)
        return flag

    def _rate(self, sample: cems.Sample | None, flag: str) -> tuple[int, str]:
        """(mass rate in mg/h, flag); the rate is one only with the flag N."""
        if flag != flags.NORMAL:
            return 0, flag
        if sample is None:
            return 0, "B"
        if None in sample:
            return 0, flags.FAULT
        try:
            return cems.mass_rate_mg_per_h(self.stack, sample), flag
        except DataError:
            return 0, "T"

    def count(self) -> tuple[int, int] | None:
        """The exact mass since the beginning as (mg, rest in mg.ms/h); None before a sample."""
        if not self._begun:
            return None
        if self.ledger is not None:
            return self.ledger.book.total_mg, 0
        return self.total_mg, self.rest

    def cumulative_mg(self) -> int:
        """The mass since the beginning, half-even to 1 mg: what the deltas add up to."""
        if self.ledger is not None:
            return self.ledger.book.total_mg
        return div_round(self.total_mg * MS_PER_HOUR + self.rest, MS_PER_HOUR)

    def close(self, span_ms: int, wall_ms: int | None = None) -> Closed:
        """The running interval's figures; a new one begins.

        span_ms: length of the interval. wall_ms: its end: hours that ended by then are in it.
        """
        counts, self._counts = self._counts, [0] * len(flags.ORDER)
        hours: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)
        fills: list[list] = []
        values: list[list] = []
        ledger = self.ledger
        if ledger is not None:
            if wall_ms is not None:
                ledger.advance(wall_ms)
            (valid, filled, missing, pending), fills, values = ledger.book.take_counts()
            hours = (valid, filled, missing, pending, ledger.late)
            ledger.late = 0
        end_mg = self.cumulative_mg()
        filled_mg = 0 if ledger is None else ledger.book.filled_mg
        mass_mg, substituted_mg = end_mg - self._start_mg, filled_mg - self._start_filled_mg
        self._start_mg, self._start_filled_mg = end_mg, filled_mg
        expected = max(1, div_round(span_ms, self.poll_ms))
        figures = (mass_mg, substituted_mg, min(counts[0], expected), expected, counts)
        return Closed(*(figures + hours + (fills, values)))

    def carry(self, total_mg: int) -> None:
        """Go on from a mass that another meter counted, with nothing else known of it."""
        if self.ledger is not None:
            self.ledger.book.total_mg = total_mg
        else:
            self.total_mg = total_mg
        self._begun = True
        self._start_mg = total_mg

    def settle(self) -> None:
        """Fill an open gap without the hour after it, at the end of a report."""
        if self.ledger is not None:
            self.ledger.book.settle()

    def remember(self, values: list[list]) -> None:
        """Refill the look-back after a restart with the `values` of closes, the oldest first."""
        if self.ledger is not None:
            self.ledger.book.remember(values)

    def snapshot(self) -> list:
        """State as nested lists of 64-bit integers, taken right after a close."""
        if self.ledger is not None:
            return self.ledger.snapshot()
        last = [] if self._last is None else list(self._last)
        return [self.total_mg, self.rest, last]

    def restore(self, state: list) -> None:
        """Continue from a snapshot; in another boot the time until the next sample is lost."""
        if self.ledger is None:
            self.total_mg, self.rest, last = state
            self._last = (last[0], last[1]) if last else None
        else:
            self.ledger.restore(state)
            self._start_filled_mg = self.ledger.book.filled_mg
        self._begun = True
        self._start_mg = self.cumulative_mg()


def substituted_share_ppm(closed: Closed) -> int | None:
    """Parts per million of the mass that were substituted, half-even; None without a mass."""
    if closed.mass_mg <= 0:
        return None
    return div_round(int(closed.substituted_mg) * 1_000_000, int(closed.mass_mg))
