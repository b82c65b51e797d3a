"""What the verbs on a bus have in common: what a person types, and how it is shown."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from json import dumps
from typing import Annotated, Any

import typer
from rich.console import Console

from edge.app.line_session import LineSession
from edge.core.errors import UsageError
from edge.core.field.presence import STANDARD_BAUDS, order_settings
from edge.core.numbers.fixed import format_decimal
from edge.core.numbers.quality import NAMES
from edge.ports.linux.serial_probe import ProbeLine, ProbeLink

FORMATS = ("8N1", "8N2", "8E1", "8E2", "8O1", "8O2")

PortArgument = Annotated[str, typer.Argument(help="serial port, such as /dev/ttyUSB0")]
StationArgument = Annotated[int, typer.Argument(min=1, max=247, help="station number, 1..247")]
BaudOption = Annotated[int, typer.Option("--baud", "-b", min=300, max=921_600)]
FormatOption = Annotated[str, typer.Option("--format", "-f", help="8N1, 8E1, 8N2, ...")]
TimeoutOption = Annotated[
    int, typer.Option(min=10, max=60_000, help="wait for the first byte of a reply")
]
JsonOption = Annotated[bool, typer.Option("--json", help="one JSON object a line")]


def language() -> str:
    """ "zh" when the environment asks for Chinese, else "en"."""
    names = ("CARBONTALLY_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
    wanted = next((os.environ[name] for name in names if os.environ.get(name)), "")
    return "zh" if wanted.lower().startswith("zh") else "en"


def console() -> Console:
    """Where data goes; its width is taken from the terminal, and is ample without one."""
    return Console(width=None if sys.stdout.isatty() else 140, highlight=False)


def say(as_json: bool, fact: dict[str, Any], line: str) -> None:
    """One fact to stdout: an object for programs, a line for people."""
    if as_json or line:
        print(dumps(fact, ensure_ascii=False) if as_json else line, flush=True)


def check_format(text: str) -> str:
    """A format of FORMATS; UsageError otherwise."""
    wanted = text.upper()
    if wanted not in FORMATS:
        raise UsageError(
            "usage.value", option="--format", found=text, expected="one of " + ", ".join(FORMATS)
        )
    return wanted


def check_seconds(seconds: float | None) -> None:
    """UsageError for a time that never comes: negative, or no number."""
    if seconds is not None and not seconds >= 0:
        expected = "a number of seconds, 0 or more"
        raise UsageError("usage.value", option="--seconds", found=seconds, expected=expected)


def parse_numbers(text: str, option: str, low: int, high: int) -> tuple[int, ...]:
    """Ascending numbers of "1-16,20"; UsageError "usage.value" for anything else."""
    numbers: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        last = last if dash else first
        good = first.isascii() and last.isascii() and first.isdigit() and last.isdigit()
        if not good or not low <= int(first) <= int(last) <= high:
            expected = f"numbers {low} to {high}, such as 1-16,20"
            raise UsageError("usage.value", option=option, found=text, expected=expected)
        numbers.update(range(int(first), int(last) + 1))
    return tuple(sorted(numbers))


def parse_line_settings(bauds: str, formats: str, most: int) -> tuple[tuple[int, str], ...]:
    """The line settings to try, likeliest first; empty texts stand for the `most` likeliest."""
    rates = tuple(sorted({int(b) for b in bauds.split(",")}) if _is_list(bauds) else ())
    if bauds and (not rates or not set(rates) <= set(STANDARD_BAUDS)):
        expected = "standard baud rates from 300 to 921600, such as 9600,19200"
        raise UsageError("usage.value", option="--bauds", found=bauds, expected=expected)
    shapes = tuple(check_format(part.strip()) for part in formats.split(",")) if formats else ()
    chosen = order_settings(rates, shapes)
    return chosen if bauds or formats else chosen[:most]


def _is_list(text: str) -> bool:
    parts = [part.strip() for part in text.split(",")]
    return all(part.isascii() and part.isdigit() for part in parts)


@contextmanager
def open_session(
    port: str, baud: int, serial_format: str, timeout_ms: int
) -> Iterator[LineSession]:
    """A session on a port of its own; closed at the end."""
    line = ProbeLine(port, baud, check_format(serial_format))
    with LineSession(ProbeLink(line), lambda: None, timeout_ms) as session:
        yield session


def show_value(mantissa: int | None, places: int) -> str:
    """A reading for people; a dash for none."""
    return "-" if mantissa is None else format_decimal(mantissa, places)


def quality_name(quality: int) -> str:
    """The name of a quality code."""
    return NAMES[quality]
