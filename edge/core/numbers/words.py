"""Modbus registers to exact readings, by integer arithmetic alone.

Registers are integers 0..65535 in wire order. A reading is an integer mantissa at the places its
point declares, or None with a quality code. IEEE 754-2019 binary32 and binary64 are taken apart
bit by bit: a 32-bit float unit would give other bits than a 64-bit one.
"""

from edge.core.errors import DataError
from edge.core.numbers.fixed import INT64_MAX, INT64_MIN, div_round
from edge.core.numbers.quality import Quality

#: type -> registers it takes
WIDTHS = {
    "u16": 1,
    "i16": 1,
    "u32": 2,
    "i32": 2,
    "u64": 4,
    "i64": 4,
    "f32": 2,
    "f64": 4,
    "bcd16": 1,
    "bcd32": 2,
}

# fraction bits, exponent mask, exponent bias (IEEE 754-2019 table 3.5)
_BINARY = {"f32": (23, 0xFF, 127), "f64": (52, 0x7FF, 1023)}


def join_words(registers: tuple[int, ...], word_order: str, byte_order: str) -> int:
    """Join registers to one unsigned integer.

    word_order: "big" has the high word first; "little" the low word first.
    byte_order: "big" as Modbus sends a register; "little" for devices that swap its bytes.
    """
    value = 0
    for register in registers if word_order == "big" else reversed(registers):
        if byte_order == "little":
            register = (register >> 8) | ((register & 0xFF) << 8)
        value = (value << 16) | register
    return value


def split_float(raw: int, kind: str) -> tuple[int, int] | None:
    """Take an IEEE 754 pattern apart: value = significand x 2^exponent, or None for NaN and inf.

    kind: "f32" or "f64".
    """
    fraction_bits, exponent_mask, bias = _BINARY[kind]
    fraction = raw & ((1 << fraction_bits) - 1)
    exponent = (raw >> fraction_bits) & exponent_mask
    negative = raw >> (fraction_bits + (8 if kind == "f32" else 11))
    if exponent == exponent_mask:
        return None
    if exponent:
        fraction |= 1 << fraction_bits
    else:
        exponent = 1  # subnormal
    return (-fraction if negative else fraction), exponent - bias - fraction_bits


def decode_bcd(raw: int, digits: int) -> int | None:
    """Read packed decimal digits; None when a nibble is above 9."""
    value = 0
    for position in range(digits - 1, -1, -1):
        nibble = (raw >> (4 * position)) & 0xF
        if nibble > 9:
            return None
        value = value * 10 + nibble
    return value


def decode_ratio(raw: int, kind: str) -> tuple[int, int] | None:
    """Turn a joined pattern of type `kind` into an exact ratio (numerator, denominator).

    Returns None when the pattern holds no number (NaN, infinity, broken BCD).
    Raises DataError "data.range" for an unknown type.
    """
    if kind not in WIDTHS:
        raise DataError("data.range", what="type", value=kind)
    if kind in _BINARY:
        parts = split_float(raw, kind)
        if parts is None:
            return None
        significand, exponent = parts
        if exponent >= 0:
            return significand << exponent, 1
        return significand, 1 << -exponent
    if kind.startswith("bcd"):
        number = decode_bcd(raw, 4 * WIDTHS[kind])
        return None if number is None else (number, 1)
    bits = 16 * WIDTHS[kind]
    if kind.startswith("i") and raw >> (bits - 1):
        raw -= 1 << bits
    return raw, 1


def decode_reading(
    registers: tuple[int, ...],
    kind: str,
    word_order: str,
    byte_order: str,
    scale: tuple[int, int],
    offset: tuple[int, int],
    places: int,
    sentinels: tuple[int, ...],
) -> tuple[int | None, int]:
    """Decode the registers of one point to (mantissa at `places`, quality).

    scale, offset: exact decimals (mantissa, places); value = raw x scale + offset.
    sentinels: raw unsigned patterns that mean "no value".
    Rounded once, half-even, at the end. A value beyond 64 bits is None with Quality.RANGE.
    """
    raw = join_words(registers, word_order, byte_order)
    if raw in sentinels:
        return None, Quality.SENTINEL
    ratio = decode_ratio(raw, kind)
    if ratio is None:
        return None, Quality.SENTINEL
    numerator, denominator = ratio
    numerator = numerator * scale[0] * 10 ** offset[1] + offset[0] * denominator * 10 ** scale[1]
    denominator = denominator * 10 ** (scale[1] + offset[1])
    mantissa = div_round(numerator * 10**places, denominator)
    if mantissa < INT64_MIN or mantissa > INT64_MAX:
        return None, Quality.RANGE
    return mantissa, Quality.GOOD
