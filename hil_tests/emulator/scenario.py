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
from hil_tests.emulator.device import StationSpec
from hil_tests.emulator.faults import Fault
from hil_tests.emulator.profile import PROFILE_DIR, Profile, list_profiles, read_profile
from hil_tests.emulator.rules import Source, check_table
from hil_tests.emulator.scenario_faults import read_fault, read_foreign
from hil_tests.emulator.signals import list_units
from hil_tests.emulator.talkers import ForeignSpec
from hil_tests.emulator.timing import FORMATS
from hil_tests.emulator.units import unit_factor

SCENARIO_DIR = Path(__file__).parents[1] / "scenarios"
FACTORY_DAY = SCENARIO_DIR / "factory_day.toml"

_DEFAULT_TURNAROUND_MS = 5
_MOST_MS = 60_000


@dataclass(frozen=True)
class BusSpec:
    """One bus; port None means a pty pair."""

    name: str
    baud: int
    format: str
    port: str | None
    stations: tuple[StationSpec, ...]
    faults: tuple[Fault, ...] = ()
    foreign: tuple[ForeignSpec, ...] = ()


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
    "jitter_ms": rules.integer(0, _MOST_MS),
    "port": rules.text(),
    "station": rules.tables(True),
    "fault": rules.tables(),
    "foreign": rules.tables(),
}
_STATION_RULES = {
    "station": rules.integer(1, 247, True),
    "name": rules.text(True),
    "profile": rules.text(True),
    "follows": rules.text(),
    "turnaround_ms": rules.integer(0, _MOST_MS),
    "jitter_ms": rules.integer(0, _MOST_MS),
    "twin": rules.choice((True,)),
    "functions": rules.Rule(
        lambda v: isinstance(v, list) and v in ([3], [4], [3, 4]), "[3], [4] or [3, 4]"
    ),
    "points": rules.table_of(_is_source, "a table of point = signal or number"),
    "raw": rules.table_of(
        lambda v: isinstance(v, list) and all(_is_register(word) for word in v),
        "a table of point = [registers from 0 to 65535]",
    ),
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
    except (ValueError, RecursionError) as error:  # what the parser ends in, not syntax alone
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
    stations = _read_stations(row, source, directory)
    numbers = {station.station for station in stations}
    faults = tuple(
        read_fault(entry, source.inside(f"fault[{index}]"), numbers, row.get("port"))
        for index, entry in enumerate(row.get("fault", ()))
    )
    foreign = tuple(
        read_foreign(entry, source.inside(f"foreign[{index}]"))
        for index, entry in enumerate(row.get("foreign", ()))
    )
    return BusSpec(
        row["name"],
        row.get("baud", 9600),
        row.get("format", "8N1"),
        row.get("port"),
        tuple(stations),
        faults,
        foreign,
    )


def _read_stations(row: dict[str, Any], source: Source, directory: Path) -> list[StationSpec]:
    """The stations of a bus; a twin stands after the one whose number it shares."""
    habits: dict[str, int] = {
        name: row[name] for name in ("turnaround_ms", "jitter_ms") if name in row
    }
    stations: list[StationSpec] = []
    for index, entry in enumerate(row["station"]):
        inside = source.inside(f"station[{index}]")
        station = _read_station(entry, inside, directory, habits)
        is_known = any(station.station == other.station for other in stations)
        if is_known and not station.is_twin:
            raise inside.twice("station", station.station)
        if station.is_twin and not is_known:
            raise inside.refuse("twin", "true", "a station above with the same number")
        stations.append(station)
    return stations


def _read_station(
    row: dict[str, Any], source: Source, directory: Path, habits: dict[str, int]
) -> StationSpec:
    """One station; `habits`: what the bus says of all."""
    check_table(row, _STATION_RULES, source)
    profile = _read_profile(row["profile"], source, directory)
    functions = row.get("functions")
    habits = {**habits, **row}
    return StationSpec(
        station=row["station"],
        name=row["name"],
        profile=profile,
        sources=_read_sources(row, source, profile),
        raw=_read_raw(row.get("raw", {}), source.inside("raw"), profile),
        functions=None if functions is None else tuple(functions),
        turnaround_ms=habits.get("turnaround_ms", _DEFAULT_TURNAROUND_MS),
        jitter_ms=habits.get("jitter_ms", 0),
        is_twin="twin" in row,
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
