"""Authentic gateways that contradict themselves: forks, odd records, numbers with two meanings."""

from pathlib import Path

import pytest

from cloud_sync.verify import verify_store
from edge.core.journal import chain
from edge.core.journal.record import Kind, Part
from edge.core.numbers import pack
from edge.core.sync.ack import decode_ack

from .receiver_journal import GATEWAY, KEY, TENANT, TOPIC, Journal, World, factory

OWNER = f"{TENANT}/{GATEWAY}"


@pytest.fixture
def world(tmp_path: Path):
    world = World(tmp_path / "cloud.db")
    yield world
    world.store.close()


@pytest.fixture(scope="module")
def journal() -> Journal:
    return factory(polls=10)


@pytest.mark.parametrize("span", [(3, 9), (0, 12), (5, 5), (6, 12)])
def test_a_fork_overwrites_nothing(world: World, journal: Journal, span: tuple[int, int]):
    clone = factory(polls=10)
    for seq in range(5, len(clone.records)):
        clone.records[seq] = clone.records[seq]._replace(boot=2)
        before = clone.hashes[seq - 1]
        clone.hashes[seq] = chain.link(before, pack.encode(list(clone.records[seq])))
    world.receiver.receive(TOPIC, journal.batch(0, 8))
    before = world.query("SELECT * FROM records"), world.query("SELECT * FROM ranges")
    forked = clone.batch(*span)
    for _ in range(3):
        reply = world.receiver.receive(TOPIC, forked)
        assert reply is not None
        ack = decode_ack(reply.payload, GATEWAY, KEY)
        assert (ack.seq, ack.hash) == (8, journal.hashes[8])
        assert ack.fork == (max(5, span[0]), journal.hashes[max(5, span[0])])
    assert (world.query("SELECT * FROM records"), world.query("SELECT * FROM ranges")) == before
    seq = max(5, span[0])
    assert world.query("SELECT owner, code, seq, count FROM alarms") == [
        (OWNER, "sync.fork", seq, 3)
    ]
    assert world.query("SELECT code, count FROM quarantine") == [("sync.fork", 3)]
    reply = world.receiver.receive(TOPIC, journal.batch(9, 12))
    assert reply is not None and decode_ack(reply.payload, GATEWAY, KEY).seq == 12
    assert verify_store(world.path).ok


@pytest.mark.parametrize(("span", "at"), [((9, 12), 8), ((0, 2), 2)])
def test_a_fork_that_only_touches_is_seen_at_the_seam(
    world: World, journal: Journal, span: tuple[int, int], at: int
):
    clone = factory(polls=10, seed=2)
    world.receiver.receive(TOPIC, journal.batch(3, 8))
    reply = world.receiver.receive(TOPIC, clone.batch(*span))
    assert reply is not None
    ack = decode_ack(reply.payload, GATEWAY, KEY)
    assert (ack.seq, ack.fork) == (-1, (at, journal.hashes[at]))
    assert world.query("SELECT code FROM quarantine") == [("sync.fork",)]
    assert world.query("SELECT first, last FROM ranges") == [(3, 8)]


ODD_BODIES = (
    (Kind.TABLE, [[9, 1]]),
    (Kind.TABLE, [[Part.CONFIG, b"c", 5]]),
    (Kind.TABLE, [[Part.DEVICE, 1, "m", "b", 1, "p", b"d", 1000, [["x", "W", 19, "gauge"]]]]),
    (Kind.POLL, [0, [1, 1], [2, 3], []]),
    (Kind.POLL, [0, [1, 2], [1, 3, 1, 4], []]),
    (Kind.INTERVAL, [1, 2, [[1, 2]], [0, 0, 0, 0, 0]]),
    (Kind.INTERVAL, [1, 2, [[1, 0, 0, 0, 0, 1, 1]] * 2, [0, 0, 0, 0, 0]]),
    (Kind.INTERVAL, [1, 2, [], [0, 0, True, 0, 0]]),
    (Kind.EVENT, [7, []]),
    (Kind.EVENT, ["boot", ["lonely"]]),
)


@pytest.mark.parametrize("number", range(len(ODD_BODIES)))
def test_an_authentic_record_that_fits_no_table_stays_raw(world: World, number: int):
    odd = Journal()
    odd.define()
    seq = odd.append(*ODD_BODIES[number])
    odd.poll(0, {"power": "1.5", "energy": "2.25"}, {})
    reply = world.receiver.receive(TOPIC, odd.batch(0, 2))
    assert reply is not None and decode_ack(reply.payload, GATEWAY, KEY).seq == 2
    assert world.count("records") == 3
    alarms = world.query("SELECT code, seq FROM alarms")
    assert alarms in ([("data.record", seq)], [("data.range", seq)])
    assert [row[0] for row in world.query("SELECT value FROM v_readings")] == ["1.5", "2.25"]
    assert world.count("intervals") == 0 and world.count("events") == 0
    assert verify_store(world.path).ok


def test_a_number_never_gets_another_meaning(world: World):
    journal = Journal()
    journal.define()
    journal.poll(0, {"power": "1.5", "energy": "2.25"}, {})
    journal.define()
    points = (("volume", "L", 0, "counter"), ("energy", "kW.h", 2, "counter"))
    seq = journal.define(devices=((0, "water", points),))
    world.receiver.receive(TOPIC, journal.batch(0, 3))
    assert world.query("SELECT code, seq FROM alarms") == [("data.record", seq)]
    assert world.query("SELECT device, unit, value FROM v_readings WHERE point = 'power'") == [
        ("main meter", "W", "1.5")
    ]
    assert world.query("SELECT number, name, seq FROM devices") == [
        (0, "main meter", 0),
        (3, "stack", 0),
    ]
    assert world.count("points") == 5
