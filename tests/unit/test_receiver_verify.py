"""The proof of a store: whatever is changed in it afterwards is found, at its record."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from cloud_sync.verify import verify_store
from edge.core.errors import StoreError
from edge.core.journal.record import Kind

from .receiver_journal import EPOCH, TOPIC, World, factory

JOURNAL = factory(polls=20)
LAST = len(JOURNAL.records) - 1
POLL = next(r.seq for r in JOURNAL.records if r.kind == Kind.POLL and r.seq > 20)
INTERVAL = next(r.seq for r in JOURNAL.records if r.kind == Kind.INTERVAL)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    world = World(tmp_path / "cloud.db")
    for payload in JOURNAL.cut(10, 30, LAST):
        world.receiver.receive(TOPIC, payload)
    world.store.close()
    return world.path


def change(path: Path, sql: str) -> int:
    with sqlite3.connect(path) as db:
        changed = db.execute(sql).rowcount
    db.close()
    return changed


def test_an_honest_store_holds(path: Path):
    summary = verify_store(path)
    assert summary.ok
    (journal,) = summary.journals
    assert journal.owner == "park/gw-1" and journal.epoch == EPOCH.hex()
    assert (journal.head, journal.records, journal.readings) == (LAST, LAST + 1, 100)
    assert (journal.missing, journal.broken, journal.reason) == (0, None, "")
    assert verify_store(path, "gw-1") == summary == verify_store(path, "park/gw-1")
    assert verify_store(path, "gw-2").journals == ()


def test_a_gateway_that_the_store_does_not_have_is_no_proof(path: Path):
    """A wrong name must not pass for a chain that holds."""
    for name, status in (("gw-1", 0), ("gw-2", 2)):
        done = subprocess.run(
            [sys.executable, "-m", "edge", "verify", "--store", f"sqlite:///{path}"]
            + ["--gateway", name, "--json"],
            capture_output=True,
            text=True,
        )
        assert done.returncode == status, done.stderr
        assert ("error[usage.value]: --gateway is gw-2;" in done.stderr) == bool(status)


def test_missing_records_are_counted_and_break_nothing(tmp_path: Path):
    world = World(tmp_path / "cloud.db")
    for first, last in ((0, 4), (8, 9), (12, 12)):
        world.receiver.receive(TOPIC, JOURNAL.batch(first, last))
    summary = verify_store(world.path)
    assert summary.ok and summary.journals[0].missing == 5 and summary.journals[0].head == 4
    world.store.close()


@pytest.mark.parametrize(
    ("sql", "broken"),
    [
        ("UPDATE records SET body = body || x'00' WHERE seq = 7", 7),
        ("UPDATE records SET body = 5 WHERE seq = 7", 7),
        ("UPDATE records SET hash = zeroblob(32) WHERE seq = 0", 0),
        ("UPDATE records SET wall_ms = wall_ms + 1 WHERE seq = 12", 12),
        ("UPDATE records SET kind = 4 WHERE seq = 12", 12),
        ("DELETE FROM records WHERE seq = 31", 31),
        (f"DELETE FROM records WHERE seq = {LAST}", LAST),
        ("DELETE FROM records WHERE seq BETWEEN 3 AND 5", 3),
        (f"UPDATE polls SET mantissas = replace(mantissas, ']', '1]') WHERE seq = {POLL}", POLL),
        (f"UPDATE polls SET mantissas = replace(mantissas, ']', '.0]') WHERE seq = {POLL}", POLL),
        (f"UPDATE polls SET mantissas = replace(mantissas, ']', ',5]') WHERE seq = {POLL}", POLL),
        (f"UPDATE polls SET mantissas = '[\"1\", true]' WHERE seq = {POLL}", POLL),
        (f"UPDATE polls SET mantissas = 'no array' WHERE seq = {POLL}", POLL),
        (f"UPDATE polls SET qualities = '[1,1,1,1,1]' WHERE seq = {POLL}", POLL),
        (f"UPDATE polls SET qualities = '[' WHERE seq = {POLL}", POLL),
        (f"UPDATE polls SET device = device + 1 WHERE seq = {POLL}", POLL),
        (f"DELETE FROM polls WHERE seq = {POLL}", POLL),
        ("INSERT INTO polls VALUES (1, 1, 0, '[5]', NULL)", 1),
        (f"UPDATE intervals SET scope2_mg = 0 WHERE seq = {INTERVAL}", INTERVAL),
        (f"UPDATE interval_streams SET emission_mg = 0 WHERE seq = {INTERVAL}", INTERVAL),
        ("DELETE FROM events", 1),
        ("UPDATE configs SET version = '9'", 0),
        ("UPDATE ranges SET last = last + 1", LAST + 1),
        ("UPDATE ranges SET hash_last = zeroblob(32)", LAST),
        ("UPDATE ranges SET hash_before = zeroblob(32)", 0),
        ("UPDATE ranges SET last = 20", 20),
        ("UPDATE journals SET head_seq = 20", 20),
        ("UPDATE journals SET head_hash = zeroblob(32)", LAST),
        ("UPDATE journals SET epoch = x'0000000000000000'", 0),
        ("UPDATE gateways SET gateway = 'gw-2'", 0),
        ("INSERT INTO ranges SELECT journal, 4, 5, hash_before, hash_last FROM ranges", 4),
    ],
)
def test_a_change_is_found_at_its_record(path: Path, sql: str, broken: int):
    assert change(path, sql) >= 1
    summary = verify_store(path)
    assert not summary.ok
    assert summary.journals[0].broken == broken and summary.journals[0].reason


def test_a_record_outside_the_ranges_is_found(path: Path):
    columns = "kind, boot, mono_ms, wall_ms, clock, hash, body"
    change(path, f"INSERT INTO records SELECT journal, 900, {columns} FROM records WHERE seq = 3")
    journal = verify_store(path).journals[0]
    assert journal.broken == 900 and "outside" in journal.reason


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE devices SET name = 'another' WHERE number = 3",
        "UPDATE points SET unit = 'MW' WHERE number = 1 AND device = 0",
        "UPDATE points SET places = 0 WHERE device = 3",
        "DELETE FROM points WHERE number = 0",
        "UPDATE points SET number = 9 WHERE number = 1 AND device = 0",
        "UPDATE streams SET numerator = 1",
        "DELETE FROM streams",
        "DELETE FROM devices WHERE number = 0",
    ],
)
def test_a_changed_definition_is_found(path: Path, sql: str):
    assert change(path, sql) >= 1
    journal = verify_store(path).journals[0]
    assert journal.broken == 0 and "definition" in journal.reason


def run_verify(path: Path, *options: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "edge", "verify", "--store", f"sqlite:///{path}", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def test_the_verb_says_what_it_found(path: Path, tmp_path: Path):
    ended = run_verify(path)
    assert ended.returncode == 0 and "park/gw-1" in ended.stdout and "ok" in ended.stdout
    change(path, "UPDATE records SET body = x'00' WHERE seq = 7")
    ended = run_verify(path, "--json")
    assert ended.returncode == 65 and '"broken": 7' in ended.stdout
    ended = run_verify(tmp_path / "none.db")
    assert ended.returncode == 74 and "cloud.open" in ended.stderr


def test_a_file_that_is_no_store(tmp_path: Path):
    for text in (b"", b"no database" * 100):
        (tmp_path / "x.db").write_bytes(text)
        with pytest.raises(StoreError) as caught:
            verify_store(tmp_path / "x.db")
        assert caught.value.code == "cloud.open"
