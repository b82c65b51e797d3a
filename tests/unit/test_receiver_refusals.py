"""What the receiver refuses: each with its code, nothing stored, nobody else held up."""

import json
import random
from pathlib import Path

import pytest

from cloud_sync.store.contract import REFUSALS_MAX, REFUSALS_PER_OWNER_MAX
from edge.core.journal import chain
from edge.core.journal.record import Kind
from edge.core.numbers import pack
from edge.core.sync.ack import Ack, decode_ack
from edge.core.sync.batch import PAYLOAD_MAX_BYTES

from .receiver_journal import (
    EPOCH,
    GATEWAY,
    KEY,
    NOW_MS,
    OTHER_KEY,
    TENANT,
    TOPIC,
    Journal,
    World,
    factory,
    resealed,
)

OWNER = f"{TENANT}/{GATEWAY}"
GENESIS = chain.genesis(GATEWAY, EPOCH)
STANDS = Ack(GATEWAY, EPOCH, -1, GENESIS, (), NOW_MS, None)


@pytest.fixture
def world(tmp_path: Path):
    world = World(tmp_path / "cloud.db")
    yield world
    world.store.close()


@pytest.fixture(scope="module")
def journal() -> Journal:
    return factory(polls=10)


@pytest.fixture(scope="module")
def small() -> Journal:
    return factory(polls=1)


def is_untouched(world: World) -> bool:
    tables = ("records", "ranges", "polls", "journals", "devices", "events")
    return all(world.count(table) == 0 for table in tables)


def refusals(world: World) -> list[tuple]:
    return world.query("SELECT owner, topic, code FROM quarantine ORDER BY id")


@pytest.mark.parametrize(
    ("topic", "key", "owner", "code"),
    [
        (TOPIC, OTHER_KEY, OWNER, "sync.mac"),
        ("carbontally/v1/works/gw-1/batch", KEY, "", "sync.unknown_gateway"),
        ("carbontally/v1/park/gw-2/batch", KEY, "", "sync.unknown_gateway"),
        ("carbontally/v1/park/gw-1/ack", KEY, "", "sync.topic"),
        ("carbontally/v2/park/gw-1/batch", KEY, "", "sync.topic"),
        ("elsewhere", KEY, "", "sync.topic"),
    ],
)
def test_a_batch_of_a_stranger(world: World, journal: Journal, topic, key, owner, code):
    assert world.receiver.receive(topic, journal.batch(0, 5, key)) is None
    assert refusals(world) == [(owner, topic, code)]
    kept = world.query("SELECT payload, size_bytes FROM quarantine")[0]
    payload = journal.batch(0, 5, key)
    assert kept == (payload if owner else None, len(payload))
    assert is_untouched(world)
    assert world.notices[0][0] == "quarantined" and world.notices[0][1]["code"] == code


def test_a_registered_gateway_cannot_send_as_another(tmp_path: Path, journal: Journal):
    keys = {(TENANT, GATEWAY): KEY, (TENANT, "gw-2"): OTHER_KEY}
    world = World(tmp_path / "cloud.db", keys)
    forged = journal.batch(0, 5, OTHER_KEY)
    assert world.receiver.receive("carbontally/v1/park/gw-2/batch", forged) is None
    assert world.receiver.receive(TOPIC, forged) is None
    assert [code for _, _, code in refusals(world)] == ["sync.mac", "sync.mac"]
    assert is_untouched(world)
    world.store.close()


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "data.pack"),
        (b"\xc1", "data.pack"),
        (b"hello", "data.pack"),
        (pack.encode([1, 2, 3]), "data.record"),
        (pack.encode([1, GATEWAY, EPOCH, 0, b"", 0, 0, 0, 0, 0, b"", b""]), "data.record"),
        (b"\xdd\xff\xff\xff\xff", "data.pack"),
        (b"\x91" * 60_000, "data.pack"),
        (bytes(PAYLOAD_MAX_BYTES + 1), "data.pack"),
    ],
)
def test_garbage(world: World, payload: bytes, code: str):
    assert world.receiver.receive(TOPIC, payload) is None
    assert refusals(world) == [(OWNER, TOPIC, code)]
    kept = world.query("SELECT payload, size_bytes FROM quarantine")
    assert kept == [(payload[:PAYLOAD_MAX_BYTES], len(payload))]
    assert is_untouched(world)


def test_a_batch_cut_off_at_any_byte(world: World, small: Journal):
    payload = small.batch(0, 3)
    for length in range(len(payload)):
        assert world.receiver.receive(TOPIC, payload[:length]) is None
        assert world.notices[-1][1]["code"] in ("data.pack", "data.record")
    assert len(world.notices) == len(payload) and is_untouched(world)
    assert world.receiver.receive(TOPIC, payload) is not None


def test_a_batch_with_any_byte_changed(world: World, small: Journal):
    payload = small.batch(0, 3)
    draw = random.Random(7)
    codes = set()
    for at in range(len(payload)):
        changed = bytearray(payload)
        changed[at] ^= draw.randrange(1, 256)
        assert world.receiver.receive(TOPIC, bytes(changed)) is None
        codes.add(world.notices[-1][1]["code"])
    assert codes <= {"data.pack", "data.record", "sync.mac"} and "sync.mac" in codes
    assert is_untouched(world)
    assert world.receiver.receive(TOPIC, payload) is not None


