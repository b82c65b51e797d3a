"""Samples of a stack to minutes, minutes to hours, hours to days, with the rules of validity.

Means follow HJ 212-2017 Annex D.2: (23) a minute of at least 12 samples, (24) an hour of at least
45 valid minutes, (25) a day of at least 20 valid hours; or take all readings of an hour at once
(EU 2018/2066, 40 CFR Part 75). Sums are integers kept by how many samples a minute had, so that
the mean of minute means is an exact fraction in bounded memory. Minutes and hours are those of
the wall clock; the spacing of samples is measured on the monotonic one.
"""

from collections import namedtuple

from edge.core.carbon import flags, ratio
from edge.core.numbers.fixed import power_of_ten

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
MINUTES = 60
DAY_VALID_HOURS = 20

#: What makes a minute and an hour valid. samples_min: in a minute; spacing_ms: largest distance
#: between two of them; minutes_min: valid minutes in an hour; readings_percent: of the most
#: readings an hour can have; quadrants, calibration_quadrants: 15-minute quarters with a reading,
#: the second in an hour that has calibration or maintenance. A rule that is 0 is off. apart: gas
#: and flow are valid on their own, and a flag is about the gas analyzer only.
Regime = namedtuple(
    "Regime",
    (
        "id",
        "samples_min",
        "spacing_ms",
        "minutes_min",
        "readings_percent",
        "quadrants",
        "calibration_quadrants",
        "apart",
    ),
)

#: The standard's 5 s and what a poll may come late; 12 samples keep the mean distance at 5 s.
SPACING_MS = 6_000

HJ75 = Regime("hj75", 12, SPACING_MS, 45, 0, 0, 0, False)
EU = Regime("eu", 0, 0, 0, 80, 0, 0, True)

#: 46 of 60 minutes with a reading put one into every quadrant, so no hour passes that the
#: quadrant rule of Part 75 refuses. That rule itself has to be asked for.
PART75 = Regime("part75", 0, 0, 46, 0, 0, 0, True)
PART75_QUADRANTS = Regime("part75-quadrants", 0, 0, 0, 0, 4, 2, True)

#: A closed hour, or a run of hours in which nothing was received. gas: CO2 mean or None; flow:
#: means of velocity, temperature, pressure and moisture, or None; each a fraction. valid: gas and
#: flow are; minutes: operating, of one hour; counts: samples by flag, in the order of
#: `flags.ORDER`.
Hour = namedtuple(
    "Hour",
    ("start_ms", "hours", "valid", "gas", "flow", "minutes", "valid_minutes", "counts", "flag"),
)


