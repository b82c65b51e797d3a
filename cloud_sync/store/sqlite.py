"""The cloud store in one SQLite file: for one site, for tests, for taking away.

WAL with synchronous=FULL, one connection, one writer: what is acknowledged has been synced to the
disk. Others may read meanwhile, through the views of `schema.sql`.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cloud_sync.ranges import Plan, Segment, gaps_of, head_of
from cloud_sync.rows import Row, Rows, as_json, rates_of
from cloud_sync.store.contract import (
    REFUSALS_MAX,
    REFUSALS_PER_OWNER_MAX,
    REFUSED_PAYLOAD_MAX_BYTES,
    Alarm,
    Head,
    RawRow,
    Refusal,
    Store,
)
from cloud_sync.store.sqlite_file import open_database
from edge.core.errors import StoreError
from edge.core.numbers import pack
from edge.core.sync.ack import GAPS_MAX

_RECORD = "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_POINT = "INSERT INTO points VALUES (?, ?, ?, ?, ?, ?, ?)"
_RATE = "INSERT INTO stream_rates VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_INSERTS = {
    "configs": "INSERT INTO configs VALUES (?, ?, ?, ?)",
    "factor_sets": "INSERT OR IGNORE INTO factor_sets VALUES (?, ?, ?)",
    "readings": "INSERT INTO readings VALUES (?, ?, ?, ?, ?, ?)",
    "swaps": "INSERT OR IGNORE INTO swaps VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "facts": "INSERT OR IGNORE INTO facts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "intervals": "INSERT INTO intervals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "interval_bases": "INSERT INTO interval_bases VALUES (?, ?, ?, ?, ?, ?, ?)",
    "interval_streams": f"INSERT INTO interval_streams VALUES ({', '.join('?' * 12)})",
    "interval_emissions": "INSERT INTO interval_emissions VALUES (?, ?, ?, ?, ?)",
    "events": "INSERT INTO events VALUES (?, ?, ?, ?)",
}
_SEGMENT = "SELECT first, last, hash_before, hash_last FROM ranges WHERE journal = ?"


class SqliteStore(Store):
    """A database file, made with its tables when it is not there."""

    def __init__(self, path: Path, read_only: bool = False) -> None:
        """Open the file; see `open_database`."""
        self.path = path
        self._db = open_database(path, read_only)

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._run("BEGIN IMMEDIATE")
        try:
            yield
            self._run("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _run(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._failure(error)

    def _run_many(self, sql: str, rows: Iterable[Row]) -> None:
        try:
            self._db.executemany(sql, rows)
        except sqlite3.Error as error:
            raise self._failure(error)

    def _failure(self, error: sqlite3.Error) -> StoreError:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            return StoreError("cloud.full", file=str(self.path))
        return StoreError("cloud.write", file=str(self.path), reason=str(error))

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return self._run(sql, *values)

    def find_journal(self, tenant: str, gateway: str, epoch: bytes) -> int | None:
        found = self._run(
            "SELECT j.id FROM journals j JOIN gateways g ON g.id = j.gateway"
            " WHERE g.tenant = ? AND g.gateway = ? AND j.epoch = ?",
            *(tenant, gateway, epoch),
        )
        return found[0][0] if found else None

    def open_journal(self, tenant: str, gateway: str, epoch: bytes, now_ms: int) -> int:
        owner = self._open_gateway(tenant, gateway, now_ms)
        found = self._run(
            "INSERT INTO journals (gateway, epoch, head_seq, head_hash, last_seen_ms)"
            " VALUES (?, ?, -1, x'', ?) ON CONFLICT (gateway, epoch)"
            " DO UPDATE SET last_seen_ms = excluded.last_seen_ms RETURNING id",
            *(owner, epoch, now_ms),
        )
        return int(found[0][0])

    def _open_gateway(self, tenant: str, gateway: str, now_ms: int) -> int:
        found = self._run(
            "INSERT INTO gateways (tenant, gateway, last_seen_ms) VALUES (?, ?, ?)"
            " ON CONFLICT (tenant, gateway)"
            " DO UPDATE SET last_seen_ms = excluded.last_seen_ms RETURNING id",
            *(tenant, gateway, now_ms),
        )
        return int(found[0][0])

    def set_state(self, tenant: str, gateway: str, state: str, now_ms: int) -> None:
        owner = self._open_gateway(tenant, gateway, now_ms)
        self._run("UPDATE gateways SET state = ? WHERE id = ?", state, owner)

    def segments_near(self, journal: int, first: int, last: int) -> list[Segment]:
        # Segments never overlap, so the highest one that starts early enough bounds the search.
        found = self._run(
            _SEGMENT + " AND first <= ? AND first >= coalesce("
            "(SELECT max(first) FROM ranges WHERE journal = ? AND first < ?), ?)"
            " AND last >= ? ORDER BY first",
            *(journal, last + 1, journal, first, first, first - 1),
        )
        return [Segment(*row) for row in found]

    def read_hashes(self, journal: int, first: int, last: int) -> list[tuple[int, bytes]]:
        return self._run(
            "SELECT seq, hash FROM records WHERE journal = ? AND seq BETWEEN ? AND ? ORDER BY seq",
            *(journal, first, last),
        )

    def read_head(self, journal: int, genesis: bytes) -> Head:
        found = self._run(_SEGMENT + " ORDER BY first LIMIT ?", journal, GAPS_MAX + 1)
        lowest = [Segment(*row) for row in found]
        return Head(*head_of(genesis, lowest), gaps_of(lowest, GAPS_MAX))

    def add_records(self, journal: int, raw: Sequence[RawRow], rows: Rows) -> list[int]:
        self._run_many(_RECORD, ((journal, *row) for row in raw))
        for table, sql in _INSERTS.items():
            self._run_many(sql, ((journal, *row) for row in getattr(rows, table)))
        contradictions = []
        for row in rows.devices:
            outcome = self._define("devices", journal, row)
            if outcome == "new":
                self._add_points(journal, row)
            elif outcome == "other":
                contradictions.append(row[1])
        for row in rows.streams:
            outcome = self._define("streams", journal, row)
            if outcome == "new":
                self._add_rates(journal, row)
            elif outcome == "other":
                contradictions.append(row[1])
        return contradictions

    def _define(self, table: str, journal: int, row: tuple[Any, ...]) -> str:
        """Insert a definition: "new", "same" as the one that is there, or "other"."""
        number, seq, *meaning = row
        where = " WHERE journal = ? AND number = ?"
        found = self._run(f"SELECT * FROM {table}{where}", journal, number)
        if not found:
            marks = ", ".join("?" * (1 + len(row)))
            self._run(f"INSERT INTO {table} VALUES ({marks})", journal, *row)
            return "new"
        if list(found[0][3:]) != meaning:
            return "other"
        self._run(f"UPDATE {table} SET seq = min(seq, ?){where}", seq, journal, number)
        return "same"

    def _add_points(self, journal: int, device: tuple[Any, ...]) -> None:
        points: Any = pack.decode(device[-1])
        rows = ((journal, device[0], at, *point) for at, point in enumerate(points))
        self._run_many(_POINT, rows)

    def _add_rates(self, journal: int, stream: tuple[Any, ...]) -> None:
        rows = ((journal, stream[0], *rate) for rate in rates_of(stream[-1]))
        self._run_many(_RATE, rows)

    def apply_plan(self, journal: int, plan: Plan, genesis: bytes) -> Head:
        for segment in plan.replaced:
            sql = "DELETE FROM ranges WHERE journal = ? AND first = ?"
            self._run(sql, journal, segment.first)
        self._run("INSERT INTO ranges VALUES (?, ?, ?, ?, ?)", journal, *plan.merged)
        head = self.read_head(journal, genesis)
        sql = "UPDATE journals SET head_seq = ?, head_hash = ? WHERE id = ?"
        self._run(sql, head.seq, head.hash, journal)
        return head

    def add_alarm(self, alarm: Alarm, now_ms: int) -> None:
        error = alarm.error
        self._run(
            "INSERT INTO alarms (owner, epoch, code, seq, fields, first_ms, last_ms, count)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, 1) ON CONFLICT (owner, epoch, code, seq)"
            " DO UPDATE SET last_ms = excluded.last_ms, count = count + 1",
            *(alarm.owner, alarm.epoch, error.code, alarm.seq, as_json(error.fields)),
            *(now_ms, now_ms),
        )
        self._trim("alarms", alarm.owner)

    def add_refusal(self, refusal: Refusal, now_ms: int) -> None:
        payload = refusal.payload
        kept = payload[:REFUSED_PAYLOAD_MAX_BYTES] if refusal.owner else None
        self._run(
            "INSERT INTO quarantine (owner, topic, code, fields, size_bytes, digest, payload,"
            " first_ms, last_ms, count) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1)"
            " ON CONFLICT (owner, topic, digest)"
            " DO UPDATE SET last_ms = excluded.last_ms, count = count + 1",
            *(refusal.owner, refusal.topic, refusal.error.code, as_json(refusal.error.fields)),
            *(len(payload), hashlib.sha256(payload).digest(), kept, now_ms, now_ms),
        )
        self._trim("quarantine", refusal.owner)

    def _trim(self, table: str, owner: str) -> None:
        newest = " ORDER BY last_ms DESC, id DESC LIMIT -1 OFFSET ?)"
        self._run(
            f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE owner = ?{newest}",
            *(owner, REFUSALS_PER_OWNER_MAX),
        )
        self._run(f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table}{newest}", REFUSALS_MAX)
