"""How a point is read, where it is plain: decided once, before the first poll."""

from edge.core.bus.model import Model
from edge.core.bus.plain import FORMS, U32
from edge.core.bus.points import Point

#: Units per count that keep every integer, and every float that `plain` reads, within 64 bits.
_UNITS_MAX = 1 << 30


def plan_rule(point: Point, profile: Model) -> tuple | None:
    """How to read a plain point; None for one that is not."""
    kind = "u16" if point.kind == "bit" else point.kind
    mantissa, places = point.scale
    if kind not in FORMS or point.exponent is not None or point.offset[0]:
        return None
    if profile.byte_order != "big" or mantissa < 1 or places > point.places:
        return None
    units = mantissa * 10 ** (point.places - places)
    if units > _UNITS_MAX:
        return None
    form = FORMS.index(kind)
    if form >= U32 and profile.word_order != "big":
        form += 1
    odd, twos = units, 0
    while not odd & 1:
        odd, twos = odd >> 1, twos + 1
    sentinels = tuple(point.sentinels) + tuple(profile.sentinels.get(point.kind, ()))
    return point.span, form, odd, twos, sentinels
