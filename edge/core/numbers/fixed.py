"""Scaled-integer arithmetic: one exact product, one division with a named rounding, then output.

A quantity is `mantissa` x 10^-`places`. Integers have no width of their own here; where a value
leaves for a field of fixed width, `check_int64` traps instead of wrapping.
"""

from edge.core.errors import DataError

HALF_EVEN = 0
HALF_UP = 1
HALF_AWAY = 2

INT64_MIN = -(1 << 63)
INT64_MAX = (1 << 63) - 1

#: 1 as a decimal, (mantissa, places).
ONE = (1, 0)

#: More places than any meter or factor carries; bounds 10^places.
PLACES_MAX = 18


def div_round(numerator: int, denominator: int, mode: int = HALF_EVEN) -> int:
    """Divide exactly and round once.

    denominator: > 0.
    mode: HALF_EVEN (GB/T 8170, IEEE 754), HALF_UP (ties towards +infinity) or HALF_AWAY (ties
        away from zero, US EPA Part 75).
    Raises DataError "data.range" for a denominator below 1.
    """
    if denominator < 1:
        raise DataError("data.range", what="denominator", value=denominator)
    quotient = numerator // denominator
    twice = 2 * (numerator % denominator)
    if twice > denominator:
        return quotient + 1
    if twice < denominator:
        return quotient
    if mode == HALF_EVEN:
        return quotient + (quotient & 1)
    if mode == HALF_AWAY and numerator < 0:
        return quotient
    return quotient + 1


def power_of_ten(exponent: int) -> int:
    """10^exponent; exponent >= 0."""
    return int(10**exponent)


def rescale(mantissa: int, places: int, new_places: int) -> int:
    """Move a mantissa to other places; exact when widening, half-even when narrowing."""
    if new_places >= places:
        return mantissa * power_of_ten(new_places - places)
    return div_round(mantissa, power_of_ten(places - new_places))


def parse_decimal(text: str) -> tuple[int, int]:
    """Read a plain decimal such as "-0.8325" exactly; return (mantissa, places).

    No exponent, no sign but "-", digits on both sides of the point, at most PLACES_MAX places.
    Raises DataError "data.decimal".
    """
    body = text[1:] if text.startswith("-") else text
    whole, point, fraction = body.partition(".")
    digits = whole + fraction
    if (
        not whole
        or (point and not fraction)
        or len(fraction) > PLACES_MAX
        or not all(c in "0123456789" for c in digits)
    ):
        raise DataError("data.decimal", text=text)
    value = int(digits)
    return (-value if text.startswith("-") else value), len(fraction)


def format_decimal(mantissa: int, places: int) -> str:
    """Write a scaled integer as plain decimal text, every place shown."""
    sign = "-" if mantissa < 0 else ""
    digits = str(abs(mantissa))
    if places <= 0:
        return sign + digits
    digits = "0" * (places + 1 - len(digits)) + digits
    return sign + digits[:-places] + "." + digits[-places:]


def check_int64(value: int, what: str) -> int:
    """Return `value`, or raise DataError "data.range" when it does not fit 64 bits signed."""
    if value < INT64_MIN or value > INT64_MAX:
        raise DataError("data.range", what=what, value=value)
    return value
