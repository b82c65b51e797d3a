"""How a PostgreSQL database parts its large tables by time, decided when they are made.

By months, as partitions of ours; or as hypertables, where TimescaleDB is there at that moment. A
database stays as it was made.
"""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from cloud_sync.store.dialect import read_script

#: Unix milliseconds between which a month has a partition of its own: 2020 to 2100.
EARLY_MS, LATE_MS = 1_577_836_800_000, 4_102_444_800_000

_DAY_MS = 86_400_000
_PARTED = re.compile(r"\) PARTITION BY RANGE \(\w+\);")

#: The extension, and a role that may make the schema of its chunks, which is nobody's yet.
_HAS_TIMESCALE = (
    "SELECT count(*) > 0 AND has_database_privilege(current_database(), 'CREATE')"
    " AND to_regnamespace('carbontally_chunks') IS NULL"
    " FROM pg_extension WHERE extname = 'timescaledb'"
)
_IS_PARTITIONED = "SELECT relkind = 'p' FROM pg_class WHERE oid = 'record_rows'::regclass"

#: Runs one statement with "?" for values and gives its rows.
Run = Callable[..., list[tuple[Any, ...]]]


def create_layout(db: Any) -> None:
    """The tables that are parted, and the functions they need."""
    script = read_script("postgres.sql")
    if db.execute(_HAS_TIMESCALE).fetchone()[0]:
        db.execute(_PARTED.sub(");", script))
        db.execute(sorting())
        db.execute(read_script("postgres_timescale.sql"))
    else:
        db.execute(script)
        db.execute("SELECT add_partition(NULL, %s, 'early')", (EARLY_MS,))
        db.execute("SELECT add_partition(%s, NULL, 'late')", (LATE_MS,))


def sorting() -> str:
    """What defines where a time belongs among chunks; may be defined anew over the same chunks."""
    return read_script("postgres_sorted.sql")


def renew_layout(db: Any) -> None:
    """Give a database that an older program made this one's order of times."""
    if not db.execute(_IS_PARTITIONED).fetchone()[0]:
        db.execute(sorting())


def open_layout(db: Any) -> "Months | Chunks":
    """The layout of a database of ours."""
    return Months() if db.execute(_IS_PARTITIONED).fetchone()[0] else Chunks()


def timescale_version(db: Any) -> str | None:
    """Of the extension in a database, None without it."""
    sql = "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"
    found = db.execute(sql).fetchone()
    return None if found is None else str(found[0])


class Months:
    """Partitions that are made before rows come."""

    name = "partitions"

    def __init__(self) -> None:
        self._known: set[str] = set()

    def before_rows(self, run: Run, walls_ms: Iterable[int]) -> None:
        """Make the partitions that these times need."""
        for day in {wall_ms // _DAY_MS for wall_ms in walls_ms}:
            if not EARLY_MS <= _DAY_MS * day < LATE_MS:
                continue
            at = datetime.fromtimestamp(86_400 * day, UTC)
            name = f"{at.year}_{at.month:02}"
            if name not in self._known:
                low = datetime(at.year, at.month, 1, tzinfo=UTC)
                high = datetime(at.year + at.month // 12, at.month % 12 + 1, 1, tzinfo=UTC)
                low_ms, high_ms = (1000 * int(edge.timestamp()) for edge in (low, high))
                self._add(run, low_ms, high_ms, name)

    def _add(self, run: Run, low_ms: int, high_ms: int, name: str) -> None:
        if run("SELECT to_regclass(?) IS NOT NULL", f"point_blocks_{name}")[0][0]:
            self._known.add(name)  # committed by whoever made it
        else:
            run("SELECT add_partition(?, ?, ?)", low_ms, high_ms, name)

    def before_commit(self, run: Run) -> None:
        """Nothing is left to do."""


class Chunks:
    """Chunks that TimescaleDB makes as rows come; guarded before anybody sees them."""

    name = "hypertables"

    def __init__(self) -> None:
        self._has_rows = False

    def before_rows(self, run: Run, walls_ms: Iterable[int]) -> None:
        """Nothing is needed but to remember."""
        self._has_rows = True

    def before_commit(self, run: Run) -> None:
        """Guard the chunks that a transaction has made, whichever they are."""
        if self._has_rows:
            run("SELECT guard_chunks()")
            self._has_rows = False
