from vectors_process import EXACT, VECTORS

from edge.core.carbon import coal, fuels
from edge.core.carbon.factors import parse_set
from edge.core.errors import TallyError
from edge.core.numbers.fixed import parse_decimal
from edge.core.numbers.units import reduce_ratio

PRINTED = {
    "id": "test_coal",
    "coal": [
        {
            "id": "electricity",
            "value": "0.1229",
            "unit": "kg{ce}/kW.h",
            "accounting": "equivalent",
        },
        {
            "id": "electricity",
            "value": "0.305",
            "unit": "kg{ce}/kW.h",
            "accounting": "equal_value",
        },
        {"id": "heat", "value": "0.03412", "unit": "kg{ce}/MJ", "accounting": "equivalent"},
        {"id": "diesel", "value": "1.4571", "unit": "kg{ce}/kg", "accounting": "either"},
        {"id": "gas", "value": "1.3300", "unit": "kg{ce}/m3", "accounting": "either"},
        {"id": "water", "value": "0.2571", "unit": "kg{ce}/t", "accounting": "either"},
    ],
}


def printed():
    return parse_set(PRINTED, "test_coal")


def refused(function, *arguments):
    try:
        function(*arguments)
    except TallyError as error:
        return error.code, error.fields.get("key", error.fields.get("what"))
    return None


def test_published_equivalents_follow_from_the_joules():
    for name, unit in (("CN-TCE-ELEC", "kW.h"), ("CN-TCE-HEAT", "MJ")):
        kilograms = fuels.multiply(coal.calorific_ratio(unit), (1, 1000))
        up, down = EXACT[name].split("/")
        assert kilograms == (int(up), int(down)), name
        printed_value = fuels.to_ratio(parse_decimal(VECTORS[name][1]))
        apart = fuels.add(kilograms, fuels.negate(printed_value))
        most = fuels.to_ratio(parse_decimal(VECTORS[name][2]))
        assert abs(apart[0]) * most[1] <= most[0] * apart[1], name


def test_printed_values_are_exact_per_canonical_unit():
    found = printed()
    for name, unit, accounting, ratio in (
        ("electricity", "kW.h", "equivalent", (1229, 10000)),  # g per W.h
        ("electricity", "MW.h", "equal_value", (305, 1000)),
        ("heat", "GJ", "equivalent", (3412, 100000)),  # g per kJ
        ("heat", "kW.h", "equivalent", (3412, 100000)),
        ("diesel", "t", "equivalent", (14571, 10000)),  # g per g
        ("diesel", "t", "equal_value", (14571, 10000)),
        ("gas", "m3", "equivalent", (133, 100)),  # g per L
        ("water", "t", "equal_value", (2571, 10**7)),
    ):
        expected = reduce_ratio(*ratio)
        assert coal.coal_factor(found, name, unit, accounting) == expected, (name, accounting)


def test_the_accounting_has_no_default():
    found = printed()
    for accounting in ("", "either", "equal value", "当量"):
        said = refused(coal.coal_factor, found, "diesel", "t", accounting)
        assert said == ("config.value", "accounting"), accounting
    said = refused(coal.coal_factor, found, "heat", "GJ", "equal_value")
    assert said == ("config.reference", "coal.equal_value")
    for accounting in coal.ACCOUNTINGS:
        assert refused(coal.check_accounting, accounting, "f", "k") is None


def test_the_choice_decides_the_indicator():
    # An all-grid park at 0.8325: 6.774 t of CO2 per tce by heat, 2.73 by the coal burnt for it.
    found = printed()
    milli = []
    for accounting in coal.ACCOUNTINGS:
        up, down = coal.coal_factor(found, "electricity", "kW.h", accounting)
        milli.append(8325 * down * 1000 // (10000 * up))
    assert milli == [6773, 2729]


def test_a_unit_that_does_not_fit_is_refused():
    found = printed()
    for name, unit in (("electricity", "GJ"), ("diesel", "m3"), ("gas", "t"), ("heat", "kg")):
        said = refused(coal.coal_factor, found, name, unit, "equivalent")
        assert said[0] == "data.range", name


def test_a_fuel_counts_by_its_heating_value():
    standard = fuels.Fuel("coal", "t", (293076, 4), (26, 0), None, False)
    assert coal.fuel_coal_ratio(standard, "t") == (10**6, 1)  # a tonne of it is a tce
    assert coal.fuel_coal_ratio(standard, "g") == (1, 1)
    assert coal.fuel_coal_ratio(standard, "GJ") == coal.calorific_ratio("GJ")
    gas = fuels.Fuel("gas", "10*4.m3", (38931, 2), (153, 1), None, False)
    assert coal.fuel_coal_ratio(gas, "m3") == reduce_ratio(38931 * 10000, 293076)


def test_equivalents_are_named_once_per_accounting():
    twice = {"id": "x", "coal": PRINTED["coal"] + [PRINTED["coal"][0]]}
    assert refused(parse_set, twice, "x") == ("config.duplicate", "coal.id")
