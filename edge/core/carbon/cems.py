"""Flue gas to CO2 mass, as one exact rational that is rounded once.

Source: HJ 212-2017 Annex D.2, equations (19) dry basis, (20) volume to mass concentration, (30)
wet flow at stack conditions, (31) dry standard flow, (33) mass rate. The O2 reference correction
(27) is for comparing with limits and never comes before a mass.
"""

from collections import namedtuple

from edge.core.errors import DataError
from edge.core.numbers.fixed import div_round, power_of_ten

#: Constants that a result depends on; they are part of the method id that goes with it.
#: kelvin_offset: absolute temperature of 0 Cel, and of the reference state, as (mantissa, places);
#: molar_volume_l: L/mol at the reference state; molar_mass_g: g/mol; pressure_pa: reference.
Method = namedtuple(
    "Method", ("id", "kelvin_offset", "molar_volume_l", "molar_mass_g", "pressure_pa")
)

METHODS = {
    "hj212-2017/273/22.4": Method("hj212-2017/273/22.4", (273, 0), (224, 1), (44, 0), 101_325),
    "hj212-2017/273.15/22.4": Method(
        "hj212-2017/273.15/22.4", (27315, 2), (224, 1), (44, 0), 101_325
    ),
}

#: Where and how the gas is measured. area_m2: inner cross-section (mantissa, places);
#: ambient_pa: local atmospheric pressure; basis: "dry" or "wet", what the CO2 analyzer sees.
Stack = namedtuple("Stack", ("method", "area_m2", "ambient_pa", "basis"))

#: One sample, each (mantissa, places): CO2 in volume percent, gas velocity in m/s, gas temperature
#: in Cel, static pressure in Pa against ambient, moisture in volume percent.
Sample = namedtuple(
    "Sample", ("co2_percent", "velocity_m_s", "temperature_cel", "pressure_pa", "moisture_percent")
)


def _ratio(decimal: tuple[int, int]) -> tuple[int, int]:
    return decimal[0], power_of_ten(decimal[1])


def mass_rate_ratio(stack: Stack, sample: Sample) -> tuple[int, int]:
    """CO2 mass rate in mg/h as an exact (numerator, denominator).

    Raises DataError "data.range" when a quantity is impossible: CO2 or moisture outside 0..100 %,
    a negative velocity, a temperature at or below absolute zero, a pressure at or below vacuum.
    """
    method = stack.method
    co2, co2_d = _ratio(sample.co2_percent)
    velocity, velocity_d = _ratio(sample.velocity_m_s)
    celsius, celsius_d = _ratio(sample.temperature_cel)
    pressure, pressure_d = _ratio(sample.pressure_pa)
    moisture, moisture_d = _ratio(sample.moisture_percent)
    zero, zero_d = _ratio(method.kelvin_offset)
    kelvin = zero * celsius_d + celsius * zero_d  # over zero_d x celsius_d
    absolute = stack.ambient_pa * pressure_d + pressure  # over pressure_d
    dry = 100 * moisture_d - moisture  # over 100 x moisture_d
    for what, good in (
        ("co2_percent", 0 <= co2 <= 100 * co2_d),
        ("velocity_m_s", velocity >= 0),
        ("temperature_cel", kelvin > 0),
        ("pressure_pa", absolute > 0),
        ("moisture_percent", 0 <= moisture < 100 * moisture_d),
    ):
        if not good:
            raise DataError("data.range", what=what, value="of a stack sample")
    area, area_d = _ratio(stack.area_m2)
    volume, volume_d = _ratio(method.molar_volume_l)
    mass, mass_d = _ratio(method.molar_mass_g)
    # (20): percent x 10^4 is umol/mol; M/V turns it into mg/m3. (30): 3600 F V is m3/h.
    numerator = mass * volume_d * co2 * 10_000 * 3600 * area * velocity
    denominator = mass_d * volume * co2_d * area_d * velocity_d
    # (31) without moisture: zero/(zero + t) x (Ba + Ps)/reference; zero_d cancels.
    numerator = numerator * zero * celsius_d * absolute
    denominator = denominator * kelvin * method.pressure_pa * pressure_d
    if stack.basis == "dry":  # a wet analyzer's (19) cancels the moisture term of (31)
        numerator = numerator * dry
        denominator = denominator * 100 * moisture_d
    return numerator, denominator


def mass_rate_mg_per_h(stack: Stack, sample: Sample) -> int:
    """CO2 mass rate in mg/h, half-even: off by 0.5 mg/h at most."""
    numerator, denominator = mass_rate_ratio(stack, sample)
    return div_round(numerator, denominator)
