"""A stack's hours in order: measured ones booked, gaps filled when they end, all in whole mg.

A gap is booked when the hour after it is valid, since only then its length and both its sides are
known; `settle` ends it without one, at the end of a report. Until then its hours are pending.
"""

from edge.core.carbon import cems, flags, ratio, stack_hours
from edge.core.carbon.stack_family import EuMrr, Hj75, Part75
from edge.core.carbon.stack_hours import HOUR_MS, MINUTE_MS
from edge.core.carbon.substitute import Availability, Ring
from edge.core.errors import DataError

#: Runs of equal hours in one gap that are kept; what is beyond is missing for good.
RUNS_MAX = 720

#: The boot of a sample from before a restart.
_NO_BOOT = -1

#: In place of a flow that was not measured.
_NO_SCALE = -1


class Ledger:
    """Samples in, cumulative mass out; time is an argument and never goes back."""

    def __init__(
        self, stack: cems.Stack, family: Hj75 | EuMrr | Part75, poll_ms: int, potential: int | None
    ) -> None:
        self.stack = stack
        self.family = family
        self.expected = HOUR_MS // poll_ms
        self.potential = potential
        self.ring = Ring()
        self.availability = Availability(family.availability_hours)
        self.total_mg = 0
        self.filled_mg = 0
        self.valid = 0
        self.filled = 0
        self.missing = 0
        self.late = 0
        #: [rule, hours, mg] of what was filled, one entry a rule.
        self.fills: list[list] = []
        #: [value, hours] of the operating hours since the last close, -1 where not valid.
        self.values: list[list] = []
        #: Decimals of the five fields, -1 until a first value.
        self.places = [-1, -1, -1, -1, -1]
        self.at: int | None = None
        self.minute = stack_hours.Minute()
        self.hour = stack_hours.HourSums(0)
        self.last_good: tuple[int, int, int] | None = None
        #: Runs of hours in the open gap: [hours, operating minutes of each, scale].
        self.gap: list[list[int]] = []

    def observe(
        self, sample: cems.Sample | None, flag: str, boot: int, mono_ms: int, wall_ms: int
    ) -> str:
        """Take a sample in; return the flag it was counted with.

        sample: None when nothing was read; a field may be None. A sample of the time before the
        running minute is counted as late and left out.
        """
        self.advance(wall_ms)
        if wall_ms // MINUTE_MS != self.at:
            self.late += 1
            return flag
        gas, flow, flag = self._usable(sample, flag)
        gap_ms = wall_ms % MINUTE_MS  # a minute's first sample: only its own time counts
        if self.minute.gas[0] and self.last_good is not None:
            same = self.last_good[0] == boot
            gap_ms = mono_ms - self.last_good[1] if same else wall_ms - self.last_good[2]
        self.minute.take(flag, gas, flow, gap_ms)
        if gas is not None:
            self.last_good = (boot, mono_ms, wall_ms)
        return flag

    def _usable(
        self, sample: cems.Sample | None, flag: str
    ) -> tuple[int | None, list[int] | None, str]:
        """(CO2, the four flow fields, flag); None for what does not count."""
        if sample is None or flag == flags.OFF:
            return None, None, "B" if flag == flags.NORMAL else flag
        nothing = (0, 0)
        gas = flow = None
        if flag == flags.NORMAL:
            if sample[0] is None:
                flag = flags.FAULT
            elif self._possible([sample[0], nothing, nothing, nothing, nothing]):
                gas = self._scaled(0, sample[0])
            else:
                flag = "T"
        rest = [field for field in sample[1:] if field is not None]
        if len(rest) == 4 and self._possible([nothing] + rest):
            flow = [self._scaled(at + 1, field) for at, field in enumerate(rest)]
        if self.family.regime.apart:
            return gas, flow, flag
        if gas is None or flow is None:
            return None, None, flags.FAULT if flag == flags.NORMAL else flag
        return gas, flow, flag

    def _possible(self, fields: list[tuple[int, int]]) -> bool:
        try:
            cems.check_gas(self.stack, [ratio.of(field) for field in fields])
        except DataError:
            return False
        return True

    def _scaled(self, at: int, field: tuple[int, int]) -> int:
        """The mantissa of a field, whose places have to stay what they were."""
        if self.places[at] < 0:
            self.places[at] = field[1]
        if self.places[at] != field[1]:
            raise DataError("data.range", what="places of " + str(at), value=field[1])
        return field[0]

    def advance(self, wall_ms: int) -> None:
        """Close every minute and hour that ended by `wall_ms`."""
        now = wall_ms // MINUTE_MS
        if self.at is None:
            self.at = now
            self.hour = stack_hours.HourSums(now % 60)
        if now <= self.at:
            return
        last_gap_ms = MINUTE_MS
        if self.last_good is not None:
            last_gap_ms = (self.at + 1) * MINUTE_MS - self.last_good[2]
        self.hour.take(self.minute, self.family.regime, self.at % 60, last_gap_ms)
        hours = now // 60 - self.at // 60
        if hours > 0:
            start_ms = self.at // 60 * HOUR_MS
            self._book(self.hour.hour(start_ms, self.places, self.family.regime, self.expected))
            if hours > 1:
                self._book(_unseen(start_ms + HOUR_MS, hours - 1))
            self.hour = stack_hours.HourSums(0)
        self.minute = stack_hours.Minute()
        self.at = now

    def _book(self, hour: stack_hours.Hour) -> None:
        if hour.minutes == 0:
            return
        if hour.gas is None:
            self._recall(-1, hour.hours)
            self._wait(hour)
            return
        value = self.family.value(self.stack, hour)
        self.settle(value)
        self._recall(value, 1)
        if hour.flow is None:
            self.missing += 1
            return
        self.total_mg += self.family.measured_mg(self.stack, hour)
        self.valid += 1

    def _recall(self, value: int, hours: int) -> None:
        """Add hours to the look-back and to what a restart has to know of it."""
        if value < 0:
            self.availability.push_missing(hours)
        else:
            self.ring.push(value)
            self.availability.push(True)
        if self.values and self.values[-1][0] == value:
            self.values[-1][1] += hours
        else:
            self.values.append([value, hours])

    def remember(self, values: list[list]) -> None:
        """Take [value, hours] of earlier hours in, the oldest first."""
        for value, hours in values:
            for _ in range(min(hours, self.family.availability_hours)):
                self._recall(value, 1)
        self.values = []

    def take_counts(self) -> tuple[tuple[int, int, int, int, int], list[list], list[list]]:
        """What happened since the last call, which forgets it."""
        hours = (self.valid, self.filled, self.missing, self.pending(), self.late)
        fills, values = self.fills, self.values
        self.valid = self.filled = self.missing = self.late = 0
        self.fills, self.values = [], []
        return hours, fills, values

    def _wait(self, hour: stack_hours.Hour) -> None:
        """Add an hour, or a run of unseen ones, to the open gap."""
        scale = self.family.scale(self.stack, hour)
        entry = [hour.hours, hour.minutes, _NO_SCALE if scale is None else scale]
        if self.gap and self.gap[-1][1:] == entry[1:]:
            self.gap[-1][0] += hour.hours
        elif len(self.gap) < RUNS_MAX:
            self.gap.append(entry)
        else:
            self.missing += hour.hours

    def settle(self, after: int | None = None) -> None:
        """End the open gap; after: the value of the valid hour behind it, None if there is none.

        What no rule can fill is missing: it is counted, and no mass stands for it.
        """
        if not self.gap:
            return
        gap_hours = self.pending()
        found = self.family.fill(gap_hours, after, self.ring, self.availability, self.potential)
        for hours, minutes, scale in self.gap:
            if found.value is None or scale == _NO_SCALE:
                self.missing += hours
                continue
            mass_mg = hours * self.family.filled_mg(scale, found.value, minutes)
            self.total_mg += mass_mg
            self.filled_mg += mass_mg
            self.filled += hours
            self._note(found.rule, hours, mass_mg)
        self.gap = []

    def _note(self, rule: str, hours: int, mass_mg: int) -> None:
        for entry in self.fills:
            if entry[0] == rule:
                entry[1] += hours
                entry[2] += mass_mg
                return
        self.fills.append([rule, hours, mass_mg])

    def pending(self) -> int:
        """Hours of the open gap."""
        return sum([run[0] for run in self.gap])

    def snapshot(self) -> list:
        """What a restart needs besides the ring: integers that fit 64 bits, in nested lists."""
        minute, hour = self.minute, self.hour
        return [
            [
                self.total_mg,
                self.filled_mg,
                -1 if self.at is None else self.at,
                -1 if self.last_good is None else self.last_good[2],
            ],
            list(self.places),
            [minute.widest_ms, list(minute.counts), list(minute.gas), list(minute.flow)],
            hour.snapshot(),
            [list(run) for run in self.gap],
        ]

    def restore(self, state: list) -> None:
        """Continue from a snapshot, in another boot: its monotonic clock says nothing here."""
        totals, places, minute, hour, gap = state
        self.total_mg, self.filled_mg, at, last_ms = totals
        self.at = None if at < 0 else at
        self.places = list(places)
        self.minute = stack_hours.Minute()
        self.minute.widest_ms = minute[0]
        self.minute.counts = list(minute[1])
        self.minute.gas = list(minute[2])
        self.minute.flow = list(minute[3])
        self.hour = stack_hours.HourSums(0)
        self.hour.restore(hour)
        self.gap = [list(run) for run in gap]
        self.last_good = None if last_ms < 0 else (_NO_BOOT, 0, last_ms)


def _unseen(start_ms: int, hours: int) -> stack_hours.Hour:
    counts = [0] * len(flags.ORDER)
    return stack_hours.Hour(start_ms, hours, False, None, None, 60, 0, counts, flags.FAULT)
