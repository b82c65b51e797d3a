"""The ledger: what the emulator put on the wire, and what it left unanswered, in SQLite.

It is the outside witness of a run. One thread writes and commits once a second and at the end;
any process may read the file meanwhile (write-ahead log).
"""

import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from edge.core.errors import StoreError

_COMMIT_S = 1.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS run (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
-- A reply on the wire: its last byte at wall_ms. registers: big-endian, what the station held,
-- even if a fault spoilt the frame; NULL in an exception reply.
CREATE TABLE IF NOT EXISTS reply (
    id INTEGER PRIMARY KEY,
    wall_ms INTEGER NOT NULL,
    factory_s INTEGER NOT NULL,
    bus TEXT NOT NULL,
    station INTEGER NOT NULL,
    function INTEGER NOT NULL,
    address INTEGER,
    count INTEGER,
    registers BLOB,
    exception INTEGER,
    fault TEXT
);
CREATE INDEX IF NOT EXISTS reply_by_station ON reply (bus, station, id);
-- A request that got no reply; reason: crc, no_station, broadcast, early, collision, or the name
-- of a fault.
CREATE TABLE IF NOT EXISTS unanswered (
    id INTEGER PRIMARY KEY,
    wall_ms INTEGER NOT NULL,
    bus TEXT NOT NULL,
    reason TEXT NOT NULL,
    frame BLOB NOT NULL
);
-- What else happened on the bus: foreign, babble, babble_end, reboot, unplug, replug, echo, or a
-- fault that a request survived. frame: the request concerned, if any.
CREATE TABLE IF NOT EXISTS incident (
    id INTEGER PRIMARY KEY,
    wall_ms INTEGER NOT NULL,
    bus TEXT NOT NULL,
    station INTEGER,
    name TEXT NOT NULL,
    frame BLOB NOT NULL
);
"""
_INSERT_REPLY = """
INSERT INTO reply (wall_ms, factory_s, bus, station, function, address, count, registers,
    exception, fault) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_INSERT_UNANSWERED = "INSERT INTO unanswered (wall_ms, bus, reason, frame) VALUES (?, ?, ?, ?)"
_INSERT_INCIDENT = (
    "INSERT INTO incident (wall_ms, bus, station, name, frame) VALUES (?, ?, ?, ?, ?)"
)


@dataclass(frozen=True)
class ServedReply:
    """One row of table reply; `id` grows in the order of the wire, 0 before it is written."""

    wall_ms: int
    factory_s: int
    bus: str
    station: int
    function: int
    address: int | None
    count: int | None
    registers: bytes | None
    exception: int | None
    fault: str | None
    id: int = 0


@dataclass(frozen=True)
class Unanswered:
    """One row of table unanswered."""

    wall_ms: int
    bus: str
    reason: str
    frame: bytes


@dataclass(frozen=True)
class Incident:
    """One row of table incident."""

    wall_ms: int
    bus: str
    station: int | None
    name: str
    frame: bytes


_INSERTS: dict[type, str] = {
    ServedReply: _INSERT_REPLY,
    Unanswered: _INSERT_UNANSWERED,
    Incident: _INSERT_INCIDENT,
}


class Ledger:
    """Writes one ledger file; any thread may call reply(), unanswered() and incident().

    Raises StoreError store.open at once, store.write from close().
    """

    def __init__(self, path: Path, facts: dict[str, str]) -> None:
        self._path = path
        self._queue: queue.SimpleQueue[ServedReply | Unanswered | Incident | None] = (
            queue.SimpleQueue()
        )
        self._failure: str | None = None
        try:
            with contextlib.closing(sqlite3.connect(path)) as database, database:
                database.execute("PRAGMA journal_mode=WAL")
                database.executescript(_SCHEMA)
                database.executemany("INSERT OR REPLACE INTO run VALUES (?, ?)", facts.items())
        except sqlite3.Error as error:
            raise StoreError("store.open", file=str(path), reason=str(error))
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def reply(self, row: ServedReply) -> None:
        self._queue.put(row)

    def unanswered(self, row: Unanswered) -> None:
        self._queue.put(row)

    def incident(self, row: Incident) -> None:
        self._queue.put(row)

    def close(self) -> None:
        """Commit everything given so far and close the file."""
        self._queue.put(None)
        self._thread.join()
        if self._failure is not None:
            raise StoreError("store.write", file=str(self._path), reason=self._failure)

    def _run(self) -> None:
        try:
            with contextlib.closing(sqlite3.connect(self._path)) as database:
                database.execute("PRAGMA synchronous=NORMAL")
                while self._write_batch(database):
                    pass
        except sqlite3.Error as error:
            self._failure = str(error)

    def _write_batch(self, database: sqlite3.Connection) -> bool:
        """Collect for up to a second, commit in one transaction; False after close()."""
        rows: dict[type, list[tuple[Any, ...]]] = {kind: [] for kind in _INSERTS}
        goes_on = True
        deadline_s = time.monotonic() + _COMMIT_S
        while goes_on and (left_s := deadline_s - time.monotonic()) > 0:
            try:
                row = self._queue.get(timeout=left_s)
            except queue.Empty:
                break
            if row is None:
                goes_on = False
            else:
                # A reply's id is the database's own.
                columns = _INSERTS[type(row)].count("?")
                rows[type(row)].append(astuple(row)[:columns])
        if any(rows.values()):
            with database:
                for kind, insert in _INSERTS.items():
                    database.executemany(insert, rows[kind])
        return goes_on


def _read(path: Path, query: str, values: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    address = f"{path.resolve().as_uri()}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True)) as database:
            yield from database.execute(query, values).fetchall()
    except sqlite3.Error as error:
        raise StoreError("store.open", file=str(path), reason=str(error))


def read_replies(path: Path, bus: str, station: int, after_id: int = 0) -> list[ServedReply]:
    """The committed replies of one station in the order of the wire, ids above `after_id`."""
    query = """SELECT wall_ms, factory_s, bus, station, function, address, count, registers,
        exception, fault, id FROM reply WHERE bus = ? AND station = ? AND id > ? ORDER BY id"""
    return [ServedReply(*row) for row in _read(path, query, (bus, station, after_id))]


def read_unanswered(path: Path) -> list[Unanswered]:
    """The requests that got no reply, in the order of the wire."""
    query = "SELECT wall_ms, bus, reason, frame FROM unanswered ORDER BY id"
    return [Unanswered(*row) for row in _read(path, query)]


def read_incidents(path: Path) -> list[Incident]:
    """What else happened, in order."""
    query = "SELECT wall_ms, bus, station, name, frame FROM incident ORDER BY id"
    return [Incident(*row) for row in _read(path, query)]


def read_run(path: Path) -> dict[str, str]:
    """What the run was: scenario, seed, speed, started_ms, start_s, pacing, strict."""
    return dict(_read(path, "SELECT key, value FROM run"))
