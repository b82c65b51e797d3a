"""`carbontally demo`: the main job, end to end, on this machine alone."""

import json as json_module
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from edge.core.errors import TallyError, UsageError
from hil_tests.cli import parse_start
from hil_tests.demo.broker import EmbeddedBroker, find_broker, free_port
from hil_tests.demo.stage import Stage, write_site
from hil_tests.demo.verdict import Verdict, look_yourself, reach_verdict, verdict_lines
from hil_tests.demo.view import View

#: An outage begins after this share of the run and lasts this share, within limits.
_OUTAGE_START = 0.3
_OUTAGE_SHARE = 0.3
_OUTAGE_MAX_S = 15.0
_ENDLESS_S = 40.0

#: A gateway limits a move by its own clock and cannot tell a fast factory from an impossible move:
#: the demonstration's boiler is counted whole at 300 and held at 600.
_MOST_SPEED = 240

_MOST_PORT = 65_535

#: After the run, an uplink that is still away gets this long to come back and drain.
_RETURN_S = 60.0


class Outage:
    """Cuts the broker for a while in the middle of a run."""

    def __init__(self, broker: EmbeddedBroker, seconds: float | None) -> None:
        whole = _ENDLESS_S if seconds is None else seconds
        self._broker = broker
        self._begin_s = whole * _OUTAGE_START
        self._end_s = self._begin_s + min(whole * _OUTAGE_SHARE, _OUTAGE_MAX_S)
        self.is_cut = False

    def step(self, elapsed_s: float) -> str:
        """Cut or restore when it is time; return a note for the view."""
        due = self._begin_s <= elapsed_s < self._end_s
        if due and not self.is_cut:
            self._broker.stop()
        elif self.is_cut and not due:
            self._broker.start()
        self.is_cut = due
        return "broker cut" if due else ""


def demo(
    seconds: Annotated[
        float | None, typer.Option(min=5, help="stop after this time; default: until Ctrl-C")
    ] = None,
    outage: Annotated[bool, typer.Option("--outage", help="cut the broker in the middle")] = False,
    dir: Annotated[
        Path | None, typer.Option(help="keep the databases here (an empty directory)")
    ] = None,
    speed: Annotated[
        int, typer.Option(min=1, max=_MOST_SPEED, help="factory seconds per real second")
    ] = 1,
    start: Annotated[str, typer.Option(help="time of day in the factory, HH:MM")] = "10:30",
    broker: Annotated[
        int | None,
        typer.Option(help="port of a broker on 127.0.0.1 to use instead of the embedded one"),
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="one line a second")] = False,
    json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> int:
    """Run the main job: emulated meters, gateway, broker, receiver; then judge it."""
    _check(start, broker, outage)
    mode = "json" if json else "plain" if plain or not _can_redraw() else "live"
    folder = _folder(dir)
    # Whatever ends the demonstration, its processes must not outlive it.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    with _kept(folder, is_ours=dir is None):
        with View(mode) as view:
            verdict = _play(folder, view, seconds, outage, speed, start, broker)
        _tell(verdict, folder, mode, kept=dir is not None)
        if not verdict.holds:
            twice = verdict.readings.duplicated
            raise TallyError(
                "demo.verdict", lost=verdict.lost, duplicated=twice, wrong=verdict.wrong
            )
    if dir is None:
        shutil.rmtree(folder)
    return 0


@contextmanager
def _kept(folder: Path, is_ours: bool) -> Iterator[None]:
    """Name the folder that a failed demonstration leaves: nobody has chosen its name."""
    try:
        yield
    except BaseException:
        if is_ours:
            print(f"databases: kept in {folder}", file=sys.stderr, flush=True)
        raise


def _check(start: str, broker: int | None, outage: bool) -> None:
    """Refuse what cannot work before anything is started."""
    parse_start(start)
    if broker is None:
        return
    if outage:
        raise UsageError(
            "usage.value", option="--outage", found="--broker", expected="the embedded broker"
        )
    if not 1 <= broker <= _MOST_PORT:
        expected = f"1 to {_MOST_PORT}"
        raise UsageError("usage.value", option="--broker", found=broker, expected=expected)
    find_broker(broker)


def _can_redraw() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


def _folder(wanted: Path | None) -> Path:
    if wanted is None:
        return Path(tempfile.mkdtemp(prefix="carbontally-demo-"))
    try:
        wanted.mkdir(parents=True, exist_ok=True)
        is_usable = not any(wanted.iterdir())
        tempfile.TemporaryFile(dir=wanted).close()  # what os.access() says of root is not so
    except OSError:
        is_usable = False
    if not is_usable:
        raise UsageError(
            "usage.value", option="--dir", found=wanted, expected="an empty directory to write to"
        )
    return wanted.resolve()


def _play(
    folder: Path,
    view: View,
    seconds: float | None,
    outage: bool,
    speed: int,
    start: str,
    broker_port: int | None,
) -> Verdict:
    """Run the stage until the time is over, then drain it and judge what it left."""
    port = free_port() if broker_port is None else broker_port
    view.say("starting: emulated RS-485 bus at 9600 8N1, broker, receiver, gateway")
    write_site(folder, port)
    embedded = EmbeddedBroker(port) if broker_port is None else None
    if embedded is not None:
        embedded.start()
    cut = Outage(embedded, seconds) if outage and embedded is not None else None
    try:
        stage = Stage(folder, port, speed, start)
        try:
            _watch(stage, view, seconds, cut)
            view.say("stopping: the gateway drains, then the verdict")
            _await_drain(stage, cut)
        finally:
            stage.stop()
    finally:
        if embedded is not None:
            embedded.stop()
    return reach_verdict(folder)


def _watch(stage: Stage, view: View, seconds: float | None, cut: Outage | None) -> None:
    """Show a status a second until the time is over or Ctrl-C."""
    begun = time.monotonic()
    try:
        while seconds is None or time.monotonic() - begun < seconds:
            elapsed_s = time.monotonic() - begun
            note = "" if cut is None else cut.step(elapsed_s)
            stage.check()
            view.show(stage.gateway.last, elapsed_s, note)
            time.sleep(max(0.0, 1.0 - (time.monotonic() - begun) % 1.0))
    except KeyboardInterrupt:
        pass


def _await_drain(stage: Stage, cut: Outage | None) -> None:
    """Give an uplink that an outage has cut the time to come back."""
    if cut is not None:
        cut.step(float("inf"))
    deadline = time.monotonic() + _RETURN_S
    while stage.gateway.last["uplink"]["state"] != "online" and time.monotonic() < deadline:
        stage.check()
        time.sleep(0.1)


def _tell(verdict: Verdict, folder: Path, mode: str, kept: bool) -> None:
    if mode == "json":
        print(json_module.dumps(verdict.as_object()), flush=True)
        return
    lines = verdict_lines(verdict, folder)
    if kept or not verdict.holds:
        lines += look_yourself(folder)
    else:
        lines.append("databases: deleted; keep them with --dir DIR and look for yourself in SQL")
    print("\n".join(lines), flush=True)
