"""What one message may cost: the limits hold before and while it is read, whoever made it.

The payloads are made by the `msgpack` package and by hand, not by our encoder, and the refusals
are those of that package's own strict reader where it has one.
"""

import math
import tracemalloc
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.core.errors import DataError
from edge.core.journal import chain
from edge.core.numbers import pack
from edge.core.sync.batch import ITEMS_MAX, PAYLOAD_MAX_BYTES
from edge.core.sync.columns import RECORDS_MAX

from .receiver_journal import EPOCH, GATEWAY, KEY, TOPIC, World

#: What one message of any content may take beside the database, see docs/receiver.md.
MESSAGE_MAX_BYTES = 32 << 20

GENESIS = chain.genesis(GATEWAY, EPOCH)


def sealed(body: bytes) -> bytes:
    """An array of twelve whose elements 5.. are `body`, with an honest MAC at its end."""
    head = [msgpack.packb(item) for item in (1, GATEWAY, EPOCH, 0, GENESIS)]
    signed = b"\x9c" + b"".join(head) + body
    seal = msgpack.packb(chain.mac(KEY, chain.BATCH_PURPOSE, signed))
    assert len(signed) + len(seal) <= PAYLOAD_MAX_BYTES
    return signed + seal


def columns(*five: object, last: bytes = bytes(32)) -> bytes:
    packed = [item if isinstance(item, bytes) else msgpack.packb(item) for item in five]
    return b"".join(packed) + msgpack.packb(last)


def array(count: int, items: bytes) -> bytes:
    return b"\xdd" + count.to_bytes(4, "big") + items


