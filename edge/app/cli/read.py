"""`carbontally read`: one station's values by its profile, or raw registers in every reading.

Without a profile the registers are decoded on trial: every type and order, the plausible one
first, and why.
"""

from typing import Annotated, Any

import typer
from rich.table import Table

from edge.app.cli import bus
from edge.app.cli.bus import (
    BaudOption,
    FormatOption,
    JsonOption,
    PortArgument,
    StationArgument,
    TimeoutOption,
    say,
)
from edge.app.cli.bus_identify import read_sunspec_models, walk_sunspec
from edge.app.cli.bus_trial import show_trials
from edge.app.line_session import LineSession
from edge.core.bus.plan import block_of, character_bits, line_timing, plan_groups
from edge.core.bus.points import Point
from edge.core.bus.profile import Profile, parse_profile
from edge.core.bus.rtu import READ_HOLDING
from edge.core.errors import DataError, DeviceError, ProfileError, UsageError
from edge.core.field.labels import parse_label
from edge.core.field.sunspec import plan_profile
from edge.core.field.trial import KINDS
from edge.core.numbers.quality import Quality
from edge.core.numbers.words import WIDTHS
from edge.ports.linux import files

SUNSPEC = "sunspec"

#: (function, address) -> register or bit
Registers = dict[tuple[int, int], int]


def read(
    port: PortArgument,
    station: StationArgument,
    profile: Annotated[
        str | None, typer.Option("--profile", "-p", help="profile name, or sunspec")
    ] = None,
    address: Annotated[
        int | None, typer.Option(min=0, max=65535, help="wire address, from 0")
    ] = None,
    label_address: Annotated[
        str | None, typer.Option(help="register as manuals print it, such as 40001")
    ] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=125, help="registers")] = 2,
    function: Annotated[
        int, typer.Option(min=3, max=4, help="3 holding, 4 input registers")
    ] = READ_HOLDING,
    type: Annotated[str | None, typer.Option("--type", help="only this type")] = None,
    baud: BaudOption = 9600,
    format: FormatOption = "8N1",
    timeout_ms: TimeoutOption = 500,
    json: JsonOption = False,
) -> int:
    """Read a station once: by profile, or raw with every reading of the registers."""
    place = _parse_place(profile, address, label_address, function)
    kinds = KINDS if type is None else (_parse_kind(type, count),)
    _check_end(place, count)
    meaning = None
    if profile is not None and profile != SUNSPEC:
        meaning = parse_profile(files.read_profile(profile, "command line", "--profile"))
    with bus.open_session(port, baud, format, timeout_ms) as session:
        if place is not None:
            registers = session.read(station, place[0], place[1], count)
            show_trials(registers, station, place, kinds, json)
            return 0
        if meaning is None:
            meaning = find_sunspec(session, station)
        return _show_points(
            session, station, meaning, line_timing(baud, character_bits(format)), json
        )


def _parse_place(
    profile: str | None, address: int | None, label: str | None, function: int
) -> tuple[int, int] | None:
    """(function, wire address) to read raw, or None for a read by profile."""
    options = {"--profile": profile, "--address": address, "--label-address": label}
    given = [option for option, value in options.items() if value is not None]
    if len(given) != 1:
        raise UsageError(
            "usage.value",
            option=" with ".join(given) or "what to read",
            found="too much" if given else "missing",
            expected="exactly one of " + ", ".join(options),
        )
    if label is not None:
        return _parse_label(label)
    return None if address is None else (function, address)


def _check_end(place: tuple[int, int] | None, count: int) -> None:
    """UsageError for registers behind the last one."""
    if place is not None and place[1] + count > 65536:
        expected = f"at most {65536 - place[1]}: the last register is 65535"
        raise UsageError("usage.value", option="--count", found=count, expected=expected)


def _parse_label(label: str) -> tuple[int, int]:
    try:
        return parse_label(label)
    except (DataError, ValueError) as error:
        expected = "40001 to 49999 or 400001 to 465536 (holding), 3... (input registers)"
        raise UsageError(
            "usage.value", option="--label-address", found=label, expected=expected
        ) from error


