"""Substitution against sorting, statistics and decimals of their own; the vectors' table."""

import json
import math
import statistics
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from edge.core.carbon import part75, ratio, substitute
from tests.core.test_vectors_cems import VECTORS

FILE = Path(__file__).parents[1] / "data" / "cems_vectors.json"
VALUES = st.lists(st.integers(0, 10**8), min_size=2, max_size=200)


@given(st.integers(0, 10**40))
def test_the_root_is_that_of_the_standard_library(square: int):
    floor = math.isqrt(square)
    assert substitute.root_up(square) == floor + (floor * floor < square)


@given(VALUES)
def test_mean_and_two_sigma_is_the_smallest_integer_above(values: list[int]):
    found = substitute.eu_mean_2_sigma(values).value
    fractions = [Fraction(value) for value in values]
    mean, variance = statistics.mean(fractions), statistics.variance(fractions)
    assert found >= mean and (found - mean) ** 2 >= 4 * variance
    below = found - 1
    assert below < mean or (below - mean) ** 2 < 4 * variance


@given(VALUES, st.integers(1, 100))
def test_a_percentile_is_the_smallest_value_that_covers_its_share(values: list[int], percent: int):
    found = substitute.percentile(values, percent)
    assert found in values
    covered = sum(value <= found for value in values)
    below = sum(value < found for value in values)
    assert 100 * covered >= percent * len(values) > 100 * below


@given(st.lists(st.integers(0, 1000), max_size=400), st.integers(1, 50), st.data())
def test_the_ring_is_the_end_of_a_list(values: list[int], size: int, data):
    ring = substitute.Ring(size)
    for value in values:
        ring.push(value)
    hours = data.draw(st.integers(0, 60))
    kept = values[-size:][::-1][:hours]
    assert ring.last(hours) == kept


@given(st.lists(st.booleans(), max_size=300), st.integers(1, 40))
def test_availability_counts_its_window(valid: list[bool], hours: int):
    made = substitute.Availability(hours)
    for one in valid:
        made.push(one)
    window = valid[-hours:]
    assert (made.valid, made.count) == (sum(window), len(window))


DECIMALS = st.decimals(0, 25, places=3)


@given(DECIMALS, st.integers(0, 10**9), st.decimals(0, 60, places=2))
def test_part_75_rounds_as_decimals_do(co2: Decimal, scfh: int, h2o: Decimal):
    """The agency's engine computes in decimals and rounds half away from zero."""
    with localcontext() as context:
        context.prec = 60
        rate = Decimal("5.7e-7") * co2 * scfh * (100 - h2o) / 100
        expected = rate.quantize(Decimal("0.1"), ROUND_HALF_UP)
    found = part75.f2_tenths(
        Fraction(co2).as_integer_ratio(), (scfh, 1), Fraction(h2o).as_integer_ratio()
    )
    assert Decimal(found) == expected * 10


@given(st.integers(-(10**6), 10**6), st.integers(1, 10**4))
def test_tenths_are_away_from_zero(numerator: int, denominator: int):
    exact = Fraction(numerator, denominator) * 10
    away = math.floor(abs(exact) + Fraction(1, 2))
    assert part75.tenths((numerator, denominator)) == (away if exact >= 0 else -away)


PAIRS = st.tuples(st.integers(-(10**9), 10**9), st.integers(1, 10**6))


@given(st.lists(PAIRS, max_size=6), PAIRS)
def test_pairs_are_fractions(pairs: list[tuple[int, int]], other: tuple[int, int]):
    fractions = [Fraction(*pair) for pair in pairs]
    assert Fraction(*ratio.product(*pairs)) == math.prod(fractions)
    assert Fraction(*ratio.total(*pairs)) == sum(fractions)
    assert Fraction(*ratio.less((1, 3), other)) == Fraction(1, 3) - Fraction(*other)
    if other[0] > 0:
        assert Fraction(*ratio.quotient((1, 3), other)) == Fraction(1, 3) / Fraction(*other)


def test_the_table_of_the_stack_vectors_is_that_of_the_file():
    found = {}
    for vector in json.loads(FILE.read_text("utf-8")):
        inputs = {
            key: tuple(text) if isinstance(text, list) else text
            for key, text in vector["inputs"].items()
        }
        expected = vector["expected"]
        found[vector["id"]] = (inputs, expected["value"], expected["tolerance"])
        assert vector["kind"] == "algorithm" and vector["source"] and expected["unit"]
    assert found == VECTORS