ROOM = PAYLOAD_MAX_BYTES - 200
#: Of each kind as many as fit: what a byte on the wire blows up to most.
SWARMS = {
    "nils": array(ROOM, b"\xc0" * ROOM),
    "empty arrays": array(ROOM, b"\x90" * ROOM),
    "nests": array(ROOM // 6, b"\x91\x91\x91\x91\x91\x90" * (ROOM // 6)),
    "integers": array(ROOM // 3, b"\xcd\xff\x00" * (ROOM // 3)),
    "negatives": array(ROOM // 2, b"\xd0\x80" * (ROOM // 2)),
    "texts": array(ROOM // 4, b"\xa3\xe4\xb8\x80" * (ROOM // 4)),
    "bins": array(ROOM // 4, b"\xc4\x02ab" * (ROOM // 4)),
}


def polls(count: int, points: int) -> bytes:
    """Columns of `count` polls of `points` zeros, which is the least a reading can take."""
    body = [0, [0] * points, [], []]
    head = GENESIS
    for seq in range(count):
        head = chain.link(head, msgpack.packb([1, seq, 1, 0, 0, 2, body]))
    deltas = array(count * points, b"\x00" * (count * points))
    block = b"\x95\x00" + msgpack.packb(points) + deltas + b"\x90\x90"
    zeros = array(count, b"\x00" * count)
    return columns([count, 1, 0, 2], zeros, zeros, b"\x91" + block, [], last=head)


ONE = ([1, 1, 0, 2], [0], [0])
INPUTS = {
    **{f"{name} in a column": sealed(columns(*ONE, body, [])) for name, body in SWARMS.items()},
    **{f"{name} alone": body for name, body in SWARMS.items()},
    "a block of one-point polls": sealed(
        columns(*ONE, b"\x91\x95\x00\x01" + array(ROOM, b"\xc0" * ROOM) + b"\x90\x90", [])
    ),
    "as many readings as can be": sealed(polls(1_000, 62)),
    "as many polls as can be": sealed(polls(RECORDS_MAX, 4)),
    "a count of 2^32 - 1": b"\xdd\xff\xff\xff\xff",
    "counts within counts": b"\xdc\xff\xff" * (ROOM // 3),
    "a bin of 2^32 - 1": b"\xc6\xff\xff\xff\xff",
    "depth": b"\x91" * PAYLOAD_MAX_BYTES,
    "a run of 2^60": sealed(columns([1 << 60, 1, 0, 2], [0], [0], [], [])),
    "2^60 points": sealed(columns(*ONE, [[0, 1 << 60, [1], [], []]], [])),
}


@pytest.mark.parametrize("name", INPUTS)
def test_what_any_message_allocates_is_bounded(tmp_path: Path, name: str):
    world = World(tmp_path / "cloud.db")
    payload = INPUTS[name]
    tracemalloc.start()
    try:
        world.receiver.receive(TOPIC, payload)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MESSAGE_MAX_BYTES
    world.store.close()


def test_a_message_beyond_the_size_is_refused_before_anything_is_made_of_it(tmp_path: Path):
    world = World(tmp_path / "cloud.db")
    payload = b"\x90" * (32 << 20)
    tracemalloc.start()
    try:
        world.receiver.receive(TOPIC, payload)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert world.notices[0][1]["code"] == "data.pack" and peak < 1 << 20
    world.store.close()


def test_ten_thousand_records_are_taken_and_one_more_is_not(tmp_path: Path):
    world = World(tmp_path / "cloud.db")

    world.receiver.receive(TOPIC, sealed(polls(RECORDS_MAX + 1, 1)))
    assert world.notices[-1][1]["code"] == "data.record" and world.count("records") == 0
    world.receiver.receive(TOPIC, sealed(polls(RECORDS_MAX, 1)))
    assert world.notices[-1][0] == "stored" and world.count("records") == RECORDS_MAX
    world.store.close()


#: What MessagePack has and a record has not.
FOREIGN = [1.5, math.nan, math.inf, {}, {"a": 1}, msgpack.ExtType(5, b"x"), msgpack.Timestamp(1)]
LEAVES = st.one_of(
    *(st.none(), st.booleans(), st.integers(-(1 << 63), (1 << 64) - 1)),
    *(st.binary(max_size=40), st.text(max_size=20)),
)
VALUES = st.recursive(
    LEAVES | st.sampled_from(FOREIGN), lambda inner: st.lists(inner, max_size=6), max_leaves=30
)


def depth_of(value: object) -> int:
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


def holds_foreign(value: object) -> bool:
    if isinstance(value, list):
        return any(map(holds_foreign, value))
    return not (value is None or isinstance(value, (bool, int, bytes, str)))


@settings(max_examples=300, deadline=None)
@given(VALUES, st.binary(max_size=3))
def test_what_the_package_packs_is_read_or_refused_by_the_rules(value: Any, tail: bytes):
    data = msgpack.packb(value) + tail
    if tail or holds_foreign(value) or depth_of(value) > pack.DEPTH_MAX:
        with pytest.raises(DataError) as caught:
            pack.decode(data, ITEMS_MAX)
        assert caught.value.code == "data.pack"
    else:
        assert pack.decode(data, ITEMS_MAX) == value


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200))
def test_bytes_are_read_as_the_package_reads_them_or_refused(data: bytes):
    try:
        found = pack.decode(data, ITEMS_MAX)
    except DataError as error:
        assert error.code == "data.pack"
        return
    assert found == msgpack.unpackb(data)


@pytest.mark.parametrize(("more", "is_taken"), [(0, True), (1, False), (2, False)])
def test_a_payload_is_nested_eight_deep_and_no_deeper(tmp_path: Path, more: int, is_taken: bool):
    """Eight of a payload are seven of its record, which alone might be one deeper."""
    world = World(tmp_path / "cloud.db")
    deep: object = 1
    for _ in range(4 + more):
        deep = [deep]  # in the payload, its bodies, the body and its fields: depth 4 + 4
    body = ["kit", ["field", deep]]
    head = chain.link(GENESIS, msgpack.packb([3, 0, 1, 0, 0, 2, body]))
    world.receiver.receive(TOPIC, sealed(columns([1, 1, 0, 2], [0], [-4], [], [body], last=head)))
    name, fields = world.notices[-1]
    assert (name, fields.get("code")) == (
        ("stored", None) if is_taken else ("quarantined", "data.pack")
    )
    world.store.close()


def test_duplicate_keys_have_nowhere_to_stand():
    """A map is refused as a map, so no reader can choose between two values of one key."""
    with pytest.raises(DataError):
        pack.decode(b"\x82\xa1a\x01\xa1a\x02", ITEMS_MAX)
