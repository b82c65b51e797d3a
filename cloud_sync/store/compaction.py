"""Turns the polls of the past in a PostgreSQL store into blocks, a run at a time.

Each run is one statement: a crash leaves it as rows or as blocks. Receivers may store and readers
may read meanwhile; two that compact at once share the work.
"""

from collections.abc import Callable
from typing import Any

from cloud_sync.store.dialect import read_script
from cloud_sync.store.postgres_database import connect, load_psycopg, public_name, reason_of
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

#: Partitions whose index has more pages than rows could need.
_EMPTIED = (
    "SELECT t.relid::regclass::text FROM pg_partition_tree('record_rows') t"
    " JOIN pg_index i ON i.indrelid = t.relid AND i.indisprimary"
    " JOIN pg_class x ON x.oid = i.indexrelid"
    " WHERE t.isleaf AND x.relpages > 16 + x.reltuples / 50"
)


def compact(
    url: str,
    before_ms: int,
    begin: Callable[[int], None] = lambda polls: None,
    advance: Callable[[int], None] = lambda polls: None,
) -> int:
    """Compact what was polled before a time; return the number of polls.

    begin: called with how many there are; advance: with how many more are done.
    Raises StoreError "cloud.open", "cloud.write" or "cloud.full".
    """
    psycopg = load_psycopg()
    db = connect(url)
    try:
        return _compact(db, before_ms, begin, advance)
    except psycopg.errors.DiskFull:
        raise StoreError("cloud.full", file=public_name(url))
    except psycopg.Error as error:
        raise StoreError("cloud.write", file=public_name(url), reason=reason_of(error))
    finally:
        db.close()


def _compact(
    db: Any, before_ms: int, begin: Callable[[int], None], advance: Callable[[int], None]
) -> int:
    run = read_script("postgres_compact.sql")
    waiting = db.execute(_WAITING, (before_ms, POLLS_MIN)).fetchall()
    begin(sum(count for _, count in waiting))
    total = 0
    for journal, left in waiting:
        while left >= POLLS_MIN:
            values = {"journal": journal, "before_ms": before_ms, "polls_max": POLLS_MAX}
            done = int(db.execute(run, values).fetchone()[0])
            if not done:
                break  # another one was faster
            left -= done
            total += done
            advance(done)
    if total:
        db.execute("VACUUM (ANALYZE) record_rows, poll_blocks, point_blocks")
        db.execute("SET lock_timeout = 0")
        # What is left of these is small, their indexes are not; nobody is kept from reading.
        for (part,) in db.execute(_EMPTIED).fetchall():
            db.execute(f"REINDEX TABLE CONCURRENTLY {part}")
    return total
