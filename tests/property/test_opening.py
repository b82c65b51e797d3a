"""The fast reader of batches answers as the core's does, to honest and to hostile payloads."""

import random

import pytest

from cloud_sync.opening import decode_batch
from edge.core.errors import TallyError
from edge.core.journal.record import Kind, encode_record
from edge.core.numbers.fixed import INT64_MAX, INT64_MIN
from edge.core.sync import batch as core
from tests.unit.receiver_journal import KEY, Journal, factory, resealed


def answer(read, payload: bytes) -> object:
    try:
        return tuple(read(payload, KEY))[:6]
    except TallyError as error:
        return error.code, error.fields


def same(payload: bytes) -> object:
    expected = answer(core.decode_batch, payload)
    assert answer(decode_batch, payload) == expected
    return expected


def honest(draw: random.Random) -> Journal:
    journal = factory(polls=draw.randrange(1, 12), seed=draw.randrange(1 << 30))
    edges = [None, 0, -1, 1, INT64_MAX, INT64_MIN, 255, 256, 65_536, -33]
    for _ in range(draw.randrange(0, 20)):
        device = draw.randrange(4, 8)
        marks = [0, 3] if draw.random() < 0.2 else []
        values = [draw.choice(edges) for _ in range(device)]
        journal.append(Kind.POLL, [device, values, marks, []])
    return journal


@pytest.mark.parametrize("seed", range(60))
def test_honest_batches(seed: int):
    draw = random.Random(seed)
    journal = honest(draw)
    first = draw.randrange(len(journal.records))
    last = draw.randrange(first, len(journal.records))
    payload = journal.batch(first, last)
    expected = same(payload)
    assert isinstance(expected[0], str) and len(expected) == 6
    records = journal.records[first : last + 1]
    assert decode_batch(payload, KEY).encoded == tuple(map(encode_record, records))
    assert same(payload[:-1]) and same(payload + b"\0")
    for _ in range(20):
        spoilt = bytearray(payload)
        spoilt[draw.randrange(len(payload))] ^= 1 << draw.randrange(8)
        same(bytes(spoilt))


ODD = [
    None,
    True,
    -1,
    0,
    1,
    2**63,
    2**64 - 1,
    -(2**63),
    b"",
    "x",
    [],
    [[]],
    [[[[[[[0]]]]]]],
    [1, 2],
]


@pytest.mark.parametrize("seed", range(150))
def test_authentic_nonsense(seed: int):
    """Any part of the payload replaced by something else, with an honest MAC."""
    draw = random.Random(seed)
    journal = honest(draw)
    payload = journal.batch(0, len(journal.records) - 1)

    def change(fields: list) -> None:
        place = fields
        while True:
            at = draw.randrange(len(place) - (place is fields))
            inner = place[at]
            if not isinstance(inner, list) or not inner or draw.random() < 0.3:
                break
            place = inner
        if draw.random() < 0.2 and place is not fields:
            del place[at]
        else:
            place[at] = draw.choice(ODD)

    try:
        same(resealed(payload, change))
    except TallyError:
        pass  # what cannot be packed cannot be sent
