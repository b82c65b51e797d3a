"""Where `explain` reads records: a gateway's journal, a receiver's SQLite store, evidence."""

import gzip
import json
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from edge.core.errors import DataError, StoreError, UsageError
from edge.core.journal.record import Record, decode_record

#: How the kinds of file give records: those of a journal are found by a condition on it.
_JOURNAL = "SELECT record, hash FROM journal WHERE 1 = ? AND {} ORDER BY seq"
_STORE = "SELECT body, hash FROM records WHERE journal = ? AND {} ORDER BY seq"

_GATEWAYS = (
    "SELECT j.id, g.tenant || '/' || g.gateway FROM journals j JOIN gateways g"
    " ON g.id = j.gateway WHERE ? IN ('', g.gateway, g.tenant || '/' || g.gateway) ORDER BY j.id"
)

#: Of an evidence file, in a database of its own that ends with the command.
_EVIDENCE = """
CREATE TABLE gateways (id INTEGER PRIMARY KEY, tenant TEXT, gateway TEXT);
CREATE TABLE journals (id INTEGER PRIMARY KEY, gateway INTEGER);
CREATE TABLE records (journal INTEGER, seq INTEGER, kind INTEGER, body BLOB, hash BLOB,
    PRIMARY KEY (journal, seq)) WITHOUT ROWID;
"""

#: A line of evidence; a record is at most 64 KiB and stands in it in hexadecimal.
_LINE_MAX_BYTES = 256 * 1024


class Source:
    """Records of one journal."""

    def __init__(
        self, db: sqlite3.Connection, sql: str, journal: int, owner: str, file: str
    ) -> None:
        self._db, self._sql, self._journal = db, sql, journal
        self.owner = owner
        self._file = file

    def records(self, condition: str, *values: object) -> Iterator[tuple[Record, bytes]]:
        """(record, its hash), in order; condition: over seq and kind.

        Raises StoreError "store.read" or "cloud.read" for a damaged file.
        """
        try:
            found = self._db.execute(self._sql.format(condition), (self._journal, *values))
            for data, digest in found:
                yield decode_record(bytes(data)), bytes(digest)
        except sqlite3.Error as error:
            code = "store.read" if self._sql is _JOURNAL else "cloud.read"
            raise StoreError(code, file=self._file, reason=str(error)) from error


def open_journal(path: Path) -> sqlite3.Connection:
    """A journal that is only read. Raises StoreError "store.open"."""
    return _open(path, "store.open")


def open_store(path: Path) -> sqlite3.Connection:
    """A receiver's store that is only read. Raises StoreError "cloud.open"."""
    return _open(path, "cloud.open")


def _open(path: Path, code: str) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        db.execute("PRAGMA schema_version").fetchone()
    except sqlite3.Error as error:
        raise StoreError(code, file=str(path), reason=str(error)) from error
    return db


def open_evidence(path: Path) -> sqlite3.Connection:
    """The records of an evidence file, as a store has them; its hashes are not checked here.

    Raises StoreError "cloud.file".
    """
    db = sqlite3.connect("")
    try:
        db.executescript(_EVIDENCE)
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


def sources_of(db: sqlite3.Connection, is_journal: bool, path: Path, gateway: str) -> list[Source]:
    """The journals to look into, the newest first; gateway: its id or tenant/id, "" for any.

    Raises StoreError "store.open" or "cloud.open", UsageError "usage.value" unless it is one.
    """
    file = str(path)
    try:
        if is_journal:
            meta = dict(db.execute("SELECT name, value FROM meta").fetchall())
            return [Source(db, _JOURNAL, 1, str(meta["gateway"]), file)]
        rows = db.execute(_GATEWAYS, (gateway,)).fetchall()
    except (sqlite3.Error, KeyError) as error:
        code = "store.open" if is_journal else "cloud.open"
        raise StoreError(code, file=file, reason=str(error)) from error
    expected = "a gateway of this store" if not rows else "one of several: tenant/id"
    if len({owner for _, owner in rows}) != 1:
        found = gateway or "nothing"
        raise UsageError("usage.value", option="--gateway", found=found, expected=expected)
    return [Source(db, _STORE, number, owner, file) for number, owner in reversed(rows)]
