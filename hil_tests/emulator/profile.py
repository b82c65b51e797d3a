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

#: type -> registers it takes
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
}


@dataclass(frozen=True)
class Point:
    """One value of a device: value = raw x scale + offset, kept to `places` decimals."""

    name: str
    function: int
    address: int
    type: str
    scale: Fraction
    offset: Fraction
    unit: str
    places: int
    point_class: str

    @property
    def width(self) -> int:
        return WIDTHS[self.type]


@dataclass(frozen=True)
class Profile:
    """One device model; word_order and byte_order are "big" or "little"."""

    id: str
    word_order: str
    byte_order: str
    max_block_registers: int
    points: tuple[Point, ...]
    forbidden: tuple[tuple[int, int], ...] = ()
    sentinels: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def point(self, name: str) -> Point:
        """The point called `name`; KeyError if there is none."""
        for point in self.points:
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
    except (OSError, ValueError, TypeError) as error:
        reason = str(error)
    raise ProfileError("config.profile", profile=str(path), reason=reason)


def parse_profile(text: str) -> Profile:
    """The profile that the TOML `text` describes; KeyError, ValueError or TypeError if none."""
    table = tomllib.loads(text)
    points = tuple(_parse_point(row, table["function"]) for row in table["points"])
    for order in (table["word_order"], table["byte_order"]):
        if order not in ("big", "little"):
            raise ValueError(f"order {order} is neither big nor little")
    return Profile(
        id=table["id"],
        word_order=table["word_order"],
        byte_order=table["byte_order"],
        max_block_registers=table["max_block_registers"],
        points=points,
        forbidden=tuple((first, last) for first, last in table.get("forbidden", ())),
        sentinels={kind: tuple(raws) for kind, raws in table.get("sentinels", {}).items()},
    )


def _parse_point(row: dict[str, Any], function: int) -> Point:
    if row["type"] not in WIDTHS:
        raise ValueError(f"{row['name']} has the unknown type {row['type']}")
    return Point(
        name=row["name"],
        function=row.get("function", function),
        address=row["address"],
        type=row["type"],
        scale=Fraction(row["scale"]),
        offset=Fraction(row.get("offset", "0")),
        unit=row["unit"],
        places=row["places"],
        point_class=row["class"],
    )
