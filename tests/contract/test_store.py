"""What every journal must do, whatever it is made of; then what SQLite must do for it."""

import hashlib
import os
import sqlite3
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import msgpack
import pytest

from edge.core.errors import StoreError
from edge.core.journal.record import Kind
from edge.ports.contracts import Store
from edge.ports.linux.sqlite_store import SCHEMA_VERSION, SqliteStore
from edge.ports.sim.disk import Disk
from edge.ports.sim.store import SimStore

Opener = Callable[..., Store]


def open_sqlite(folder: Path, gateway: str = "gw-1") -> Store:
    return SqliteStore(folder / "journal.db", gateway)


DISKS: dict[Path, Disk] = {}


def open_sim(folder: Path, gateway: str = "gw-1") -> Store:
    return SimStore(DISKS.setdefault(folder, Disk()), gateway, lambda: os.urandom(8))


@pytest.fixture(params=[open_sqlite, open_sim], ids=["sqlite", "sim"])
def open_store(request, tmp_path: Path) -> Iterator[Opener]:
    """Opens the journal of one folder; whatever was opened is closed at the end."""
    opened: list[Store] = []

    def opener(gateway: str = "gw-1", folder: Path = tmp_path) -> Store:
        opened.append(request.param(folder, gateway))
        return opened[-1]

    yield opener
    for store in opened:
        store.close()


def rows_of(store: Store, count: int, kind: int = Kind.POLL, size: int = 0):
    """Rows that continue the journal, chained with hashlib."""
    rows, before = [], store.head
    for seq in range(store.next_seq, store.next_seq + count):
        body = [0, [seq], [], []] if kind == Kind.POLL else ["x", [bytes(size)]]
        data = msgpack.packb([kind, seq, store.boot, seq, seq, 2, body], use_bin_type=True)
        before = hashlib.sha256(before + data).digest()
        rows.append((seq, kind, data, before))
    return rows


def append(store: Store, count: int, kind: int = Kind.POLL):
    rows = rows_of(store, count, kind)
    store.append(rows)
    return rows


def code_of(call, *args) -> str:
    with pytest.raises(StoreError) as caught:
        call(*args)
    return caught.value.code


def test_a_new_journal_is_empty_and_begins_at_its_genesis(open_store: Opener):
    store = open_store()
    assert len(store.epoch) == 8
    assert (store.boot, store.next_seq, store.acked_seq) == (1, 0, -1)
    genesis = hashlib.sha256(b"carbontally" + b"gw-1" + store.epoch).digest()
    assert store.head == store.hash_at(-1) == genesis
    assert store.read(0, 100) == [] and store.hash_at(0) is None
    assert store.of_kind(Kind.TABLE) == [] and store.last_of_kind(Kind.INTERVAL) is None


def test_rows_come_back_in_order_with_their_hashes(open_store: Opener):
    store = open_store()
    rows = append(store, 5) + append(store, 3)
    assert (store.next_seq, store.head) == (8, rows[-1][3])
    assert store.read(0, 7) == [(data, digest) for _, _, data, digest in rows]
    assert store.read(3, 4) == [(data, digest) for _, _, data, digest in rows[3:5]]
    assert store.read(6, 100) == [(data, digest) for _, _, data, digest in rows[6:]]
    assert store.read(5, 4) == [] and store.read(8, 9) == []
    assert [store.hash_at(seq) for seq in range(8)] == [row[3] for row in rows]
    assert store.hash_at(8) is None


def test_what_append_promised_is_there_after_a_restart(open_store: Opener):
    store = open_store()
    rows = append(store, 5)
    epoch = store.epoch
    store.close()
    again = open_store()
    assert (again.epoch, again.next_seq, again.head) == (epoch, 5, rows[-1][3])
    assert again.read(0, 4) == [(data, digest) for _, _, data, digest in rows]
    more = append(again, 1)
    assert more[0][0] == 5 and again.read(0, 5)[5][1] == more[0][3]


def test_every_start_is_counted(open_store: Opener):
    for boot in (1, 2, 3):
        store = open_store()
        assert store.boot == boot
        store.close()


def test_an_append_is_all_or_nothing_and_may_be_tried_again(open_store: Opener):
    store = open_store()
    first = append(store, 3)
    rows = rows_of(store, 4)
    assert code_of(store.append, rows[:2] + [rows[1]] + rows[2:]) == "store.write"
    assert (store.next_seq, store.head) == (3, first[-1][3])
    assert len(store.read(0, 100)) == 3
    store.append(rows)
    assert len(store.read(0, 100)) == 7


def test_a_seq_is_never_written_twice(open_store: Opener):
    store = open_store()
    rows = append(store, 3)
    assert code_of(store.append, rows[2:]) == "store.write"
    assert store.read(0, 9) == [(data, digest) for _, _, data, digest in rows]


def test_an_ack_is_remembered(open_store: Opener):
    store = open_store()
    append(store, 5)
    store.ack(3)
    assert store.acked_seq == 3
    store.close()
    again = open_store()
    assert again.acked_seq == 3
    again.ack(-1)  # a receiver that begins anew
    again.close()
    assert open_store().acked_seq == -1


