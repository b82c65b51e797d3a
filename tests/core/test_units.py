from edge.core.errors import TallyError
from edge.core.numbers.units import (
    ALIASES,
    CANONICAL,
    RATIOS,
    dimension_of,
    parse_unit,
    ratio_to,
    reduce_ratio,
)


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
        ("GW.h", "energy", 10**9, 1),
        ("10*4.kW.h", "energy", 10**7, 1),
        ("J", "heat", 1, 1000),
        ("TJ", "heat", 10**9, 1),
        ("10*4.m3", "volume", 10**7, 1),
        ("mg", "mass", 1, 1000),
        ("10*4.t", "mass", 10**10, 1),
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


def test_what_people_write_is_understood_on_input_only():
    for text, code in (
        ("度", "kW.h"),
        ("kWh", "kW.h"),
        ("万千瓦时", "10*4.kW.h"),
        ("吨", "t"),
        ("公斤", "kg"),
        ("万立方米", "10*4.m3"),
        ("1e4 Nm3", "10*4.m3"),
        ("Nm3", "m3"),
        ("百万千焦", "GJ"),
        ("吉焦", "GJ"),
        (" kW.h ", "kW.h"),
    ):
        assert parse_unit(text) == code, text
    for code in RATIOS:
        assert parse_unit(code) == code
        assert dimension_of(code) == RATIOS[code][0]
    for text in ALIASES:
        assert text not in RATIOS and ALIASES[text] in RATIOS, text
        assert refused(text, "energy") == "data.range"


def test_letter_case_and_unknown_units_are_not_guessed():
    for function, text in (
        (parse_unit, "mwh"),
        (parse_unit, "T"),
        (parse_unit, "tce"),
        (parse_unit, ""),
        (dimension_of, "kWh"),
        (dimension_of, "W"),
    ):
        try:
            function(text)
        except TallyError as error:
            assert (error.code, error.fields["value"]) == ("data.range", text)
        else:
            raise AssertionError(text)


def test_ratios_come_down_to_lowest_terms():
    for up, down, expected in (
        (6, 4, (3, 2)),
        (-6, 4, (-3, 2)),
        (6, -4, (-3, 2)),
        (0, 7, (0, 1)),
        (0, -7, (0, 1)),
        (2**65 * 3, 2**64 * 9, (2, 3)),
        (7, 7, (1, 1)),
    ):
        assert reduce_ratio(up, down) == expected
