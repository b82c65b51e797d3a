"""Bytes on the wire for a reading, header, times, hashes and MAC included; no compressor but one.

Eight meters of thirty slowly drifting points, as `./run bench wire` measures them.
"""

import pytest

from edge.core.journal import chain
from edge.core.sync.batch import PAYLOAD_MAX_BYTES, encode_batch
from edge.ports.linux.deflate import Deflater
from hil_tests.bench.plant import METERS, POINTS, chained, drifting_polls

GATEWAY, EPOCH, KEY = "boiler-house", bytes(range(8)), bytes(range(32))


def payload_of(polls: int) -> bytes:
    records = drifting_polls(polls)
    last = chained(records, GATEWAY, EPOCH)[-1]
    return encode_batch(GATEWAY, EPOCH, chain.genesis(GATEWAY, EPOCH), records, last, KEY)


@pytest.mark.parametrize(("polls", "plain", "deflated"), [(60, 1.4, 0.9), (5, 2.6, 1.4)])
def test_a_reading_takes_no_more_than_promised(polls: int, plain: float, deflated: float):
    payload = payload_of(polls)
    readings = polls * METERS * POINTS
    assert (METERS, POINTS) == (8, 30) and len(payload) <= PAYLOAD_MAX_BYTES
    assert len(payload) / readings <= plain
    assert len(Deflater(GATEWAY, KEY).shrink(payload, EPOCH)) / readings <= deflated
