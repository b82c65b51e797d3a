"""Flue gas to CO2 mass, as one exact rational that is rounded once.

Source: HJ 212-2017 Annex D.2, equations (19) dry basis, (20) volume to mass concentration, (30)
wet flow at stack conditions, (31) dry standard flow, (33) mass rate, see `hj212`. The error of a
rate in mg/h is that of its last rounding: 0.5 mg/h at most.
"""

from collections import namedtuple

from edge.core.carbon import hj212, ratio
from edge.core.carbon.hj212 import METHODS as METHODS
from edge.core.carbon.hj212 import Method as Method
from edge.core.errors import DataError

#: Where and how the gas is measured. area_m2: inner cross-section (mantissa, places);
#: ambient_pa: local atmospheric pressure; basis: "dry" or "wet", what the CO2 analyzer sees.
Stack = namedtuple("Stack", ("method", "area_m2", "ambient_pa", "basis"))

#: One sample, each (mantissa, places): CO2 in volume percent, gas velocity in m/s, gas temperature
#: in Cel, static pressure in Pa against ambient, moisture in volume percent.
Sample = namedtuple(
    "Sample", ("co2_percent", "velocity_m_s", "temperature_cel", "pressure_pa", "moisture_percent")
)


def check_gas(stack: Stack, gas: list[tuple[int, int]]) -> None:
    """DataError "data.range" for an impossible quantity; gas: fractions in the order of `Sample`.

    CO2 or moisture outside 0..100 %, a negative velocity, a temperature at or below absolute
    zero, a pressure at or below vacuum.
    """
    co2, velocity, celsius, pressure, moisture = gas
    zero, zero_d = ratio.of(stack.method.kelvin_offset)
    for what, good in (
        ("co2_percent", 0 <= co2[0] <= 100 * co2[1]),
        ("velocity_m_s", velocity[0] >= 0),
        ("temperature_cel", zero * celsius[1] + celsius[0] * zero_d > 0),
        ("pressure_pa", stack.ambient_pa * pressure[1] + pressure[0] > 0),
        ("moisture_percent", 0 <= moisture[0] < 100 * moisture[1]),
    ):
        if not good:
            raise DataError("data.range", what=what, value="of a stack sample")


def gas_rate_ratio(stack: Stack, gas: list[tuple[int, int]]) -> tuple[int, int]:
    """CO2 mass rate in mg/h of fractions in the order of `Sample`, such as means of an hour."""
    check_gas(stack, gas)
    co2, velocity, celsius, pressure, moisture = gas
    umol_per_mol = ratio.product(co2, (10_000, 1))
    if stack.basis == "wet":
        umol_per_mol = hj212.dry(umol_per_mol, moisture)
    absolute_pa = ratio.total((stack.ambient_pa, 1), pressure)
    flow = hj212.actual_flow(ratio.of(stack.area_m2), velocity)
    flow = hj212.standard_flow(stack.method, flow, celsius, absolute_pa, moisture)
    return hj212.mass_rate(hj212.mass_concentration(stack.method, umol_per_mol), flow)


def mass_rate_ratio(stack: Stack, sample: Sample) -> tuple[int, int]:
    """CO2 mass rate in mg/h as an exact (numerator, denominator).

    Raises DataError "data.range" as `check_gas`.
    """
    return gas_rate_ratio(stack, [ratio.of(field) for field in sample])


def mass_rate_mg_per_h(stack: Stack, sample: Sample) -> int:
    """CO2 mass rate in mg/h, half-even: off by 0.5 mg/h at most."""
    return ratio.rounded(mass_rate_ratio(stack, sample))
