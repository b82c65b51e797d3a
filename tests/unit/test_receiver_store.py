"""The receiver and its database: held, full, restored; and what it notes beside batches."""

import sqlite3
from pathlib import Path

import pytest

from cloud_sync.keys import Keys
from cloud_sync.receiver import Receiver
from cloud_sync.store.sqlite import SqliteStore
from cloud_sync.verify import verify_store
from edge.core.errors import StoreError

from .receiver_journal import (
    GATEWAY,
    KEY,
    NOW_MS,
    TENANT,
    TOPIC,
    Journal,
    World,
    acked,
    content,
    factory,
)


@pytest.fixture
def world(tmp_path: Path):
    world = World(tmp_path / "cloud.db")
    yield world
    world.store.close()


@pytest.fixture(scope="module")
def journal() -> Journal:
    return factory(polls=20)


def test_nothing_is_acknowledged_while_another_process_holds_the_database(
    world: World, journal: Journal
):
    payload = journal.batch(0, 9)
    holder = sqlite3.connect(world.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError) as caught:
        world.receiver.receive(TOPIC, payload)
    assert caught.value.code == "cloud.write" and "locked" in str(caught.value.fields["reason"])
    assert world.notices == []
    holder.execute("ROLLBACK")
    holder.close()
    assert world.count("records") == 0
    assert acked(world.receiver.receive(TOPIC, payload)).seq == 9


def test_nothing_of_a_batch_is_kept_when_the_disk_is_full(tmp_path: Path, journal: Journal):
    world = World(tmp_path / "cloud.db")
    assert acked(world.receiver.receive(TOPIC, journal.batch(0, 1))).seq == 1
    world.query(f"PRAGMA max_page_count = {world.query('PRAGMA page_count')[0][0]}")
    before = content(world)
    with pytest.raises(StoreError) as caught:
        for last in range(2, len(journal.records)):
            world.receiver.receive(TOPIC, journal.batch(2, last))
            before = content(world)
    assert caught.value.code == "cloud.full"
    assert content(world) == before
    world.query("PRAGMA max_page_count = 100000")
    last = len(journal.records) - 1
    assert acked(world.receiver.receive(TOPIC, journal.batch(0, last))).seq == last
    assert verify_store(world.path).ok
    world.store.close()


def test_a_receiver_restored_from_an_older_copy_asks_for_the_rest(
    tmp_path: Path, journal: Journal
):
    world = World(tmp_path / "cloud.db")
    world.receiver.receive(TOPIC, journal.batch(0, 9))
    with sqlite3.connect(tmp_path / "copy.db") as copy, sqlite3.connect(world.path) as source:
        source.backup(copy)
    world.receiver.receive(TOPIC, journal.batch(10, 29))
    world.store.close()
    restored = SqliteStore(tmp_path / "copy.db")
    receiver = Receiver(restored, Keys({(TENANT, GATEWAY): KEY}), lambda: NOW_MS)
    ack = acked(receiver.receive(TOPIC, journal.batch(30, 34)))
    assert (ack.seq, ack.hash, ack.gaps) == (9, journal.hashes[9], (10, 29))
    restored.close()


def test_the_state_of_a_gateway_is_noted(world: World, journal: Journal):
    state = "carbontally/v1/park/gw-1/state"
    world.receiver.receive_state(state, b"online")
    assert world.query("SELECT gateway, state FROM gateways") == [("gw-1", "online")]
    world.receiver.receive(TOPIC, journal.batch(0, 3))
    assert world.query("SELECT state, head_seq FROM v_gateways") == [("online", 3)]
    world.receiver.receive_state(state, b"offline")
    for topic, payload in (
        (state, b"on fire"),
        ("carbontally/v1/park/gw-9/state", b"online"),
        ("carbontally/v1/park/gw-1/batch", b"online"),
        ("else", b"online"),
    ):
        world.receiver.receive_state(topic, payload)
    assert world.query("SELECT gateway, state FROM gateways") == [("gw-1", "offline")]
    assert world.count("quarantine") == 0
