from edge.core.errors import TallyError
from edge.core.numbers import fixed


def refused(call, *args):
    try:
        call(*args)
    except TallyError as error:
        return error.code
    return None


def test_division_rounds_ties_by_the_named_mode():
    assert [fixed.div_round(n, 2) for n in (-5, -3, -1, 1, 3, 5)] == [-2, -2, 0, 0, 2, 2]
    up = [fixed.div_round(n, 2, fixed.HALF_UP) for n in (-5, -3, -1, 1, 3, 5)]
    assert up == [-2, -1, 0, 1, 2, 3]
    away = [fixed.div_round(n, 2, fixed.HALF_AWAY) for n in (-5, -3, -1, 1, 3, 5)]
    assert away == [-3, -2, -1, 1, 2, 3]


def test_division_is_exact_far_beyond_64_bits():
    big = 10**40 + 1
    assert fixed.div_round(big * 7 + 3, 7) == big
    assert fixed.div_round(-(big * 7) - 4, 7) == -big - 1


def test_division_by_nothing_is_refused():
    assert refused(fixed.div_round, 1, 0) == "data.range"
    assert refused(fixed.div_round, 1, -2) == "data.range"


def test_decimal_text_is_read_and_written_exactly():
    for text, value in (("0.8325", (8325, 4)), ("-12.50", (-1250, 2)), ("7", (7, 0))):
        assert fixed.parse_decimal(text) == value
        assert fixed.format_decimal(value[0], value[1]) == text
    assert fixed.format_decimal(5, 3) == "0.005"
    assert fixed.format_decimal(-5, 3) == "-0.005"


def test_text_that_is_no_plain_decimal_is_refused():
    for text in ("", "-", ".5", "5.", "1e3", "+1", "1,5", "0x10", " 1", "1 ", "1.-5", "١"):
        assert refused(fixed.parse_decimal, text) == "data.decimal", text


def test_rescale_is_exact_when_widening_and_half_even_when_narrowing():
    assert fixed.rescale(123, 2, 5) == 123000
    assert fixed.rescale(125, 2, 1) == 12
    assert fixed.rescale(135, 2, 1) == 14


def test_64_bits_trap():
    assert fixed.check_int64((1 << 63) - 1, "x") == (1 << 63) - 1
    assert refused(fixed.check_int64, 1 << 63, "x") == "data.range"
    assert refused(fixed.check_int64, -(1 << 63) - 1, "x") == "data.range"
