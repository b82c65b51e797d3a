"""A cloud store that is only read: plain SQL over the views, with named parameters.

The same statements run on both databases. A parameter is `:name`; values come back as integers,
text, bytes or None, exact decimals as text.
"""

import re
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

from cloud_sync.store.address import parse_address
from cloud_sync.store.postgres_database import connect, load_psycopg, public_name, reason_of
from cloud_sync.store.sqlite_file import FAILURES, are_views_current, failure, open_database
from cloud_sync.store.sqlite_polls import V_WHOLE_RECORDS
from edge.core.errors import StoreError

Row = tuple[Any, ...]

#: Rows that one fetch brings: what streaming keeps in memory.
_CHUNK = 1_000

#: PostgreSQL's function for the rows of a view between two times, which skips blocks of others.
_SPANNED = re.compile(r"\bFROM (v_readings)\b")

#: The view of raw records, whose bytes SQLite's own has not of a compacted poll.
_RAW = re.compile(r"\bFROM v_records\b")

#: A parameter, which no colon precedes.
_NAMED = re.compile(r"(?<![:\w]):([a-z_]\w*)")


class Database:
    """One connection. Not for two threads at once. Every method raises StoreError "cloud.read"
    or "cloud.damaged"."""

    def stream(self, sql: str, **values: object) -> Iterator[Row]:
        """Rows of a SELECT as they come, a bounded number of them in memory."""
        raise NotImplementedError

    def rows(self, sql: str, **values: object) -> list[Row]:
        """All rows of a SELECT that are few."""
        return list(self.stream(sql, **values))

    def close(self) -> None:
        """Let go of the connection; may be repeated."""
        raise NotImplementedError


def open_reading(url: str) -> Database:
    """Open sqlite:///path or postgresql://... to read it.

    Raises UsageError "usage.value" for another address, StoreError "cloud.open" when it cannot be
    opened or its views are not those of this program, "cloud.damaged" when they cannot be read.
    """
    place = parse_address(url)
    return SqliteReading(place) if isinstance(place, Path) else PostgresReading(place)


class SqliteReading(Database):
    """A SQLite file, opened read-only while a receiver may write it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = open_database(path, read_only=True)
        try:
            is_current = are_views_current(self._db)
        except FAILURES as error:
            self._db.close()
            raise failure(error, path, "cloud.read")
        if not is_current:
            self._db.close()
            reason = "its views are older than this program: let `carbontally receive` open it"
            raise StoreError("cloud.open", file=str(path), reason=reason)

    def stream(self, sql: str, **values: object) -> Iterator[Row]:
        sql = _RAW.sub(f"FROM {V_WHOLE_RECORDS} v_records", sql)
        try:
            with closing(self._db.execute(sql, values)) as cursor:
                while rows := cursor.fetchmany(_CHUNK):
                    yield from rows
        except FAILURES as error:
            raise failure(error, self._path, "cloud.read")

    def close(self) -> None:
        self._db.close()


class PostgresReading(Database):
    """A PostgreSQL database, in transactions that may only read."""

    def __init__(self, url: str) -> None:
        self._psycopg = load_psycopg()
        self._name = public_name(url)
        self._db = connect(url, read_only=True)

    def stream(self, sql: str, **values: object) -> Iterator[Row]:
        if {"start", "end"} <= values.keys():
            sql = _SPANNED.sub(r"FROM \1_between(:start, :end) AS \1", sql)
        statement = _NAMED.sub(r"%(\1)s", sql.replace("%", "%%"))
        try:
            with self._db.transaction(), self._db.cursor(name="reading") as cursor:
                cursor.itersize = _CHUNK
                for row in cursor.execute(statement.encode(), values):
                    yield tuple(_plain(value) for value in row)
        except self._psycopg.Error as error:
            raise StoreError("cloud.read", file=self._name, reason=reason_of(error))

    def close(self) -> None:
        self._db.close()


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    return bytes(value) if isinstance(value, memoryview) else value
