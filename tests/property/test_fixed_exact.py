"""Scaled-integer arithmetic against fractions and decimal, over the ranges a park can produce."""

import math
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.core.errors import DataError
from edge.core.numbers import fixed

#: Widest: 10^12 g of fuel x NCV x carbon x oxidation x 44, 91 bits; twice that for comfort.
WIDE = 1 << 182
EDGES = [0, 1, 2, 5, 10, 25]
for power in (15, 16, 31, 32, 53, 63, 64, 91):
    EDGES += [(1 << power) - 1, 1 << power, (1 << power) + 1]

NUMERATORS = st.one_of(
    st.integers(-WIDE, WIDE),
    st.sampled_from(EDGES + [-edge for edge in EDGES]),
    st.integers(-(10**12), 10**12),  # Wh of a year
)
DENOMINATORS = st.one_of(
    st.integers(1, 1 << 91),
    st.sampled_from([edge for edge in EDGES if edge]),
    st.integers(0, 18).map(lambda places: 10**places),
)
PLACES = st.integers(0, fixed.PLACES_MAX)


def half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def half_away(value: Fraction) -> int:
    return half_up(value) if value >= 0 else -half_up(-value)


def assert_rounds(numerator: int, denominator: int) -> None:
    exact = Fraction(numerator, denominator)
    assert fixed.div_round(numerator, denominator) == round(exact)
    assert fixed.div_round(numerator, denominator, fixed.HALF_UP) == half_up(exact)
    assert fixed.div_round(numerator, denominator, fixed.HALF_AWAY) == half_away(exact)


@given(NUMERATORS, DENOMINATORS)
@example(-1, 2)
@example((1 << 53) + 1, 2)
@example(-(1 << 31) - 1, 2)
def test_division_is_the_rounded_fraction(numerator: int, denominator: int):
    assert_rounds(numerator, denominator)


@given(st.integers(-(1 << 91), 1 << 91), st.integers(1, 1 << 64))
def test_ties_and_their_neighbours(quotient: int, half: int):
    tie = (2 * quotient + 1) * half
    for numerator in (tie - 1, tie, tie + 1):
        assert_rounds(numerator, 2 * half)


@given(NUMERATORS, DENOMINATORS)
def test_half_even_and_half_away_are_symmetric(numerator: int, denominator: int):
    for mode in (fixed.HALF_EVEN, fixed.HALF_AWAY):
        there = fixed.div_round(numerator, denominator, mode)
        assert fixed.div_round(-numerator, denominator, mode) == -there


@given(NUMERATORS, st.integers(-(1 << 64), 0))
def test_no_division_by_zero_or_less(numerator: int, denominator: int):
    with pytest.raises(DataError) as caught:
        fixed.div_round(numerator, denominator)
    assert caught.value.code == "data.range"


@given(NUMERATORS, PLACES, PLACES)
def test_rescale_is_the_decimal_quantized_half_even(mantissa: int, places: int, wanted: int):
    with localcontext() as context:
        context.prec = 200
        value = Decimal(mantissa).scaleb(-places)
        unit = Decimal(1).scaleb(-wanted)
        expected = value.quantize(unit, rounding=ROUND_HALF_EVEN).scaleb(wanted)
    assert fixed.rescale(mantissa, places, wanted) == int(expected)


@given(NUMERATORS, PLACES)
def test_widening_loses_nothing(mantissa: int, places: int):
    wide = fixed.rescale(mantissa, places, fixed.PLACES_MAX)
    assert Fraction(wide, 10**fixed.PLACES_MAX) == Fraction(mantissa, 10**places)
    assert fixed.rescale(wide, fixed.PLACES_MAX, places) == mantissa


@given(NUMERATORS, PLACES)
def test_text_is_what_decimal_writes_and_reads_back(mantissa: int, places: int):
    text = fixed.format_decimal(mantissa, places)
    with localcontext() as context:
        context.prec = 200
        value = Decimal(mantissa).scaleb(-places)
        assert text == f"{value:.{places}f}"
        assert Decimal(text) == value
    assert fixed.parse_decimal(text) == (mantissa, places)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6))
def test_published_factors_read_as_decimal_does(value: Decimal):
    mantissa, places = fixed.parse_decimal(f"{value:f}")
    assert Fraction(mantissa, 10**places) == Fraction(value)


@given(st.text(alphabet="0123456789.-+eE_ ,xX٣²", max_size=24))
def test_text_is_read_only_when_it_is_a_plain_decimal(text: str):
    try:
        mantissa, places = fixed.parse_decimal(text)
    except DataError as error:
        assert error.code == "data.decimal"
        return
    assert Fraction(mantissa, 10**places) == Fraction(text)
    body = text.removeprefix("-")
    assert set(body) <= set("0123456789.") and body[0] != "." and body[-1] != "."


@given(NUMERATORS)
def test_64_bits_trap_instead_of_wrapping(value: int):
    if -(1 << 63) <= value < 1 << 63:
        assert fixed.check_int64(value, "x") == value
        return
    with pytest.raises(DataError) as caught:
        fixed.check_int64(value, "x")
    assert caught.value.code == "data.range" and caught.value.fields["value"] == value


def test_the_two_tie_rules_differ_as_decimal_says():
    for text in ("0.5", "1.5", "2.5", "-0.5", "-2.5"):
        tenths = int(Decimal(text) * 10)
        for mode, rule in ((fixed.HALF_EVEN, ROUND_HALF_EVEN), (fixed.HALF_AWAY, ROUND_HALF_UP)):
            assert fixed.div_round(tenths, 10, mode) == int(Decimal(text).quantize(1, rule))
