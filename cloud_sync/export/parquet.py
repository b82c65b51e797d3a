"""One table of one day as one Parquet file: written beside it, read back, then put in its place.

DuckDB makes and reads the files. Rows reach it as text in a CSV file of our own, so that a decimal
is parsed as a decimal; nothing passes through a float, and memory stays flat.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from cloud_sync.export.tables import Table
from cloud_sync.reading.calendar import instant
from cloud_sync.reading.database import Database
from edge.core.errors import StoreError

DAY_MS = 86_400_000

#: 0001-01-01 and 10000-01-01 UTC, between which days have names.
EARLIEST_MS, LATEST_MS = -62_135_596_800_000, 253_402_300_800_000

_MEMORY = "256MB"

#: Rows that are read back at once.
_CHUNK = 2_000

#: More digits than any column has.
_DIGITS = 60


class Written(NamedTuple):
    """What a file holds. path: None when the day has no row of the table."""

    path: Path | None
    rows: int


class Writer:
    """Writes into one folder. What it leaves half done has a name that no reader looks for."""

    def __init__(self, folder: Path) -> None:
        """Raises StoreError "cloud.file" for a folder that cannot be made."""
        self._folder = folder
        with self._told(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self._duck = duckdb.connect(
            config={"threads": 1, "memory_limit": _MEMORY, "autoinstall_known_extensions": False}
        )

    def close(self) -> None:
        """Let go of DuckDB."""
        self._duck.close()

    def write(self, database: Database, table: Table, day_ms: int, tenant: str) -> Written:
        """Replace the day's file of a table, or take it away when no row is left.

        tenant: "" for all. Raises StoreError: "cloud.read", "cloud.file", and "cloud.export" when
        the file does not hold what was read; the file before stays in all of these.
        """
        place = self._place(table, day_ms)
        rough = self._folder / f".{table.name}.{os.getpid()}.csv"
        fresh = self._folder / f".{table.name}.{os.getpid()}.parquet"
        try:
            with self._told(place):
                count, digest = _spill(database, table, day_ms, tenant, rough)
                if not count:
                    place.unlink(missing_ok=True)
                    return Written(None, 0)
                self._make(table, rough, fresh)
                if self._digest(fresh) != digest:
                    raise StoreError("cloud.export", file=str(place), rows=count)
                _sync(fresh)
                place.parent.mkdir(parents=True, exist_ok=True)
                fresh.replace(place)
        finally:
            rough.unlink(missing_ok=True)
            fresh.unlink(missing_ok=True)
        return Written(place, count)

    def _place(self, table: Table, day_ms: int) -> Path:
        return self._folder / table.name / f"day={instant(day_ms)[:10]}" / f"{table.name}.parquet"

    def _make(self, table: Table, rough: Path, fresh: Path) -> None:
        columns = ", ".join(f"'{name}': '{kind}'" for name, kind in table.columns.items())
        self._duck.execute(
            f"COPY (SELECT * FROM read_csv($rough, columns={{{columns}}}, header=false,"
            f" delim=',', quote='\"', escape='\"', nullstr='', allow_quoted_nulls=false,"
            " new_line='\\n', auto_detect=false))"
            f" TO '{_quoted(fresh)}' (FORMAT parquet, COMPRESSION zstd)",
            {"rough": str(rough)},
        )

    def _digest(self, path: Path) -> bytes:
        """Over every value of a file, in order."""
        sums = hashlib.sha256()
        found = self._duck.execute(
            f"SELECT * FROM read_parquet('{_quoted(path)}', hive_partitioning=false)"
        )
        while rows := found.fetchmany(_CHUNK):
            for row in rows:
                sums.update(_canonical(row))
        return sums.digest()

    @contextmanager
    def _told(self, place: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreError("cloud.file", file=str(place), reason=reason) from error
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise StoreError("cloud.file", file=str(place), reason=reason) from error


def _spill(
    database: Database, table: Table, day_ms: int, tenant: str, rough: Path
) -> tuple[int, bytes]:
    """Write the day's rows as text; returns their number and the digest to check by."""
    columns = ", ".join(f'"{name}"' for name in table.columns)
    sql = f"SELECT {columns} FROM {table.view} WHERE {table.time} >= :start"
    sql += f" AND {table.time} < :end" + (" AND tenant = :tenant" if tenant else "")
    values = {"start": day_ms, "end": day_ms + DAY_MS} | ({"tenant": tenant} if tenant else {})
    is_decimal = [kind.startswith("DECIMAL") for kind in table.columns.values()]
    count, sums = 0, hashlib.sha256()
    with rough.open("w", encoding="utf-8", newline="") as file:
        for row in database.stream(f"{sql} ORDER BY {table.key}", **values):
            file.write(",".join(map(_cell, row)) + "\n")
            typed = zip(row, is_decimal, strict=True)
            sums.update(_canonical([Decimal(v) if d and v is not None else v for v, d in typed]))
            count += 1
    return count, sums.digest()


def _cell(value: Any) -> str:
    """Text is quoted and NULL is not: neither can be taken for the other."""
    if isinstance(value, str):
        return '"' + value.replace('"', '""') + '"'
    return "" if value is None else str(value)


def _canonical(row: Sequence[Any]) -> bytes:
    """The values of a row, whatever number of zeros a decimal is written with."""
    with localcontext(prec=_DIGITS):
        plain = [
            f"{value.normalize():f}" if isinstance(value, Decimal) else repr(value)
            for value in row
        ]
    return "\x1f".join(plain).encode("utf-8", "surrogatepass") + b"\n"


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def days_in(database: Database, table: Table, tenant: str) -> list[int]:
    """The UTC days that a table has rows of, ascending, as Unix milliseconds.

    One clock that was wrong may put a record into any year, so those between are not counted on;
    a time before the year 1 or after 9999 is of no day.
    """
    time = table.time
    sql = f"SELECT DISTINCT {time} - (({time} % :day) + :day) % :day FROM {table.view}"
    sql += f" WHERE {time} >= :earliest AND {time} < :latest"
    values: dict[str, object] = {"day": DAY_MS, "earliest": EARLIEST_MS, "latest": LATEST_MS}
    if tenant:
        sql += " AND tenant = :tenant"
        values["tenant"] = tenant
    return sorted(day_ms for (day_ms,) in database.rows(sql, **values))
