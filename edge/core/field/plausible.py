"""How plausible a decoded value is for a meter, by integers alone: 0 absurd .. 100 certain."""

from edge.core.numbers.words import split_float

#: The score of a value that nothing speaks for or against.
SMALL = 50

#: (reason, low, high, score) in thousandths of the unit: what the mains of this world show.
BANDS = (
    ("frequency", 49_500, 50_500, 97),
    ("frequency", 59_500, 60_500, 97),
    ("voltage", 215_000, 250_000, 95),
    ("voltage", 375_000, 425_000, 93),
    ("voltage", 105_000, 130_000, 85),
    ("power_factor", 500, 1_000, 80),
    ("power_factor", -1_000, -500, 78),
)

#: Integers hold these in tenths to thousandths; a wider band there would hold too much chance.
_SCALES = (1, 10, 100, 1000)
_INTEGER_BANDS = (
    ("frequency", 49_800, 50_200, (10, 100, 1000)),
    ("frequency", 59_800, 60_200, (10, 100, 1000)),
    ("voltage", 218_000, 242_000, _SCALES),
    ("voltage", 380_000, 415_000, _SCALES),
)

# An exponent below these is outside any meter's range; 2**-17 is about 8e-6, 2**34 about 1.7e10.
_TINY_EXPONENT = -17
_HUGE_EXPONENT = 34


def _in_bands(ratio: tuple[int, int]) -> "tuple[int, str] | None":
    numerator, denominator = ratio
    for reason, low, high, score in BANDS:
        if low * denominator <= numerator * 1000 <= high * denominator:
            return score, reason
    return None


def _size(value: int) -> int:
    """Binary digits of a magnitude."""
    size = 0
    while value:
        value >>= 1
        size += 1
    return size


def judge_float(raw: int, ratio: tuple[int, int] | None, kind: str) -> tuple[int, str]:
    """(score, reason) of an IEEE 754 pattern other than zero."""
    parts = split_float(raw, kind)
    if parts is None or ratio is None:
        return 5, "not_a_number"
    significand, exponent = parts
    size = _size(abs(significand))
    full = 24 if kind == "f32" else 53
    if size < full:
        return (SMALL, "zeros") if significand == 0 else (0, "denormal")
    magnitude = exponent + size
    if magnitude < _TINY_EXPONENT or magnitude > _HUGE_EXPONENT:
        return 2, "absurd"
    banded = _in_bands(ratio)
    if banded is not None:
        return banded
    if magnitude < -10:
        return 30, "tiny"
    if magnitude > 24:
        return 34, "large"
    # Trailing zero bits: a round number, which no accident of order makes.
    if significand % (1 << (full // 3)) == 0:
        return 74, "round"
    return 68, "ordinary"


def judge_integer(raw: int, ratio: tuple[int, int] | None, kind: str) -> tuple[int, str]:
    """(score, reason) of an integer or BCD pattern other than zero."""
    if ratio is None:
        return 0, "not_decimal"
    value = ratio[0]
    if kind.startswith("bcd"):
        return _judge_bcd(raw, value, 4 if kind == "bcd16" else 8)
    for reason, low, high, scales in _INTEGER_BANDS:
        for scale in scales:
            if low * scale <= value * 1000 <= high * scale:
                # A wide register makes an accident rarer.
                return (73 if kind[1:] == "16" else 77), reason
    bits = {"16": 16, "32": 32, "64": 64}[kind[1:]]
    size = _size(abs(value))
    if value == -1:
        return 25, "negative"  # all ones: the high half of a small negative, or "no value"
    if value < 0:
        if size <= 12 or size < bits // 2:
            return 49, "negative"
        return (40, "negative") if 16 < bits and size < 3 * bits // 4 else (8, "absurd")
    if bits == 16:
        return (52, "small") if size <= 13 else (28, "large")
    if size <= bits // 2:
        return 58, "small"
    if size <= bits // 2 + 8:
        return 48, "counter"
    if size <= bits - 3:
        return 35, "large"
    return 4, "absurd"


def _judge_bcd(raw: int, value: int, digits: int) -> tuple[int, str]:
    if raw == value or value < 10:
        return 10, "small"
    shown = len(str(value))
    if digits == 8 and shown >= 6 and value % 10_000:
        return 62, "decimal"
    for reason, low, high, scales in _INTEGER_BANDS:
        for scale in scales:
            if low * scale <= value * 1000 <= high * scale:
                return 51, reason
    return 20, "decimal"


def judge_text(data: bytes) -> tuple[int, str]:
    """(score, text) of bytes as ASCII, padded with NULs or blanks at the end."""
    text = ""
    for byte in data:
        if byte == 0:
            break
        if byte < 32 or byte > 126:
            return 0, ""
        text += chr(byte)
    rest = data[len(text) :]
    text = text.strip()
    if len(text) < 3 or rest != b"\x00" * len(rest):
        return 0, text
    for character in text:
        if not (character.isalpha() or character.isdigit() or character in " -_./:"):
            return 15, text
    return min(98, 40 + 7 * len(text)), text


def power_fits(values: list[tuple[int, int] | None]) -> bool:
    """True if a voltage x a current x a power factor among `values` is a power among them (1 %).

    values: ratios in wire order, at most 62. The voltage must be a mains voltage.
    """
    numbers = [(v[0] * 10_000) // v[1] for v in values if v is not None and v[0] != 0]
    voltages = [n for n in numbers if 1_000_000 <= n <= 4_300_000][:2]
    factors = [n for n in numbers if 1_000 <= abs(n) <= 10_000]
    for voltage in voltages:
        for current in numbers:
            if current <= 100 or current == voltage:
                continue
            for factor in factors:
                if factor == current:
                    continue
                power = voltage * current * factor // 100_000_000
                near = abs(power) // 100
                for found in numbers:
                    if near > 0 and abs(found - power) <= near and found != voltage:
                        return True
    return False
