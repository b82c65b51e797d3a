"""`carbontally explain`: one figure as a chain that a verifier can follow, offline."""

import json as json_module
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.app.cli.explain_stack import samples_of
from edge.app.cli.explain_text import lines_of, object_of
from edge.core.carbon.interval import CUMULATIVE
from edge.core.carbon.trail import Book, follow
from edge.core.carbon.trail_stack import recount
from edge.core.errors import StoreError, UsageError
from edge.core.journal.record import Kind, Part, Record, decode_record

#: How the two kinds of file give records: those of a journal are found by a condition on it.
_JOURNAL = "SELECT record, hash FROM journal WHERE 1 = ? AND {} ORDER BY seq"
_STORE = "SELECT body, hash FROM records WHERE journal = ? AND {} ORDER BY seq"

#: An interval record, its hash, and the interval record before it.
Found = tuple[Record, bytes, Record | None]

_GATEWAYS = (
    "SELECT j.id, g.tenant || '/' || g.gateway FROM journals j JOIN gateways g"
    " ON g.id = j.gateway WHERE ? IN ('', g.gateway, g.tenant || '/' || g.gateway) ORDER BY j.id"
)


class Source:
    """Records of one journal: in a gateway's own file, or in a receiver's store."""

    def __init__(self, db: sqlite3.Connection, sql: str, journal: int, owner: str) -> None:
        self._db, self._sql, self._journal = db, sql, journal
        self.owner = owner

    def records(self, condition: str, *values: object) -> Iterator[tuple[Record, bytes]]:
        """(record, its hash), in order; condition: over seq and kind."""
        for data, digest in self._db.execute(
            self._sql.format(condition), (self._journal, *values)
        ):
            yield decode_record(bytes(data)), bytes(digest)


def explain(
    stream: Annotated[str, typer.Option(help="name of the stream")],
    interval: Annotated[
        str,
        typer.Option(help="a time within it, like 2026-11-20T09:45:00Z; or its record; or last"),
    ] = "last",
    journal: Annotated[Path | None, typer.Option(help="journal of a gateway")] = None,
    store: Annotated[str, typer.Option(help="sqlite:///path of a receiver's store")] = "",
    gateway: Annotated[str, typer.Option(help="in a store: its id, or tenant/id")] = "",
    json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> int:
    """Follow one figure: registers, moves, factor, product, rounding; 65 if it differs."""
    if (journal is None) == (store == ""):
        raise _usage("--journal", "both" if store else "nothing", "--journal or --store")
    path = journal if journal is not None else _store_path(store)
    with closing(_open(path)) as db:
        found = _look(_sources(db, journal is not None, path, gateway), interval)
        if found is None:
            raise _usage("--interval", interval, "an interval of this journal")
        return _tell(found[0], stream, *found[1], as_json=json)


def _usage(option: str, found: str, expected: str) -> UsageError:
    return UsageError("usage.value", option=option, found=found, expected=expected)


def _store_path(text: str) -> Path:
    path = text.removeprefix("sqlite:///")
    if path == text or not path:
        raise _usage("--store", text, "sqlite:///path")
    return Path(path)


def _open(path: Path) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        db.execute("PRAGMA schema_version").fetchone()
    except sqlite3.Error as error:
        raise StoreError("store.open", file=str(path), reason=str(error)) from error
    return db


def _sources(db: sqlite3.Connection, is_journal: bool, path: Path, gateway: str) -> list[Source]:
    """The journals to look into, the newest first."""
    try:
        if is_journal:
            meta = dict(db.execute("SELECT name, value FROM meta").fetchall())
            return [Source(db, _JOURNAL, 1, str(meta["gateway"]))]
        rows = db.execute(_GATEWAYS, (gateway,)).fetchall()
    except (sqlite3.Error, KeyError) as error:
        raise StoreError("store.open", file=str(path), reason=str(error)) from error
    if not rows:
        raise _usage("--gateway", gateway, "a gateway of this store")
    if len({owner for _, owner in rows}) > 1:
        raise _usage("--gateway", gateway or "nothing", "one of several: tenant/id")
    return [Source(db, _STORE, number, owner) for number, owner in reversed(rows)]


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
    for record, digest in source.records("kind = 2"):
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
    for record, _ in source.records("kind = 0"):
        parts.extend(record.body)
    span = source.records("seq > ? AND seq < ?", first, interval.seq)
    between = [record for record, _ in span if record.kind in (Kind.POLL, Kind.TABLE)]
    book = Book(parts)
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
    for record, _ in source.records("kind = 0 AND seq <= ?", first):
        for part in record.body:
            windows = part[1] if part[0] == Part.WINDOWS else windows
    past = [record for record, _ in source.records("kind = 2 AND seq <= ?", first)]
    span = source.records("kind = 1 AND seq > ? AND seq <= ?", first - _LOOK_BACK, first)
    older = [record for record, _ in span]
    return recount(book, definition, windows, past, older + between, at)
