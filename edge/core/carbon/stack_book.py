"""A stack's closed hours in mg: measured ones booked at once, gaps filled when they end.

A gap is booked when the hour after it is valid, since only then its length and both its sides are
known; `settle` ends it without one, at the end of a report. Until then its hours are pending.
"""

from edge.core.carbon import cems, flags, stack_hours
from edge.core.carbon.stack_family import EuMrr, Hj75, Part75
from edge.core.carbon.substitute import VALUE_MAX, Availability, Ring

#: Runs of equal hours in one gap that are kept; what is beyond is missing for good.
RUNS_MAX = 720

#: In place of a flow that was not measured.
_NO_SCALE = -1


class Book:
    """Hours in, cumulative mass out."""

    def __init__(
        self, stack: cems.Stack, family: Hj75 | EuMrr | Part75, potential: int | None
    ) -> None:
        self.stack = stack
        self.family = family
        self.potential = potential
        self.ring = Ring()
        self.availability = Availability(family.availability_hours)
        self.total_mg = 0
        self.filled_mg = 0
        self.valid = 0
        self.filled = 0
        self.missing = 0
        #: [rule, hours, mg] of what was filled, one entry a rule.
        self.fills: list[list] = []
        #: [value, hours] of the operating hours since the last take, -1 where not valid.
        self.values: list[list] = []
        #: Runs of hours in the open gap: [hours, operating minutes of each, scale].
        self.gap: list[list[int]] = []

    def take(self, hour: stack_hours.Hour) -> None:
        """Book an hour, or let it wait in a gap; the source's standstill is neither."""
        if hour.minutes == 0:
            return
        value = None if hour.gas is None else self.family.value(self.stack, hour)
        if value is None or value > VALUE_MAX:
            self._recall(-1, hour.hours)
            self._wait(hour)
            return
        self.settle(value)
        self._recall(value, 1)
        if hour.flow is None:
            self.missing += 1
            return
        self.total_mg += self.family.measured_mg(self.stack, hour)
        self.valid += 1

    def take_unseen(self, hours: int) -> None:
        """Hours of which nothing was received, the source presumed to run."""
        counts = [0] * len(flags.ORDER)
        self.take(stack_hours.Hour(0, hours, False, None, None, 60, 0, counts, flags.FAULT))

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

    def take_counts(self) -> tuple[tuple[int, int, int, int], list[list], list[list]]:
        """((valid, filled, missing, pending), fills, values) since the last call."""
        hours = (self.valid, self.filled, self.missing, self.pending())
        fills, values = self.fills, self.values
        self.valid = self.filled = self.missing = 0
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
        found = self.family.fill(
            self.pending(), after, self.ring, self.availability, self.potential
        )
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
