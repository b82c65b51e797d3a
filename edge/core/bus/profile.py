"""A device profile as validated values: which registers a model has and what they mean.

A profile document is the plain dictionary that `edge/profiles/*.toml` parses to; its shape is
checked against the JSON Schema first, its meaning here. Readings decode through the profile
alone, so its digest names the rules that made them.
"""

import hashlib
from collections import namedtuple

from edge.core.bus.rtu import REGISTERS_MAX
from edge.core.errors import ProfileError, TallyError
from edge.core.numbers import fixed, pack, words
from edge.core.numbers.quality import Quality

#: One register point. address: 0-based wire address; scale, offset: (mantissa, places);
#: point_class: "counter", "gauge" or "status"; evidence: keep raw registers with each poll.
Point = namedtuple(
    "Point",
    (
        "name",
        "function",
        "address",
        "kind",
        "scale",
        "offset",
        "unit",
        "places",
        "point_class",
        "evidence",
    ),
)


class Profile:
    """One device model, immutable after `parse_profile`.

    points: tuple of Point, ascending by (function, address).
    forbidden: tuple of (first, last) wire addresses that no block may touch.
    gap_ms: rest the station needs between two requests.
    digest: SHA-256 over everything that decides how a register becomes a reading.
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
    ) -> None:
        self.id = profile_id
        self.word_order = word_order
        self.byte_order = byte_order
        self.max_block_registers = max_block_registers
        self.gap_ms = gap_ms
        self.forbidden = forbidden
        self.sentinels = sentinels
        self.points = points
        self.digest = hashlib.sha256(self._meaning()).digest()

    def _meaning(self) -> bytes:
        sentinels = [
            [kind, list(self.sentinels[kind])] for kind in sorted(self.sentinels, key=str)
        ]
        return pack.encode(
            [self.id, self.word_order, self.byte_order, sentinels, [list(p) for p in self.points]]
        )

    def select(self, names: tuple[str, ...]) -> tuple[Point, ...]:
        """The points named, in profile order; all of them when `names` is empty.

        Raises ProfileError "config.profile" for a name the profile does not have.
        """
        known = [point.name for point in self.points]
        for name in names:
            if name not in known:
                raise ProfileError("config.profile", profile=self.id, reason="no point " + name)
        return tuple(point for point in self.points if not names or point.name in names)

    def decode(self, point: Point, registers: tuple[int, ...]) -> tuple[int | None, int]:
        """Decode one point's registers to (mantissa at point.places, quality)."""
        if len(registers) != words.WIDTHS[point.kind]:
            return None, Quality.CORRUPT
        return words.decode_reading(
            registers,
            point.kind,
            self.word_order,
            self.byte_order,
            point.scale,
            point.offset,
            point.places,
            self.sentinels.get(point.kind, ()),
        )


def width(point: Point) -> int:
    """Registers a point takes."""
    return words.WIDTHS[point.kind]


def _refuse(profile_id: str, reason: str) -> None:
    raise ProfileError("config.profile", profile=profile_id, reason=reason)


def _parse_point(document: dict[str, object], profile_id: str, function: int) -> Point:
    name = str(document["name"])
    try:
        scale = fixed.parse_decimal(str(document["scale"]))
        offset = fixed.parse_decimal(str(document.get("offset", "0")))
    except TallyError:
        _refuse(profile_id, name + ": scale and offset are plain decimals")
    if scale[0] == 0:
        _refuse(profile_id, name + ": scale is zero")
    point = Point(
        name,
        int(str(document.get("function", function))),
        int(str(document["address"])),
        str(document["type"]),
        scale,
        offset,
        str(document["unit"]),
        int(str(document["places"])),
        str(document["class"]),
        bool(document.get("evidence", False)),
    )
    if point.kind not in words.WIDTHS:
        _refuse(profile_id, name + ": unknown type " + point.kind)
    if point.address + width(point) > 65536:
        _refuse(profile_id, name + ": runs past address 65535")
    return point


def _check_points(
    profile_id: str,
    points: tuple[Point, ...],
    limit: int,
    forbidden: tuple[tuple[int, int], ...],
) -> None:
    names = set()
    for point in points:
        if point.name in names:
            _refuse(profile_id, "point " + point.name + " twice")
        names.add(point.name)
        if width(point) > limit:
            _refuse(profile_id, point.name + ": wider than max_block_registers")
        for first, last in forbidden:
            if point.address <= last and first < point.address + width(point):
                _refuse(profile_id, point.name + ": lies in a forbidden range")
    for before, after in zip(points, points[1:]):
        same = before.function == after.function
        if same and before.address < after.address < before.address + width(before):
            _refuse(profile_id, before.name + " and " + after.name + " overlap")


def parse_profile(document: dict[str, object]) -> Profile:
    """Build a Profile from its parsed document, whose shape the schema has checked.

    Raises ProfileError "config.profile" for what a schema cannot say: overlaps, a point wider
    than a block, a forbidden range that holds a point, a scale of zero, a limit above 125.
    """
    profile_id = str(document["id"])
    limit = int(str(document["max_block_registers"]))
    if limit < 1 or limit > REGISTERS_MAX:
        _refuse(profile_id, "max_block_registers is outside 1..125")
    forbidden = tuple((pair[0], pair[1]) for pair in _list(document, "forbidden"))
    function = int(str(document["function"]))
    found = [_parse_point(item, profile_id, function) for item in _list(document, "points")]
    points = tuple(sorted(found, key=lambda p: (p.function, p.address, p.name)))
    _check_points(profile_id, points, limit, forbidden)
    raw: object = document.get("sentinels", {})
    sentinels = {}
    if isinstance(raw, dict):
        for kind in raw:
            sentinels[str(kind)] = tuple(sorted(raw[kind], key=lambda value: (value,)))
    return Profile(
        profile_id,
        str(document["word_order"]),
        str(document["byte_order"]),
        limit,
        int(str(document.get("gap_ms", 0))),
        forbidden,
        sentinels,
        points,
    )


def _list(document: dict[str, object], key: str) -> list:
    value = document.get(key, [])
    return value if isinstance(value, list) else []
