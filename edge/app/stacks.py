"""A [stream.stack] table as validated settings: geometry, instruments, states, family."""

from edge.core.carbon import cems, eu_mrr
from edge.core.carbon.sources import HOLD, UNIFORM, Rules
from edge.core.errors import ConfigError
from edge.core.numbers.fixed import PLACES_MAX, parse_decimal, power_of_ten

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.app.config import Settings

#: The unit that each instrument has to be in.
UNITS = {
    "co2": "%{vol}",
    "o2": "%{vol}",
    "velocity": "m/s",
    "flow": "m3/s",
    "temperature": "Cel",
    "pressure": "Pa",
    "moisture": "%{vol}",
}

#: What the velocity field's coefficient may be; beyond is a slip of the decimal point.
COEFFICIENT_MAX = 2
_COEFFICIENT_PLACES = 6

#: A family of hours books an hour when it ends: shorter intervals would show it as nothing.
HOUR_MS = 3_600_000

#: A potential concentration is kept in 10^-6 %.
_POTENTIAL_PLACES = 6


def read_stack(settings: "Settings", item: dict, where: str) -> tuple:
    """(Stack, input pairs, status pair or None, accepted status values, Rules) of the table.

    Raises ConfigError.
    """
    places = []
    for key, unit in _inputs(settings, item, where):
        place = settings.locate(item[key], where + "." + key)
        point = settings.point(place)
        if point.unit != unit:
            found = point.name + " in " + point.unit
            settings.refuse(where + "." + key, found, "a point in " + unit)
        places.append(place)
    # A flow in m3/s is the velocity that one square meter would have.
    area = (1, 0)
    if "flow" not in item:
        area = _positive(settings, item["area_m2"], where + ".area_m2")
    stack = cems.Stack(eu_mrr.method_of(item["method"]), area, item["ambient_pa"], item["basis"])
    rules = _rules(settings, item, where)
    status = None
    if "status" in item:
        status = settings.locate(item["status"], where + ".status")
        if "status_ok" not in item and not rules.states:
            settings.missing(where + ".status_ok", "the status values that mean measuring")
    elif rules.states:
        settings.missing(where + ".status", "the point that has these states")
    return stack, places, status, tuple(item.get("status_ok", ())), rules


def _inputs(settings: "Settings", item: dict, where: str) -> list[tuple[str, str]]:
    """(key, unit) of the instruments in the order of `cems.Sample`."""
    gas = _one_of(settings, item, where, "co2", "o2")
    moved = _one_of(settings, item, where, "velocity", "flow")
    for key in ("area_m2", "velocity_coefficient"):
        if moved == "flow" and key in item:
            settings.refuse(where + "." + key, item[key], "velocity in place of flow")
    if moved == "velocity" and "area_m2" not in item:
        settings.missing(where + ".area_m2", "the cross-section where velocity is measured")
    keys = (gas, moved, "temperature", "pressure", "moisture")
    return [(key, UNITS[key]) for key in keys]


def _one_of(settings: "Settings", item: dict, where: str, first: str, other: str) -> str:
    if first in item and other in item:
        settings.refuse(where + "." + other, item[other], first + " or " + other + ", not both")
    if first not in item and other not in item:
        settings.missing(where + "." + first, "a point in " + UNITS[first] + ", or " + other)
    return first if first in item else other


def _fuel(settings: "Settings", item: dict, where: str, family: str) -> tuple | None:
    """(Fc, Fd) where CO2 comes from O2."""
    if "o2" not in item:
        for key in ("fc", "fd"):
            if key in item:
                settings.refuse(where + "." + key, item[key], "o2 in place of co2")
        return None
    if not family.startswith("part75"):
        settings.refuse(where + ".o2", family, "a family of part75, whose F-14 it needs")
    for key in ("fc", "fd"):
        if key not in item:
            settings.missing(where + "." + key, "the fuel's factor of 40 CFR 75, scf/mmBtu")
    return tuple([_positive(settings, item[key], where + "." + key) for key in ("fc", "fd")])


def _coefficient(settings: "Settings", item: dict, where: str) -> tuple[int, int]:
    if "velocity_coefficient" not in item:
        return UNIFORM
    key, text = where + ".velocity_coefficient", item["velocity_coefficient"]
    mantissa, places = _positive(settings, text, key)
    if places > _COEFFICIENT_PLACES or mantissa > COEFFICIENT_MAX * power_of_ten(places):
        settings.refuse(key, text, f"at most {COEFFICIENT_MAX}, 6 decimal places")
    return mantissa, places


def _rules(settings: "Settings", item: dict, where: str) -> Rules:
    family = item.get("family", HOLD.family)
    if family != HOLD.family and settings.interval_ms != HOUR_MS:
        found = f"{family} with intervals of {settings.interval_ms // 1000} s"
        settings.refuse(where + ".family", found, "accounting.interval_s = 3600, or hold")
    is_eu = item["method"] == eu_mrr.METHOD.id
    if (family == "eu-mrr") != is_eu:
        expected = "eu-mrr with " + eu_mrr.METHOD.id + ", and no other with it"
        settings.refuse(where + ".method", item["method"] + " with " + family, expected)
    potential = None
    if "potential_percent" in item:
        key = where + ".potential_percent"
        if not family.startswith("part75"):
            settings.refuse(key, family, "a family of part75")
        mantissa, places = _positive(settings, item["potential_percent"], key)
        if places > _POTENTIAL_PLACES or mantissa > 100 * power_of_ten(places):
            settings.refuse(key, item["potential_percent"], "a percentage of 6 decimal places")
        potential = mantissa * power_of_ten(_POTENTIAL_PLACES - places)
    states: list[tuple[int, str]] = []
    for state in item.get("states", []):
        if state["value"] in [value for value, _ in states]:
            raise ConfigError(
                "config.duplicate",
                file=settings.file,
                key=where + ".states",
                found=state["value"],
            )
        states.append((state["value"], state["flag"]))
    fuel = _fuel(settings, item, where, family)
    return Rules(family, potential, tuple(states), _coefficient(settings, item, where), fuel)


def _positive(settings: "Settings", text: str, key: str) -> tuple[int, int]:
    _, _, fraction = text.partition(".")
    if len(fraction) > PLACES_MAX:
        settings.refuse(key, text, f"at most {PLACES_MAX} decimal places")
    decimal = parse_decimal(text)
    if decimal[0] == 0:
        settings.refuse(key, text, "more than 0")
    return decimal
