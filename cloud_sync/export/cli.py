"""`carbontally export`: a store as Parquet, partitioned by day."""

import json as json_module
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from cloud_sync.export.parquet import DAY_MS, Writer, days_in
from cloud_sync.export.tables import TABLES, Table
from cloud_sync.reading.calendar import instant
from cloud_sync.reading.database import Database, open_reading
from cloud_sync.reading.health import read_tenants
from edge.core.errors import UsageError


def export(
    store: Annotated[str, typer.Option(help="sqlite:///path or postgresql://host/name")],
    to: Annotated[Path, typer.Option(help="folder of the files")],
    since: Annotated[str, typer.Option("--from", help="first day (UTC), like 2026-11-20")] = "",
    until: Annotated[str, typer.Option("--until", help="last day (UTC), included")] = "",
    tenant: Annotated[str, typer.Option(help="only this one; default: all")] = "",
    json: Annotated[bool, typer.Option("--json", help="one JSON object a file")] = False,
) -> int:
    """Write each table and day as a file, in place of the one before; safe to repeat."""
    first_ms, last_ms = _day_ms("--from", since), _day_ms("--until", until)
    if first_ms is not None and last_ms is not None and last_ms < first_ms:
        raise UsageError(
            "usage.value", option="--until", found=until, expected="a day from --from"
        )
    database = open_reading(store)
    try:
        _check_tenant(database, tenant)
        work = _plan(database, tenant, first_ms, last_ms)
        writer = Writer(to)
        try:
            files, rows = _write(writer, database, work, tenant, json)
        finally:
            writer.close()
    finally:
        database.close()
    if not json:
        print(f"{to}: {files} files, {rows} rows")
    return 0


def _check_tenant(database: Database, wanted: str) -> None:
    if wanted and wanted not in (known := read_tenants(database)):
        expected = "one of " + ", ".join(known) if known else "a store with a gateway in it"
        raise UsageError("usage.value", option="--tenant", found=wanted, expected=expected)


def _plan(
    database: Database, tenant: str, first_ms: int | None, last_ms: int | None
) -> list[tuple[Table, int]]:
    """The (table, day) pairs: days with rows between the limits; with two limits every day."""
    if first_ms is not None and last_ms is not None:
        days = range(first_ms, last_ms + 1, DAY_MS)
        return [(table, day_ms) for table in TABLES for day_ms in days]
    return [
        (table, day_ms)
        for table in TABLES
        for day_ms in days_in(database, table, tenant)
        if (first_ms is None or first_ms <= day_ms) and (last_ms is None or day_ms <= last_ms)
    ]


def _write(
    writer: Writer, database: Database, work: list[tuple[Table, int]], tenant: str, json: bool
) -> tuple[int, int]:
    files = rows = 0
    console = Console(stderr=True)
    is_hidden = json or not console.is_terminal
    with Progress(console=console, transient=True, disable=is_hidden) as bar:
        task = bar.add_task("days", total=len(work))
        for table, day_ms in work:
            written = writer.write(database, table, day_ms, tenant)
            files += written.path is not None
            rows += written.rows
            bar.advance(task)
            if json:
                path = None if written.path is None else str(written.path)
                day = instant(day_ms)[:10]
                told = {"table": table.name, "day": day, "path": path, "rows": written.rows}
                sys.stdout.write(json_module.dumps(told, ensure_ascii=False) + "\n")
                sys.stdout.flush()
    return files, rows


def _day_ms(option: str, text: str) -> int | None:
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        expected = "a day like 2026-11-20"
        raise UsageError("usage.value", option=option, found=text, expected=expected) from error
    return int(day.timestamp()) * 1000
