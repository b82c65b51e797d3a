"""Register decoding against struct and fractions: every type, order, edge and sentinel."""

import math
import struct
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from edge.core.numbers.quality import Quality
from edge.core.numbers.words import WIDTHS, decode_ratio, decode_reading, split_float, sum_terms

FORMATS = {
    "u16": ">H",
    "i16": ">h",
    "u32": ">I",
    "i32": ">i",
    "u64": ">Q",
    "i64": ">q",
    "f32": ">f",
    "f64": ">d",
}
ORDERS = st.sampled_from(["big", "little"])
DECIMALS = st.tuples(st.integers(-(10**9), 10**9), st.integers(0, 6))
SCALES = st.one_of(
    st.just((1, 0)), st.sampled_from([(1, 1), (1, 3), (5, 2), (264000, 0)]), DECIMALS
)
OFFSETS = st.one_of(st.just((0, 0)), st.sampled_from([(-3000, 0), (-27315, 2)]), DECIMALS)
PLACES = st.integers(0, 9)

#: Patterns a random integer rarely hits: both zeros, subnormals, infinities, quiet and loud NaN,
#: the largest and the smallest normal numbers, a tie.
F32 = [0, 1 << 31, 1, 0x7FFFFF, 0x800000, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001]
F32 += [0x7F7FFFFF, 0xFF7FFFFF, 0x3F000000, 0x3FC00000, 0xBF000000, 0x4B000001, 0x5F000000]
F64 = [0, 1 << 63, 1, 0xFFFFFFFFFFFFF, 0x10000000000000, 0x7FF << 52, 0xFFF << 52]
F64 += [0x7FF8 << 48, (0x7FF << 52) + 1, (0x7FF << 52) - 1, 0x3FE << 52, 0x43E << 52]


@st.composite
def patterns(draw, kind: str) -> bytes:
    """The value's bytes, high byte first."""
    size = 2 * WIDTHS[kind]
    special = {"f32": F32, "f64": F64}.get(kind, [0, 1, (1 << 8 * size) - 1, 1 << (8 * size - 1)])
    raw = draw(st.one_of(st.integers(0, (1 << 8 * size) - 1), st.sampled_from(special)))
    return raw.to_bytes(size, "big")


#: Types that are a number in whole registers; bits and bytes of a register are named below.
WHOLE = sorted(kind for kind in WIDTHS if kind != "bit" and not kind.startswith("u8_"))


def on_the_wire(value: bytes, word_order: str, byte_order: str) -> tuple[int, ...]:
    """Registers as a device of these orders sends them."""
    pairs = [value[at : at + 2] for at in range(0, len(value), 2)]
    if word_order == "little":
        pairs.reverse()
    return tuple(int.from_bytes(pair, byte_order) for pair in pairs)  # type: ignore[arg-type]


def meaning(value: bytes, kind: str) -> Fraction | None:
    """What the standard says the pattern is, by means this project does not use."""
    if kind.startswith("bcd"):
        digits = value.hex()
        return Fraction(int(digits)) if digits.isdecimal() else None
    (number,) = struct.unpack(FORMATS[kind], value)
    return Fraction(number) if isinstance(number, int) or math.isfinite(number) else None


def check(value, kind, orders, scale, offset, places, sentinels):
    found = decode_reading(
        on_the_wire(value, *orders), kind, *orders, scale, offset, places, sentinels
    )
    number = meaning(value, kind)
    if int.from_bytes(value, "big") in sentinels or number is None:
        assert found == (None, Quality.SENTINEL)
        return
    exact = number * Fraction(scale[0], 10 ** scale[1]) + Fraction(offset[0], 10 ** offset[1])
    mantissa = round(exact * 10**places)
    if -(1 << 63) <= mantissa < 1 << 63:
        assert found == (mantissa, Quality.GOOD)
    else:
        assert found == (None, Quality.RANGE)


