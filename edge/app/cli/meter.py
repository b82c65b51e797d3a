"""`carbontally meter`: show a meter's configuration, or change one setting as a transaction."""

import sys
import time
from typing import Annotated, Any

import typer

from edge.app.cli.bus import (
    BaudOption,
    FormatOption,
    JsonOption,
    PortArgument,
    StationArgument,
    TimeoutOption,
    check_format,
    language,
    say,
)
from edge.app.cli.bus_setting import GOOD_OUTCOMES, Change, Place, Result
from edge.app.line_session import LineSession
from edge.core.errors import DataError, DeviceError, UsageError
from edge.core.errors.table import describe, exit_status
from edge.core.field.settings import (
    READ_FUNCTION,
    Setting,
    allowed,
    decode_setting,
    encode_setting,
    parse_settings,
    width,
)
from edge.ports.linux import files
from edge.ports.linux.serial_probe import ProbeLine, ProbeLink

#: what a person types -> the setting of the profile
ACTIONS = {
    "set-station": "station",
    "set-address": "station",
    "set-baud": "baud",
    "set-format": "format",
    "set-ratio": "ct_ratio",
    "set-ct-ratio": "ct_ratio",
    "set-pt-ratio": "pt_ratio",
}
SHOW = "show"

EXIT_FAILED = 75
EXIT_DECLINED = 130

OUTCOMES = {
    "changed": "done: {name} is {after}; the meter answers as {where}",
    "already": "nothing to do: {name} was {after} before",
    "pending": "written, in force when the meter restarts; until then it answers as {where}",
    "unchanged": "the meter did not take it: {name} is still {before}, it answers as {where}",
    "taken": "nothing was written: another station answers as {after} already",
    "undone": "it came out wrong and was taken back: {name} is {before}, answers as {where}",
    "lost": "the meter answers at neither setting; it was last {where}: carbontally scan",
}


def meter(
    port: PortArgument,
    station: StationArgument,
    action: Annotated[str, typer.Argument(help="show, or " + ", ".join(ACTIONS))],
    value: Annotated[str | None, typer.Argument(help="the new value")] = None,
    profile: Annotated[str, typer.Option("--profile", "-p", help="the meter's profile")] = "",
    baud: BaudOption = 9600,
    format: FormatOption = "8N1",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask before writing")] = False,
    timeout_ms: TimeoutOption = 500,
    json: JsonOption = False,
) -> int:
    """Show or change a meter's station number, baud rate, format or ratio; asks, and can undo."""
    place = Place(station, baud, check_format(format))
    settings = _known_settings(profile)
    setting = None if action == SHOW else _chosen(settings, action, value, profile)
    if json and setting is not None and not yes:
        raise UsageError("usage.value", option="--json", found="no --yes", expected="--yes too")
    line = ProbeLine(port, baud, place.format)
    with LineSession(ProbeLink(line), lambda: None, timeout_ms) as session:
        if setting is None:
            return _show(session, settings, station, json)
        change = Change(line, session, setting, place, str(value), _teller(json))
        before = change.read_before()
        say(json, {"event": "before", "setting": setting.name, "value": before}, "")
        if not yes and not _agreed(setting, change, before, str(value)):
            say(json, {}, "nothing was written")
            return EXIT_DECLINED
        result = change.run()
    _report(result, setting, str(value), json)
    return 0 if result.outcome in GOOD_OUTCOMES else EXIT_FAILED


def _known_settings(profile: str) -> tuple[Setting, ...]:
    if not profile:
        expected = "the meter's profile, which says where its settings are: see profiles list"
        raise UsageError("usage.value", option="--profile", found="missing", expected=expected)
    document = files.read_profile(profile, "command line", "--profile")
    settings = parse_settings(document)
    if not settings:
        raise UsageError(
            "usage.value",
            option="--profile",
            found=profile,
            expected="a profile whose sources say what may be written",
        )
    return settings


def _chosen(
    settings: tuple[Setting, ...], action: str, value: str | None, profile: str
) -> Setting:
    """The setting that `action` names, with `value` checked to be there."""
    known = {setting.name: setting for setting in settings}
    possible = [typed for typed, name in ACTIONS.items() if name in known]
    if ACTIONS.get(action, "") not in known:
        expected = f"for {profile} show, " + ", ".join(possible)
        raise UsageError("usage.value", option="action", found=action, expected=expected)
    if value is None:
        raise UsageError("usage.value", option=action, found="nothing", expected="a value")
    setting = known[ACTIONS[action]]
    try:
        encode_setting(setting, value)
    except (DataError, ValueError) as error:
        raise UsageError(
            "usage.value", option=action, found=value, expected=allowed(setting)
        ) from error
    return setting


def _show(session: LineSession, settings: tuple[Setting, ...], station: int, json: bool) -> int:
    """Every setting; the exit status is that of the last refusal."""
    status = 0
    for setting in settings:
        try:
            words = session.read(station, READ_FUNCTION, setting.address, width(setting))
        except DeviceError as error:
            fact = {"event": "setting", "setting": setting.name, "error": error.code}
            say(json, fact, f"{setting.name}: {describe(error, language())[0]}")
            status = exit_status(error.code)
            continue
        known = decode_setting(setting, words)
        raw = " ".join(f"{word:04X}" for word in words)
        fact = {"event": "setting", "setting": setting.name, "value": known}
        text = f"{setting.name}: {known or 'unknown'} ({raw} at {setting.address})"
        say(json, {**fact, "registers": list(words), "address": setting.address}, text)
    return status


def _agreed(setting: Setting, change: Change, before: str, value: str) -> bool:
    """Ask the person; no terminal, no agreement."""
    if setting.note:
        print(setting.note)
    if not sys.stdin.isatty():
        return False
    where = _where(change.target)
    question = f"write {setting.name} {before} -> {value}? it will answer as {where}"
    return typer.confirm(question)


def _teller(json: bool) -> Any:
    def tell(step: str, fact: dict[str, Any]) -> None:
        say(json, {"event": step, **fact}, f"  {step}: {fact}" if step == "undo" else "")

    return tell


def _where(place: Place) -> str:
    return f"station {place.station} at {place.baud} {place.format}"


def _report(result: Result, setting: Setting, wanted: str, json: bool) -> None:
    """The closing event; it is what a commissioning record keeps."""
    fact = {
        "event": "meter_setting",
        "setting": setting.name,
        "before": result.before,
        "after": wanted,
        "outcome": result.outcome,
        "reason": result.reason or None,
        "reachable": result.outcome != "lost",
        **result.place._asdict(),
        "wall_ms": time.time_ns() // 1_000_000,
    }
    text = OUTCOMES[result.outcome].format(
        name=setting.name, before=result.before, after=wanted, where=_where(result.place)
    )
    say(json, fact, text + (f" ({result.reason})" if result.reason else ""))