def _parse_kind(kind: str, count: int) -> str:
    if kind not in WIDTHS or kind not in KINDS or count % WIDTHS[kind]:
        fitting = [name for name in KINDS if count % WIDTHS[name] == 0]
        raise UsageError(
            "usage.value",
            option="--type",
            found=kind,
            expected=f"for {count} registers one of " + ", ".join(fitting),
        )
    return kind


def find_sunspec(session: LineSession, station: int) -> Profile:
    """The profile that a SunSpec station describes itself.

    Raises ProfileError "config.profile" when there is no marker, or no model that is known.
    """

    def ask(function: int, address: int, count: int) -> tuple[int, ...] | None:
        try:
            return session.read(station, function, address, count)
        except DeviceError:
            return None

    walk = walk_sunspec(ask)
    if walk.state == "none":
        reason = f"station {station} has no SunSpec marker at 40000, 0 or 50000"
        raise ProfileError("config.profile", profile=SUNSPEC, reason=reason)
    found = plan_profile(walk.models, read_sunspec_models())
    if found is None:
        numbers = ", ".join(str(model.number) for model in walk.models)
        reason = f"none of the models of station {station} is known: {numbers}"
        raise ProfileError("config.profile", profile=SUNSPEC, reason=reason)
    return found


def read_profile_registers(
    session: LineSession, station: int, profile: Profile, timing: Any
) -> tuple[Registers, DeviceError | None]:
    """Every register the profile's points need, and the last refusal of a point.

    Those that the station refuses are missing. A merged block that is refused is read again point
    by point.
    """
    registers: Registers = {}
    refusal: DeviceError | None = None
    for group in plan_groups(profile.points, profile, timing):
        block = block_of(group)
        pieces = [(block.address, block.count)]
        if _take(session, station, block.function, pieces, registers):
            each = [(point.address, point.span) for point in group]
            refusal = _take(session, station, block.function, each, registers) or refusal
    return registers, refusal


def _take(
    session: LineSession,
    station: int,
    function: int,
    pieces: list[tuple[int, int]],
    registers: Registers,
) -> DeviceError | None:
    """Read each (address, count); the last refusal of the station."""
    refusal = None
    for address, count in pieces:
        try:
            values = session.read(station, function, address, count)
        except DeviceError as error:
            refusal = error
            continue
        registers.update({(function, address + i): value for i, value in enumerate(values)})
    return refusal


def decode_point(
    profile: Profile, point: Point, registers: Registers
) -> tuple[int | None, int, tuple[int, ...]]:
    """(mantissa, quality, raw registers) of one point."""
    keys = [(point.function, point.address + i) for i in range(point.span)]
    if any(key not in registers for key in keys):
        return None, Quality.EXCEPTION, ()
    raw = tuple(registers[key] for key in keys)
    mantissa, quality = profile.decode(point, raw)
    return mantissa, quality, raw


def _show_points(
    session: LineSession, station: int, profile: Profile, timing: Any, json: bool
) -> int:
    session.gap_ms = profile.gap_ms
    registers, refusal = read_profile_registers(session, station, profile, timing)
    table = Table("point", "value", "unit", "quality", "address", "registers", box=None)
    good = 0
    for point in profile.points:
        mantissa, quality, raw = decode_point(profile, point, registers)
        good += quality == Quality.GOOD
        value = bus.show_value(mantissa, point.places)
        fact = {
            "event": "reading",
            "station": station,
            "point": point.name,
            "value": None if mantissa is None else value,
            "unit": point.unit,
            "quality": bus.quality_name(quality),
            "function": point.function,
            "address": point.address,
            "registers": list(raw),
        }
        words = " ".join(f"{word:04X}" for word in raw[:8])
        where = f"{point.function}/{point.address}"
        say(json, fact, "")
        table.add_row(point.name, value, point.unit, str(fact["quality"]), where, words)
    if not json:
        bus.console().print(table)
    if refusal is not None and not registers:
        raise refusal
    return 0 if good else 65
