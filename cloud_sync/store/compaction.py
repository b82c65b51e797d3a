"""Compacts the polls of the past, a run at a time; in a PostgreSQL store they become blocks.

Each run is one transaction: a crash leaves it as rows or as blocks. Receivers may store and
readers may read meanwhile. One journal is compacted by one process at a time; others go on to the
next.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cloud_sync.store.dialect import read_script
from cloud_sync.store.postgres_database import (
    connect,
    hold_schema,
    load_psycopg,
    public_name,
    reason_of,
)
from cloud_sync.store.postgres_layout import open_layout
from cloud_sync.store.sqlite_compaction import SqliteCompaction
from cloud_sync.store.sqlite_file import APPLICATION_ID, SCHEMA_VERSION
from edge.core.errors import StoreError

#: Polls of one run: what a reader of one record has to unpack.
POLLS_MAX = 8_192

#: Fewer than this are left to grow: a block has a price of its own.
POLLS_MIN = 256

_WAITING = (
    "SELECT journal, count(*) FROM record_rows"
    " WHERE kind = 1 AND clock = 2 AND mantissas IS NOT NULL AND wall_ms < %s"
    " GROUP BY journal HAVING count(*) >= %s ORDER BY journal"
)

#: The advisory lock of a journal's compaction is this and its number; of `tidy`, this alone.
_LOCK = APPLICATION_ID << 32

#: Partitions or chunks whose index has more pages than rows could need.
_EMPTIED = (
    "SELECT i.indrelid::regclass::text FROM pg_inherits t"
    " JOIN pg_index i ON i.indrelid = t.inhrelid AND i.indisprimary"
    " JOIN pg_class x ON x.oid = i.indexrelid"
    " WHERE t.inhparent = 'record_rows'::regclass AND x.relpages > 16 + x.reltuples / 50"
)

#: What is left of REINDEX CONCURRENTLY when it is cut off: indexes that cost and serve nobody.
_LEFTOVERS = (
    "SELECT i.indexrelid::regclass::text FROM pg_inherits t"
    " JOIN pg_index i ON i.indrelid = t.inhrelid AND NOT i.indisvalid"
    " WHERE t.inhparent = 'record_rows'::regclass"
    " AND i.indexrelid::regclass::text ~ '_cc(new|old)[0-9]*$'"
)


class Compaction:
    """A connection that compacts. Every method raises StoreError; `cancel` is for any thread."""

    def __init__(self, url: str) -> None:
        """Connect; see `connect` of `postgres_database`."""
        self._psycopg = load_psycopg()
        self._name = public_name(url)
        self._run = read_script("postgres_compact.sql")
        self._db = connect(url)
        with self._failures():
            self._layout = open_layout(self._db)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except self._psycopg.errors.DiskFull:
            raise StoreError("cloud.full", file=self._name)
        except self._psycopg.Error as error:
            raise StoreError("cloud.write", file=self._name, reason=reason_of(error))

    def waiting(self, before_ms: int, polls_min: int = POLLS_MIN) -> list[tuple[int, int]]:
        """(journal, polls) of those with so many polls from before a time."""
        with self._failures():
            found = self._db.execute(_WAITING, (before_ms, polls_min)).fetchall()
        return [(int(journal), int(count)) for journal, count in found]

    def run(self, journal: int, before_ms: int, polls_max: int = POLLS_MAX) -> int:
        """Compact one run of a journal; the number of polls, 0 when another one is at it."""
        values = {"journal": journal, "before_ms": before_ms, "polls_max": polls_max}
        with self._failures(), self._db.transaction():
            hold_schema(self._db, SCHEMA_VERSION, self._name)
            lock = "SELECT pg_try_advisory_xact_lock(%s)"
            if not self._db.execute(lock, (_LOCK + journal,)).fetchone()[0]:
                return 0
            polls = int(self._db.execute(self._run, values).fetchone()[0])
            self._layout.before_rows(self._rows_of, ())
            self._layout.before_commit(self._rows_of)
            return polls

    def _rows_of(self, sql: str) -> list[tuple[Any, ...]]:
        return list(self._db.execute(sql).fetchall())

    def tidy(self) -> None:
        """Give the room of what was compacted back; nothing when another one is at it."""
        with self._failures():
            if not self._db.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()[0]:
                return
            self._db.execute("VACUUM (ANALYZE) record_rows, poll_blocks, point_blocks")
            self._db.execute("SET lock_timeout = 0")
            for (index,) in self._db.execute(_LEFTOVERS).fetchall():
                self._db.execute(f"DROP INDEX CONCURRENTLY {index}")
            # What is left of these is small, their indexes are not; nobody is kept from reading.
            for (part,) in self._db.execute(_EMPTIED).fetchall():
                self._db.execute(f"REINDEX TABLE CONCURRENTLY {part}")
            self._db.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))

    def cancel(self) -> None:
        """Break off what is being done: it fails, and leaves rows."""
        self._db.cancel()

    def close(self) -> None:
        """Let go of the database; never raises, may be repeated."""
        self._db.close()


def open_compaction(place: Path | str) -> Compaction | SqliteCompaction:
    """A connection that compacts what `parse_address` gave; raises StoreError."""
    return SqliteCompaction(place) if isinstance(place, Path) else Compaction(place)


def compact(
    place: Path | str,
    before_ms: int,
    begin: Callable[[int], None] = lambda polls: None,
    advance: Callable[[int], None] = lambda polls: None,
) -> int:
    """Compact what was polled before a time; return the number of polls.

    begin: called with how many there are; advance: with how many more are done.
    Raises StoreError "cloud.open", "cloud.unavailable", "cloud.write", "cloud.full" or
    "cloud.damaged".
    """
    compaction = open_compaction(place)
    try:
        waiting = compaction.waiting(before_ms, POLLS_MIN)
        begin(sum(count for _, count in waiting))
        total = 0
        for journal, left in waiting:
            while left >= POLLS_MIN and (done := compaction.run(journal, before_ms, POLLS_MAX)):
                left -= done
                total += done
                advance(done)
        if total:
            compaction.tidy()
        return total
    finally:
        compaction.close()