@given(st.data(), st.tuples(ORDERS, ORDERS), SCALES, OFFSETS, PLACES)
def test_readings_are_the_rounded_fraction(data, orders, scale, offset, places):
    for kind in WHOLE:
        check(data.draw(patterns(kind)), kind, orders, scale, offset, places, ())


@given(st.data(), st.tuples(ORDERS, ORDERS), PLACES)
def test_sentinels_are_compared_as_the_device_means_them(data, orders, places):
    for kind in WHOLE:
        value = data.draw(patterns(kind))
        raw = int.from_bytes(value, "big")
        check(value, kind, orders, (1, 0), (0, 0), places, (raw,))
        check(value, kind, orders, (1, 0), (0, 0), places, (raw ^ 1,))


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), PLACES)
def test_every_float_a_meter_sends_keeps_its_places(number: float, places: int):
    check(struct.pack(">f", number), "f32", ("big", "big"), (1, 0), (0, 0), places, ())


@given(st.integers(0, 99_999_999))
def test_packed_decimal_digits_read_as_they_look(number: int):
    check(bytes.fromhex(f"{number:08d}"), "bcd32", ("big", "big"), (1, 0), (0, 0), 0, ())


@given(st.data())
def test_floats_come_apart_exactly_down_to_the_smallest(data):
    """A subnormal rounds to 0 at any places; only its parts show whether it was understood."""
    for kind in ("f32", "f64"):
        value = data.draw(patterns(kind))
        parts = split_float(int.from_bytes(value, "big"), kind)
        number = meaning(value, kind)
        if number is None:
            assert parts is None
        else:
            assert Fraction(parts[0]) * Fraction(2) ** parts[1] == number


def test_every_edge_pattern_in_every_order():
    for kind, edges in (("f32", F32), ("f64", F64)):
        for raw in edges:
            value = raw.to_bytes(2 * WIDTHS[kind], "big")
            for word_order in ("big", "little"):
                for byte_order in ("big", "little"):
                    for places in (0, 3, 9):
                        orders = (word_order, byte_order)
                        check(value, kind, orders, (1, 0), (0, 0), places, ())


@given(st.integers(0, 65535), ORDERS)
def test_the_bytes_of_a_register_are_its_halves(register: int, byte_order):
    pair = register.to_bytes(2, byte_order)
    found = [
        decode_reading((register,), kind, "big", byte_order, (1, 0), (0, 0), 0, ())
        for kind in ("u8_high", "u8_low")
    ]
    assert found == [(pair[0], Quality.GOOD), (pair[1], Quality.GOOD)]


@given(
    st.lists(st.tuples(st.integers(-(1 << 40), 1 << 40), DECIMALS), min_size=1, max_size=4),
    st.integers(-10, 10),
    OFFSETS,
    PLACES,
)
def test_terms_are_one_rounded_fraction(terms, exponent, offset, places):
    parts = [((raw, 1), scale) for raw, scale in terms]
    exact = sum(Fraction(raw) * Fraction(m, 10**p) for raw, (m, p) in terms)
    exact = exact * Fraction(10) ** exponent + Fraction(offset[0], 10 ** offset[1])
    mantissa = round(exact * 10**places)
    found = sum_terms(parts, exponent, offset, places)
    if -(1 << 63) <= mantissa < 1 << 63:
        assert found == (mantissa, Quality.GOOD)
    else:
        assert found == (None, Quality.RANGE)


@given(st.integers(0, (1 << 32) - 1), st.floats(0, 1, width=32, exclude_max=True), PLACES)
def test_an_integer_and_its_float_fraction_are_added_exactly(whole, fraction, places):
    pattern = int.from_bytes(struct.pack(">f", fraction), "big")
    parts = [(decode_ratio(whole, "u32"), (1, 0)), (decode_ratio(pattern, "f32"), (1, 0))]
    assert None not in [ratio for ratio, _ in parts]
    expected = round((whole + Fraction(fraction)) * 10**places)
    assert sum_terms(parts, 0, (0, 0), places) == (expected, Quality.GOOD)
