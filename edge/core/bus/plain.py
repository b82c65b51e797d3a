"""Plain points: one number of a common type, scaled to whole units of its last place.

Nearly all points of a meter are. What `decode_point` finds of them by exact ratios comes here
from one product and, for a float, one shift, in integers that rarely leave a machine word: an
interpreter on a microcontroller has a fiftieth of the time for a point, and no memory.
"""

from edge.core.numbers.fixed import INT64_MAX, INT64_MIN
from edge.core.numbers.quality import Quality

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: A rule is (span, form, odd, twos, sentinels). span: its registers; form: an index into FORMS,
#: and 1 more where the low word comes first; odd x 2^twos: whole units per count; sentinels: raw
#: patterns that are no number. NOT_PLAIN: the form of a point that is not, which is not read here.
FORMS = ("u16", "i16", "u32", "", "i32", "", "f32")
U32, _I32, _F32 = 2, 4, 6
NOT_PLAIN = -1

#: Floats up to the first exponent keep within 64 bits; the other says infinity or none at all.
_EXPONENT_MAX = 158
_NO_NUMBER = 255


def read_plain(rule: tuple, registers: "Sequence[int]", at: int) -> int | None:
    """The mantissa of a plain point whose registers begin at `at`; None where there is none."""
    form: int
    odd: int
    twos: int
    _, form, odd, twos, sentinels = rule
    high = registers[at]
    if form < U32:
        if high in sentinels:
            return None
        if form and high & 0x8000:
            high -= 0x10000
        return (high << twos) * odd
    low = registers[at + 1]
    if form & 1:
        high, low = low, high
    if sentinels and (high << 16) | low in sentinels:
        return None
    if form >= _F32:
        return _float(high, low, odd, twos)
    if form >= _I32 and high & 0x8000:
        high -= 0x10000
    return (((high << 16) | low) << twos) * odd


def _float(high: int, low: int, odd: int, twos: int) -> int | None:
    """IEEE 754 binary32 x odd x 2^twos, half-even."""
    exponent = (high >> 7) & 0xFF
    if exponent == _NO_NUMBER:
        return None
    fraction = (high & 0x7F) << 16 | low
    if exponent:
        fraction |= 0x800000
    else:
        exponent = 1  # subnormal
    shift = 150 - exponent - twos
    if shift <= 0:
        value = (fraction << -shift) * odd
    else:
        # The whole part and the rest apart: their products stay small.
        value = fraction >> shift
        part = (fraction - (value << shift)) * odd
        value = value * odd + (part >> shift)
        twice = 2 * (part & ((1 << shift) - 1))
        if twice >> shift and (value & 1 or twice != 1 << shift):
            value += 1
    if high & 0x8000:
        value = -value
    if exponent > _EXPONENT_MAX and not INT64_MIN <= value <= INT64_MAX:
        return None
    return value


def why_none(rule: tuple, registers: "Sequence[int]", at: int) -> int:
    """The quality of a plain point of which there is no mantissa."""
    _, form, _, _, sentinels = rule
    if form < _F32:
        return Quality.SENTINEL
    high, low = registers[at], registers[at + 1]
    if form & 1:
        high, low = low, high
    is_number = (high >> 7) & 0xFF != _NO_NUMBER and (high << 16) | low not in sentinels
    return Quality.RANGE if is_number else Quality.SENTINEL
