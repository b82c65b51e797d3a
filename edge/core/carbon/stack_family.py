"""Families of methods for a stack: what an hour is worth, and what stands for a missing one.

Each family has the validity rules of its regime, the integer that its look-back compares (its
`value`), and the mass of an hour in mg from measured means or from a value that stands for them.
"""

from edge.core.carbon import cems, part75, ratio, stack_hours, substitute
from edge.core.carbon.substitute import Filled
from edge.core.numbers.fixed import div_round

#: Look-back values of a concentration are in 10^-6 %.
VALUE_PLACES = 6

#: mg in 10 g: 32 bits of them reach 42 949 t/h, which no stack emits.
_VALUE_MG = 10_000

#: 273.15 K is 0 Cel in Part 75's conversion of the flow.
_ZERO_KELVIN = (27_315, 100)


class Hj75:
    """HJ 212 means and equations; gaps by HJ 75 from the largest hourly masses.

    value: CO2 in 10 g/h. A measured hour is (33) rounded once, 0.5 mg at most off; a substituted
    one is in whole tens of grams an hour.
    """

    id = "hj75"
    regime = stack_hours.HJ75
    availability_hours = 2160

    def value(self, stack: cems.Stack, hour: stack_hours.Hour) -> int:
        return ratio.rounded(ratio.product(_rate(stack, hour), (1, _VALUE_MG)))

    def measured_mg(self, stack: cems.Stack, hour: stack_hours.Hour) -> int:
        return ratio.rounded(ratio.product(_rate(stack, hour), (hour.minutes, 60)))

    def scale(self, stack: cems.Stack, hour: stack_hours.Hour) -> int | None:
        """Nothing of a gap's own hour is needed."""
        return 0

    def filled_mg(self, scale: int, value: int, minutes: int) -> int:
        return div_round(value * _VALUE_MG * minutes, 60)

    def fill(
        self,
        gap_hours: int,
        after: int | None,
        ring: substitute.Ring,
        availability: substitute.Availability,
        potential: int | None,
    ) -> Filled:
        return substitute.hj75(gap_hours, ring, availability)


class EuMrr:
    """EU 2018/2066: means of all readings; concentration by mean + 2 sigma, flow never.

    value: CO2 in 10^-6 %, as the analyzer sees it. A measured hour is 0.5 mg at most off, a
    substituted one 1 mg at most from its value's own.
    """

    id = "eu-mrr"
    regime = stack_hours.EU
    availability_hours = 2160

    def value(self, stack: cems.Stack, hour: stack_hours.Hour) -> int:
        return ratio.rounded(hour.gas, VALUE_PLACES)

    def measured_mg(self, stack: cems.Stack, hour: stack_hours.Hour) -> int:
        return ratio.rounded(ratio.product(_rate(stack, hour), (hour.minutes, 60)))

    def scale(self, stack: cems.Stack, hour: stack_hours.Hour) -> int | None:
        """CO2 in mg/h if the gas were all CO2: the flow, in the unit that filling needs."""
        if hour.flow is None:
            return None
        gas = [(100, 1)]
        gas.extend(hour.flow)
        return ratio.rounded(cems.gas_rate_ratio(stack, gas))

    def filled_mg(self, scale: int, value: int, minutes: int) -> int:
        return div_round(scale * value * minutes, 60 * 100 * 10**VALUE_PLACES)

    def fill(
        self,
        gap_hours: int,
        after: int | None,
        ring: substitute.Ring,
        availability: substitute.Availability,
        potential: int | None,
    ) -> Filled:
        return substitute.eu_mean_2_sigma(ring.last(substitute.HOURS_MAX))


class Part75:
    """40 CFR Part 75: F-11 or F-2 with 1 decimal; concentration by 75.33(b), flow never.

    value: CO2 in 10^-6 %. Hours are short tons with 1 decimal times operating time, then mg.
    """

    id = "part75"
    regime = stack_hours.PART75
    availability_hours = 8760

    def value(self, stack: cems.Stack, hour: stack_hours.Hour) -> int:
        return ratio.rounded(hour.gas, VALUE_PLACES)

    def measured_mg(self, stack: cems.Stack, hour: stack_hours.Hour) -> int:
        return part75.hour_mg(part75.f11_tenths(hour.gas, _scfh(stack, hour)), hour.minutes)

    def scale(self, stack: cems.Stack, hour: stack_hours.Hour) -> int | None:
        """The flow in 10^-3 scfh, dry where the analyzer is."""
        return None if hour.flow is None else ratio.rounded(_scfh(stack, hour), 3)

    def filled_mg(self, scale: int, value: int, minutes: int) -> int:
        rate = part75.f11_tenths((value, 10**VALUE_PLACES), (scale, 1000))
        return part75.hour_mg(rate, minutes)

    def fill(
        self,
        gap_hours: int,
        after: int | None,
        ring: substitute.Ring,
        availability: substitute.Availability,
        potential: int | None,
    ) -> Filled:
        last = ring.last(1)
        before = last[0] if last else None
        return substitute.part75(gap_hours, before, after, ring, availability, potential)


class Part75Quadrants(Part75):
    """Part 75 with an hour valid by its quadrants: all four, two with calibration."""

    id = "part75-quadrants"
    regime = stack_hours.PART75_QUADRANTS


def _rate(stack: cems.Stack, hour: stack_hours.Hour) -> tuple[int, int]:
    gas = [hour.gas]
    gas.extend(hour.flow)
    return cems.gas_rate_ratio(stack, gas)


def _scfh(stack: cems.Stack, hour: stack_hours.Hour) -> tuple[int, int]:
    """The flow that a concentration of this stack's basis multiplies: F-2 is F-11 of dry gas."""
    velocity, celsius, pressure, moisture = hour.flow
    actual = ratio.product((3600, 1), ratio.of(stack.area_m2), velocity)
    kelvin = ratio.total(_ZERO_KELVIN, celsius)
    absolute = ratio.total((stack.ambient_pa, 1), pressure)
    wet = part75.flow_scfh(actual, kelvin, absolute)
    return wet if stack.basis == "wet" else ratio.product(wet, part75.dry_part(moisture))


def of_id(name: str) -> Hj75 | EuMrr | Part75:
    """The family of that id; KeyError for another."""
    for made in (Hj75(), EuMrr(), Part75(), Part75Quadrants()):
        if made.id == name:
            return made
    raise KeyError(name)
