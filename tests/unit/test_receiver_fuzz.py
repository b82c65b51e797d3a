"""Authentic nonsense: whatever a gateway with a good key sends, nothing raises, nothing sticks."""

import random
from pathlib import Path

import pytest

from cloud_sync.verify import verify_store
from edge.core.errors import DataError
from edge.core.journal import chain
from edge.core.journal.record import encode_record
from edge.core.numbers import pack
from edge.core.sync.ack import decode_ack
from edge.core.sync.columns import decode_columns

from .receiver_journal import GATEWAY, KEY, TOPIC, World, factory, resealed

ROUNDS = 1_500
ODD = (
    *(None, True, False, 0, -1, 1, 7, 1 << 40, 1 << 63, (1 << 64) - 1, -(1 << 63)),
    *(b"", b"x" * 8, b"x" * 32, "", GATEWAY, "\x00", [], [[]], [1, 2], [[1, 2, [], [], []]]),
)
JOURNAL = factory(polls=12)
BASE = JOURNAL.batch(0, len(JOURNAL.records) - 1)


def places(value: object, path: tuple[int, ...] = ()):
    """The path to everything within nested arrays."""
    if isinstance(value, list):
        for at, item in enumerate(value):
            yield (*path, at)
            yield from places(item, (*path, at))


#: Anywhere but in the MAC, the epoch and the hash before: those are made to fit.
PLACES = [path for path in places(pack.decode(BASE)) if path[0] not in (2, 4, 11)]


def disturb(draw: random.Random, fields: list) -> None:
    """Put something odd in some place, take something away, or say it twice."""
    *way, last = draw.choice(PLACES)
    target = fields
    for at in way:
        target = target[at]
    change = draw.random()
    if change < 0.7:
        target[last] = draw.choice(ODD)
    elif change < 0.8 and way:
        del target[last]
    elif change < 0.9 and way:
        target.insert(last, draw.choice(ODD))
    elif isinstance(target[last], (list, str, bytes)):
        target[last] = target[last] * 2


def mend_chain(fields: list) -> None:
    """Make the last hash true, so that what can be read is also stored."""
    try:
        records = decode_columns(fields[3], fields[5:10])
        head = fields[4]
        for record in records:
            head = chain.link(head, encode_record(record))
    except (DataError, TypeError):
        return
    fields[10] = head


@pytest.mark.parametrize("seed", range(2))
def test_authentic_nonsense(tmp_path: Path, seed: int):
    world = World(tmp_path / "cloud.db")
    world.query("PRAGMA synchronous = OFF")
    draw = random.Random(seed)

    def change(fields: list) -> None:
        # A journal of its own each time: nothing is a fork of something before.
        fields[2] = draw.randbytes(8)
        fields[4] = chain.genesis(GATEWAY, fields[2])
        disturb(draw, fields)
        mend_chain(fields)

    replies = sent = 0
    while sent < ROUNDS:
        try:
            payload = resealed(BASE, change)
        except DataError:
            continue  # nested deeper than can be packed
        sent += 1
        reply = world.receiver.receive(TOPIC, payload)
        if reply is not None:
            decode_ack(reply.payload, GATEWAY, KEY)
            replies += 1
    names = [name for name, _ in world.notices]
    assert names.count("stored") + names.count("quarantined") == ROUNDS
    assert names.count("stored") > 200 and names.count("quarantined") > 200
    assert names.count("alarm") > 20 and replies > ROUNDS // 2
    world.query("SELECT * FROM v_readings")
    world.query("SELECT * FROM v_intervals")
    world.query("SELECT * FROM v_streams")
    world.store.close()
    assert verify_store(world.path).ok
