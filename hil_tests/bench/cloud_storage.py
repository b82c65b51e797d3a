"""What a reading costs in each database before and after compaction, and two questions to it."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from cloud_sync.rows import Rows
from cloud_sync.store.address import open_store
from cloud_sync.store.compaction import compact
from cloud_sync.store.contract import Store
from cloud_sync.store.postgres import PostgresStore
from edge.core.journal.record import Kind, Part, Record, encode_record
from hil_tests.bench.measure import Figure, seconds

#: A site: devices of so many points, a poll a minute for so many days.
DEVICES, POINTS, DAYS = 4, 24, 30
DAY_MS = 86_400_000
START_MS = 1_790_812_800_000
STEP_MS = 60_000
READINGS = DEVICES * POINTS * DAYS * DAY_MS // STEP_MS
POLLS_PER_ADD = 4_000
TIMES = 5

_TABLES = ("record_rows", "poll_blocks", "point_blocks")
_POINT_DAY = (
    "SELECT wall_ms, value FROM v_readings WHERE tenant = 'site' AND gateway = 'gw'"
    " AND device = 'meter 1' AND point = 'p3' AND wall_ms >= {0} AND wall_ms < {1}"
)
_POINT_DAY_ONLY = _POINT_DAY.replace("v_readings", "v_readings_between({0}, {1})")
_SITE_MONTH = (
    "SELECT device, point, wall_ms / 86400000 AS day, min(value_real), max(value_real), count(*)"
    " FROM v_readings WHERE tenant = 'site' AND wall_ms >= {0} AND wall_ms < {1}"
    " GROUP BY device, point, wall_ms / 86400000"
)


def run(url: str) -> Iterator[Figure]:
    """Fill an empty database, measure, compact, measure again."""
    _fill(url)
    yield from _measure(url, "rows")
    taken = seconds(lambda: compact(url, START_MS + (DAYS + 1) * DAY_MS))
    yield Figure("compact_readings_per_s", READINGS / taken, "1/s")
    yield from _measure(url, "compacted")


def run_sqlite(path: Path) -> Iterator[Figure]:
    """The same with a file that is not there yet."""
    _add(open_store(path))
    yield from _measure_file(path, "sqlite_rows")
    taken = seconds(lambda: compact(path, START_MS + (DAYS + 1) * DAY_MS))
    yield Figure("sqlite_compact_readings_per_s", READINGS / taken, "1/s")
    yield from _measure_file(path, "sqlite_compacted")


def _fill(url: str) -> None:
    _add(PostgresStore(url))
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(b"VACUUM (ANALYZE)")


def _add(store: Store) -> None:
    """Records as a gateway makes them: counters that grow, powers that move, true hashes."""
    with store.transaction():
        journal = store.open_journal("site", "gw", b"epoch-01", START_MS)
        store.add_records(journal, *_laid([_table()], b""))
    batch, digest = [], b"\0" * 32
    for record in _polls():
        batch.append(record)
        if len(batch) == POLLS_PER_ADD:
            raw, rows = _laid(batch, digest)
            with store.transaction():
                store.add_records(journal, raw, rows)
            batch, digest = [], raw[-1][6]
    with store.transaction():
        store.add_records(journal, *_laid(batch, digest))
    store.close()


def _table() -> Record:
    points = [
        [f"p{at}", "W.h" if at < 4 else "W", 1, "counter" if at < 4 else "gauge"]
        for at in range(POINTS)
    ]
    parts = [
        [Part.DEVICE, number, f"meter {number}", "bus0", number, "m", b"p" * 32, 60_000, points]
        for number in range(DEVICES)
    ]
    return Record(Kind.TABLE, 0, 1, 0, START_MS, 2, parts)


def _polls() -> Iterator[Record]:
    draw = random.Random(1)
    values = [
        [draw.randrange(10**8) for _ in range(4)] + [draw.randrange(10**4) for _ in range(20)]
        for _ in range(DEVICES)
    ]
    for poll in range(DAYS * DAY_MS // STEP_MS):
        for device, now in enumerate(values):
            for point in range(POINTS):
                now[point] += draw.randrange(900) if point < 4 else draw.randrange(-40, 41)
            mono_ms = STEP_MS * poll + 230 * device + draw.randrange(20)
            yield Record(
                Kind.POLL,
                1 + DEVICES * poll + device,
                *(1, mono_ms, START_MS + mono_ms, 2),
                [device, list(now), [], []],
            )


def _laid(records: list[Record], digest: bytes) -> tuple[list[Any], Rows]:
    raw: list[Any] = []
    rows = Rows()
    for record in records:
        data = encode_record(record)
        digest = sha256(digest + data).digest()
        kind, seq, *times, _ = record
        raw.append((seq, kind, *times, digest, data))
        rows.add(record)
    return raw, rows


def _measure(url: str, name: str) -> Iterator[Figure]:
    with psycopg.connect(url, autocommit=True) as db:

        def number(sql: str) -> int:
            return int((db.execute(sql.encode()).fetchone() or (0,))[0])

        sizes = [
            number(
                "SELECT coalesce(sum(pg_total_relation_size(inhrelid)), 0) FROM pg_inherits"
                f" WHERE inhparent = '{table}'::regclass"
            )
            for table in _TABLES
        ]
        note = "records, readings and indexes; at most 12 when compacted"
        yield Figure(f"{name}_bytes_per_reading", sum(sizes) / READINGS, "B", note)
        questions = (
            ("point_day", _POINT_DAY, 1),
            ("point_day_between", _POINT_DAY_ONLY, 1),
            ("site_month", _SITE_MONTH, DAYS),
        )
        for title, sql, days in questions:
            from_ms = START_MS + (DAYS - days) // 2 * DAY_MS
            statement = sql.format(from_ms, from_ms + days * DAY_MS).encode()
            yield _asked(db, statement, f"{name}_{title}_ms", TIMES if days == 1 else 1)


def _measure_file(path: Path, name: str) -> Iterator[Figure]:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        pages, free, size = (
            int(db.execute(f"PRAGMA {pragma}").fetchone()[0])
            for pragma in ("page_count", "freelist_count", "page_size")
        )
        used = (pages - free) * size / READINGS
        note = "pages in use, everything included; at most 12 when compacted"
        yield Figure(f"{name}_bytes_per_reading", used, "B", note)
        yield Figure(f"{name}_file_bytes_per_reading", pages * size / READINGS, "B", "the file")
        questions = [("point_day", _POINT_DAY, 1)]
        if name == "sqlite_compacted":  # minutes, and no other as rows
            questions.append(("site_month", _SITE_MONTH, DAYS))
        for title, sql, days in questions:
            from_ms = START_MS + (DAYS - days) // 2 * DAY_MS
            statement = sql.format(from_ms, from_ms + days * DAY_MS)
            yield _asked(db, statement, f"{name}_{title}_ms", TIMES if days == 1 else 1)


def _asked(db: Any, statement: str | bytes, name: str, times: int) -> Figure:
    """The median time of a question, asked so many times; a long one is asked once, cold."""
    rows: list[int] = []
    taken = [
        seconds(lambda: rows.append(len(db.execute(statement).fetchall()))) for _ in range(times)
    ]
    return Figure(name, 1000 * median(taken), "ms", f"{rows[0]:,} rows")
