"""Values into registers, as a device of some profile would hold them."""

import struct
from collections.abc import Sequence
from fractions import Fraction

from hil_tests.emulator.profile import WIDTHS, Point, Profile

#: The largest finite value, f32, and a power of two that f64 holds.
_LARGEST = {"f32": Fraction((2**24 - 1) * 2**104), "f64": Fraction(2**1023)}

#: What a scale register may say (SunSpec, sunssf).
_EXPONENTS = range(-10, 11)

#: (address, mask, word): the masked bits of a register are those of `word`
Part = tuple[int, int, int]


def encode_value(value: Fraction, point: Point, profile: Profile) -> tuple[int, ...]:
    """The registers of the point's span, lowest address first, nearest to `value` it can hold.

    A value beyond the type's range is held at its end; a pattern that the profile calls a
    sentinel is stepped over, towards zero. What is not the point's own is 0.
    """
    exponent = fit_exponent([(value, point)]) if point.exponent else 0
    words = [0] * point.width
    for address, mask, word in encode_parts(value, point, profile, exponent):
        words[address - point.address] |= word & mask
    return tuple(words)


def encode_parts(value: Fraction, point: Point, profile: Profile, exponent: int) -> list[Part]:
    """The point's own registers for `value` with 10^`exponent` in its scale register."""
    parts: list[Part] = []
    if point.exponent is not None:
        address, kind = point.exponent
        stored = exponent if kind == "i16" else -exponent
        [word] = order_registers((stored & 0xFFFF).to_bytes(2, "big"), profile)
        parts.append((address, 0xFFFF, word))
    rest = (value - point.offset) / Fraction(10) ** exponent
    terms = sorted(point.parts, key=lambda term: -abs(term.scale))
    for index, term in enumerate(terms):
        is_last = index == len(terms) - 1
        scaled = rest / term.scale
        if not is_last and not term.type.startswith("f"):
            scaled = Fraction(int(scaled))
        marks = (*profile.sentinels.get(term.type, ()), *point.sentinels)
        data, held = _encode(scaled, term.type, marks)
        rest -= held * term.scale
        parts += _place(data, term.type, term.address, profile)
    return parts


def fit_exponent(values: Sequence[tuple[Fraction, Point]]) -> int:
    """The power of ten that keeps the most places and lets every value fit its type."""
    places = min(point.places for _, point in values)
    kinds = {point.exponent[1] for _, point in values if point.exponent is not None}
    for exponent in _EXPONENTS:
        if exponent >= -places and all(_fits(value, point, exponent) for value, point in values):
            return exponent if kinds == {"i16"} else min(exponent, 0)
    return 0


def _fits(value: Fraction, point: Point, exponent: int) -> bool:
    term = point.parts[0]
    if term.type.startswith("f") or len(point.parts) > 1:
        return True
    low, high = _limits(term.type)
    return low < (value - point.offset) / term.scale / Fraction(10) ** exponent < high


def encode_text(text: str, count: int, profile: Profile) -> tuple[int, ...]:
    """`text` in `count` registers, two characters each, padded with NUL."""
    data = text.encode("ascii", "replace")[: 2 * count].ljust(2 * count, b"\0")
    order = ">" if profile.byte_order == "big" else "<"
    return struct.unpack(f"{order}{count}H", data)


def order_registers(data: bytes, profile: Profile) -> tuple[int, ...]:
    """Registers for big-endian `data`, in the word and byte order of the profile."""
    order = ">" if profile.byte_order == "big" else "<"
    words = struct.unpack(f"{order}{len(data) // 2}H", data)
    return words if profile.word_order == "big" else words[::-1]


def _place(data: bytes, kind: str, address: int, profile: Profile) -> list[Part]:
    if kind == "bit":
        return [(address, 1, data[-1])]
    if kind.startswith("u8_"):
        mask, both = (b"\xff\0", data + b"\0") if kind == "u8_high" else (b"\0\xff", b"\0" + data)
        [word], [bits] = order_registers(both, profile), order_registers(mask, profile)
        return [(address, bits, word)]
    words = order_registers(data, profile)
    return [(address + index, 0xFFFF, word) for index, word in enumerate(words)]


def _encode(scaled: Fraction, kind: str, sentinels: tuple[int, ...]) -> tuple[bytes, Fraction]:
    """(big-endian bytes, the value that they hold)."""
    if kind.startswith("f"):
        held = max(-_LARGEST[kind], min(_LARGEST[kind], scaled))
        data = struct.pack(">f" if kind == "f32" else ">d", float(held))
        [number] = struct.unpack(">f" if kind == "f32" else ">d", data)
        return data, Fraction(number)
    low, high = _limits(kind)
    raw = max(low, min(high, round(scaled)))
    size = 1 if kind[:3] in ("u8_", "bit") else 2 * WIDTHS[kind]
    if kind.startswith("bcd"):
        return int(str(raw), 16).to_bytes(size, "big"), Fraction(raw)
    mask = (1 << 8 * size) - 1
    step = -1 if raw > 0 else 1
    while raw & mask in sentinels:
        raw += step
    return (raw & mask).to_bytes(size, "big"), Fraction(raw)


def _limits(kind: str) -> tuple[int, int]:
    """The smallest and the largest raw number of an integer type."""
    if kind == "bit":
        return 0, 1
    bits = 8 if kind.startswith("u8_") else 16 * WIDTHS[kind]
    if kind.startswith("bcd"):
        return 0, 10 ** (bits // 4) - 1
    if kind.startswith("i"):
        return -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1
