"""Where `explain` reads records: a gateway's journal, a receiver's store, evidence."""

import gzip
import importlib
import json
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from edge.core.errors import DataError, StoreError, UsageError
from edge.core.journal.record import Record, decode_record

#: How the kinds of file give records; a condition on their seq and kind follows.
_JOURNAL = "SELECT record, hash FROM journal WHERE 1 = ?"
_EVIDENCE = "SELECT body, hash FROM records WHERE journal = ?"

#: What reads a store. By its name: this side of the program imports nothing of that one.
_STORE = ("cloud_sync.reading.records", "StoreRecords")

#: Above every seq.
_END = (1 << 63) - 1

_GATEWAYS = (
    "SELECT j.id, g.tenant || '/' || g.gateway FROM journals j JOIN gateways g"
    " ON g.id = j.gateway WHERE ? IN ('', g.gateway, g.tenant || '/' || g.gateway) ORDER BY j.id"
)

#: Of an evidence file, in a database of its own that ends with the command.
_TABLES = """
CREATE TABLE gateways (id INTEGER PRIMARY KEY, tenant TEXT, gateway TEXT);
CREATE TABLE journals (id INTEGER PRIMARY KEY, gateway INTEGER);
CREATE TABLE records (journal INTEGER, seq INTEGER, kind INTEGER, body BLOB, hash BLOB,
    PRIMARY KEY (journal, seq)) WITHOUT ROWID;
"""

#: A line of evidence; a record is at most 64 KiB and stands in it in hexadecimal.
_LINE_MAX_BYTES = 256 * 1024


class Source:
    """Records of one journal."""

    owner: str

    def records(
        self, kind: int | None = None, first: int = 0, last: int = _END
    ) -> Iterator[tuple[Record, bytes]]:
        """(record, its hash) of first..last, in order; kind: a table or an interval, or None.

        Raises StoreError "store.read", "cloud.read" or "cloud.damaged".
        """
        raise NotImplementedError


class _FileSource(Source):
    """Of a gateway's journal or an evidence file."""

    def __init__(
        self, db: sqlite3.Connection, sql: str, journal: int, owner: str, file: str
    ) -> None:
        self._db, self._sql, self._journal = db, sql, journal
        self.owner = owner
        self._file = file

    def records(
        self, kind: int | None = None, first: int = 0, last: int = _END
    ) -> Iterator[tuple[Record, bytes]]:
        sql = f"{self._sql} AND seq BETWEEN ? AND ?"
        if kind is not None:
            sql += f" AND kind = {kind:d}"
        try:
            found = self._db.execute(f"{sql} ORDER BY seq", (self._journal, first, last))
            for data, digest in found:
                yield decode_record(bytes(data)), bytes(digest)
        except sqlite3.Error as error:
            code = "store.read" if self._sql is _JOURNAL else "cloud.read"
            raise StoreError(code, file=self._file, reason=str(error)) from error


class _StoreSource(Source):
    """Of a receiver's store."""

    def __init__(self, store: Any, journal: int, owner: str) -> None:
        self._store, self._journal, self.owner = store, journal, owner

    def records(
        self, kind: int | None = None, first: int = 0, last: int = _END
    ) -> Iterator[tuple[Record, bytes]]:
        for data, digest in self._store.read(self._journal, kind, first, last):
            try:
                record = decode_record(data)
            except DataError as error:
                self._store.refuse_damaged(f"a record of {self.owner}: {error}")
            yield record, digest


@contextmanager
def open_sources(
    journal: Path | None, store: str, evidence: Path | None, gateway: str
) -> Iterator[list[Source]]:
    """The journals of the one of the three that is given, the newest first.

    gateway: its id or tenant/id, "" for any. Raises UsageError "usage.value" unless it is one,
    StoreError for what cannot be opened.
    """
    if store:
        module, name = _STORE
        opened = getattr(importlib.import_module(module), name)(store)
    elif journal is not None:
        opened = _open_journal(journal)
    else:
        assert evidence is not None
        opened = _open_evidence(evidence)
    try:
        if store:
            rows = _of_one(opened.owners(gateway), gateway)
            yield [_StoreSource(opened, *row) for row in rows]
        elif journal is not None:
            yield [_journal_source(opened, journal)]
        else:
            rows = _of_one(opened.execute(_GATEWAYS, (gateway,)).fetchall(), gateway)
            yield [_FileSource(opened, _EVIDENCE, *row, str(evidence)) for row in rows]
    finally:
        opened.close()


def _of_one(rows: list[tuple[int, str]], gateway: str) -> list[tuple[int, str]]:
    """The journals of one gateway, the newest first."""
    expected = "a gateway of this store" if not rows else "one of several: tenant/id"
    if len({owner for _, owner in rows}) != 1:
        found = gateway or "nothing"
        raise UsageError("usage.value", option="--gateway", found=found, expected=expected)
    return rows[::-1]


def _open_journal(path: Path) -> sqlite3.Connection:
    """A journal that is only read. Raises StoreError "store.open"."""
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        db.execute("PRAGMA schema_version").fetchone()
    except sqlite3.Error as error:
        raise StoreError("store.open", file=str(path), reason=str(error)) from error
    return db


def _journal_source(db: sqlite3.Connection, path: Path) -> Source:
    try:
        meta = dict(db.execute("SELECT name, value FROM meta").fetchall())
        return _FileSource(db, _JOURNAL, 1, str(meta["gateway"]), str(path))
    except (sqlite3.Error, KeyError) as error:
        raise StoreError("store.open", file=str(path), reason=str(error)) from error


def _open_evidence(path: Path) -> sqlite3.Connection:
    """The records of an evidence file, as a store has them; its hashes are not checked here.

    Raises StoreError "cloud.file".
    """
    db = sqlite3.connect("")
    try:
        db.executescript(_TABLES)
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            _load(db, stream)
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, DataError) as error:
        db.close()
        reason = getattr(error, "strerror", None) or f"no evidence file: {error}"
        raise StoreError("cloud.file", file=str(path), reason=reason) from error
    except sqlite3.Error as error:
        db.close()
        raise StoreError("cloud.file", file=str(path), reason=str(error)) from error
    return db


def _load(db: sqlite3.Connection, stream: BinaryIO | gzip.GzipFile) -> None:
    journal = 0
    while line := stream.readline(_LINE_MAX_BYTES):
        found: dict[str, Any] = json.loads(line)
        if "format" in found:
            journal += 1
            owner = (journal, found["tenant"], found["gateway"])
            db.execute("INSERT INTO gateways VALUES (?, ?, ?)", owner)
            db.execute("INSERT INTO journals VALUES (?, ?)", (journal, journal))
        elif "record" in found:
            body = bytes.fromhex(found["record"])
            row = (journal, found["seq"], decode_record(body).kind, body)
            digest = bytes.fromhex(found["hash"])
            db.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?)", (*row, digest))
    if not journal:
        raise ValueError("it has no journal")
