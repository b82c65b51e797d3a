"""`carbontally bench NAME`: one benchmark, as a table or as one JSON object of named figures."""

import json as json_module
import platform
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from edge.core.errors import UsageError
from hil_tests.bench.measure import Figure

NAMES = ("account", "bus", "wire", "journal", "device", "esp32", "fleet", "cloud", "timescale")


def _of(option: str, value: int | None, owner: str, name: str) -> dict[str, int]:
    """An option that one benchmark alone has, when it is given; raises UsageError with others."""
    if value is None:
        return {}
    if name != owner:
        expected = f"bench {owner} with it"
        raise UsageError("usage.value", option=f"--{option}", found=name, expected=expected)
    return {option: value}


def bench(
    name: Annotated[str, typer.Argument(help="one of " + ", ".join(NAMES))],
    rounds: Annotated[int, typer.Option(min=1, max=100, help="interleaved rounds")] = 5,
    hours: Annotated[
        int | None, typer.Option(min=1, max=240, help="esp32: of its day, instead of minutes")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=30, max=8_640, help="cloud: readings in a batch, not 1,440")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> int:
    """Measure one thing beside its peers; medians, and ratios where machines differ."""
    if name not in NAMES:
        raise UsageError(
            "usage.value", option="NAME", found=name, expected="one of " + ", ".join(NAMES)
        )
    options = {**_of("hours", hours, "esp32", name), **_of("batch", batch, "cloud", name)}
    module = __import__(f"hil_tests.bench.{name}", fromlist=["run"])
    console = Console(stderr=True)
    with console.status(f"measuring {name}, {rounds} rounds"):
        figures: list[Figure] = list(module.run(rounds, **options))
    if json:
        print(json_module.dumps({figure.name: round(figure.value, 6) for figure in figures}))
        return 0
    table = Table(
        title=f"bench {name}  ({platform.machine()}, Python {platform.python_version()})"
    )
    for column in ("figure", "value", "unit", "what"):
        table.add_column(column, justify="right" if column == "value" else "left")
    for figure in figures:
        shown = f"{figure.value:,.3f}" if figure.value < 1000 else f"{figure.value:,.0f}"
        table.add_row(figure.name, shown, figure.unit, figure.note)
    Console().print(table)
    return 0
