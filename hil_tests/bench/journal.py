"""`bench journal`: durable readings per second, beside one row a reading in the same SQLite; and
whether a backlog of ten million readings makes anything slower or larger.
"""

import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median

import msgpack

from edge.core.journal.chain import Chain
from edge.core.journal.record import Kind, Record, encode_record
from edge.ports.linux.sqlite_store import SqliteStore
from hil_tests.bench.measure import Figure, interleave, seconds
from hil_tests.bench.plant import POINTS, chained, drifting_polls

GATEWAY = "bench"

#: Readings that wait for the cloud in the large journal: a gateway of 240 readings/s after 11.6 h.
BACKLOG_READINGS = 10_000_000

#: Records of one claim, and how often each figure of the large journal is taken.
CLAIM_ROWS = 128
TIMES = 50

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
        yield from _backlog(folder)


def build_backlog(path: Path, readings: int) -> None:
    """Fill a journal with that many unacked readings, 30 a record, by the store itself."""
    store = SqliteStore(path, GATEWAY)
    head = Chain(store.next_seq, store.head)
    total = readings // POINTS
    values = [230_000 + 1_000 * point for point in range(POINTS)]
    while head.next_seq < total:
        rows = []
        for seq in range(head.next_seq, min(total, head.next_seq + 10_000)):
            values[seq % POINTS] += seq % 7 - 3
            body = [seq % 8, values, [], []]
            wall_ms = 1_800_000_000_000 + 125 * seq
            data = msgpack.packb([Kind.POLL, seq, 1, 125 * seq, wall_ms, 2, body])
            rows.append((seq, Kind.POLL, data, head.extend(data)))
        store.append(rows)
    store.close()


def measure_backlog(path: Path) -> dict[str, float]:
    """Open, claim, append and ack in a journal, in a process of its own; figures by name."""
    before = _resident_mb()
    opened: list[SqliteStore] = []
    found = {"open_ms": 1000 * seconds(lambda: opened.append(SqliteStore(path, GATEWAY)))}
    store = opened[0]
    claims, appends, acks = [], [], []
    largest = 0
    head = Chain(store.next_seq, store.head)
    for number in range(TIMES):
        first = store.acked_seq + 1
        claims.append(seconds(partial(store.read, first, first + CLAIM_ROWS - 1)))
        body = [0, list(range(POINTS)), [], []]
        data = encode_record(Record(Kind.POLL, head.next_seq, 1, number, number, 2, body))
        row = (head.next_seq, Kind.POLL, data, head.extend(data))
        appends.append(seconds(partial(store.append, [row])))
        acks.append(seconds(partial(store.ack, first + CLAIM_ROWS - 1)))
        largest = max(largest, path.with_name(path.name + "-wal").stat().st_size)
    found["claim_ms"] = 1000 * median(claims)
    found["append_ms"] = 1000 * median(appends)
    found["ack_ms"] = 1000 * median(acks)
    found["rss_mb"] = _resident_mb() - before
    found["log_mb"] = largest / 1e6
    store.close()
    return found


def _resident_mb() -> float:
    text = Path("/proc/self/status").read_text()
    line = next(line for line in text.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1000


def _in_own_process(path: Path) -> dict[str, float]:
    code = "import sys, json, pathlib; from hil_tests.bench.journal import measure_backlog as m;"
    code += "print(json.dumps(m(pathlib.Path(sys.argv[1]))))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _backlog(folder: Path) -> Iterator[Figure]:
    """The figures of ten million waiting readings beside those of a few."""
    small, large = folder / "small.db", folder / "large.db"
    build_backlog(small, 300_000)
    build_backlog(large, BACKLOG_READINGS)
    size = large.stat().st_size
    yield Figure("backlog_bytes_per_reading", size / BACKLOG_READINGS, "B", "10 M readings")
    few, many = _in_own_process(small), _in_own_process(large)
    notes = {
        "open_ms": "start with 10 M waiting",
        "claim_ms": f"{CLAIM_ROWS} records, proved",
        "append_ms": "one poll, synced",
        "ack_ms": "synced",
        "rss_mb": "what it took of memory",
        "log_mb": "the write-ahead log at its largest",
    }
    for name, note in notes.items():
        unit = name.rpartition("_")[2].upper() if name.endswith("mb") else "ms"
        yield Figure("backlog_" + name, many[name], unit, note)
        yield Figure("small_" + name, few[name], unit, "the same with 300 k waiting")
    store = SqliteStore(large, GATEWAY)
    taken = seconds(lambda: store.renew("rewound"))
    yield Figure("backlog_renew_s", taken, "s", "set aside, prove and carry all of it")
    store.close()
    shutil.rmtree(folder, ignore_errors=True)
