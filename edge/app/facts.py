"""What people state in gateway.toml: confirmed steps of registers, facts, declared windows."""

from collections import namedtuple

from edge.core.bus.points import Point
from edge.core.errors import ConfigError
from edge.core.numbers.civil import days_from_civil, parse_moment
from edge.core.numbers.fixed import parse_decimal, rescale
from edge.core.schema import nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.app.config import Settings

DAY_MS = 86_400_000

#: Bodies of TABLE parts without their first field, as `journal.record` lists them.
Swap = namedtuple("Swap", ("device", "point", "old", "new", "at", "why", "note"))
Fact = namedtuple(
    "Fact",
    (
        "name",
        "kind",
        "mantissa",
        "places",
        "unit",
        "period",
        "vintage",
        "source",
        "start_ms",
        "end_ms",
    ),
)

#: Part of a WINDOWS body: a stack's samples from start_ms to before end_ms have this flag.
Window = namedtuple("Window", ("stream", "start_ms", "end_ms", "flag", "note"))


def read_swaps(settings: "Settings", items: list[dict]) -> list[Swap]:
    """Confirmed steps of registers, as integers of their points."""
    swaps = []
    for index, item in enumerate(items):
        where = f"swap[{index}]"
        point = settings.point(settings.locate(item["point"], where + ".point"))
        if point.point_class != "counter":
            settings.refuse(where + ".point", item["point"], "a point of class counter")
        owner, _, name = item["point"].partition(".")
        old = None if "old" not in item else _mantissa(settings, item["old"], point, where)
        new = _mantissa(settings, item["new"], point, where)
        swaps.append(Swap(owner, name, old, new, item["at"], item["why"], item.get("note", "")))
    return swaps


def _mantissa(settings: "Settings", text: str, point: Point, where: str) -> int:
    mantissa, places = parse_decimal(text)
    if places > point.places:
        settings.refuse(where, text, f"at most {point.places} decimal places")
    return rescale(mantissa, places, point.places)


def read_facts(items: list[dict], offset_ms: int, file: str) -> list[Fact]:
    """Facts from outside the meters; offset_ms: local time, in which periods are, less UTC."""
    return [
        Fact(
            item["name"],
            item["kind"],
            *parse_decimal(item["value"]),
            item["unit"],
            item["period"],
            item["vintage"],
            item["source"],
            *_period(item["period"], offset_ms, file),
        )
        for item in items
    ]


def _period(text: str, offset_ms: int, file: str) -> tuple[int, int]:
    """(start_ms, end_ms) in UTC of a local year or month."""
    year, _, month = text.partition("-")
    first = (int(year), int(month) if month else 1)
    if not 1 <= first[1] <= 12:
        raise ConfigError(
            "config.value",
            file=file,
            key="fact.period",
            found=text,
            expected="a month that exists",
        )
    after = (first[0] + 1, 1)
    if month and first[1] < 12:
        after = (first[0], first[1] + 1)
    days = [days_from_civil(at[0], at[1], 1) or 0 for at in (first, after)]
    return days[0] * DAY_MS - offset_ms, days[1] * DAY_MS - offset_ms


def read_windows(settings: "Settings", items: list[dict]) -> list[Window]:
    """Declared maintenance, calibration and standstill of stacks."""
    stacks = [stream.name for stream in settings.streams if stream.stack is not None]
    windows = []
    for index, item in enumerate(items):
        where = f"window[{index}]"
        if item["stream"] not in stacks:
            guess = nearest(item["stream"], stacks) or "one of " + (", ".join(stacks) or "none")
            raise ConfigError(
                "config.reference",
                file=settings.file,
                key=where + ".stream",
                found=item["stream"],
                nearest=guess,
            )
        start_ms = parse_moment(item["from"], settings.file, where + ".from")
        end_ms = parse_moment(item["to"], settings.file, where + ".to")
        if end_ms <= start_ms:
            settings.refuse(where + ".to", item["to"], "a moment after " + item["from"])
        note = item.get("note", "")
        windows.append(Window(item["stream"], start_ms, end_ms, item["flag"], note))
    return windows