def test_records_are_found_by_kind(open_store: Opener):
    store = open_store()
    rows = []
    for kind in (Kind.TABLE, Kind.POLL, Kind.INTERVAL, Kind.EVENT, Kind.TABLE, Kind.POLL):
        rows += append(store, 2, kind)
    for kind in (Kind.TABLE, Kind.INTERVAL, Kind.EVENT, Kind.CLOCK):
        wanted = [data for _, found, data, _ in rows if found == kind]
        assert store.of_kind(kind) == wanted
        assert store.last_of_kind(kind) == (wanted[-1] if wanted else None)


def test_another_journal_is_another_epoch(open_store: Opener, tmp_path: Path):
    (tmp_path / "other").mkdir()
    assert open_store().epoch != open_store(folder=tmp_path / "other").epoch


def test_a_foreign_journal_is_refused_and_left_alone(open_store: Opener):
    store = open_store()
    rows = append(store, 2)
    store.close()
    assert code_of(open_store, "gw-2") == "store.foreign"
    again = open_store()
    assert again.boot == 2 and again.read(0, 1) == [(row[2], row[3]) for row in rows]


# From here on: the file on Linux.


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "journal.db", "gw-1")
    yield store
    store.close()


def spoil(path: Path, statement: str, *args: object) -> None:
    """Change the file behind the store's back."""
    with sqlite3.connect(path) as other:
        other.execute(statement, args)
    other.close()


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]


@pytest.mark.parametrize("column", ["record", "hash"])
@pytest.mark.parametrize("seq", [0, 4, 9])
def test_one_flipped_bit_is_noticed(journal: SqliteStore, column: str, seq: int):
    rows = append(journal, 10)
    good = rows[seq][2 if column == "record" else 3]
    spoil(journal.path, f"UPDATE journal SET {column} = ? WHERE seq = ?", flipped(good, 7), seq)
    assert code_of(journal.read, 0, 9) == "store.corrupt"
    assert code_of(journal.read, seq, seq) == "store.corrupt"
    if seq:
        assert len(journal.read(0, seq - 1)) == seq
    spoil(journal.path, f"UPDATE journal SET {column} = ? WHERE seq = ?", good, seq)
    assert len(journal.read(0, 9)) == 10


def test_rows_exchanged_for_each_other_are_noticed(journal: SqliteStore):
    rows = append(journal, 4)
    for seq, other in ((1, 2), (2, 1)):
        spoil(
            journal.path,
            "UPDATE journal SET record = ?, hash = ? WHERE seq = ?",
            rows[other][2],
            rows[other][3],
            seq,
        )
    assert code_of(journal.read, 0, 3) == "store.corrupt"


def test_the_file_is_its_owners_alone(journal: SqliteStore, tmp_path: Path):
    append(journal, 1)
    for name in ("journal.db", "journal.db-wal", "journal.db-shm"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600, name


def test_a_power_cut_costs_no_commit(journal: SqliteStore):
    """WAL with FULL: each commit flushes the log. NORMAL would not."""
    settings = {
        name: journal._db.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "cell_size_check")
    }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "cell_size_check": 1}


@pytest.mark.parametrize("order", ["", " DESC LIMIT 1"])
def test_records_of_a_kind_are_found_through_the_index(journal: SqliteStore, order: str):
    """With a year of polls in between, a start must not read them all."""
    statements: list[str] = []
    journal._db.set_trace_callback(statements.append)
    journal.of_kind(Kind.TABLE) if not order else journal.last_of_kind(Kind.TABLE)
    journal._db.set_trace_callback(None)
    assert len(statements) == 1
    plan = journal._db.execute("EXPLAIN QUERY PLAN " + statements[0]).fetchall()
    words = " ".join(row[3] for row in plan)
    assert "journal_kind" in words and "SCAN" not in words and "TEMP B-TREE" not in words


def test_a_journal_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path):
    path = tmp_path / "journal.db"
    SqliteStore(path, "gw-1").close()
    spoil(path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(StoreError) as caught:
        SqliteStore(path, "gw-1")
    assert caught.value.code == "store.open" and "newer" in str(caught.value.fields["reason"])
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"not a database, but long enough to look like one" * 40])
def test_a_file_that_is_no_journal_is_refused_and_left_alone(tmp_path: Path, content: bytes):
    path = tmp_path / "journal.db"
    path.write_bytes(content)
    assert code_of(SqliteStore, path, "gw-1") == "store.open"
    assert path.read_bytes() == content


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path):
    assert code_of(SqliteStore, tmp_path / "absent" / "journal.db", "gw-1") == "store.open"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_loses_nothing_and_takes_the_same_rows_later(small_disk: Path):
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(100_000))
    store = SqliteStore(small_disk / "journal.db", "gw-1")
    try:
        while True:
            rows = rows_of(store, 4, Kind.EVENT, 2000)
            try:
                store.append(rows)
            except StoreError as error:
                failure = error
                break
        assert failure.code == "store.full" and failure.fields["file"].endswith("journal.db")
        kept = store.next_seq
        assert rows[0][0] == kept and len(store.read(0, kept + 10)) == kept
        assert code_of(store.append, rows) == "store.full"
        ballast.unlink()
        store.append(rows)
        assert store.next_seq == kept + 4
        assert len(store.read(0, kept + 3)) == kept + 4
        store.ack(kept)
    finally:
        store.close()
    again = SqliteStore(small_disk / "journal.db", "gw-1")
    try:
        assert (again.next_seq, again.acked_seq, again.head) == (kept + 4, kept, rows[-1][3])
    finally:
        again.close()
