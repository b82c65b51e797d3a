"""Compacts the polls of the past in a SQLite file: the bytes that a poll's row gives are dropped.

A few polls are one transaction, so that a receiver waits for none: a crash leaves them as they
were or compacted. Pages that become free are used for what comes next. Two processes may be at it;
what the other one did is not there to be done.
"""

from pathlib import Path
from typing import Any

from cloud_sync.store.sqlite_file import FAILURES, SCHEMA_VERSION, failure, open_database
from cloud_sync.store.sqlite_polls import IS_WHOLE, evidence_of
from edge.core.errors import StoreError

#: Polls of one transaction, a few hundredths of a second of the file's time.
_STEP = 512

_WAITING = (
    f"SELECT journal, count(*) FROM records INDEXED BY records_whole WHERE {IS_WHOLE}"
    " AND wall_ms < ? GROUP BY journal HAVING count(*) >= ? ORDER BY journal"
)
_WHOLE = (
    "SELECT r.journal, r.seq, r.kind, r.boot, r.mono_ms, r.wall_ms, r.clock, r.hash, r.body,"
    " p.device, p.mantissas, p.qualities FROM records r INDEXED BY records_whole"
    " LEFT JOIN polls p ON p.journal = r.journal AND p.seq = r.seq"
    f" WHERE {IS_WHOLE.replace('kind', 'r.kind').replace('body', 'r.body')}"
    " AND r.journal = ? AND (r.wall_ms, r.seq) > (?, ?) AND r.wall_ms < ?"
    " ORDER BY r.wall_ms, r.seq LIMIT ?"
)

#: A poll's row is written anew beside its record, so that both tables' pages are full again.
_DROPS = tuple(
    f"DELETE FROM {table} WHERE journal = ? AND seq = ?" for table in ("records", "polls")
)
_RECORD = "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_POLL = "INSERT INTO polls VALUES (?, ?, ?, ?, ?)"

_START = (-(1 << 63), -1)


class SqliteCompaction:
    """A connection that compacts. Every method raises StoreError; `cancel` is for any thread."""

    def __init__(self, path: Path) -> None:
        """Open a file that is there; see `open_database`."""
        open_database(path, read_only=True).close()
        self._path = path
        self._db = open_database(path)
        self._done: dict[int, tuple[int, int]] = {}  # journal -> time and seq that it came to

    def waiting(self, before_ms: int, polls_min: int) -> list[tuple[int, int]]:
        """(journal, polls) of those with so many polls from before a time."""
        return self._run(_WAITING, before_ms, polls_min)

    def run(self, journal: int, before_ms: int, polls_max: int) -> int:
        """Compact polls of a journal; how many, 0 when none is left."""
        total = 0
        while total < polls_max:
            found = self._step(journal, before_ms, min(_STEP, polls_max - total))
            if found is None:
                break
            total += found
        return total

    def tidy(self) -> None:
        """Nothing: what became free is used again."""

    def cancel(self) -> None:
        """Break off what is being done: it fails, and leaves polls as they were."""
        self._db.interrupt()

    def close(self) -> None:
        """Let go of the file; never raises, may be repeated."""
        self._db.close()

    def _run(self, sql: str, *values: object) -> list[Any]:
        try:
            return self._db.execute(sql, values).fetchall()
        except FAILURES as error:
            raise failure(error, self._path)

    def _step(self, journal: int, before_ms: int, polls_max: int) -> int | None:
        """One transaction; how many of those it looked at, None when there were none."""
        self._run("BEGIN IMMEDIATE")
        try:
            self._check_schema()
            after = self._done.get(journal, _START)
            found = self._run(_WHOLE, journal, *after, before_ms, polls_max)
            rows = [(*row[:8], evidence_of(row[8], *_columns(row)), *row[9:]) for row in found]
            rows = [row for row in rows if row[8] is not None]
            self._replace(rows)
            self._run("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        if not found:
            return None
        self._done[journal] = (found[-1][5], found[-1][1])
        return len(rows)

    def _check_schema(self) -> None:
        ((found,),) = self._run("PRAGMA user_version")
        if found != SCHEMA_VERSION:
            reason = f"its schema became version {found}, this program knows {SCHEMA_VERSION}"
            raise StoreError("cloud.open", file=str(self._path), reason=reason)

    def _replace(self, rows: list[Any]) -> None:
        rows.sort(key=lambda row: row[1])
        keys = [row[:2] for row in rows]
        try:
            for drop in _DROPS:
                self._db.executemany(drop, keys)
            self._db.executemany(_RECORD, (row[:9] for row in rows))
            self._db.executemany(_POLL, ((*row[:2], *row[9:]) for row in rows))
        except FAILURES as error:
            raise failure(error, self._path)


def _columns(row: Any) -> Any:
    """What `poll_bytes` makes the bytes of."""
    _, seq, _, boot, mono_ms, wall_ms, clock, _, _, *poll = row
    return seq, boot, mono_ms, wall_ms, clock, *poll
