"""`carbontally report`: a park's figures of a period as a page, tables, or one JSON object."""

import json as json_module
import os
import time
from pathlib import Path
from typing import Annotated

import typer

from cloud_sync.reading.calendar import DEFAULT_ZONE, find_zone, parse_period
from cloud_sync.reading.database import Database, open_reading
from cloud_sync.reading.health import read_tenants
from cloud_sync.reports.document import Request, build_document
from cloud_sync.reports.register import read_site_file
from cloud_sync.reports.render import TABLES, write_page, write_table
from edge.core.errors import StoreError, UsageError
from edge.core.errors.table import LANGUAGES


def report(
    store: Annotated[str, typer.Option(help="sqlite:///path or postgresql://host/name")],
    of: Annotated[str, typer.Option(help="a year, month or day: 2026, 2026-11, 2026-11-20")],
    to: Annotated[Path | None, typer.Option(help="folder for the page and the tables")] = None,
    tenant: Annotated[str, typer.Option(help="whose; needed when the store has several")] = "",
    zone: Annotated[str, typer.Option(help="whose days")] = DEFAULT_ZONE,
    basis: Annotated[str, typer.Option(help="a further basis; default: the main one")] = "",
    config: Annotated[
        list[Path] | None,
        typer.Option(help="gateway.toml with what instruments are; may be repeated"),
    ] = None,
    lang: Annotated[str, typer.Option(help="en or zh")] = "en",
    json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> int:
    """Report scope 1 and 2, the park method and indicators; 65 if a figure does not come out."""
    if lang not in LANGUAGES:
        raise UsageError("usage.value", option="--lang", found=lang, expected="en or zh")
    if to is None and not json:
        raise UsageError("usage.value", option="--to", found="nothing", expected="a folder")
    place = find_zone(zone)
    period = parse_period(of, place)
    files = tuple(read_site_file(path) for path in config or ())
    database = open_reading(store)
    try:
        who = _tenant(database, tenant)
        request = Request(who, period, place, basis, files)
        document = build_document(database, request, time.time_ns() // 1_000_000)
    finally:
        database.close()
    if to is not None:
        pages = {"report.html": write_page(document, lang)}
        pages |= {name: write_table(rows(document)) for name, rows in TABLES.items()}
        _write(to, pages)
    if json:
        print(json_module.dumps(document, ensure_ascii=False))
    else:
        print(f"{to}: {', '.join(['report.html', *TABLES])}")
    return 0 if all(stream["same"] for stream in document["streams"]) else 65


def _tenant(database: Database, wanted: str) -> str:
    known = read_tenants(database)
    if wanted in known or (not wanted and len(known) == 1):
        return wanted or known[0]
    expected = "one of " + ", ".join(known) if known else "a store with a gateway in it"
    raise UsageError("usage.value", option="--tenant", found=wanted or "none", expected=expected)


def _write(folder: Path, pages: dict[str, str]) -> None:
    """Each file as a whole or not at all."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in pages.items():
            fresh = folder / f".{name}.{os.getpid()}"
            fresh.write_text(text, "utf-8", newline="")
            fresh.replace(folder / name)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError("cloud.file", file=str(folder), reason=reason) from error
