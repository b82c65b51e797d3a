"""Points as a device keeps them: a few bytes each, and a Point only while it is looked at.

Of a point's fourteen fields its name and its address are its own; the rest, its shape, it shares
with many others. A Point of its own takes 160 bytes of a microcontroller's heap.
"""

import struct
from collections import namedtuple

from edge.core.bus.points import Point, Term

#: The points of all devices. rows: one after the other as _ROW has it; names: ASCII text, without
#: anything between them; shapes: see `make_point`.
PointTable = namedtuple("PointTable", ("rows", "names", "shapes"))

#: Wire address, where the name begins in `names`, shape, length of the name.
ROW = "<HHHB"
ROW_BYTES = 7


class PackedPoints:
    """`count` points of a table from number `first` on, as a sequence that makes them anew."""

    def __init__(self, table: PointTable, first: int, count: int) -> None:
        self.table = table
        self.first = first
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, at: int) -> Point:
        if not 0 <= at < self.count:
            raise IndexError
        rows, names, shapes = self.table
        row = struct.unpack_from(ROW, rows, (self.first + at) * ROW_BYTES)
        address, name_at, shape, length = row
        name = str(names[name_at : name_at + length], "ascii")
        return make_point(name, address, shapes[shape])


def make_point(name: str, address: int, shape: tuple) -> Point:
    """The point of this shape at an address.

    shape: a Point without name and address; the addresses in it count from its own, and a single
    term that is no more than kind and scale is left out.
    """
    function, span, kind, scale, offset, unit, places, point_class, evidence = shape[:9]
    terms, exponent, sentinels, rollover = shape[9:]
    if exponent is not None:
        exponent = (address + exponent[0], exponent[1])
    parts = [(0, kind, scale)] if not terms and kind != "str" else terms
    terms = tuple([Term(address + part[0], part[1], part[2]) for part in parts])
    head = (name, function, address, span, kind, scale, offset, unit, places, point_class)
    return Point(*(head + (evidence, terms, exponent, sentinels, rollover)))
