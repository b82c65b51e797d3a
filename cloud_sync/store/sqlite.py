"""The cloud store in one SQLite file: for one site, for tests, for taking away.

WAL with synchronous=FULL, one connection, one writer: what is acknowledged has been synced to the
disk. Others may read meanwhile, through the views of `schema.sql`.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from cloud_sync.rows import Row, Rows
from cloud_sync.store.contract import RawRow
from cloud_sync.store.sql import SqlStore
from cloud_sync.store.sqlite_file import FAILURES, SCHEMA_VERSION, failure, open_database
from cloud_sync.store.sqlite_polls import WHOLE_RECORDS
from edge.core.errors import StoreError

_RECORD = "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_POLL = "INSERT INTO polls VALUES (?, ?, ?, ?, ?)"


class SqliteStore(SqlStore):
    """A database file, made with its tables when it is not there."""

    _version = SCHEMA_VERSION

    def __init__(self, path: Path, read_only: bool = False) -> None:
        """Open the file; see `open_database`."""
        self.path = path
        self._db = open_database(path, read_only)

    def describe(self) -> dict[str, object]:
        return {"store": f"sqlite {sqlite3.sqlite_version}", "layout": "file"}

    def refuse_damaged(self, reason: str) -> NoReturn:
        raise StoreError("cloud.damaged", file=str(self.path), reason=reason)

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self._db.in_transaction:
            with self._part():
                yield
            return
        self._run("BEGIN IMMEDIATE")
        try:
            self._check_schema()
            yield
            self._run("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _check_schema(self) -> None:
        """A file that a newer program has migrated meanwhile is not ours to write any more."""
        ((found,),) = self._run("PRAGMA user_version")
        if found != self._version:
            reason = f"its schema became version {found}, this program knows {self._version}"
            raise StoreError("cloud.open", file=str(self.path), reason=reason)

    @contextmanager
    def _part(self) -> Iterator[None]:
        self._run("SAVEPOINT part")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:  # some failures have ended all of it
                self._db.execute("ROLLBACK TO part")
            raise
        finally:
            if self._db.in_transaction:
                self._db.execute("RELEASE part")

    def _run(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(sql, values).fetchall()
        except FAILURES as error:
            raise failure(error, self.path)

    def _run_many(self, sql: str, rows: Iterable[Row]) -> None:
        try:
            self._db.executemany(sql, rows)
        except FAILURES as error:
            raise failure(error, self.path)

    def within(self, table: str) -> str:
        source = f"{WHOLE_RECORDS} records" if table == "records" else table
        return super().within(source)

    def _add_raw(self, journal: int, raw: Sequence[RawRow], rows: Rows) -> None:
        self._run_many(_RECORD, ((journal, *row) for row in raw))
        self._run_many(
            _POLL,
            (
                (journal, seq, device, _as_array(values), qualities and _as_array(qualities))
                for seq, device, values, qualities in rows.polls
            ),
        )


def _as_array(values: Sequence[int | None]) -> str:
    """Integers as JSON, which json.dumps takes five times as long for."""
    return str(values).replace(" ", "").replace("None", "null")
