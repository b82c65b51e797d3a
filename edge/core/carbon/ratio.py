"""Exact fractions as (numerator, denominator) pairs; the denominator is always above 0.

Pairs are not reduced: a chain of a dozen products stays below a few hundred bits, and one division
at the end costs less than a gcd at every step.
"""

from edge.core.errors import DataError
from edge.core.numbers.fixed import HALF_EVEN, div_round, power_of_ten


def of(decimal: tuple[int, int]) -> tuple[int, int]:
    """The fraction of a decimal (mantissa, places)."""
    return decimal[0], power_of_ten(decimal[1])


def product(*factors: tuple[int, int]) -> tuple[int, int]:
    """All factors multiplied."""
    numerator = denominator = 1
    for up, down in factors:
        numerator *= up
        denominator *= down
    return numerator, denominator


def quotient(dividend: tuple[int, int], divisor: tuple[int, int]) -> tuple[int, int]:
    """dividend over divisor; DataError "data.range" when the divisor is not above 0."""
    if divisor[0] <= 0:
        raise DataError("data.range", what="divisor", value=divisor[0])
    return dividend[0] * divisor[1], dividend[1] * divisor[0]


def total(*parts: tuple[int, int]) -> tuple[int, int]:
    """All parts added."""
    numerator, denominator = 0, 1
    for up, down in parts:
        if down == denominator:
            numerator += up
        else:
            numerator = numerator * down + up * denominator
            denominator *= down
    return numerator, denominator


def less(whole: tuple[int, int], part: tuple[int, int]) -> tuple[int, int]:
    """whole - part."""
    return total(whole, (-part[0], part[1]))


def rounded(value: tuple[int, int], places: int = 0, mode: int = HALF_EVEN) -> int:
    """The mantissa of `value` with `places` decimals, rounded once."""
    return div_round(value[0] * power_of_ten(places), value[1], mode)
