"""The contract of the Store, for every implementation; and what SQLite adds to it."""

import hashlib
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgpack
import pytest

from edge.core.errors import StoreError
from edge.core.journal.record import Kind
from edge.ports.contracts import Store
from edge.ports.linux.sqlite_store import SqliteStore

GATEWAY = "gw-1"
T0_MS = 1_800_000_000_000
POINTS = [["e", "W.h", 0, "counter"], ["p", "W", 0, "gauge"]]
DEVICE = [1, 0, "meter", "bus", 1, "some/model", b"p" * 32, 1000, POINTS]

#: implementation -> open a journal in a folder, made if it is not there
STORES: dict[str, Callable[..., Store]] = {
    "sqlite": lambda folder, gateway=GATEWAY, **more: SqliteStore(
        folder / "journal.db", gateway, **{"ballast_bytes": 0, **more}
    ),
}


@pytest.fixture(params=sorted(STORES))
def reopen(request, tmp_path: Path) -> Callable[..., Store]:
    """Open the journal of this test, again and again."""
    return lambda **more: STORES[request.param](tmp_path, **more)


def add(store: Store, *kinds: int, values: list[int] | None = None) -> list[bytes]:
    """Append records of these kinds in one commit, hashed with hashlib; return their bytes."""
    rows, head = [], store.head
    for offset, kind in enumerate(kinds):
        seq = store.next_seq + offset
        body = {
            Kind.TABLE: [DEVICE],
            Kind.POLL: [0, values or [seq, seq % 7], [], []],
            Kind.EVENT: ["some.event", ["n", seq]],
            Kind.INTERVAL: [T0_MS, T0_MS + seq, [], [None] * 5],
        }[kind]
        at_ms = 1000 * seq
        data = msgpack.packb([kind, seq, store.boot, at_ms, T0_MS + at_ms, 2, body])
        head = hashlib.sha256(head + data).digest()
        rows.append((seq, kind, data, head))
    store.append(rows)
    return [row[2] for row in rows]


def contents(store: Store) -> list[bytes]:
    return [data for data, _ in store.read(0, store.next_seq - 1)]


def times(store: Store) -> list[int]:
    """The monotonic time of every record that is kept: it survives a new seq."""
    return [msgpack.unpackb(data)[3] for data in contents(store)]


def test_a_new_journal_is_empty_and_begins_from_its_genesis(reopen):
    store = reopen()
    assert (store.boot, store.next_seq, store.acked_seq) == (1, 0, -1)
    assert len(store.epoch) == 8
    genesis = hashlib.sha256(b"carbontally" + GATEWAY.encode() + store.epoch).digest()
    assert store.head == store.hash_at(-1) == genesis
    assert store.read(0, 10) == [] and store.hash_at(0) is None
    assert store.last_of_kind(Kind.TABLE) is None and store.of_kind(Kind.EVENT) == []
    assert store.gap_from(0) is None and store.plan_removal() is None


def test_what_was_appended_is_there_after_reopening(reopen):
    store = reopen()
    store.findings()
    made = add(store, Kind.TABLE, Kind.POLL) + add(store, Kind.POLL, Kind.EVENT)
    store.ack(2)
    epoch, head = store.epoch, store.head
    store.close()
    again = reopen()
    assert contents(again) == made
    assert (again.epoch, again.head, again.next_seq) == (epoch, head, 4)
    assert (again.boot, again.acked_seq) == (2, 2)
    assert again.findings() == []


def test_reading_takes_any_span_and_hashes_are_those_of_hashlib(reopen):
    store = reopen()
    made = add(store, *[Kind.POLL] * 20)
    head = store.hash_at(-1)
    for seq, data in enumerate(made):
        assert head is not None
        head = hashlib.sha256(head + data).digest()
        assert store.hash_at(seq) == head
    assert [data for data, _ in store.read(5, 8)] == made[5:9]
    assert [data for data, _ in store.read(18, 99)] == made[18:]
    assert store.read(-5, -1) == []


def test_records_are_found_by_kind(reopen):
    store = reopen()
    made = add(store, Kind.TABLE, Kind.POLL, Kind.EVENT, Kind.POLL, Kind.TABLE, Kind.INTERVAL)
    assert store.of_kind(Kind.TABLE) == [made[0], made[4]]
    assert store.last_of_kind(Kind.TABLE) == made[4]
    assert store.last_of_kind(Kind.INTERVAL) == made[5]


def test_an_append_is_all_or_nothing(reopen):
    store = reopen()
    made = add(store, Kind.POLL, Kind.POLL)
    head = store.head
    with pytest.raises(StoreError):
        store.append([(2, Kind.POLL, b"x", bytes(32)), (2, Kind.POLL, b"x", bytes(32))])
    assert contents(store) == made and store.head == head
    assert contents(reopen_quietly(store, reopen)) == made


def reopen_quietly(store: Store, reopen) -> Store:
    store.close()
    return reopen()


def test_acks_may_shrink_as_a_restored_receiver_makes_them(reopen):
    store = reopen()
    add(store, *[Kind.POLL] * 9)
    store.ack(7)
    store.ack(3)
    assert store.acked_seq == 3
    assert reopen_quietly(store, reopen).acked_seq == 3


def test_another_gateways_journal_is_refused(reopen):
    reopen().close()
    with pytest.raises(StoreError) as caught:
        reopen(gateway="gw-2")
    assert caught.value.code == "store.foreign"
    assert caught.value.fields["found"] == GATEWAY


def test_a_process_that_was_killed_is_told_of_at_the_next_start(reopen, tmp_path: Path):
    store = reopen()
    add(store, Kind.POLL)
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path, copy, ignore=shutil.ignore_patterns("copy"))
    killed = STORES["sqlite"](copy)
    assert killed.findings() == [("journal.begun", {}), ("journal.cut", {"last": 0})]
    assert killed.findings() == [], "told once"
    add(killed, Kind.EVENT)
    killed.close()
    assert STORES["sqlite"](copy).findings() == []


