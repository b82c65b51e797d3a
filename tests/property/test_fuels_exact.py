"""Fuels, standard coal, tariffs and units against fractions.Fraction, over the honest ranges.

Ranges: fuel up to 10^7 t in g, gas up to 10^9 Nm3 in L, heat up to 10^7 GJ in kJ, NCV and carbon
over what a fuel may have with up to three places, oxidation in 10^-6.
"""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.core.carbon import coal, fuels
from edge.core.carbon.factors import FactorSet, parse_set
from edge.core.carbon.fuels import NCV_GJ, Fuel
from edge.core.carbon.tariff import Tariff
from edge.core.errors import DataError
from edge.core.numbers.fixed import div_round, format_decimal
from edge.core.numbers.units import CANONICAL, RATIOS, ratio_to, reduce_ratio

MASS_G = st.integers(0, 10**13)
VOLUME_L = st.integers(0, 10**12)
HEAT_KJ = st.integers(0, 10**13)


@st.composite
def decimals(draw, low: int, high: int, places_max: int) -> tuple[int, int]:
    places = draw(st.integers(0, places_max))
    return draw(st.integers(low * 10**places, high * 10**places)), places


@st.composite
def made_fuels(draw) -> Fuel:
    per = draw(st.sampled_from(sorted(NCV_GJ)))
    ncv = draw(decimals(*NCV_GJ[per], 3))
    return Fuel("fuel", per, ncv, draw(decimals(12, 75, 2)), draw(decimals(0, 100, 4)), False)


def fraction(decimal: tuple[int, int]) -> Fraction:
    return Fraction(decimal[0], 10 ** decimal[1])


def tonnes_per(fuel: Fuel) -> Fraction:
    """t of CO2 per the fuel's own unit, by the textbook."""
    burnt = fraction(fuel.oxidation) / 100
    return fraction(fuel.ncv) * fraction(fuel.carbon) / 1000 * burnt * Fraction(44, 12)


UNITS = {
    "t": [unit for unit in RATIOS if RATIOS[unit][0] == "mass"],
    "10*4.m3": [unit for unit in RATIOS if RATIOS[unit][0] == "volume"],
}


def factor_of(unit: str) -> Fraction:
    return Fraction(*RATIOS[unit][1:])


@given(made_fuels(), st.data())
def test_an_emission_is_the_textbook_in_every_unit(fuel: Fuel, data: st.DataObject):
    unit = data.draw(st.sampled_from(UNITS[fuel.per]))
    exact = tonnes_per(fuel) * 10**9 * factor_of(unit) / factor_of(fuel.per)
    assert Fraction(*fuels.emission_ratio(fuel, unit)) == exact


@given(made_fuels(), st.sampled_from(["J", "kJ", "MJ", "GJ", "TJ", "kW.h", "MW.h"]))
def test_heat_of_a_fuel_does_not_ask_for_its_heating_value(fuel: Fuel, unit: str):
    kilojoules = Fraction(*ratio_to(unit, "heat"))
    exact = kilojoules * fraction(fuel.carbon) * fraction(fuel.oxidation) / 100 * Fraction(11, 3)
    assert Fraction(*fuels.emission_ratio(fuel, unit)) == exact


@given(made_fuels(), MASS_G, VOLUME_L, st.data())
def test_milligrams_are_the_exact_product_rounded_once(
    fuel: Fuel, mass_g: int, volume_l: int, data: st.DataObject
):
    quantity = mass_g if fuel.per == "t" else volume_l
    unit = data.draw(st.sampled_from(UNITS[fuel.per]))
    found = FactorSet("a_set", b"", (), (fuel,), ())
    up, down = fuels.fuel_factor(found, "fuel", unit)
    exact = tonnes_per(fuel) * 10**9 / factor_of(fuel.per) * quantity
    assert div_round(quantity * up, down) == round(exact)


@given(made_fuels(), st.lists(MASS_G, min_size=1, max_size=12), st.randoms())
def test_order_and_splitting_change_no_total(fuel: Fuel, parts: list[int], random):
    up, down = fuels.emission_ratio(fuel, CANONICAL["mass" if fuel.per == "t" else "volume"])
    total = sum(parts)
    shuffled = list(parts)
    random.shuffle(shuffled)
    for order in (parts, shuffled):
        sums = [sum(order[: index + 1]) for index in range(len(order))]
        pieces = [
            div_round(end * up, down) - div_round(begin * up, down)
            for begin, end in zip([0, *sums], sums, strict=False)
        ]
        assert sum(pieces) == div_round(total * up, down)
    ratios = [fuels.multiply((part, 1), (up, down)) for part in parts]
    assert fuels.add(*ratios) == fuels.multiply((total, 1), (up, down))


SIDES = st.lists(st.tuples(made_fuels(), decimals(0, 10**7, 3)), max_size=4)


@given(SIDES, SIDES)
def test_a_conversion_is_inputs_less_outputs_with_its_sign(fed: list, made: list):
    def exact(side: list) -> Fraction:
        full = [(fuel._replace(oxidation=fuels.FULL), quantity) for fuel, quantity in side]
        return sum((fraction(quantity) * tonnes_per(fuel) for fuel, quantity in full), Fraction())

    def terms(side: list) -> tuple:
        return tuple((fuel, quantity, fuel.per) for fuel, quantity in side)

    found = Fraction(*fuels.conversion_ratio(terms(fed), terms(made)))
    assert found == (exact(fed) - exact(made)) * 10**9
    assert found == -Fraction(*fuels.conversion_ratio(terms(made), terms(fed)))


