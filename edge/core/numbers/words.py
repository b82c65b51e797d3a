"""Modbus registers to exact readings, by integer arithmetic alone.

Registers are integers 0..65535 in wire order. A reading is an integer mantissa at the places its
point declares, or None with a quality code. IEEE 754-2019 binary32 and binary64 are taken apart
bit by bit: a 32-bit float unit would give other bits than a 64-bit one.
"""

from edge.core.errors import DataError
from edge.core.numbers.fixed import INT64_MAX, INT64_MIN, div_round
from edge.core.numbers.quality import Quality

#: type -> registers it takes (bit: one bit of a reply to function 1 or 2)
WIDTHS = {
    "bit": 1,
    "u8_high": 1,
    "u8_low": 1,
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

#: Exponents of ten that a scale register may hold; beyond them it holds no exponent.
EXPONENT_MAX = 10

#: SunSpec's "not implemented" in a scale factor.
EXPONENT_SENTINEL = 0x8000

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


def raw_of(registers: tuple[int, ...], kind: str, word_order: str, byte_order: str) -> int:
    """The unsigned pattern of a value of type `kind`, what sentinels are compared with.

    registers: as many as the type takes.
    """
    raw = join_words(registers, word_order, byte_order)
    if kind == "u8_high":
        return raw >> 8
    return raw & 0xFF if kind == "u8_low" else raw


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
    if kind[0] == "i" and raw >> (bits - 1):
        raw -= 1 << bits
    return raw, 1


def decode_exponent(register: int, kind: str, byte_order: str) -> int | None:
    """The power of ten in a scale register; None when it holds none.

    kind: "i16", or "places" for one that counts decimal places: n there means 10^-n.
    Source: SunSpec Information Model Specification, sunssf (-10..10, 0x8000 not implemented).
    """
    raw = join_words((register,), "big", byte_order)
    if raw == EXPONENT_SENTINEL:
        return None
    exponent = -raw if kind == "places" else raw - ((raw & 0x8000) << 1)
    return exponent if -EXPONENT_MAX <= exponent <= EXPONENT_MAX else None


def sum_terms(
    terms: list[tuple[tuple[int, int], tuple[int, int]]],
    exponent: int,
    offset: tuple[int, int],
    places: int,
) -> tuple[int | None, int]:
    """Sum the terms of a value to (mantissa at `places`, quality).

    terms: (exact ratio, scale) each; scale and offset are exact decimals (mantissa, places).
    value = sum of ratio x scale, x 10^exponent, + offset. Rounded once, half-even, at the end.
    A value beyond 64 bits is None with Quality.RANGE.
    """
    numerator, denominator = 0, 1
    for ratio, scale in terms:
        below = ratio[1] * 10 ** scale[1]
        numerator = numerator * below + ratio[0] * scale[0] * denominator
        denominator *= below
    if exponent < 0:
        denominator *= 10**-exponent
    else:
        numerator *= 10**exponent
    numerator = numerator * 10 ** offset[1] + offset[0] * denominator
    denominator *= 10 ** offset[1]
    mantissa = div_round(numerator * 10**places, denominator)
    if mantissa < INT64_MIN or mantissa > INT64_MAX:
        return None, Quality.RANGE
    return mantissa, Quality.GOOD


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
    """Decode the registers of one plain value to (mantissa at `places`, quality).

    scale, offset: exact decimals (mantissa, places); value = raw x scale + offset.
    sentinels: raw unsigned patterns that mean "no value".
    """
    raw = raw_of(registers, kind, word_order, byte_order)
    ratio = None if raw in sentinels else decode_ratio(raw, kind)
    if ratio is None:
        return None, Quality.SENTINEL
    return sum_terms([(ratio, scale)], 0, offset, places)


def decode_text(registers: tuple[int, ...], byte_order: str) -> str | None:
    """The ASCII text in registers, two characters each, without the padding at its end.

    None when it holds anything but printable ASCII, or nothing.
    """
    data = bytearray()
    for register in registers:
        pair = (register >> 8, register & 0xFF)
        data.extend(bytes(pair if byte_order == "big" else (pair[1], pair[0])))
    text = bytes(data).rstrip(b"\x00 ")
    if not text or any(byte < 0x20 or byte > 0x7E for byte in text):
        return None
    return text.decode("ascii")
