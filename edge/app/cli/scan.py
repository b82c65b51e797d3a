"""`carbontally scan`: which stations are on a bus, at which settings, and what they are.

Presence first, by one read an address; then names. Nothing is ever written to a station.
"""

import sys
import time
from contextlib import nullcontext
from math import ceil
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from edge.app.cli.bus import JsonOption, PortArgument, parse_line_settings, parse_numbers, say
from edge.app.cli.bus_identify import (
    Library,
    describe,
    identify_station,
    naming_us,
    read_library,
)
from edge.app.cli.scan_text import told
from edge.core.errors.table import printable
from edge.core.field.presence import (
    WAIT_MS,
    Stretch,
    Wait,
    encode_probe,
    hear,
    plan_scan,
    reply_us,
    scan_us,
)
from edge.core.field.sniff import find_frame
from edge.ports.linux.serial_probe import ProbeLine

#: Settings tried when none are asked for; `--all-settings` tries every one that is known.
_SETTINGS = 8
_ALL = 99


class Scan:
    """One scan of a line; `found`: station -> (baud, format, turnaround ms)."""

    def __init__(self, line: ProbeLine, wait_ms: int) -> None:
        self.line = line
        self.wait = Wait(wait_ms)
        self.found: dict[int, tuple[int, str, int]] = {}
        self.noise: dict[tuple[int, str], int] = {}
        self.echoes = 0
        self.foreign = 0
        self.asked = 0
        self._last_us = 0
        self._last = b""

    def probe(self, station: int) -> list[int]:
        """Ask one address; return the stations that this has newly shown."""
        request = encode_probe(station)
        answer = self.line.exchange(
            request, self.wait.wait_ms, lambda data: 0 if find_frame(data, 0) else 1
        )
        self.asked += 1
        new = []
        if answer.before:
            late = hear(self._last, answer.before)
            new += self._note(late.stations, (answer.sent_us - self._last_us) // 1000)
            if late.stations:
                self.wait.late((answer.sent_us - self._last_us) // 1000)
        heard = hear(request, answer.data)
        self.echoes += heard.is_echo
        self.foreign += heard.requests
        if heard.noise and not heard.stations:
            setting = (self.line.baud, self.line.format)
            self.noise[setting] = self.noise.get(setting, 0) + 1
        new += self._note(heard.stations, (answer.first_us or 0) // 1000)
        self._last, self._last_us = request, answer.sent_us
        return new

    def _note(self, stations: tuple[int, ...], taken_ms: int) -> list[int]:
        new = [station for station in stations if station not in self.found]
        for station in new:
            self.found[station] = (self.line.baud, self.line.format, taken_ms)
        return new

    def late_ones(self) -> list[int]:
        """What still comes after the last request of a stretch."""
        data = self.line.pending(self.wait.wait_ms / 1000)
        return self._note(hear(self._last, data).stations, self.wait.wait_ms) if data else []


def scan(
    port: PortArgument,
    stations: Annotated[str, typer.Option(help="addresses, such as 1-32,100")] = "1-247",
    bauds: Annotated[str, typer.Option(help="baud rates, such as 9600,19200")] = "",
    formats: Annotated[str, typer.Option(help="formats, such as 8N1,8E1")] = "",
    all_settings: Annotated[
        bool, typer.Option("--all-settings", help="every setting that is known, not the likeliest")
    ] = False,
    wait_ms: Annotated[
        int, typer.Option(min=5, max=2000, help="wait for the first byte of a reply")
    ] = WAIT_MS,
    identify: Annotated[bool, typer.Option(help="name what was found")] = True,
    json: JsonOption = False,
) -> int:
    """Find every station on a bus and name it; reads only."""
    addresses = parse_numbers(stations, "--stations", 1, 247)
    settings = parse_line_settings(bauds, formats, _ALL if all_settings else _SETTINGS)
    library = read_library()
    plan = plan_scan(addresses, settings, library.likely_stations())
    _tell_plan(plan, settings, wait_ms, json)
    started_s = time.monotonic()
    with ProbeLine(port, *settings[0]) as line:
        running = Scan(line, wait_ms)
        is_whole = _run(running, plan, json)
        if identify:
            _identify(running, library, json)
    _report(running, is_whole, time.monotonic() - started_s, json)
    if not is_whole:
        return 130
    return 0 if running.found else 75


def _tell_plan(
    plan: tuple[Stretch, ...], settings: tuple[tuple[int, str], ...], wait_ms: int, json: bool
) -> None:
    """What will be asked; the time holds for the search alone, naming tells its own."""
    stations = {station for stretch in plan for station in stretch.stations}
    replies_us = len(stations) * max(reply_us(*setting) for setting in settings)
    eta_s = (scan_us(plan, wait_ms) + replies_us) / 1e6
    probes = sum(len(stretch.stations) for stretch in plan)
    fact = {"event": "plan", "settings": len(settings), "probes": probes, "eta_s": round(eta_s, 1)}
    say(json, fact, told("plan", probes=probes, time=_duration(eta_s), wait_ms=wait_ms))


def _run(running: Scan, plan: tuple[Stretch, ...], json: bool) -> bool:
    """Ask everything; False when the user broke it off."""
    try:
        with _progress(json) as progress:
            task = (
                progress.add_task("", total=sum(len(s.stations) for s in plan))
                if progress
                else None
            )
            for stretch in plan:
                _run_stretch(running, stretch, json, progress, task)
    except KeyboardInterrupt:
        return False
    return True


def _run_stretch(
    running: Scan, stretch: Stretch, json: bool, progress: Progress | None, task: Any
) -> None:
    """One line setting: every address once, those again that a longer wait may show."""
    running.line.configure(stretch.baud, stretch.format)
    queue = [station for station in stretch.stations if station not in running.found]
    if progress:
        skipped = len(stretch.stations) - len(queue)
        progress.update(task, advance=skipped, description=f"{stretch.baud} {stretch.format}")
    wait_ms = running.wait.wait_ms
    for number, station in enumerate(queue):
        _tell(running, running.probe(station), json, progress)
        if progress:
            progress.update(task, advance=1)
        if running.wait.wait_ms > wait_ms:
            wait_ms = running.wait.wait_ms
            again = [s for s in queue[: number + 1] if s not in running.found]
            queue += [s for s in again if s not in queue[number + 1 :]]
    _tell(running, running.late_ones(), json, progress)


def _tell(running: Scan, new: list[int], json: bool, progress: Progress | None) -> None:
    """Say what has just been found, above the progress bar if there is one."""
    for station in new:
        baud, form, taken_ms = running.found[station]
        place = {"station": station, "baud": baud, "format": form, "turnaround_ms": taken_ms}
        line = told("found", **place)
        if progress:
            progress.console.print(line)
        else:
            say(json, {"event": "found", **place}, line)


def _identify(running: Scan, library: Library, json: bool) -> None:
    """Name what was found, each as soon as it is known."""
    places = sorted(running.found.items())
    if not places:
        return
    eta_s = sum(naming_us(library, baud, form) for _, (baud, form, _) in places) / 1e6
    fact = {"event": "naming", "stations": len(places), "eta_s": round(eta_s, 1)}
    say(json, fact, told("naming", stations=len(places), time=_duration(eta_s)))
    for station, (baud, form, _) in places:
        running.line.configure(baud, form)
        identity = identify_station(running.line, station, library)
        fact = {"event": "identified", "station": station, **describe(identity)}
        say(json, fact, _identity_lines(station, fact))


def _identity_lines(station: int, fact: dict[str, Any]) -> str:
    lines = []
    if fact["profile"]:
        best = fact["candidates"][0]
        why = f"{told(best['reason'])} {best['detail']}"
        lines.append(printable(told("is", station=station, profile=fact["profile"], why=why)))
    elif fact["candidates"]:
        lines.append(told("may_be", station=station))
        for candidate in fact["candidates"]:
            why = f"{told(candidate['reason'])} {candidate['detail']}"
            lines.append(printable(f"  {candidate['score']:3} {candidate['profile']}: {why}"))
    else:
        says = told("says", says=fact["says"]) if fact["says"] else ""
        lines.append(printable(told("none", station=station, says=says)))
    return "\n".join(lines)


def _report(running: Scan, is_whole: bool, taken_s: float, json: bool) -> None:
    noise = [
        {"baud": baud, "format": form, "times": times}
        for (baud, form), times in sorted(running.noise.items())
    ]
    fact: dict[str, Any] = {
        "event": "done",
        "found": len(running.found),
        "asked": running.asked,
        "seconds": round(taken_s, 1),
        "complete": is_whole,
        "echo": running.echoes > 0,
        "foreign_requests": running.foreign,
        "noise": noise,
    }
    lines = [told("done", **{**fact, "time": _duration(taken_s)})]
    if not is_whole:
        lines.append(told("broken_off"))
    if running.echoes:
        lines.append(told("echo"))
    if running.foreign:
        lines.append(told("foreign"))
    lines += [told("noise", **entry) for entry in noise]
    if not running.found:
        lines.append(told("next", port=running.line.port))
    say(json, fact, "\n".join(lines))


def _progress(json: bool) -> Any:
    if json or not sys.stdout.isatty():
        return nullcontext()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console())


def _duration(seconds: float) -> str:
    return f"{ceil(seconds)} s" if seconds < 90 else f"{seconds / 60:.1f} min"