PAIRS = st.lists(st.tuples(decimals(0, 10**7, 3), decimals(0, 1, 6)), max_size=5)


@given(PAIRS, PAIRS)
def test_a_carbon_balance_is_signed_and_exact(fed: list, made: list):
    carbon = sum((fraction(q) * fraction(c) for q, c in fed), Fraction())
    carbon -= sum((fraction(q) * fraction(c) for q, c in made), Fraction())
    found = fuels.balance_ratio(tuple(fed), tuple(made))
    assert Fraction(*found) == carbon * Fraction(44, 12)


@given(made_fuels(), st.sampled_from(["ncv", "carbon", "oxidation"]), st.integers(1, 4))
def test_a_power_of_ten_too_many_or_too_few_is_refused(fuel: Fuel, key: str, power: int):
    mantissa, places = getattr(fuel, key)
    low, high = {"carbon": (12, 75), "oxidation": (0, 100)}.get(key, NCV_GJ[fuel.per])
    for changed in ((mantissa * 10**power, places), (mantissa, places + power)):
        inside = low <= fraction(changed) <= high
        made = fuel._replace(**{key: changed})
        if inside:
            fuels.emission_ratio(made, fuel.per)
        else:
            with pytest.raises(DataError) as refused:
                fuels.emission_ratio(made, fuel.per)
            assert refused.value.code == "data.range"


@given(decimals(-273, 2000, 2), st.integers(1, 10**7))
def test_a_gas_volume_goes_by_kelvin_and_pascal(celsius: tuple[int, int], pressure_pa: int):
    kelvin = Fraction(27315, 100) + fraction(celsius)
    found = Fraction(*fuels.normal_volume_ratio(celsius, pressure_pa))
    assert found == Fraction(27315, 100) / kelvin * pressure_pa / 101325


@given(made_fuels(), st.sampled_from(["W.h", "kW.h", "kJ", "GJ"]), HEAT_KJ)
def test_standard_coal_by_heating_value(fuel: Fuel, unit: str, quantity: int):
    energy = fraction(fuel.ncv) * 10**6  # kJ per the fuel's own unit
    grams = Fraction(*coal.fuel_coal_ratio(fuel, fuel.per))
    assert grams == energy / Fraction(293076, 10000)
    found = Fraction(*coal.calorific_ratio(unit)) * quantity
    assert found == quantity * Fraction(*ratio_to(unit, "heat")) / Fraction(293076, 10000)


@given(decimals(0, 3, 4), st.sampled_from(sorted(coal.COAL_UNITS)), st.integers(0, 10**13))
def test_printed_standard_coal(value: tuple[int, int], unit: str, quantity: int):
    row = {"id": "e", "value": format_decimal(*value), "unit": unit, "accounting": "either"}
    found = parse_set({"id": "a_set", "coal": [row]}, "x")
    above, _, below = unit.partition("/")
    dimension = RATIOS[below][0]
    ratio = coal.coal_factor(found, "e", below, "equivalent")
    exact = fraction(value) * 1000 / Fraction(*ratio_to(below, dimension))
    assert above == "kg{ce}" and Fraction(*ratio) * quantity == exact * quantity


@given(st.integers(-(10**30), 10**30), st.integers(-(10**30), 10**30).filter(bool))
def test_lowest_terms_are_those_of_fraction(up: int, down: int):
    exact = Fraction(up, down)
    assert reduce_ratio(up, down) == (exact.numerator, exact.denominator)


STEP_MS = 60_000
VALUES = st.lists(st.one_of(st.none(), st.integers(0, 3)), min_size=1, max_size=6)


@st.composite
def tariffs(draw) -> Tariff:
    series, at_ms = [], draw(st.integers(-5, 5)) * STEP_MS
    for _ in range(draw(st.integers(0, 3))):
        values = tuple(draw(VALUES))
        step_ms = draw(st.integers(1, 4)) * STEP_MS
        series.append((at_ms, step_ms, values))
        at_ms += step_ms * len(values) + draw(st.integers(0, 3)) * STEP_MS
    minutes = draw(st.sets(st.integers(4300, 4340), max_size=6))
    pattern = tuple((minute, draw(st.integers(0, 3))) for minute in sorted(minutes))
    return Tariff("a_tariff", tuple(series), pattern, draw(st.integers(-20, 20)), 9)


@given(tariffs(), st.integers(-20, 30), st.integers(0, 60), st.integers(-(10**15), 10**15))
def test_changes_are_all_there_and_parts_sum(
    tariff: Tariff, start: int, length: int, quantity: int
):
    start_ms, end_ms = start * STEP_MS, (start + length) * STEP_MS
    walked = tuple(
        at_ms
        for at_ms in range(start_ms + STEP_MS, end_ms, STEP_MS)
        if tariff.factor_at(at_ms) != tariff.factor_at(at_ms - 1)
    )
    assert tariff.changes_between(start_ms, end_ms) == walked
    parts = tariff.spread(start_ms, end_ms, quantity)
    assert sum(part for _, _, part in parts) == quantity
    for (ug, fallback, part), begin, end in zip(
        parts, (start_ms, *walked), (*walked, end_ms), strict=True
    ):
        assert (ug, fallback) == tariff.factor_at(begin)
        if length:
            assert abs(part - Fraction(quantity * (end - begin), end_ms - start_ms)) <= 1
