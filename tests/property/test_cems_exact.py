"""Flue gas to mass against HJ 212-2017 Annex D.2, written down again with fractions."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.core.carbon.cems import METHODS, Sample, Stack, mass_rate_mg_per_h, mass_rate_ratio
from edge.core.errors import DataError

PLACES = st.integers(0, 4)


@st.composite
def decimals(draw, low: int, high: int) -> tuple[int, int]:
    """(mantissa, places) of a decimal from `low` to `high`."""
    places = draw(PLACES)
    return draw(st.integers(low * 10**places, high * 10**places)), places


AREAS = decimals(1, 200)
SAMPLES = st.builds(
    Sample,
    decimals(0, 25),
    decimals(0, 60),
    decimals(-40, 400),
    decimals(-5000, 5000),
    decimals(0, 60),
)
STACKS = st.builds(
    Stack,
    st.sampled_from(sorted(METHODS)).map(METHODS.get),
    AREAS,
    st.integers(50_000, 110_000),
    st.sampled_from(["dry", "wet"]),
)


def constants(method_id: str) -> tuple[Fraction, Fraction, Fraction]:
    """(kelvin of 0 Cel, L/mol, g/mol) as the id spells them; 44 g/mol goes without saying."""
    _, kelvin, volume, mass = [*method_id.split("/"), "44"][:4]
    return Fraction(kelvin), Fraction(volume), Fraction(mass)


def value(decimal: tuple[int, int]) -> Fraction:
    return Fraction(decimal[0], 10 ** decimal[1])


def annex_d(stack: Stack, sample: Sample) -> Fraction:
    """CO2 in mg/h."""
    zero, volume, mass = constants(stack.method.id)
    x_sw = value(sample.moisture_percent) / 100
    q_sh = 3600 * value(stack.area_m2) * value(sample.velocity_m_s)  # (30) m3/h
    t_s, p_s = value(sample.temperature_cel), value(sample.pressure_pa)
    state = zero / (zero + t_s) * (stack.ambient_pa + p_s) / 101325
    q_sn = q_sh * state * (1 - x_sw)  # (31) m3/h, dry, standard state
    c_v = value(sample.co2_percent) * 10_000  # umol/mol
    if stack.basis == "wet":
        c_v = c_v / (1 - x_sw)  # (19)
    c_q = mass / volume * c_v  # (20) mg/m3
    return c_q * q_sn  # (33), there in kg/h: x 10^-6


@given(STACKS, SAMPLES)
def test_the_rate_is_that_of_the_annex_exactly(stack: Stack, sample: Sample):
    numerator, denominator = mass_rate_ratio(stack, sample)
    assert denominator > 0
    assert Fraction(numerator, denominator) == annex_d(stack, sample)
    assert mass_rate_mg_per_h(stack, sample) == round(annex_d(stack, sample))


@given(STACKS, SAMPLES)
def test_wet_and_dry_analyzers_agree_on_the_same_gas(stack: Stack, sample: Sample):
    """A wet analyzer reads the dry concentration times what is not moisture."""
    dry_co2 = value(sample.co2_percent)
    wet_co2 = dry_co2 * (1 - value(sample.moisture_percent) / 100)
    places = sample.co2_percent[1] + sample.moisture_percent[1] + 2
    wet_sample = sample._replace(co2_percent=(int(wet_co2 * 10**places), places))
    dry = mass_rate_ratio(stack._replace(basis="dry"), sample)
    wet = mass_rate_ratio(stack._replace(basis="wet"), wet_sample)
    assert Fraction(*dry) == Fraction(*wet)


@given(STACKS, SAMPLES, st.integers(1, 6))
def test_trailing_zeros_change_nothing(stack: Stack, sample: Sample, zeros: int):
    def longer(decimal):
        return decimal[0] * 10**zeros, decimal[1] + zeros

    other = Sample(*[longer(field) for field in sample])
    wider = stack._replace(area_m2=longer(stack.area_m2))
    assert Fraction(*mass_rate_ratio(wider, other)) == Fraction(*mass_rate_ratio(stack, sample))


@given(STACKS, SAMPLES, st.integers(1, 10**6))
def test_impossible_gas_is_refused(stack: Stack, sample: Sample, beyond: int):
    micro = 10**6
    for wrong in (
        sample._replace(co2_percent=(-beyond, 6)),
        sample._replace(co2_percent=(100 * micro + beyond, 6)),
        sample._replace(velocity_m_s=(-beyond, 6)),
        sample._replace(temperature_cel=(-27315 * 10**4 - beyond, 6)),
        sample._replace(pressure_pa=(-stack.ambient_pa - beyond, 0)),
        sample._replace(moisture_percent=(-beyond, 6)),
        sample._replace(moisture_percent=(100 * micro + beyond, 6)),
        sample._replace(moisture_percent=(100, 0)),
    ):
        with pytest.raises(DataError) as caught:
            mass_rate_ratio(stack, wrong)
        assert caught.value.code == "data.range"
