"""Values into registers, as a device of some profile would hold them."""

import struct
from fractions import Fraction

from hil_tests.emulator.profile import Point, Profile

#: The largest finite value, f32, and a power of two that f64 holds.
_LARGEST = {"f32": Fraction((2**24 - 1) * 2**104), "f64": Fraction(2**1023)}


def encode_value(value: Fraction, point: Point, profile: Profile) -> tuple[int, ...]:
    """The registers, lowest address first, nearest to `value` that the type can hold.

    A value beyond the type's range is held at its end; a pattern that the profile calls a
    sentinel is stepped over, towards zero.
    """
    scaled = (value - point.offset) / point.scale
    kind, bits = point.type.rstrip("0123456789"), 16 * point.width
    if kind == "f":
        data = _encode_float(scaled, point.type)
    elif kind == "bcd":
        digits = _clamp(round(scaled), 0, 10 ** (bits // 4) - 1)
        data = int(str(digits), 16).to_bytes(bits // 8, "big")
    else:
        data = _encode_integer(scaled, kind == "i", bits, profile.sentinels.get(point.type, ()))
    return order_registers(data, profile)


def order_registers(data: bytes, profile: Profile) -> tuple[int, ...]:
    """Registers for big-endian `data`, in the word and byte order of the profile."""
    order = ">" if profile.byte_order == "big" else "<"
    words = struct.unpack(f"{order}{len(data) // 2}H", data)
    return words if profile.word_order == "big" else words[::-1]


def _encode_float(value: Fraction, kind: str) -> bytes:
    largest = _LARGEST[kind]
    held = max(-largest, min(largest, value))
    return struct.pack(">f" if kind == "f32" else ">d", float(held))


def _encode_integer(
    value: Fraction, is_signed: bool, bits: int, sentinels: tuple[int, ...]
) -> bytes:
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if is_signed else (0, (1 << bits) - 1)
    raw = _clamp(round(value), low, high)
    mask = (1 << bits) - 1
    step = -1 if raw > 0 else 1
    while raw & mask in sentinels:
        raw += step
    return (raw & mask).to_bytes(bits // 8, "big")


def _clamp(value: int, low: int, high: int) -> int:
    return max(low, min(high, value))
