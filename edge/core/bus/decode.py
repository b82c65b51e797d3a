"""The registers of one point to its value, by exact ratios: the rules for all points.

`plain` does the same for those that need less.
"""

from edge.core.bus.model import Model
from edge.core.bus.points import Point
from edge.core.numbers import words
from edge.core.numbers.quality import Quality


def decode_point(model: Model, point: Point, registers: tuple[int, ...]) -> tuple[int | None, int]:
    """Decode the registers of a point's span to (mantissa at point.places, quality).

    One sentinel among its terms, or a scale register without an exponent, and there is none.
    """
    if len(registers) != point.span or point.kind == "str":
        return None, Quality.CORRUPT
    exponent: int | None = 0
    if point.exponent is not None:
        register = registers[point.exponent[0] - point.address]
        exponent = words.decode_exponent(register, point.exponent[1], model.byte_order)
    if exponent is None:
        return None, Quality.SENTINEL
    parts = []
    for term in point.terms:
        first = term.address - point.address
        part = registers[first : first + words.WIDTHS[term.kind]]
        raw = words.raw_of(part, term.kind, model.word_order, model.byte_order)
        if raw in point.sentinels or raw in model.sentinels.get(term.kind, ()):
            return None, Quality.SENTINEL
        ratio = words.decode_ratio(raw, term.kind)
        if ratio is None:
            return None, Quality.SENTINEL
        parts.append((ratio, term.scale))
    return words.sum_terms(parts, exponent, point.offset, point.places)
