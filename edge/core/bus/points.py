"""The points of a profile: what one value of a device is made of."""

from collections import namedtuple

#: One part of a value: raw x scale. address: 0-based wire address; scale: (mantissa, places).
Term = namedtuple("Term", ("address", "kind", "scale"))

#: One value of a device: sum of its terms x 10^exponent + offset, read in one block.
#: address, span: the registers (bits with functions 1 and 2) from the first term to the last.
#: kind, scale: of the only term; "terms" and (1, 0) for a value of several; kind "str" for text.
#: point_class: "counter", "gauge", "status" or "identity"; evidence: keep raw registers with each
#: poll; exponent: (address, kind) of its scale register or None; sentinels: beside its type's;
#: rollover: modulus of a counter as a mantissa at `places`, None where its registers bound it.
Point = namedtuple(
    "Point",
    (
        "name",
        "function",
        "address",
        "span",
        "kind",
        "scale",
        "offset",
        "unit",
        "places",
        "point_class",
        "evidence",
        "terms",
        "exponent",
        "sentinels",
        "rollover",
    ),
)

IDENTITY = "identity"


def width(point: Point) -> int:
    """Registers that must be read together for a point; bits with functions 1 and 2."""
    return int(point.span)