def test_findings_that_no_event_was_made_of_are_told_again(reopen):
    store = reopen()
    assert store.findings() == [("journal.begun", {})]
    store = reopen_quietly(store, reopen)
    assert store.findings() == [("journal.begun", {})]
    add(store, Kind.EVENT)
    assert reopen_quietly(store, reopen).findings() == []


def test_a_renewed_journal_carries_tables_and_what_is_not_acked(reopen):
    store = reopen()
    add(store, Kind.TABLE, Kind.POLL, Kind.INTERVAL, Kind.TABLE, Kind.POLL)
    add(store, Kind.POLL, Kind.EVENT, Kind.POLL)
    store.ack(4)
    epoch, boot = store.epoch, store.boot
    store.renew("rewound")
    assert store.epoch != epoch and (store.boot, store.acked_seq) == (boot, -1)
    assert times(store) == [0, 3000, 5000, 6000, 7000]
    interval = msgpack.unpackb(store.last_of_kind(Kind.INTERVAL))
    assert interval[3] == 2000 and interval[1] == 0, "counting goes on behind the first table"
    told = dict(store.findings())["journal.salvaged"]
    assert (told["carried"], told["lost"], told["reason"]) == (3, 0, "rewound")
    assert told["runs"] == "0-0@0 3-3@1 5-7@2" and told["epoch"] == epoch.hex()
    add(store, Kind.POLL)
    assert times(reopen_quietly(store, reopen)) == [0, 3000, 5000, 6000, 7000, 5000]


def test_the_newest_interval_outlives_two_renewals(reopen):
    """Without it, a gateway that restarts would begin its account anew."""
    store = reopen()
    add(store, Kind.TABLE, Kind.INTERVAL, Kind.POLL, Kind.TABLE)
    store.ack(2)
    store.renew("damaged")
    add(store, Kind.POLL)
    store.ack(store.next_seq - 1)
    for reason in ("rewound", "damaged"):
        store.renew(reason)
        interval = msgpack.unpackb(store.last_of_kind(Kind.INTERVAL))
        assert interval[3] == 1000 and interval[1] == 0, "replaying begins behind the first table"
        assert times(store) == [0, 3000]
    again = reopen_quietly(store, reopen)
    assert msgpack.unpackb(again.last_of_kind(Kind.INTERVAL))[3] == 1000


def test_sqlite_keeps_the_journal_to_its_owner(reopen, tmp_path: Path):
    store = reopen()
    add(store, Kind.POLL)
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name


def change(folder: Path, sql: str) -> None:
    with closing(sqlite3.connect(folder / "journal.db")) as db, db:
        db.execute(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM journal WHERE seq = 30",
        "DELETE FROM journal WHERE seq = 59",
        "UPDATE journal SET record = (SELECT record FROM journal WHERE seq = 21) WHERE seq = 20",
        "UPDATE journal SET hash = x'00' WHERE seq = 40",
        "UPDATE meta SET value = 50 WHERE name = 'acked'",
        "UPDATE meta SET value = x'0011223344556677' WHERE name = 'epoch'",
        "DELETE FROM meta",
        "DELETE FROM journal WHERE kind = 0",
        "UPDATE journal SET kind = 1 WHERE seq = 0",
        "DROP TABLE gap",
        "DROP INDEX journal_kind",
    ],
)
def test_damage_is_found_at_the_start_or_when_it_is_read_and_renewed(reopen, tmp_path, sql: str):
    store = reopen()
    add(store, Kind.TABLE, *[Kind.POLL] * 59)
    before = times(store)
    store.close()
    change(tmp_path, sql)
    again = reopen()
    if "INDEX" in sql:
        assert times(again) == before  # slower, but nothing is wrong
        return
    if "gap" in sql:
        with pytest.raises(StoreError):
            again.gap_from(0)
        again.renew("damaged")
    told = dict(again.findings())
    assert told["journal.salvaged"]["reason"] == "damaged"
    missing = set(before) - set(times(again))
    assert told["journal.salvaged"]["lost"] == len(missing)
    # Without its table a device number means nothing: polls that name it stay behind.
    assert len(missing) == 60 if "kind = 0" in sql else len(missing) <= 2
    assert list(tmp_path.glob("journal.db.aside-*"))


def test_a_deleted_database_is_a_new_epoch_and_says_what_was_there(reopen, tmp_path: Path):
    store = reopen()
    add(store, *[Kind.POLL] * 5)
    epoch = store.epoch
    store.close()
    (tmp_path / "journal.db").unlink()
    again = reopen()
    assert again.epoch != epoch and (again.next_seq, again.boot) == (0, 2)
    assert again.findings() == [("journal.lost", {"epoch": epoch.hex(), "last": 4})]


def test_a_database_put_back_from_an_older_copy_reuses_no_seq(reopen, tmp_path: Path):
    store = reopen()
    add(store, Kind.TABLE, *[Kind.POLL] * 4)
    store.close()
    shutil.copy(tmp_path / "journal.db", tmp_path / "older")
    store = reopen()
    add(store, *[Kind.POLL] * 4)
    store.ack(7)
    epoch = store.epoch
    store.close()
    shutil.copy(tmp_path / "older", tmp_path / "journal.db")
    again = reopen()
    told = dict(again.findings())["journal.salvaged"]
    assert again.epoch != epoch
    # What the mark knows to be acked is not sent twice; seq 8 alone is gone for good.
    assert (told["carried"], told["lost"]) == (0, 1)
    assert times(again) == [0]
