"""`bench cloud`: batches of 1,440 readings, or of --batch, through a real Mosquitto into each
database, beside COPY of the same rows; what a reading costs on disk, how long two questions take.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median

import psycopg

from cloud_sync.opening import decode_batch
from cloud_sync.rows import Rows
from cloud_sync.store.address import open_store
from cloud_sync.store.postgres import COPY, copy_lines
from edge.core.journal.record import Record, encode_record
from edge.core.sync.row_columns import put_columns
from hil_tests.bench import cloud_storage
from hil_tests.bench.measure import Figure, seconds
from hil_tests.bench.plant import POINTS, drifting_polls
from hil_tests.fleet import TENANT, Cut, Fleet, Gateway, Receiver, broker, free_port, wait_until
from hil_tests.postgres_server import Server, running

#: Readings in a batch, in whole polls of 30 points.
BATCH, BATCH_MAX = 1_440, 8_640

GATEWAYS = 64
POLLS = 576
CONNECTIONS = 2
READINGS = GATEWAYS * POLLS * POINTS

#: As a server is set up for this; a commit is on the disk before it is acknowledged.
SERVER = ("fsync=on", "shared_buffers=256MB", "max_wal_size=4GB")


def run(rounds: int, batch: int = BATCH) -> Iterator[Figure]:
    """All rates in turns, `rounds` times; then storage, once. batch: readings in one."""
    cuts = make_cuts(batch)
    with tempfile.TemporaryDirectory() as name, running(*SERVER) as server:
        taken: dict[str, list[float]] = {}
        peaks: list[float] = []
        for number in range(rounds):
            folder = Path(name) / str(number)
            folder.mkdir()
            url = server.create()
            works: dict[str, Callable[[], float]] = {
                "postgres": partial(receive, folder, cuts, url, peaks),
                "sqlite": partial(receive, folder, cuts, "", peaks),
                "postgres_two": partial(receive, folder, cuts, server.create(), peaks, 2),
                "copy": partial(_copy_arrays, server),
                "copy_rows": partial(_copy_rows, server),
                "decode": partial(_decode, cuts),
            }
            for work, call in works.items():
                taken.setdefault(work, []).append(call())
        rates = {work: median(found) for work, found in taken.items()}
        yield Figure("batch_readings", len(cuts[0].records) * POINTS, "", f"{len(cuts)} a gateway")
        yield from _rates(rates, max(peaks))
        yield from cloud_storage.run(server.create())
        yield from cloud_storage.run_sqlite(Path(name) / "storage.db")


def _rates(rates: dict[str, float], peak_mb: float) -> Iterator[Figure]:
    notes = {
        "postgres": "receive through Mosquitto, acknowledged; batches of 1,440: at least 300,000",
        "sqlite": "receive through Mosquitto, acknowledged; batches of 1,440: at least 500,000",
        "postgres_two": "two receivers on two brokers, one database",
        "copy": "COPY of the same rows: a poll a row, no receiver",
        "copy_rows": "COPY of one row a reading, no receiver",
        "decode": "MAC, chain and decoding alone",
    }
    for work, note in notes.items():
        yield Figure(f"{work}_readings_per_s", rates[work], "1/s", note)
    ratio = rates["postgres"] / rates["copy_rows"]
    yield Figure("ratio_to_copy_rows", ratio, "x", "to one row a reading; at least 0.7")
    yield Figure("ratio_to_copy", rates["postgres"] / rates["copy"], "x", "to the rows it writes")
    yield Figure("receiver_peak_mb", peak_mb, "MiB", "at most 150")


def make_cuts(batch: int = BATCH) -> list[Cut]:
    """What each gateway sends. batch: readings in one, at least a poll."""
    records, polls = _polls(), max(1, batch // POINTS)
    cuts = []
    for first in range(0, len(records), polls):
        part = records[first : first + polls]
        rows = [encode_record(record) for record in part]
        packed = bytearray()
        put_columns(packed, rows)
        cuts.append(Cut(first, bytes(packed), tuple(rows)))
    return cuts


def receive(
    folder: Path, cuts: list[Cut], url: str, peaks: list[float], workers: int = 1
) -> float:
    """Readings per second of receiver processes, from the first publish to the last commit.

    Each of several has a broker and a share of the gateways of its own, all have one database.
    """
    gateways = [Gateway(number, cuts, []) for number in range(GATEWAYS)]
    total = GATEWAYS * len(cuts)
    with ExitStack() as stack:
        parts = []
        for number in range(workers):
            place, port, part = folder / str(number), free_port(), gateways[number::workers]
            place.mkdir(exist_ok=True)
            stack.enter_context(broker(place, port))
            receiver = Receiver(place, port, part, *(("--store", url) if url else ()))
            stack.callback(receiver.stop)
            wait_until(partial(receiver.has_said, "ready"), "the receiver is ready")
            parts.append((receiver, Fleet(port, part, CONNECTIONS), part))
        begun_s = time.monotonic()
        for _, fleet, part in parts:
            for gateway in part:
                fleet.send_history(gateway.name)
        receivers = [receiver for receiver, _, _ in parts]
        wait_until(
            lambda: sum(len(one.stored) for one in receivers) >= total, "all is stored", 300
        )
        taken_s = max(one.stored[-1][3] for one in receivers) - begun_s
        peaks += [one.memory_mb("VmHWM") for one in receivers]
        for _, fleet, _ in parts:
            fleet.close()
    return READINGS / taken_s


def _polls() -> tuple[Record, ...]:
    return drifting_polls(POLLS // 8)


def _copy_arrays(server: Server) -> float:
    """COPY of the rows that a receiver writes, made before, 32 batches a transaction."""
    url = server.create()
    store = open_store(url)
    records = _polls()
    rows = Rows()
    raw = []
    for record in records:
        kind, seq, *times, _ = record
        raw.append((seq, kind, *times, bytes(32), encode_record(record)))
        rows.add(record)
    with store.transaction():
        store.open_journal(TENANT, "gw", b"epoch-01", 0)
        store.add_records(9_999, raw[:1], Rows())  # makes the partition
    store.close()
    texts = [copy_lines(journal, raw, rows) for journal in range(GATEWAYS)]
    with psycopg.connect(url, autocommit=True) as db:

        def copy() -> None:
            for at in range(0, GATEWAYS, 2):
                with db.transaction(), db.cursor() as cursor, cursor.copy(COPY.encode()) as to:
                    for text in texts[at : at + 2]:
                        to.write(text)

        return READINGS / seconds(copy)


def _copy_rows(server: Server) -> float:
    """COPY of one row a reading with an index, as many a transaction."""
    url = server.create()
    lines = "".join(
        f"{record.seq}\t{point}\t{record.body[0]}\t{value}\t0\t{record.wall_ms}\n"
        for record in _polls()
        for point, value in enumerate(record.body[1])
    ).split("\n")[:-1]
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(
            b"CREATE TABLE reading (journal bigint, seq bigint, point bigint, device bigint,"
            b" value bigint, quality bigint, wall_ms bigint, PRIMARY KEY (journal, seq, point))"
        )
        texts = [
            "".join(f"{journal}\t{line}\n" for line in lines) for journal in range(GATEWAYS // 8)
        ]

        def copy() -> None:
            for text in texts:
                sql = b"COPY reading FROM STDIN"
                with db.transaction(), db.cursor() as cursor, cursor.copy(sql) as to:
                    to.write(text)

        return READINGS / 8 / seconds(copy)


def _decode(cuts: list[Cut]) -> float:
    gateway = Gateway(1, cuts, [])
    payloads = list(gateway.history)
    taken_s = seconds(lambda: [decode_batch(payload, gateway.key) for payload in payloads])
    return POLLS * POINTS / taken_s
