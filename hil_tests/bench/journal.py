"""`bench journal`: durable readings per second, beside one row a reading in the same SQLite."""

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from edge.core.journal.record import Record, encode_record
from edge.ports.linux.sqlite_store import SqliteStore
from hil_tests.bench.measure import Figure, interleave
from hil_tests.bench.plant import POINTS, chained, drifting_polls

GATEWAY = "bench"
_ROWS = "CREATE TABLE reading (ts INTEGER, point INTEGER, value INTEGER)"


def _appender(
    store: SqliteStore, records: tuple[Record, ...], per_commit: int
) -> Callable[[], None]:
    def append() -> None:
        start = store.next_seq
        moved = [record._replace(seq=start + i) for i, record in enumerate(records)]
        hashes = chained(tuple(moved), GATEWAY, store.epoch)
        rows = [
            (record.seq, record.kind, encode_record(record), digest)
            for record, digest in zip(moved, hashes, strict=True)
        ]
        for at in range(0, len(rows), per_commit):
            store.append(rows[at : at + per_commit])

    return append


def _row_writer(path: Path, records: tuple[Record, ...]) -> Callable[[], None]:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute(_ROWS)

    def write() -> None:
        for record in records:
            db.execute("BEGIN")
            rows = [(record.wall_ms, point, value) for point, value in enumerate(record.body[1])]
            db.executemany("INSERT INTO reading VALUES (?, ?, ?)", rows)
            db.execute("COMMIT")

    return write


def run(rounds: int) -> Iterator[Figure]:
    """Append polls at FULL, one and eight a commit; then read back what one batch takes."""
    records = drifting_polls(20)
    readings = len(records) * POINTS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        single = SqliteStore(folder / "single.db", GATEWAY)
        grouped = SqliteStore(folder / "grouped.db", GATEWAY)
        medians = interleave(
            {
                "one": _appender(single, records, 1),
                "eight": _appender(grouped, records, 8),
                "rows": _row_writer(folder / "rows.db", records),
            },
            rounds,
        )
        yield Figure(
            "append_1_poll_readings_per_s", readings / medians["one"], "1/s", "a commit a poll"
        )
        yield Figure(
            "append_8_polls_readings_per_s", readings / medians["eight"], "1/s", "group commit"
        )
        yield Figure("rows_readings_per_s", readings / medians["rows"], "1/s", "one row a reading")
        yield Figure("ratio_to_rows", medians["rows"] / medians["one"], "x", "same commits")
        claim = interleave({"claim": lambda: grouped.read(0, 127)}, rounds)
        yield Figure("claim_128_records_ms", claim["claim"] * 1000, "ms", "links checked")
        single.close()
        grouped.close()  # folds the write-ahead log into the file
        size = (folder / "grouped.db").stat().st_size
        yield Figure("file_bytes_per_reading", size / (grouped.next_seq * POINTS), "B")
