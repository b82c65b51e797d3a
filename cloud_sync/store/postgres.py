"""The cloud store in PostgreSQL 15 or newer: for many gateways, many receivers, many readers.

Records come in by COPY. What is there already is known from the ranges of a journal, whose row is
locked while a batch is stored: no row conflict is looked for. A connection that is lost is opened
again by the next transaction.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, NoReturn

from cloud_sync.ranges import Plan, Segment, gaps_of, head_of
from cloud_sync.rows import Row, Rows
from cloud_sync.store.contract import Head, RawRow
from cloud_sync.store.dialect import read_script
from cloud_sync.store.postgres_database import (
    connect,
    hold_schema,
    load_psycopg,
    public_name,
    reason_of,
)
from cloud_sync.store.postgres_layout import open_layout, timescale_version
from cloud_sync.store.sql import SqlStore
from cloud_sync.store.sqlite_file import SCHEMA_VERSION
from edge.core.errors import DataError, StoreError, TallyError
from edge.core.sync.ack import GAPS_MAX

#: Takes `copy_lines`.
COPY = (
    "COPY record_rows (journal, seq, kind, boot, mono_ms, wall_ms, clock, hash, body, device,"
    " mantissas, qualities) FROM STDIN"
)

#: A gateway and its journal, noted and locked. Takes tenant, gateway, time, epoch, time.
_OPEN = (
    "WITH owner AS ("
    "INSERT INTO gateways (tenant, gateway, last_seen_ms) VALUES (?, ?, ?)"
    " ON CONFLICT (tenant, gateway) DO UPDATE SET last_seen_ms = excluded.last_seen_ms"
    " RETURNING id)"
    " INSERT INTO journals (gateway, epoch, head_seq, head_hash, last_seen_ms)"
    " SELECT id, ?, -1, '', ? FROM owner ON CONFLICT (gateway, epoch)"
    " DO UPDATE SET last_seen_ms = excluded.last_seen_ms RETURNING id"
)


class PostgresStore(SqlStore):
    """One connection to a database, which is made ours when it is empty."""

    def __init__(self, url: str, read_only: bool = False) -> None:
        """Connect; see `connect` of `postgres_database`."""
        self._psycopg = load_psycopg()
        self._url, self._read_only = url, read_only
        self._name = public_name(url)
        self._apply = read_script("postgres_apply.sql")
        self._is_closed = False
        self._version = SCHEMA_VERSION
        self._db = connect(url, read_only)
        try:
            self._layout = open_layout(self._db)
        except self._psycopg.Error as error:
            raise self._failure(error)

    def describe(self) -> dict[str, object]:
        server = self._db.info.parameter_status("server_version").partition(" ")[0]
        found: dict[str, object] = {"store": f"postgresql {server}"}
        found["layout"] = self._layout.name
        try:
            extension = timescale_version(self._db)
        except self._psycopg.Error as error:
            raise self._failure(error)
        return {**found, "timescaledb": extension} if extension else found

    def refuse_damaged(self, reason: str) -> NoReturn:
        raise StoreError("cloud.damaged", file=self._name, reason=reason)

    def close(self) -> None:
        self._is_closed = True
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One inside of another is undone alone when it raises, and lasts if the other does."""
        if self._db.closed and not self._is_closed:
            self._db = connect(self._url, self._read_only)
        try:
            is_outer = not self._db.info.transaction_status
            with self._db.transaction():
                if is_outer and not self._read_only:
                    hold_schema(self._db, self._version, self._name)
                yield
                if is_outer:
                    self._layout.before_commit(self._run)
        except self._psycopg.Error as error:
            raise self._failure(error)

    def _run(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            cursor = self._db.execute(_marked(sql), values)
            found = cursor.fetchall() if cursor.description else []
        except self._psycopg.Error as error:
            raise self._failure(error)
        return [tuple(_plain(value) for value in row) for row in found]

    def _run_many(self, sql: str, rows: Iterable[Row]) -> None:
        try:
            with self._db.cursor() as cursor:
                cursor.executemany(_marked(sql), list(rows))
        except self._psycopg.Error as error:
            raise self._failure(error)

    def _failure(self, error: Exception) -> TallyError:
        # What the database cannot hold, however often it is tried, is the sender's.
        if str(getattr(error, "sqlstate", None) or "")[:2] in ("22", "54"):
            return DataError("data.record", seq=-1, reason=reason_of(error))
        if isinstance(error, self._psycopg.errors.DiskFull):
            return StoreError("cloud.full", file=self._name)
        return StoreError("cloud.write", file=self._name, reason=reason_of(error))

    def open_journal(self, tenant: str, gateway: str, epoch: bytes, now_ms: int) -> int:
        ((number,),) = self._run(_OPEN, tenant, gateway, now_ms, epoch, now_ms)
        return int(number)

    def apply_plan(self, journal: int, plan: Plan, genesis: bytes) -> Head:
        merged = plan.merged
        gone = [segment.first for segment in plan.replaced if segment.first != merged.first]
        values = {"journal": journal, "first": merged.first, "last": merged.last, "gone": gone}
        hashes = {"before": merged.hash_before, "hash": merged.hash_last, "genesis": genesis}
        try:
            found = self._db.execute(self._apply, {**values, **hashes, "limit": GAPS_MAX + 1})
            lowest = [Segment(*row) for row in found.fetchall()]
        except self._psycopg.Error as error:
            raise self._failure(error)
        return Head(*head_of(genesis, lowest), gaps_of(lowest, GAPS_MAX))

    def within(self, table: str) -> str:
        if table in ("records", "readings"):
            return f"{table}_within(?, ?, ?) {table} WHERE true"
        return super().within(table)

    def find_span(self, journal: int, start_ms: int, end_ms: int) -> tuple[int, int] | None:
        of_rows = super().find_span(journal, start_ms, end_ms)
        ((first, last),) = self._run(
            "SELECT min(low), max(high) FROM ("
            "SELECT min(first) AS low, max(last) AS high FROM poll_blocks"
            " WHERE journal = ? AND start_ms >= ? AND end_ms < ? UNION ALL"
            " SELECT min(u.seq), max(u.seq) FROM poll_blocks b"
            " CROSS JOIN LATERAL unnest(b.seqs, b.walls) AS u (seq, wall_ms)"
            " WHERE b.journal = ? AND b.start_ms < ? AND b.end_ms >= ?"
            " AND (b.start_ms < ? OR b.end_ms >= ?) AND u.wall_ms >= ? AND u.wall_ms < ?) found",
            *(journal, start_ms, end_ms),
            *(journal, end_ms, start_ms, start_ms, end_ms, start_ms, end_ms),
        )
        of_blocks = None if first is None else (first, last)
        found = [span for span in (of_rows, of_blocks) if span]
        return (min(found)[0], max(last for _, last in found)) if found else None

    def next_seq(self, journal: int, seq: int) -> int | None:
        ((found,),) = self._run(
            "SELECT least((SELECT min(seq) FROM record_rows WHERE journal = ? AND seq >= ?),"
            " (SELECT greatest(min(first), ?) FROM poll_blocks"
            " WHERE journal = ? AND last >= ? HAVING count(*) > 0))",
            *(journal, seq, seq, journal, seq),
        )
        return None if found is None else int(found)

    def _add_raw(self, journal: int, raw: Sequence[RawRow], rows: Rows) -> None:
        if not raw:
            return
        self._layout.before_rows(self._run, (row[4] for row in raw))
        try:
            with self._db.cursor() as cursor, cursor.copy(COPY) as copy:
                copy.write(copy_lines(journal, raw, rows))
        except self._psycopg.Error as error:
            raise self._failure(error)


def copy_lines(journal: int, raw: Sequence[RawRow], rows: Rows) -> str:
    """Records with the values of polls, as `COPY` takes them."""
    polls = {poll[0]: poll for poll in rows.polls}
    return "".join([_line(journal, row, polls.get(row[0])) for row in raw])


def _line(journal: int, row: RawRow, poll: Row | None) -> str:
    """One record as a line of COPY's text format."""
    seq, kind, boot, mono_ms, wall_ms, clock, digest, body = row
    tail = "\\N\t\\N\t\\N"
    if poll is not None:
        _, device, values, qualities = poll
        flagged = "\\N" if qualities is None else _array(qualities)
        tail = f"{device}\t{_array(values)}\t{flagged}"
    return (
        f"{journal}\t{seq}\t{kind}\t{boot}\t{mono_ms}\t{wall_ms}\t{clock}"
        f"\t\\\\x{digest.hex()}\t\\\\x{body.hex()}\t{tail}\n"
    )


def _array(values: Sequence[int | None]) -> str:
    return "{" + str(values)[1:-1].replace("None", "NULL") + "}"


def _marked(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")


def _plain(value: Any) -> Any:
    """A sum comes as a decimal; it is one of integers."""
    return int(value) if isinstance(value, Decimal) else value
