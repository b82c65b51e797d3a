"""Verbs of the test bench that a user types."""

import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from edge.app.cli.bus import check_seconds
from edge.core.errors import UsageError
from hil_tests.emulator.emulator import Emulator
from hil_tests.emulator.replay import Replay
from hil_tests.emulator.scenario import FACTORY_DAY, read_scenario
from hil_tests.emulator.summary import describe_lines

_CHECK_S = 0.5
_MOST_SPEED = 3600
_LEAST_BAUD, _MOST_BAUD = 300, 921_600


def emulate(
    scenario: Annotated[Path, typer.Argument(help="scenario file")] = FACTORY_DAY,
    ledger: Annotated[
        Path | None, typer.Option(help="SQLite file to record every reply in")
    ] = None,
    link_dir: Annotated[
        Path | None, typer.Option(help="directory for a link to each bus, named as the bus")
    ] = None,
    seconds: Annotated[float | None, typer.Option(help="stop by itself after this time")] = None,
    speed: Annotated[
        int, typer.Option(min=1, max=_MOST_SPEED, help="factory seconds per real second")
    ] = 1,
    start: Annotated[str, typer.Option(help="time of day in the factory, HH:MM")] = "10:30",
    strict: Annotated[
        bool, typer.Option("--strict", help="ignore requests that break the silence")
    ] = False,
    unpaced: Annotated[
        bool, typer.Option("--unpaced", help="every byte at once: for tools that want speed")
    ] = False,
    replay: Annotated[
        Path | None, typer.Option(help="answer from this trace instead of a scenario")
    ] = None,
    baud: Annotated[
        int | None, typer.Option(help="of the replay, if not that of the trace")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> int:
    """Play a factory's meters on an emulated RS-485 bus, with the wire's timing."""
    check_seconds(seconds)
    _check_fit(strict, unpaced, replay, baud)
    emulator: Emulator | Replay
    if replay is not None:
        emulator = Replay(replay, baud, ledger, link_dir, strict, not unpaced)
    else:
        start_s, factory = parse_start(start), read_scenario(scenario)
        emulator = Emulator(factory, ledger, link_dir, speed, start_s, strict, not unpaced)
    return _play(emulator, seconds, json)


def _play(emulator: Emulator | Replay, seconds: float | None, json: bool) -> int:
    """Run it until a signal or its time, and tell."""
    with _stop_signals() as stopped_fd:
        with emulator:
            for bus, port in emulator.ports.items():
                _say(json, {"event": "ready", "bus": bus, "port": port}, f"{bus} is on {port}")
            _wait(emulator, stopped_fd, seconds)
        _report(emulator, json)
    return 0


def parse_start(text: str) -> int:
    """Seconds since midnight of "HH:MM"; UsageError usage.value otherwise."""
    hours, _, minutes = text.partition(":")
    is_time = len(text) == 5 and text.isascii() and hours.isdigit() and minutes.isdigit()
    if not is_time or int(hours) > 23 or int(minutes) > 59:
        raise UsageError(
            "usage.value", option="--start", found=text, expected="HH:MM, 00:00 to 23:59"
        )
    return int(hours) * 3600 + int(minutes) * 60


def _check_fit(strict: bool, unpaced: bool, replay: Path | None, baud: int | None) -> None:
    """UsageError usage.value for options that contradict each other."""
    if strict and unpaced:
        raise UsageError(
            "usage.value", option="--strict", found="with --unpaced", expected="one of the two"
        )
    if baud is not None and (replay is None or not _LEAST_BAUD <= baud <= _MOST_BAUD):
        expected = f"{_LEAST_BAUD} to {_MOST_BAUD}, with --replay"
        raise UsageError("usage.value", option="--baud", found=baud, expected=expected)


@contextmanager
def _stop_signals() -> Iterator[int]:
    """A descriptor that becomes readable on SIGTERM or SIGINT."""
    read_fd, write_fd = os.pipe()
    kinds = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(kind, lambda *_: os.write(write_fd, b"x")) for kind in kinds]
    try:
        yield read_fd
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)
        os.close(read_fd)
        os.close(write_fd)


def _wait(emulator: Emulator | Replay, stopped_fd: int, seconds: float | None) -> None:
    end_s = float("inf") if seconds is None else time.monotonic() + seconds
    while (left_s := end_s - time.monotonic()) > 0:
        if select.select([stopped_fd], [], [], min(left_s, _CHECK_S))[0]:
            return
        emulator.check()


def _report(emulator: Emulator | Replay, json: bool) -> None:
    for bus, counts in emulator.summary().items():
        lines = "\n".join(describe_lines(bus, counts))
        _say(json, {"event": "summary", "bus": bus, **counts}, lines)


def _say(json: bool, fact: dict[str, object], line: str) -> None:
    print(dumps(fact) if json else line, flush=True)
