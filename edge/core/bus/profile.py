"""A device profile as validated values: which registers a model has and what they mean.

A profile document is the plain dictionary that `edge/profiles/*.toml` parses to; its shape is
checked against the JSON Schema first, its meaning here. Readings decode through the profile
alone, so its digest names the rules that made them.
"""

import hashlib

from edge.core.bus.decode import decode_point
from edge.core.bus.model import Model, most_in_block
from edge.core.bus.point_document import list_of, parse_point, refuse
from edge.core.bus.points import IDENTITY
from edge.core.bus.points import Point as Point
from edge.core.bus.points import width as width
from edge.core.bus.rtu import REGISTERS_MAX
from edge.core.errors import ProfileError
from edge.core.numbers import pack, words


class Profile(Model):
    """One device model, immutable after `parse_profile`.

    points: tuple of Point to poll, ascending by (function, address).
    identity: tuple of Point of class "identity": never polled, they tell which device it is.
    confidence: "high", "medium", "low", or "" when the document does not say.
    """

    def __init__(
        self,
        profile_id: str,
        word_order: str,
        byte_order: str,
        max_block_registers: int,
        gap_ms: int,
        forbidden: tuple[tuple[int, int], ...],
        sentinels: dict[str, tuple[int, ...]],
        points: tuple[Point, ...],
        confidence: str = "",
    ) -> None:
        """points: of every class, ascending by (function, address)."""
        super().__init__(
            profile_id,
            word_order,
            byte_order,
            max_block_registers,
            gap_ms,
            forbidden,
            sentinels,
            b"",
        )
        self.confidence = confidence
        self.points = tuple([p for p in points if p.point_class != IDENTITY])
        self.identity = tuple([p for p in points if p.point_class == IDENTITY])
        self.digest = hashlib.sha256(self._meaning()).digest()

    def _meaning(self) -> bytes:
        sentinels = [
            [kind, list(self.sentinels[kind])] for kind in sorted(self.sentinels, key=str)
        ]
        points = [
            list(p[:11]) + [[list(t) for t in p.terms], p.exponent, list(p.sentinels), p.rollover]
            for p in self.points
        ]
        return pack.encode([self.id, self.word_order, self.byte_order, sentinels, points])

    def select(self, names: tuple[str, ...]) -> tuple[Point, ...]:
        """The points named, in profile order; all of them when `names` is empty.

        Raises ProfileError "config.profile" for a name the profile does not poll.
        """
        known = [point.name for point in self.points]
        for name in names:
            if name not in known:
                raise ProfileError("config.profile", profile=self.id, reason="no point " + name)
        return tuple(point for point in self.points if not names or point.name in names)

    def decode(self, point: Point, registers: tuple[int, ...]) -> tuple[int | None, int]:
        """The registers of a point's span as (mantissa at point.places, quality)."""
        return decode_point(self, point, registers)

    def decode_text(self, point: Point, registers: tuple[int, ...]) -> str | None:
        """The text of a point of type "str"; None when it holds none."""
        return words.decode_text(registers, self.byte_order)


def _check_points(
    profile_id: str,
    points: tuple[Point, ...],
    limit: int,
    forbidden: tuple[tuple[int, int], ...],
) -> None:
    names = set()
    for point in points:
        if point.name in names:
            refuse(profile_id, "point " + point.name + " twice")
        names.add(point.name)
        if point.span > most_in_block(point.function, limit):
            refuse(profile_id, point.name + ": wider than max_block_registers")
        for first, last in forbidden:
            if point.address <= last and first < point.address + point.span:
                refuse(profile_id, point.name + ": lies in a forbidden range")
    _check_overlaps(profile_id, points)


def _check_overlaps(profile_id: str, points: tuple[Point, ...]) -> None:
    """Two values may share a whole term (two bytes of one register), never a part of one."""
    taken = []
    for point in points:
        for term in point.terms:
            taken.append((point.function, term.address, words.WIDTHS[term.kind], point.name))
    taken.sort(key=lambda item: item)
    for before, after in zip(taken, taken[1:]):
        if before[0] != after[0] or before[:3] == after[:3]:
            continue
        if after[1] < before[1] + before[2]:
            refuse(profile_id, before[3] + " and " + after[3] + " overlap")


def parse_profile(document: dict[str, object]) -> Profile:
    """Build a Profile from its parsed document, whose shape the schema has checked.

    Raises ProfileError "config.profile" for what a schema cannot say: overlaps, a point wider
    than a block, a forbidden range that holds a point, a scale of zero, a limit above 125.
    """
    profile_id = str(document["id"])
    limit = int(str(document["max_block_registers"]))
    if limit < 1 or limit > REGISTERS_MAX:
        refuse(profile_id, "max_block_registers is outside 1..125")
    forbidden = tuple((pair[0], pair[1]) for pair in list_of(document, "forbidden"))
    function = int(str(document["function"]))
    found = [parse_point(item, profile_id, function) for item in list_of(document, "points")]
    points = tuple(sorted(found, key=lambda p: (p.function, p.address, p.name)))
    _check_points(profile_id, points, limit, forbidden)
    raw: object = document.get("sentinels", {})
    sentinels = {}
    if isinstance(raw, dict):
        for kind in raw:
            sentinels[str(kind)] = tuple(sorted(raw[kind], key=lambda value: (value,)))
    provenance = document.get("provenance")
    return Profile(
        profile_id,
        str(document["word_order"]),
        str(document["byte_order"]),
        limit,
        int(str(document.get("gap_ms", 0))),
        forbidden,
        sentinels,
        points,
        str(provenance["confidence"]) if isinstance(provenance, dict) else "",
    )
