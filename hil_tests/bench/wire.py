"""`bench wire`: bytes per reading and readings per second of the batch, beside JSON."""

import json
from collections.abc import Iterator

import msgpack

from edge.core.journal import chain
from edge.core.journal.record import Record
from edge.core.sync.batch import PAYLOAD_MAX_BYTES, decode_batch, encode_batch
from edge.ports.linux.deflate import Deflater
from hil_tests.bench.measure import Figure, interleave
from hil_tests.bench.plant import METERS, POINTS, chained, drifting_polls

GATEWAY = "bench"
EPOCH = bytes(8)
KEY = bytes(32)


def _payload(records: tuple[Record, ...]) -> bytes:
    hashes = chained(records, GATEWAY, EPOCH)
    genesis = chain.genesis(GATEWAY, EPOCH)
    return encode_batch(GATEWAY, EPOCH, genesis, records, hashes[-1], KEY)


def _as_rows(records: tuple[Record, ...]) -> list[dict[str, object]]:
    """What a generic gateway sends: one object per reading."""
    return [
        {"ts": record.wall_ms, "device": f"meter{record.body[0]}", "name": f"p{i}", "value": v}
        for record in records
        for i, v in enumerate(record.body[1])
    ]


def run(rounds: int) -> Iterator[Figure]:
    """Sizes by polls per batch, then encode and decode rates at 60 polls."""
    for polls in (1, 5, 60):
        records = drifting_polls(polls)
        size = len(_payload(records))
        readings = polls * METERS * POINTS
        fits = "" if size <= PAYLOAD_MAX_BYTES else "larger than one payload may be"
        yield Figure(f"bytes_per_reading_{polls}_polls", size / readings, "B", fits)
        shrunk = len(Deflater(GATEWAY, KEY).shrink(_payload(records), EPOCH))
        yield Figure(f"deflated_bytes_per_reading_{polls}_polls", shrunk / readings, "B")
    rows = _as_rows(records)
    yield Figure("json_bytes_per_reading", len(json.dumps(rows)) / len(rows), "B", "flat JSON")
    packed = msgpack.packb(rows)
    yield Figure("msgpack_rows_bytes_per_reading", len(packed) / len(rows), "B", "rows of maps")
    payload = _payload(records)
    hashes = chained(records, GATEWAY, EPOCH)
    genesis = chain.genesis(GATEWAY, EPOCH)
    medians = interleave(
        {
            "encode": lambda: encode_batch(GATEWAY, EPOCH, genesis, records, hashes[-1], KEY),
            "decode": lambda: decode_batch(payload, KEY),
            "json": lambda: json.dumps(rows),
        },
        rounds,
    )
    readings = len(rows)
    yield Figure("encode_readings_per_s", readings / medians["encode"], "1/s", "columns and MAC")
    yield Figure("decode_readings_per_s", readings / medians["decode"], "1/s", "MAC, chain, shape")
    yield Figure("json_encode_readings_per_s", readings / medians["json"], "1/s", "flat JSON")
