from edge.core.errors import TallyError
from edge.core.numbers import words
from edge.core.numbers.quality import Quality

ONE = (1, 0)
ZERO = (0, 0)


def reading(registers, kind, places, word_order="big", byte_order="big", scale=ONE, offset=ZERO):
    return words.decode_reading(registers, kind, word_order, byte_order, scale, offset, places, ())


def test_floats_of_a_published_meter_frame():
    # Reply 01 04 0C 43 6B 5A B4 42 DC 67 20 42 48 0C 63: 235.35 V, 110.20 A, 50.012 Hz.
    assert reading((0x436B, 0x5AB4), "f32", 2) == (23535, Quality.GOOD)
    assert reading((0x42DC, 0x6720), "f32", 2) == (11020, Quality.GOOD)
    assert reading((0x4248, 0x0C63), "f32", 3) == (50012, Quality.GOOD)


def test_floats_at_their_edges():
    assert reading((0x3F80, 0), "f32", 0) == (1, 0)
    assert reading((0xBF80, 0), "f32", 0) == (-1, 0)
    assert reading((0x8000, 0), "f32", 3) == (0, 0)
    assert reading((0, 1), "f32", 9) == (0, 0)  # smallest subnormal
    assert reading((0x3F00, 0), "f32", 0) == (0, 0)  # 0.5 ties to even
    assert reading((0x3FC0, 0), "f32", 0) == (2, 0)  # 1.5 ties to even
    assert reading((0x7F80, 0), "f32", 0) == (None, Quality.SENTINEL)
    assert reading((0xFF80, 0), "f32", 0) == (None, Quality.SENTINEL)
    assert reading((0x7FC0, 0), "f32", 0) == (None, Quality.SENTINEL)
    assert reading((0x7F7F, 0xFFFF), "f32", 0) == (None, Quality.RANGE)
    assert reading((0x4059, 0, 0, 0), "f64", 1) == (1000, 0)
    assert reading((0x7FF8, 0, 0, 0), "f64", 1) == (None, Quality.SENTINEL)


def test_integers_are_signed_by_their_type_alone():
    assert reading((0xFFFF,), "u16", 0) == (65535, 0)
    assert reading((0xFFFF,), "i16", 0) == (-1, 0)
    assert reading((0x8000, 0), "i32", 0) == (-(1 << 31), 0)
    assert reading((0x8000, 0), "u32", 0) == (1 << 31, 0)
    assert reading((0x8000, 0, 0, 0), "i64", 0) == (-(1 << 63), 0)
    assert reading((0x8000, 0, 0, 0), "u64", 0) == (None, Quality.RANGE)


def test_word_and_byte_order():
    assert reading((0x1234, 0x5678), "u32", 0) == (0x12345678, 0)
    assert reading((0x1234, 0x5678), "u32", 0, "little") == (0x56781234, 0)
    assert reading((0x1234, 0x5678), "u32", 0, "big", "little") == (0x34127856, 0)
    assert reading((0x1234, 0x5678), "u32", 0, "little", "little") == (0x78563412, 0)


def test_scale_and_offset_are_exact_decimals():
    assert reading((235,), "u16", 1, scale=(1, 1)) == (235, 0)
    assert reading((235,), "u16", 0, scale=(1, 1)) == (24, 0)  # 23.5 ties to even
    assert reading((29,), "u16", 2, scale=(1, 2)) == (29, 0)
    assert reading((30123,), "u16", 1, scale=(1, 1), offset=(-3000, 0)) == (123, 0)
    assert reading((2981,), "u16", 2, scale=(1, 1), offset=(-27315, 2)) == (2495, 0)


def test_bcd_and_its_broken_nibbles():
    assert reading((0x1234, 0x5678), "bcd32", 0) == (12345678, 0)
    assert reading((0x12A4,), "bcd16", 0) == (None, Quality.SENTINEL)


def test_a_sentinel_is_no_value():
    value = words.decode_reading(
        (0xFFFF, 0x7FFF), "i32", "little", "big", (1, 1), ZERO, 1, (0x7FFFFFFF,)
    )
    assert value == (None, Quality.SENTINEL)


def test_the_two_bytes_of_a_register():
    assert reading((0x1234,), "u8_high", 0) == (0x12, 0)
    assert reading((0x1234,), "u8_low", 0) == (0x34, 0)
    assert reading((0x1234,), "u8_low", 0, byte_order="little") == (0x12, 0)
    found = words.decode_reading((0xFF34,), "u8_high", "big", "big", ONE, ZERO, 0, (0xFF,))
    assert found == (None, Quality.SENTINEL)


def test_a_bit_is_zero_or_one():
    assert reading((1,), "bit", 0) == (1, 0)
    assert reading((0,), "bit", 0) == (0, 0)


def test_terms_are_summed_before_they_are_rounded():
    # 3 x 10000 + 1234; 0.5 + 0.25 + 0.25 rounds once, to 1
    assert words.sum_terms([((3, 1), (10000, 0)), ((1234, 1), ONE)], 0, ZERO, 0) == (31234, 0)
    half, quarter = ((1, 2), ONE), ((1, 4), ONE)
    assert words.sum_terms([half, quarter, quarter], 0, ZERO, 0) == (1, 0)
    assert words.sum_terms([((7, 1), (1, 1))], 0, (-400, 1), 1) == (-393, 0)
    assert words.sum_terms([((1 << 63, 1), ONE)], 0, ZERO, 0) == (None, Quality.RANGE)


def test_an_exponent_scales_the_terms_and_not_the_offset():
    assert words.sum_terms([((2304, 1), ONE)], -1, ZERO, 2) == (23040, 0)
    assert words.sum_terms([((5, 1), ONE)], 3, (-27315, 2), 2) == (472685, 0)
    assert words.sum_terms([((25, 1), ONE)], -1, ZERO, 0) == (2, 0)  # 2.5 ties to even


def test_exponents_of_scale_registers():
    assert words.decode_exponent(0xFFFE, "i16", "big") == -2
    assert words.decode_exponent(0xFEFF, "i16", "little") == -2
    assert words.decode_exponent(10, "i16", "big") == 10
    assert words.decode_exponent(0xFFF6, "i16", "big") == -10
    for register in (11, 0xFFF5, 0x8000, 0xFFFF - 0x7000):
        assert words.decode_exponent(register, "i16", "big") is None, register
    assert words.decode_exponent(2, "places", "big") == -2
    assert words.decode_exponent(0, "places", "big") == 0
    assert words.decode_exponent(11, "places", "big") is None
    assert words.decode_exponent(0xFFFF, "places", "big") is None


def test_texts_without_their_padding():
    assert words.decode_text((0x4232, 0x3320, 0x0000), "big") == "B23"
    assert words.decode_text((0x3242, 0x2033), "little") == "B23"
    assert words.decode_text((0, 0), "big") is None
    assert words.decode_text((0x42FF,), "big") is None


def test_an_unknown_type_is_refused():
    try:
        words.decode_ratio(1, "u24")
    except TallyError as error:
        assert error.code == "data.range"
    else:
        raise AssertionError("accepted")
