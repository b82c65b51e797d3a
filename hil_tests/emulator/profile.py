"""Device profiles, read from their TOML files for the emulator and the judge alone.

The gateway has its own reader; this one shares only the files with it.
"""

import tomllib
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import edge.profiles
from edge.core.errors import ProfileError

PROFILE_DIR = Path(edge.profiles.__file__).parent

#: type -> registers it takes; a bit is one of a reply to function 1 or 2
WIDTHS = {
    "u16": 1,
    "i16": 1,
    "bcd16": 1,
    "u32": 2,
    "i32": 2,
    "f32": 2,
    "bcd32": 2,
    "u64": 4,
    "i64": 4,
    "f64": 4,
    "u8_high": 1,
    "u8_low": 1,
    "bit": 1,
}


@dataclass(frozen=True)
class Term:
    """One part of a value: raw x scale."""

    address: int
    type: str
    scale: Fraction


@dataclass(frozen=True)
class Point:
    """One value of a device, kept to `places` decimals.

    value = sum of its terms x 10^exponent + offset; a plain value is one term of `type` and
    `scale` at `address`. exponent: (address, "i16" or "places") of its scale register.
    type "terms": several, in `terms`; "str": text, `count` registers.
    """

    name: str
    function: int
    address: int
    type: str
    scale: Fraction
    offset: Fraction
    unit: str
    places: int
    point_class: str
    terms: tuple[Term, ...] = ()
    exponent: tuple[int, str] | None = None
    sentinels: tuple[int, ...] = ()
    count: int = 0

    @property
    def parts(self) -> tuple[Term, ...]:
        """Its terms, the only one of a plain value included."""
        return self.terms or (Term(self.address, self.type, self.scale),)

    @property
    def width(self) -> int:
        """Registers from its first to its last, those between included."""
        return max(self.own) + 1 - self.address

    @property
    def own(self) -> tuple[int, ...]:
        """The addresses that this value really takes, its scale register included."""
        if self.type == "str":
            return tuple(range(self.address, self.address + self.count))
        taken = [part.address + i for part in self.parts for i in range(WIDTHS[part.type])]
        return tuple(taken + ([self.exponent[0]] if self.exponent else []))


@dataclass(frozen=True)
class Marker:
    """The registers that tell which device it is; expect: what they hold, None if unknown."""

    function: int
    address: int
    count: int
    type: str
    expect: int | str | None


@dataclass(frozen=True)
class Profile:
    """One device model; word_order and byte_order are "big" or "little".

    points: those it measures; identity: those that only tell which device it is.
    """

    id: str
    word_order: str
    byte_order: str
    max_block_registers: int
    points: tuple[Point, ...]
    forbidden: tuple[tuple[int, int], ...] = ()
    sentinels: dict[str, tuple[int, ...]] = field(default_factory=dict)
    identity: tuple[Point, ...] = ()
    marker: Marker | None = None
    model: str = ""

    def point(self, name: str) -> Point:
        """The point called `name`; KeyError if there is none."""
        for point in self.points + self.identity:
            if point.name == name:
                return point
        raise KeyError(name)


def list_profiles() -> list[str]:
    """The ids of the profiles that come with the package."""
    return sorted(path.stem for path in PROFILE_DIR.glob("*.toml"))


def read_profile(path: Path) -> Profile:
    """The profile in the file `path`.

    Raises ProfileError config.profile if it can't be read or lacks what an emulator needs.
    """
    try:
        return parse_profile(path.read_text(encoding="utf-8"))
    except KeyError as error:
        reason = f"{error.args[0]} is missing"
    except (OSError, ValueError, TypeError, RecursionError) as error:
        reason = str(error)
    raise ProfileError("config.profile", profile=str(path), reason=reason)


def parse_profile(text: str) -> Profile:
    """The profile that the TOML `text` describes; KeyError, ValueError or TypeError if none."""
    table = tomllib.loads(text)
    points = tuple(parse_point(row, table["function"]) for row in table["points"])
    for order in (table["word_order"], table["byte_order"]):
        if order not in ("big", "little"):
            raise ValueError(f"order {order} is neither big nor little")
    return Profile(
        id=table["id"],
        word_order=table["word_order"],
        byte_order=table["byte_order"],
        max_block_registers=table["max_block_registers"],
        points=tuple(p for p in points if p.point_class != "identity"),
        forbidden=tuple((first, last) for first, last in table.get("forbidden", ())),
        sentinels={kind: tuple(raws) for kind, raws in table.get("sentinels", {}).items()},
        identity=tuple(p for p in points if p.point_class == "identity"),
        marker=_parse_marker(table.get("identification", {}), table["function"]),
        model=table.get("model", ""),
    )


def parse_point(row: dict[str, Any], function: int) -> Point:
    """One row of `points`; KeyError, ValueError or TypeError if it describes none."""
    terms = tuple(_parse_term(row, part) for part in row.get("terms", ()))
    is_text = row.get("type") == "str"
    if not terms and not is_text:
        _parse_term(row, row)
    register = row.get("scale_register")
    exponent = (register["address"], register["type"]) if register else None
    starts = [term.address for term in terms] or [row["address"]]
    if exponent:
        starts.append(exponent[0])
    if not terms and min(starts) < row["address"]:
        terms = (_parse_term(row, row),)
    return Point(
        name=row["name"],
        function=row.get("function", function),
        address=min(starts),
        type=terms[0].type if len(terms) == 1 else "terms" if terms else row["type"],
        scale=Fraction(row.get("scale", "1")),
        offset=Fraction(row.get("offset", "0")),
        unit="1" if is_text else row["unit"],
        places=0 if is_text else row["places"],
        point_class=row["class"],
        terms=terms,
        exponent=exponent,
        sentinels=tuple(row.get("sentinels", ())),
        count=row["count"] if is_text else 0,
    )


def _parse_term(row: dict[str, Any], part: dict[str, Any]) -> Term:
    if part["type"] not in WIDTHS:
        raise ValueError(f"{row['name']} has the unknown type {part['type']}")
    return Term(part["address"], part["type"], Fraction(part["scale"]))


def _parse_marker(row: dict[str, Any], function: int) -> Marker | None:
    if row.get("method") != "register" or "address" not in row:
        return None
    expect = row.get("expect", [None])[0]
    place = (row.get("function", function), row["address"], row.get("count", 1))
    return Marker(*place, row.get("type", "u16"), expect)
