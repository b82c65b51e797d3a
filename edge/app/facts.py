"""What people state in gateway.toml: confirmed steps of registers, and facts beside the meters."""

from collections import namedtuple

from edge.core.bus.profile import Point
from edge.core.errors import ConfigError
from edge.core.numbers.fixed import parse_decimal, rescale

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.app.config import Settings

#: Bodies of TABLE parts without their first field, as `journal.record` lists them.
Swap = namedtuple("Swap", ("device", "point", "old", "new", "at", "why", "note"))
Fact = namedtuple(
    "Fact", ("name", "kind", "mantissa", "places", "unit", "period", "vintage", "source")
)


def read_swaps(settings: "Settings", items: list[dict]) -> list[Swap]:
    """Confirmed steps of registers, as integers of their points."""
    swaps = []
    for index, item in enumerate(items):
        where = f"swap[{index}]"
        point = settings.point(settings.locate(item["point"], where + ".point"))
        if point.point_class != "counter":
            raise ConfigError(
                "config.value",
                file=settings.file,
                key=where + ".point",
                found=item["point"],
                expected="a point of class counter",
            )
        owner, _, name = item["point"].partition(".")
        old = None if "old" not in item else _mantissa(settings, item["old"], point, where)
        new = _mantissa(settings, item["new"], point, where)
        swaps.append(Swap(owner, name, old, new, item["at"], item["why"], item.get("note", "")))
    return swaps


def _mantissa(settings: "Settings", text: str, point: Point, where: str) -> int:
    mantissa, places = parse_decimal(text)
    if places > point.places:
        raise ConfigError(
            "config.value",
            file=settings.file,
            key=where,
            found=text,
            expected=f"at most {point.places} decimal places",
        )
    return rescale(mantissa, places, point.places)


def read_facts(items: list[dict]) -> list[Fact]:
    """Facts from outside the meters."""
    return [
        Fact(
            item["name"],
            item["kind"],
            *parse_decimal(item["value"]),
            item["unit"],
            item["period"],
            item["vintage"],
            item["source"],
        )
        for item in items
    ]