class Sums:
    """Sums of `width` quantities by weight: exact means of means."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.groups: list[list[int]] = []

    def add(self, weight: int, terms: int, sums: list[int]) -> None:
        """Add `terms` means, each 1/weight of its sum, given as their total."""
        for group in self.groups:
            if group[0] == weight:
                group[1] += terms
                for at, value in enumerate(sums):
                    group[at + 2] += value
                return
        new = [weight, terms]
        new.extend(sums)
        self.groups.append(new)

    def count(self) -> int:
        return sum([group[1] for group in self.groups])

    def mean(self, at: int, scale: int) -> tuple[int, int]:
        """The mean of quantity `at` in its unit, of which its integers count 1/scale."""
        parts = [(group[at + 2], group[0] * scale) for group in self.groups]
        return ratio.product(ratio.total(*parts), (1, self.count()))


class Minute:
    """The samples of one minute."""

    def __init__(self) -> None:
        self.widest_ms = 0
        self.counts = [0] * len(flags.ORDER)
        self.gas = [0, 0]
        self.flow = [0, 0, 0, 0, 0]

    def take(self, flag: str, gas: int | None, flow: list[int] | None, gap_ms: int) -> None:
        """Add a sample: `gas` and `flow` are None where they do not count."""
        self.counts[flags.position(flag)] += 1
        if gas is not None:
            self.gas[0] += 1
            self.gas[1] += gas
            self.widest_ms = max(self.widest_ms, gap_ms)
        if flow is not None:
            self.flow[0] += 1
            for at, value in enumerate(flow):
                self.flow[at + 1] += value

    def flag(self) -> str:
        """N if at least 75 % of the samples are normal; the samples while off do not count."""
        present = sum(self.counts) - self.counts[flags.position(flags.OFF)]
        return flags.summary(self.counts[0], present)

    def is_off(self) -> bool:
        """True if the source stood still for more than half of the samples."""
        return 2 * self.counts[flags.position(flags.OFF)] > sum(self.counts)

    def is_valid(self, regime: Regime, last_gap_ms: int) -> bool:
        """True if the minute has a mean by the rules of the regime."""
        if self.flag() != flags.NORMAL or self.gas[0] < max(1, regime.samples_min):
            return False
        widest_ms = max(self.widest_ms, last_gap_ms)
        return regime.spacing_ms == 0 or widest_ms <= int(regime.spacing_ms)


class HourSums:
    """The minutes of one hour so far."""

    def __init__(self, first_minute: int) -> None:
        self.first_minute = first_minute
        self.off = 0
        self.valid = 0
        self.normal = 0
        self.flow_minutes = 0
        self.quarters = 0
        self.flow_quarters = 0
        self.counts = [0] * len(flags.ORDER)
        self.gas = Sums(1)
        self.flow = Sums(4)

    def take(self, minute: Minute, regime: Regime, at: int, last_gap_ms: int) -> None:
        """Close a minute of the hour; at: 0..59."""
        for index, count in enumerate(minute.counts):
            self.counts[index] += count
        self.off += 1 if minute.is_off() else 0
        self.normal += 1 if minute.flag() == flags.NORMAL else 0
        valid = minute.is_valid(regime, last_gap_ms)
        self.valid += 1 if valid else 0
        if valid or (regime.apart and minute.gas[0]):
            _merge(self.gas, minute.gas, regime)
            self.quarters |= 1 << at // 15
        if valid or (regime.apart and minute.flow[0]):
            _merge(self.flow, minute.flow, regime)
            self.flow_quarters |= 1 << at // 15
            self.flow_minutes += 1

    def snapshot(self) -> list:
        """The hour so far as nested lists of integers."""
        return [
            [
                self.first_minute,
                self.off,
                self.valid,
                self.normal,
                self.flow_minutes,
                self.quarters,
                self.flow_quarters,
            ],
            list(self.counts),
            [list(group) for group in self.gas.groups],
            [list(group) for group in self.flow.groups],
        ]

    def restore(self, state: list) -> None:
        """Continue an hour from its snapshot."""
        (
            self.first_minute,
            self.off,
            self.valid,
            self.normal,
            self.flow_minutes,
            self.quarters,
            self.flow_quarters,
        ) = state[0]
        self.counts = list(state[1])
        self.gas.groups = [list(group) for group in state[2]]
        self.flow.groups = [list(group) for group in state[3]]

    def hour(self, start_ms: int, places: list[int], regime: Regime, expected: int) -> Hour:
        """The closed hour; places: decimals of the five quantities; expected: readings."""
        minutes = MINUTES - self.first_minute - self.off
        gas_valid = self._has(regime, self.valid, self.gas.count(), self.quarters, expected)
        flow_valid = gas_valid
        if regime.apart:
            found = (self.flow_minutes, self.flow.count(), self.flow_quarters)
            flow_valid = self._has(regime, found[0], found[1], found[2], expected)
        scales = [power_of_ten(max(place, 0)) for place in places]
        gas = self.gas.mean(0, scales[0]) if gas_valid else None
        flow = [self.flow.mean(at, scales[at + 1]) for at in range(4)] if flow_valid else None
        flag = flags.summary(self.normal, MINUTES - self.off) if minutes else flags.OFF
        valid = gas_valid and flow_valid
        return Hour(start_ms, 1, valid, gas, flow, minutes, self.valid, self.counts, flag)

    def _has(self, regime: Regime, minutes: int, readings: int, marks: int, expected: int) -> bool:
        if not readings or minutes < regime.minutes_min:
            return False
        if readings * 100 < expected * regime.readings_percent:
            return False
        disturbed = self.counts[flags.position("C")] + self.counts[flags.position("M")]
        wanted = regime.calibration_quadrants if disturbed else regime.quadrants
        return len([bit for bit in (1, 2, 4, 8) if marks & bit]) >= int(wanted)


def _merge(sums: Sums, parts: list[int], regime: Regime) -> None:
    """A minute as one mean where minutes have means, else its samples one by one."""
    if regime.samples_min:
        sums.add(parts[0], 1, parts[1:])
    else:
        sums.add(1, parts[0], parts[1:])


class Day:
    """The hours of one day: valid with at least 20 valid ones (25); mass by (34)."""

    def __init__(self) -> None:
        self.hours = 0
        self.valid_hours = 0
        self.normal = 0
        self.mass_mg = 0

    def take(self, hour: Hour, mass_mg: int) -> None:
        """Add an hour and the mass it was given."""
        self.hours += hour.hours
        self.valid_hours += 1 if hour.valid else 0
        self.normal += 1 if hour.flag == flags.NORMAL else 0
        self.mass_mg += mass_mg

    def is_valid(self) -> bool:
        return self.valid_hours >= DAY_VALID_HOURS

    def flag(self) -> str:
        """N if at least 75 % of the hours are normal, else D."""
        return flags.summary(self.normal, self.hours)
