"""A [stream.stack] table as validated settings: geometry, instruments, states, family."""

from edge.core.carbon import cems, eu_mrr
from edge.core.carbon.sources import HOLD, Rules
from edge.core.errors import ConfigError
from edge.core.numbers.fixed import PLACES_MAX, parse_decimal, power_of_ten

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.app.config import Settings

#: The instruments in the order of `cems.Sample`, with the unit that each has to be in.
INPUTS = (
    ("co2", "%{vol}"),
    ("velocity", "m/s"),
    ("temperature", "Cel"),
    ("pressure", "Pa"),
    ("moisture", "%{vol}"),
)

#: A family of hours books an hour when it ends: shorter intervals would show it as nothing.
HOUR_MS = 3_600_000

#: A potential concentration is kept in 10^-6 %.
_POTENTIAL_PLACES = 6


def read_stack(settings: "Settings", item: dict, where: str) -> tuple:
    """(Stack, input pairs, status pair or None, accepted status values, Rules) of the table.

    Raises ConfigError.
    """
    places = [settings.locate(item[key], where + "." + key) for key, _ in INPUTS]
    for place, (key, unit) in zip(places, INPUTS):
        point = settings.point(place)
        if point.unit != unit:
            found = point.name + " in " + point.unit
            _refuse(settings, where + "." + key, found, "a point in " + unit)
    area = _positive(settings, item["area_m2"], where + ".area_m2")
    stack = cems.Stack(eu_mrr.method_of(item["method"]), area, item["ambient_pa"], item["basis"])
    rules = _rules(settings, item, where)
    status = None
    if "status" in item:
        status = settings.locate(item["status"], where + ".status")
        if "status_ok" not in item and not rules.states:
            _missing(settings, where + ".status_ok", "the status values that mean measuring")
    elif rules.states:
        _missing(settings, where + ".status", "the point that has these states")
    return stack, places, status, tuple(item.get("status_ok", ())), rules


def _rules(settings: "Settings", item: dict, where: str) -> Rules:
    family = item.get("family", HOLD.family)
    if family != HOLD.family and settings.interval_ms != HOUR_MS:
        found = f"{family} with intervals of {settings.interval_ms // 1000} s"
        _refuse(settings, where + ".family", found, "accounting.interval_s = 3600, or hold")
    is_eu = item["method"] == eu_mrr.METHOD.id
    if (family == "eu-mrr") != is_eu:
        expected = "eu-mrr with " + eu_mrr.METHOD.id + ", and no other with it"
        _refuse(settings, where + ".method", item["method"] + " with " + family, expected)
    potential = None
    if "potential_percent" in item:
        key = where + ".potential_percent"
        if not family.startswith("part75"):
            _refuse(settings, key, family, "a family of part75")
        mantissa, places = _positive(settings, item["potential_percent"], key)
        if places > _POTENTIAL_PLACES or mantissa > 100 * power_of_ten(places):
            _refuse(settings, key, item["potential_percent"], "a percentage of 6 decimal places")
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
    return Rules(family, potential, tuple(states))


def _positive(settings: "Settings", text: str, key: str) -> tuple[int, int]:
    _, _, fraction = text.partition(".")
    if len(fraction) > PLACES_MAX:
        _refuse(settings, key, text, f"at most {PLACES_MAX} decimal places")
    decimal = parse_decimal(text)
    if decimal[0] == 0:
        _refuse(settings, key, text, "more than 0")
    return decimal


def _missing(settings: "Settings", key: str, expected: str) -> None:
    raise ConfigError("config.missing_key", file=settings.file, key=key, expected=expected)


def _refuse(settings: "Settings", key: str, found: object, expected: str) -> None:
    raise ConfigError("config.value", file=settings.file, key=key, found=found, expected=expected)
