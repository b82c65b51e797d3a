from edge.core.errors import TallyError
from edge.core.numbers.units import CANONICAL, RATIOS, ratio_to


def refused(unit, dimension):
    try:
        ratio_to(unit, dimension)
    except TallyError as error:
        return error.code
    return None


def test_multiples_are_exact():
    for unit, dimension, numerator, denominator in (
        ("W.h", "energy", 1, 1),
        ("kW.h", "energy", 1000, 1),
        ("MW.h", "energy", 10**6, 1),
        ("kJ", "heat", 1, 1),
        ("MJ", "heat", 1000, 1),
        ("GJ", "heat", 10**6, 1),
        ("L", "volume", 1, 1),
        ("m3", "volume", 1000, 1),
        ("g", "mass", 1, 1),
        ("kg", "mass", 1000, 1),
        ("t", "mass", 10**6, 1),
    ):
        up, down = ratio_to(unit, dimension)
        assert up * denominator == numerator * down, unit


def test_energy_counts_as_heat_exactly():
    for unit, kilojoules_per_five in (("W.h", 18), ("kW.h", 18000), ("MW.h", 18000000)):
        up, down = ratio_to(unit, "heat")
        assert 5 * up == kilojoules_per_five * down, unit


def test_every_canonical_unit_is_its_own():
    assert sorted(CANONICAL, key=str) == ["energy", "heat", "mass", "volume"]
    for dimension in CANONICAL:
        assert ratio_to(CANONICAL[dimension], dimension) == (1, 1)
    for unit in RATIOS:
        assert RATIOS[unit][0] in CANONICAL


def test_what_does_not_measure_the_dimension_is_refused():
    for unit, dimension in (
        ("kJ", "energy"),  # heat is no electricity
        ("W", "energy"),
        ("kV.A.h", "energy"),
        ("kWh", "energy"),
        ("", "energy"),
        ("m3", "mass"),
        ("kg", "volume"),
        ("kW.h", "volume"),
    ):
        assert refused(unit, dimension) == "data.range", unit
