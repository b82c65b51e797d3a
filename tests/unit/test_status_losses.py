"""What a journal has given up, counted from its tombstones and held against SQL."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edge.app.buffer import read_losses, read_oldest
from edge.app.recorder import Recorder
from edge.core.journal.record import Kind, decode_record
from edge.ports.linux.journal_reader import open_reader
from edge.ports.linux.journal_space import ROW_BYTES, SPAN_MS, read_space
from edge.ports.linux.sqlite_store import SqliteStore

from .port_doubles import ManualClock

QUOTA = 300_000


def filled(path: Path, polls: int, acked: int, period_ms: int = 1_000) -> SqliteStore:
    """A journal of polls under a quota; `acked` of them acknowledged half way."""
    store = SqliteStore(path, "gw-1", 0, QUOTA)
    clock = ManualClock()
    recorder = Recorder(store, clock, 0)
    recorder.keep_time(0)
    table = [1, 0, "m", "a", 1, "p", bytes(32), period_ms, [["e", "kW.h", 2, "counter"]]]
    recorder.add(Kind.TABLE, [table], 0)
    for number in range(polls):
        clock.mono = number * period_ms
        recorder.add(Kind.POLL, [0, [number], [], []], clock.mono)
        if number % 20 == 19:
            assert recorder.commit(clock.mono, True)
        if number == acked:
            recorder.commit(clock.mono, True)
            store.ack(store.next_seq - 1)
        if number % 500 == 499:
            recorder.add(Kind.INTERVAL, [number, number + 1, [], []], clock.mono)
    recorder.commit(clock.mono, True)
    return store


def rows_in(path: Path) -> int:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return int(database.execute("SELECT count(*) FROM journal").fetchone()[0])


@pytest.mark.parametrize("acked", [-1, 1_500])
def test_losses_are_the_seqs_that_are_not_there(tmp_path: Path, acked: int):
    path = tmp_path / "journal.db"
    store = filled(path, 8_000, acked)
    losses = read_losses(store)
    gone = store.next_seq - rows_in(path)
    oldest = read_oldest(store)
    reader = open_reader(path)
    assert read_losses(reader) == losses, "a reader sees the same"
    assert read_oldest(reader) == oldest
    reader.close()
    store.close()
    assert gone > 1_000
    assert sum(losses.values()) == gone
    assert (losses["released"] > 0) == (acked > 0)
    assert losses["thinned"] > 0


def test_memory_that_ran_out_is_a_loss_too(tmp_path: Path):
    store = SqliteStore(tmp_path / "journal.db", "gw-1", 0)
    recorder = Recorder(store, ManualClock(), 0)
    recorder.keep_time(0)
    recorder.add(Kind.TOMBSTONE, [None, None, "memory", 1, 2, 37, None, None], 0)
    recorder.commit(0, True)
    assert read_losses(store) == {"lost": 37, "thinned": 0, "released": 0}
    store.close()


def test_the_oldest_record_is_the_first_kept_after_the_ack(tmp_path: Path):
    store = filled(tmp_path / "journal.db", 400, 100)
    oldest = read_oldest(store)
    assert oldest is not None and oldest.seq == store.acked_seq + 1
    store.ack(store.next_seq - 1)
    assert read_oldest(store) is None
    store.close()


def test_rate_and_room_are_those_of_the_newest_rows(tmp_path: Path):
    store = filled(tmp_path / "journal.db", 500, 400)
    space = read_space(store)
    hour = [row for row, _ in store.read(store.next_seq - 256, store.next_seq - 1)]
    first, last = decode_record(hour[0]), decode_record(hour[-1])
    taken = sum(len(data) + ROW_BYTES for data in hour[1:])
    assert space["bytes_per_hour"] == taken * 3_600_000 // (last.mono_ms - first.mono_ms)
    assert space["hours_left"] > 1_000
    tight = read_space(store, int(space["journal_bytes"]) + 5 * int(space["bytes_per_hour"]))
    waiting = (store.next_seq - 1 - store.acked_seq) * (len(hour[-1]) + ROW_BYTES)
    assert 4 <= tight["hours_left"] <= 5 + int(space["journal_bytes"]) // taken, waiting
    assert read_space(store, 1)["hours_left"] == 0
    store.close()


def test_a_rate_needs_time(tmp_path: Path):
    store = filled(tmp_path / "journal.db", 40, 10, period_ms=SPAN_MS // 50)
    space = read_space(store)
    assert space["bytes_per_hour"] is None and space["hours_left"] is None
    store.close()


def test_the_row_overhead_is_near_what_sqlite_takes(tmp_path: Path):
    store = filled(tmp_path / "journal.db", 2_000, -1)
    rows = store.read(0, store.next_seq - 1)
    said = sum(len(data) + ROW_BYTES for data, _ in rows)
    used = int(read_space(store)["journal_bytes"])
    store.close()
    assert 0.85 * used < said < 1.15 * used
