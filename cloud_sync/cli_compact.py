"""The verb that compacts a store; a timer runs it once a day."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cloud_sync.cli_audit import instant_ms
from cloud_sync.idle import day_before
from cloud_sync.json_text import as_json
from cloud_sync.store.address import EXPECTED, parse_address


def compact(
    store: Annotated[str, typer.Option(help=EXPECTED)],
    before: Annotated[
        str, typer.Option(help="a time; without it the start of the day before, UTC")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> int:
    """Store polls of the past in less room; nothing is lost, views stay the same."""
    place = parse_address(store)
    now_ms = time.time_ns() // 1_000_000
    before_ms = instant_ms("--before", before) if before else day_before(now_ms)
    polls = _run(place, before_ms, json)
    instant = datetime.fromtimestamp(before_ms / 1000, UTC).isoformat()
    print(as_json({"before": instant, "polls": polls}) if json else f"{polls} polls compacted")
    return 0


def _run(place: Path | str, before_ms: int, is_quiet: bool) -> int:
    from rich.console import Console
    from rich.progress import Progress

    from cloud_sync.store.compaction import compact as run

    console = Console(stderr=True)
    with Progress(console=console, disable=is_quiet or not console.is_terminal) as bar:
        task = bar.add_task("polls", total=None)
        return run(
            place,
            before_ms,
            lambda total: bar.update(task, total=total),
            lambda done: bar.advance(task, done),
        )
