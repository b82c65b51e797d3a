"""The registers that configure a device, as its profile names them: what may be written, and how.

A setting's value is what a person says: a station number, a baud rate, a format such as "8E1", a
ratio. Its registers come from the profile alone.
"""

from collections import namedtuple

from edge.core.bus.rtu import READ_HOLDING
from edge.core.errors import DataError
from edge.core.numbers.words import WIDTHS, decode_ratio, join_words

#: One setting. function: 6 or 16; values: ((what a person says, register value), ...) or () for
#: numbers as they are; minimum, maximum: of the number; at_once: it takes effect with the write.
Setting = namedtuple(
    "Setting",
    (
        "name",
        "function",
        "address",
        "kind",
        "word_order",
        "byte_order",
        "values",
        "minimum",
        "maximum",
        "at_once",
        "note",
    ),
)

READ_FUNCTION = READ_HOLDING


def parse_settings(document: dict) -> tuple[Setting, ...]:
    """The settings of a profile document whose shape the schema has checked, in its order."""
    found = []
    for item in document.get("settings", []):
        values = item.get("values", {})
        pairs = [(key, values[key]) for key in sorted(values, key=lambda key: (values[key], key))]
        found.append(
            Setting(
                item["name"],
                item["function"],
                item["address"],
                item["type"],
                document["word_order"],
                document["byte_order"],
                tuple(pairs),
                item.get("minimum", 0),
                item.get("maximum", 65535),
                item.get("takes_effect", "at_once") == "at_once",
                item.get("note", ""),
            )
        )
    return tuple(found)


def width(setting: Setting) -> int:
    """Registers a setting takes."""
    return WIDTHS[setting.kind]


def encode_setting(setting: Setting, wanted: str) -> tuple[int, ...]:
    """The registers that mean `wanted`.

    Raises DataError "data.range" for a value that the profile does not allow.
    """
    number = None
    for said, raw in setting.values:
        if said == wanted:
            number = raw
    if not setting.values and wanted.isdigit():
        number = int(wanted)
        if number < setting.minimum or number > setting.maximum:
            number = None
    if number is None or (setting.kind == "u16" and number > 0xFFFF) or number > 0xFFFFFF:
        raise DataError("data.range", what=setting.name, value=wanted)
    raw = _float_bits(number) if setting.kind == "f32" else number
    if setting.kind == "u16":
        words = [raw]
    else:
        words = [raw >> 16, raw & 0xFFFF]
    if setting.byte_order == "little":
        words = [(word >> 8) | ((word & 0xFF) << 8) for word in words]
    if setting.word_order == "little":
        words = list(reversed(words))
    return tuple(words)


def allowed(setting: Setting) -> str:
    """What may be wished for, in a person's words."""
    if setting.values:
        return "one of " + ", ".join([str(said) for said, _ in setting.values])
    most = min(setting.maximum, 0xFFFF if setting.kind == "u16" else 0xFFFFFF)
    return "a whole number, " + str(setting.minimum) + " to " + str(most)


def decode_setting(setting: Setting, registers: tuple[int, ...]) -> str | None:
    """What the registers mean, in a person's words; None for what the profile does not know."""
    raw = join_words(registers, setting.word_order, setting.byte_order)
    ratio = decode_ratio(raw, setting.kind)
    if ratio is None or ratio[0] % ratio[1]:
        return None
    number = ratio[0] // ratio[1]
    if not setting.values:
        return str(number)
    for said, value in setting.values:
        if value == number:
            return str(said)
    return None


def _float_bits(number: int) -> int:
    """IEEE 754 binary32 of an integer 0..2^24-1, which it holds exactly."""
    if number == 0:
        return 0
    size = 0
    while number >> size:
        size += 1
    fraction = (number << (24 - size)) & 0x7FFFFF
    return ((126 + size) << 23) | fraction
