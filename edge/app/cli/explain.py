"""`carbontally explain`: one figure as a chain that a verifier can follow, offline."""

import json as json_module
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.app.cli.explain_source import Source, open_sources
from edge.app.cli.explain_stack import samples_of
from edge.app.cli.explain_text import lines_of, object_of
from edge.core.carbon.interval import CUMULATIVE
from edge.core.carbon.trail import Book, follow
from edge.core.carbon.trail_stack import recount
from edge.core.errors import UsageError
from edge.core.journal.record import Kind, Part, Record

#: An interval record, its hash, and the interval record before it.
Found = tuple[Record, bytes, Record | None]


def explain(
    stream: Annotated[str, typer.Option(help="name of the stream")],
    interval: Annotated[
        str,
        typer.Option(help="a time within it, like 2026-11-20T09:45:00Z; or its record; or last"),
    ] = "last",
    journal: Annotated[Path | None, typer.Option(help="journal of a gateway")] = None,
    store: Annotated[str, typer.Option(help="sqlite:///path or postgresql://host/name")] = "",
    evidence: Annotated[
        Path | None, typer.Option(help="file of `carbontally evidence`, .gz too")
    ] = None,
    gateway: Annotated[str, typer.Option(help="in a store: its id, or tenant/id")] = "",
    json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> int:
    """Follow one figure: registers, moves, factor, product, rounding; 65 if it differs."""
    _check_one({"--journal": journal, "--store": store, "--evidence": evidence})
    with open_sources(journal, store, evidence, gateway) as sources:
        found = _look(sources, interval)
        if found is None:
            raise _usage("--interval", interval, "an interval of this journal")
        return _tell(found[0], stream, *found[1], as_json=json)


def _usage(option: str, found: str, expected: str) -> UsageError:
    return UsageError("usage.value", option=option, found=found, expected=expected)


def _check_one(given: dict[str, Path | str | None]) -> None:
    names = [name for name, found in given.items() if found]
    if len(names) != 1:
        told = " and ".join(names) or "nothing"
        raise _usage("--journal", told, "--journal, --store or --evidence")


def _look(sources: list[Source], wanted: str) -> tuple[Source, Found] | None:
    """The wanted interval among the journals; of "last", the one that ended last by its time."""
    best: tuple[Source, Found] | None = None
    for source in sources:
        found = _find(source, wanted)
        if found is None:
            continue
        if wanted != "last":
            return source, found
        # A gateway whose clock was wrong opens a newer journal with older times.
        if best is None or found[0].body[1] > best[1][0].body[1]:
            best = source, found
    return best


def _find(source: Source, wanted: str) -> Found | None:
    """The interval in one journal, or None when it is not here."""
    instant = None if wanted == "last" or wanted.isdigit() else _instant_ms(wanted)
    before: Record | None = None
    last: Found | None = None
    for record, digest in source.records(Kind.INTERVAL):
        found = (record, digest, before)
        if wanted.isdigit() and record.seq == int(wanted):
            return found
        if instant is not None and record.body[0] <= instant < record.body[1]:
            return found
        if last is None or record.body[1] >= last[0].body[1]:
            last = found
        before = record
    return last if wanted == "last" else None


def _instant_ms(text: str) -> int:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise _usage("--interval", text, "a time like 2026-11-20T09:45:00Z") from error
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return round(instant.timestamp()) * 1000


def _tell(
    source: Source,
    stream: str,
    interval: Record,
    digest: bytes,
    before: Record | None,
    as_json: bool,
) -> int:
    first = -1 if before is None else before.seq
    parts: list[Any] = []
    for record, _ in source.records(Kind.TABLE):
        parts.extend(record.body)
    span = source.records(None, first + 1, interval.seq - 1)
    between = [record for record, _ in span if record.kind in (Kind.POLL, Kind.TABLE)]
    book = Book(parts)
    _check_here(source, book, interval, before)
    known = [book.streams[entry[0]][2] for entry in interval.body[2]]
    if stream not in known:
        raise _usage("--stream", stream, "one of " + ", ".join(known))
    trail = follow(book, stream, before, between, interval)
    if trail.definition[3] == "stack_co2" and trail.entry[CUMULATIVE] is not None:
        again = _mass_again(source, book, trail.definition, between, interval, first)
        trail.recomputed = None if again is None else again[CUMULATIVE]
    unread = {book.streams[entry[0]][2] for entry in interval.body[2] if entry[CUMULATIVE] is None}
    story = object_of(
        trail, source.owner, interval, digest, unread, samples_of(book, trail, between)
    )
    if as_json:
        print(json_module.dumps(story, ensure_ascii=False))
    else:
        print("\n".join(lines_of(story)))
    return 65 if story["same"] is False else 0


def _check_here(source: Source, book: Book, interval: Record, before: Record | None) -> None:
    """A part of a journal may lack what an interval stands on."""
    lacks = [entry[0] for entry in interval.body[2] if entry[0] not in book.streams]
    if lacks or (before is None and not list(source.records(None, 0, 0))):
        expected = "an interval whose definitions and predecessor are here, too"
        raise _usage("--interval", f"record {interval.seq}", expected)


#: So many records before an interval have what a stack takes in that is older than the interval.
_LOOK_BACK = 1000


def _mass_again(
    source: Source,
    book: Book,
    definition: list[Any],
    between: list[Record],
    at: Record,
    first: int,
) -> list[Any] | None:
    """A stack's entry from its samples; first: seq of the interval record before, -1 for none."""
    windows: list[Any] = []
    for record, _ in source.records(Kind.TABLE, 0, first):
        for part in record.body:
            windows = part[1] if part[0] == Part.WINDOWS else windows
    past = [record for record, _ in source.records(Kind.INTERVAL, 0, first)]
    span = source.records(None, max(first - _LOOK_BACK + 1, 0), first)
    older = [record for record, _ in span if record.kind == Kind.POLL]
    return recount(book, definition, windows, past, older + between, at)
