"""Scenario files: which buses, which stations, what drives them, what goes wrong.

scenario.schema.json beside the scenarios describes the same for editors.
"""

import tomllib
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from edge.core.errors import ConfigError
from hil_tests.emulator import rules
from hil_tests.emulator.faults import KINDS, Fault
from hil_tests.emulator.profile import PROFILE_DIR, Profile, list_profiles, read_profile
from hil_tests.emulator.rules import Source, check_table
from hil_tests.emulator.signals import list_units
from hil_tests.emulator.timing import FORMATS
from hil_tests.emulator.units import unit_factor

SCENARIO_DIR = Path(__file__).parents[1] / "scenarios"
FACTORY_DAY = SCENARIO_DIR / "factory_day.toml"

_DEFAULT_TURNAROUND_MS = 5
_MOST_MS = 60_000
_MOST_S = 10_000_000


@dataclass(frozen=True)
class StationSpec:
    """One station; sources and raw as emulator.station.Station takes them."""

    station: int
    name: str
    profile: Profile
    sources: dict[str, str | Fraction]
    raw: dict[str, tuple[int, ...]]
    functions: tuple[int, ...] | None
    turnaround_ms: int


@dataclass(frozen=True)
class BusSpec:
    """One bus; port None means a pty pair."""

    name: str
    baud: int
    format: str
    port: str | None
    stations: tuple[StationSpec, ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class Scenario:
    """A whole emulation; `seed` decides everything that looks random."""

    file: str
    seed: int
    buses: tuple[BusSpec, ...]


def _is_source(value: Any) -> bool:
    return isinstance(value, (str, int, Decimal)) and not isinstance(value, bool)


def _is_register(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 0xFFFF


_TOP_RULES = {"seed": rules.integer(0, 2**63 - 1, True), "bus": rules.tables(True)}
_BUS_RULES = {
    "name": rules.Rule(
        lambda v: isinstance(v, str) and v.replace("_", "").replace("-", "").isalnum(),
        "letters, digits, - and _",
        True,
    ),
    "baud": rules.integer(300, 921_600),
    "format": rules.choice(FORMATS),
    "turnaround_ms": rules.integer(0, _MOST_MS),
    "port": rules.text(),
    "station": rules.tables(True),
    "fault": rules.tables(),
}
_STATION_RULES = {
    "station": rules.integer(1, 247, True),
    "name": rules.text(True),
    "profile": rules.text(True),
    "follows": rules.text(),
    "turnaround_ms": rules.integer(0, _MOST_MS),
    "functions": rules.Rule(
        lambda v: isinstance(v, list) and v in ([3], [4], [3, 4]), "[3], [4] or [3, 4]"
    ),
    "points": rules.table_of(_is_source, "a table of point = signal or number"),
    "raw": rules.table_of(
        lambda v: isinstance(v, list) and all(_is_register(word) for word in v),
        "a table of point = [registers from 0 to 65535]",
    ),
}
_FAULT_RULES = {
    "station": rules.integer(1, 247),
    "silent": rules.choice((True,)),
    "exception": rules.integer(1, 255),
    "crc": rules.choice((True,)),
    "garbage": rules.choice(("before", "instead")),
    "truncate": rules.integer(1, 255),
    "late_ms": rules.integer(1, _MOST_MS),
    "every": rules.integer(1, _MOST_S),
    "probability": rules.number(0, 1),
    "from_s": rules.number(0, _MOST_S),
    "to_s": rules.number(0, _MOST_S),
}


def read_scenario(path: Path) -> Scenario:
    """The scenario in the file `path`, checked to the last key.

    Raises ConfigError naming file, key and what was expected; ProfileError for a bad profile.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError("config.file", file=str(path), reason=reason)
    try:
        table = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError("config.syntax", file=str(path), reason=str(error))
    source = Source(str(path))
    check_table(table, _TOP_RULES, source)
    if not table["bus"]:
        raise source.refuse("bus", "empty", "at least one [[bus]]")
    buses: list[BusSpec] = []
    for index, row in enumerate(table["bus"]):
        inside = source.inside(f"bus[{index}]")
        bus = _read_bus(row, inside, path.parent)
        if any(bus.name == other.name for other in buses):
            raise inside.twice("name", bus.name)
        buses.append(bus)
    return Scenario(str(path), table["seed"], tuple(buses))


def _read_bus(row: dict[str, Any], source: Source, directory: Path) -> BusSpec:
    check_table(row, _BUS_RULES, source)
    turnaround_ms = row.get("turnaround_ms", _DEFAULT_TURNAROUND_MS)
    stations: list[StationSpec] = []
    for index, entry in enumerate(row["station"]):
        inside = source.inside(f"station[{index}]")
        station = _read_station(entry, inside, directory, turnaround_ms)
        if any(station.station == other.station for other in stations):
            raise inside.twice("station", station.station)
        stations.append(station)
    numbers = {station.station for station in stations}
    faults = tuple(
        _read_fault(entry, source.inside(f"fault[{index}]"), numbers)
        for index, entry in enumerate(row.get("fault", ()))
    )
    return BusSpec(
        row["name"],
        row.get("baud", 9600),
        row.get("format", "8N1"),
        row.get("port"),
        tuple(stations),
        faults,
    )


def _read_station(
    row: dict[str, Any], source: Source, directory: Path, turnaround_ms: int
) -> StationSpec:
    check_table(row, _STATION_RULES, source)
    profile = _read_profile(row["profile"], source, directory)
    functions = row.get("functions")
    return StationSpec(
        station=row["station"],
        name=row["name"],
        profile=profile,
        sources=_read_sources(row, source, profile),
        raw=_read_raw(row.get("raw", {}), source.inside("raw"), profile),
        functions=None if functions is None else tuple(functions),
        turnaround_ms=row.get("turnaround_ms", turnaround_ms),
    )


def _read_profile(name: str, source: Source, directory: Path) -> Profile:
    """A profile by its id, or by a path that ends in .toml, relative to the scenario."""
    if name.endswith(".toml"):
        return read_profile(directory / name)
    known = list_profiles()
    if name not in known:
        raise source.unknown("profile", name, known)
    return read_profile(PROFILE_DIR / f"{name}.toml")


def _read_sources(
    row: dict[str, Any], source: Source, profile: Profile
) -> dict[str, str | Fraction]:
    units = list_units()
    sources: dict[str, str | Fraction] = {}
    if "follows" in row:
        for point in profile.points:
            signal = f"{row['follows']}_{point.name}"
            if signal in units and unit_factor(units[signal], point.unit) is not None:
                sources[point.name] = signal
        if not sources:
            heads = {signal.partition("_")[0] for signal in units}
            raise source.unknown("follows", row["follows"], heads)
    inside = source.inside("points")
    for name, value in row.get("points", {}).items():
        point_units = {point.name: point.unit for point in profile.points}
        if name not in point_units:
            raise inside.unknown(name, name, point_units)
        if not isinstance(value, str):
            sources[name] = Fraction(value)
            continue
        if value not in units:
            raise inside.unknown(name, value, units)
        if unit_factor(units[value], point_units[name]) is None:
            expected = f"a signal in {point_units[name]}, not in {units[value]}"
            raise inside.refuse(name, value, expected)
        sources[name] = value
    return sources


def _read_raw(
    table: dict[str, list[int]], source: Source, profile: Profile
) -> dict[str, tuple[int, ...]]:
    widths = {point.name: point.width for point in profile.points}
    for name, words in table.items():
        if name not in widths:
            raise source.unknown(name, name, widths)
        if len(words) != widths[name]:
            raise source.refuse(name, f"{len(words)} registers", f"{widths[name]} registers")
    return {name: tuple(words) for name, words in table.items()}


def _read_fault(row: dict[str, Any], source: Source, stations: set[int]) -> Fault:
    check_table(row, _FAULT_RULES, source)
    kinds = [kind for kind in KINDS if kind in row]
    if len(kinds) != 1:
        found = " and ".join(kinds) or "none"
        raise source.refuse("fault", found, "exactly one of " + ", ".join(KINDS))
    if "every" in row and "probability" in row:
        raise source.refuse("probability", row["probability"], "either every or probability")
    if "station" in row and row["station"] not in stations:
        raise source.unknown("station", str(row["station"]), map(str, stations))
    begin, end = row.get("from_s", 0), row.get("to_s")
    if end is not None and end <= begin:
        raise source.refuse("to_s", end, f"more than from_s, {begin}")
    probability = row.get("probability")
    return Fault(
        station=row.get("station"),
        kind=kinds[0],
        value=row[kinds[0]],
        every=row.get("every"),
        probability=None if probability is None else Fraction(probability),
        from_s=Fraction(begin),
        to_s=None if end is None else Fraction(end),
    )