def swap_hash(fields: list) -> None:
    fields[10] = bytes(32)


def swap_genesis(fields: list) -> None:
    fields[3], fields[4] = 0, bytes(32)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda fields: fields.__setitem__(0, 9), "data.record"),
        (lambda fields: fields.__setitem__(3, -1), "data.record"),
        (lambda fields: fields.__setitem__(3, "x"), "data.record"),
        (lambda fields: fields.__setitem__(4, b"short"), "data.record"),
        (lambda fields: fields.__setitem__(7, [99]), "data.record"),
        (lambda fields: fields.__setitem__(5, [1, 1, 1 << 63, 2]), "data.record"),
        (lambda fields: fields.__setitem__(8, []), "data.record"),
        (swap_hash, "sync.chain"),
        (swap_genesis, "sync.chain"),
    ],
)
def test_an_authentic_sender_is_told_what_stands(world: World, journal: Journal, change, code):
    payload = resealed(journal.batch(0, 5), change)
    reply = world.receiver.receive(TOPIC, payload)
    assert refusals(world) == [(OWNER, TOPIC, code)]
    assert is_untouched(world)
    assert reply is not None and decode_ack(reply.payload, GATEWAY, KEY) == STANDS
    reply = world.receiver.receive(TOPIC, journal.batch(0, 5))
    assert reply is not None and decode_ack(reply.payload, GATEWAY, KEY).seq == 5


def test_a_chain_that_is_whole_but_starts_nowhere(world: World):
    stray = Journal()
    stray.chain = chain.Chain(0, bytes(32))
    stray.define()
    stray.append(Kind.EVENT, ["boot", []])
    payload = resealed(stray.batch(0, 1), lambda fields: fields.__setitem__(4, bytes(32)))
    reply = world.receiver.receive(TOPIC, payload)
    assert reply is not None and decode_ack(reply.payload, GATEWAY, KEY) == STANDS
    assert refusals(world) == [(OWNER, TOPIC, "sync.chain")] and is_untouched(world)
    assert world.query("SELECT code, seq FROM alarms") == [("sync.chain", 0)]


def test_an_epoch_that_cannot_be_read_gets_no_acknowledgement(world: World, journal: Journal):
    payload = resealed(journal.batch(0, 5), lambda fields: fields.__setitem__(2, b"short"))
    assert world.receiver.receive(TOPIC, payload) is None
    assert refusals(world) == [(OWNER, TOPIC, "data.record")]


@pytest.mark.parametrize("seq", [(1 << 63) - 2, (1 << 63) - 1, (1 << 64) - 1])
def test_a_seq_beyond_any_database_is_refused(world: World, seq: int):
    far = Journal()
    far.define()
    far.records[0] = far.records[0]._replace(seq=seq)
    far.hashes[0] = chain.link(GENESIS, pack.encode(list(far.records[0])))
    reply = world.receiver.receive(TOPIC, far.batch(0, 0))
    if seq == (1 << 63) - 2:
        assert reply is not None
        assert decode_ack(reply.payload, GATEWAY, KEY).gaps == (0, seq - 1)
        assert world.count("records") == 1
    else:
        assert refusals(world) == [(OWNER, TOPIC, "data.range")] and is_untouched(world)


def test_quarantine_is_bounded_and_strangers_do_not_push_out_the_known(tmp_path: Path):
    names = [f"gw-{number}" for number in range(12)]
    world = World(tmp_path / "cloud.db", {(TENANT, name): KEY for name in names})
    # Nothing here is about durability: without syncing, thousands of refusals take a second.
    world.query("PRAGMA synchronous = OFF")
    for name in names:
        for number in range(REFUSALS_PER_OWNER_MAX - 5 if name == "gw-0" else 110):
            world.now_ms += 1
            world.receiver.receive(f"carbontally/v1/park/{name}/batch", b"%d" % number)
    counts = dict(world.query("SELECT owner, count(*) FROM quarantine GROUP BY owner"))
    assert sum(counts.values()) == REFUSALS_MAX
    assert counts["park/gw-11"] == REFUSALS_PER_OWNER_MAX and "park/gw-0" not in counts
    for number in range(150):
        world.now_ms += 1
        world.receiver.receive(f"carbontally/v1/park/x{number}/batch", bytes(1000))
    counts = dict(world.query("SELECT owner, count(*) FROM quarantine GROUP BY owner"))
    assert sum(counts.values()) == REFUSALS_MAX and counts[""] == REFUSALS_PER_OWNER_MAX
    assert world.query("SELECT max(length(payload)) FROM quarantine WHERE owner = ''") == [(None,)]
    world.store.close()


def test_the_fields_of_a_refusal_say_why(world: World, journal: Journal):
    world.receiver.receive(TOPIC, resealed(journal.batch(0, 5), swap_hash))
    fields = json.loads(world.query("SELECT fields FROM quarantine")[0][0])
    assert fields == {"gateway": GATEWAY, "seq": 5}
    assert world.query("SELECT first_ms, last_ms, count FROM quarantine") == [(NOW_MS, NOW_MS, 1)]
