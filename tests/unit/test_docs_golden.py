"""The wire contract's worked example: made by the core, read back by its text alone.

`docs/contract/golden.json` is written by `python -m tests.unit.test_docs`. The reader here knows
docs/contract/batch.md and uses msgpack, hashlib and hmac; it shares no line with edge.core.
"""

import hashlib
import hmac
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgpack
import pytest

from edge.core.errors import TallyError
from edge.core.journal import chain
from edge.core.journal.record import Kind, Part, Record, encode_record, event_body
from edge.core.sync.ack import Ack, encode_ack
from edge.core.sync.batch import decode_batch, encode_batch

from .source_tree import ROOT

GOLDEN = ROOT / "docs" / "contract" / "golden.json"

GATEWAY = "boiler-house"
EPOCH = bytes.fromhex("c0ffee0011223344")
KEY = bytes(range(32))
WALL_MS = 1_790_000_100_000
EMISSION_MG = 437_062
NATIONAL_MG = 278_565


def plan_bodies() -> list[tuple[int, int, int, list]]:
    """(kind, mono_ms, clock, body) of a journal's first records, in the order of a real start."""
    config, profile, factors, source = (
        hashlib.sha256(name).digest() for name in (b"config", b"profile", b"factors", b"source")
    )
    points = [["active_power_total", "W", 1, "gauge"], ["energy", "kW.h", 3, "counter"]]
    device = [Part.DEVICE, 0, "grid", "bus1", 1, "eastron_sdm630", profile, 10_000, points]
    stream = [Part.STREAM, 0, "grid", "grid_import", 2, "W.h", 832_500_000, 1_000_000]
    stream += ["electricity_fossil", factors, "counter x factor", source, "park_910"]
    national = ["national", 530_600_000, 1_000_000, "national_average", factors]
    stream += [[national], "works", [None, 500_000_000, 0, 1], [["grid", "energy"]], []]
    boundary = WALL_MS // 900_000 * 900_000
    bases = [["national", 0, NATIONAL_MG, NATIONAL_MG, 530_600]]
    totals = [0, EMISSION_MG, EMISSION_MG, 525, 832_499, 0, 0, bases]
    state = [48_211_552, 1, 94_496, 1, [1, 20_231, WALL_MS + 20_231], None, None, ""]
    entry = [0, 48_211_552, 0, 525, EMISSION_MG, 2, 90, 0, 0, [NATIONAL_MG], state]
    return [
        (Kind.CLOCK, 40, 1, [1, 40, WALL_MS + 40, 0, "system"]),
        (Kind.TABLE, 40, 1, [[Part.CONFIG, config, "0.1.0"]]),
        (Kind.TABLE, 40, 1, [device]),
        (Kind.TABLE, 40, 1, [[Part.FACTORS, "cn_park_910_2025", factors]]),
        (Kind.TABLE, 40, 1, [stream]),
        (Kind.EVENT, 41, 1, event_body("gateway.boot", {"boot": 1})),
        (Kind.POLL, 230, 1, [0, [189_123, 48_211_027], [], []]),
        (Kind.POLL, 10_530, 2, [0, [None, None], [0, 3, 1, 3], []]),
        (Kind.POLL, 20_231, 2, [0, [-189_001, 48_211_552], [], [1, b"\x47\x3c\x53\x8d"]]),
        (Kind.INTERVAL, 800_000, 2, [boundary, boundary + 900_000, [entry], totals]),
    ]


def build_golden() -> dict[str, Any]:
    """The example from its inputs, by the core; bytes as {"hex": text}."""
    head = genesis = chain.genesis(GATEWAY, EPOCH)
    records, rows = [], []
    for seq, (kind, mono_ms, clock, body) in enumerate(plan_bodies()):
        record = Record(kind, seq, 1, mono_ms, WALL_MS + mono_ms, clock, body)
        canonical = encode_record(record)
        head = chain.link(head, canonical)
        records.append(record)
        rows.append({"fields": list(record), "canonical": canonical, "hash": head})
    ack = Ack(GATEWAY, EPOCH, 9, head, (10, 14), WALL_MS + 900_000, None)
    golden = {
        "gateway": GATEWAY,
        "epoch": EPOCH,
        "key": KEY,
        "genesis": genesis,
        "records": rows,
        "batch": encode_batch(GATEWAY, EPOCH, genesis, tuple(records), head, KEY),
        "ack_fields": list(ack[:6]),
        "ack": encode_ack(ack, KEY),
    }
    plain: dict[str, Any] = json.loads(json.dumps(golden, default=_plain))
    return plain


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    raise TypeError(type(value))


def _with_bytes(item: dict[str, Any]) -> object:
    return bytes.fromhex(item["hex"]) if set(item) == {"hex"} else item


def read_golden(path: Path = GOLDEN) -> dict[str, Any]:
    golden: dict[str, Any] = json.loads(path.read_text("utf-8"), object_hook=_with_bytes)
    return golden


def golden_text() -> str:
    return json.dumps(build_golden(), indent=1) + "\n"


def write_elements() -> str:
    """The example's twelve elements as text for docs/contract/batch.md."""
    fields = msgpack.unpackb(read_golden()["batch"])
    lines = ["```text"]
    for at, value in enumerate(fields):
        lines.append(f"[{at}] {_shown(value)}")
    return "\n".join([*lines, "```", ""])


def _shown(value: object) -> str:
    if isinstance(value, bytes):
        return f"h'{value.hex() if len(value) <= 8 else value.hex()[:8] + '...'}'"
    if isinstance(value, list):
        return "[" + ", ".join(_shown(item) for item in value) + "]"
    return json.dumps(value)


# The reader, from the text alone.


def read_batch(payload: bytes, key: bytes) -> list[list[Any]]:
    """Records as [kind, seq, boot, mono_ms, wall_ms, clock, body], all of it checked."""
    signed, head, seal = payload[:-34], payload[-34:-32], payload[-32:]
    assert head == b"\xc4\x20"
    assert hmac.digest(key, b"carbontally batch 1" + signed, "sha256") == seal
    version, gateway, epoch, first, before, *columns, last, _ = msgpack.unpackb(payload)
    assert version == 1 and len(columns) == 5
    if first == 0:
        assert before == hashlib.sha256(b"carbontally" + gateway.encode() + epoch).digest()
    records = undo_columns(first, *columns)
    for record in records:
        before = hashlib.sha256(before + msgpack.packb(record)).digest()
    assert before == last
    return records


def undo_columns(
    first: int, clocks: list, times: list, order: list, polls: list, bodies: list
) -> list[list[Any]]:
    stamps = []
    for at in range(0, len(clocks), 4):
        stamps += [clocks[at + 1 : at + 4]] * clocks[at]
    waiting = {block[0]: undo_block(*block) for block in polls}
    mono_ms, records = 0, []
    for index, code in enumerate(order):
        mono_ms += times[index]
        boot, offset_ms, clock = stamps[index]
        kind, body = (1, waiting[code].pop(0)) if code >= 0 else (-1 - code, bodies.pop(0))
        wall_ms = mono_ms + offset_ms
        records.append([kind, first + index, boot, mono_ms, wall_ms, clock, body])
    assert not bodies and not any(waiting.values())
    return records


def undo_block(device: int, points: int, deltas: list, marks: list, raws: list) -> list[list]:
    last = [0] * points
    polls: list[list] = []
    for at, delta in enumerate(deltas):
        if at % points == 0:
            polls.append([device, [], [], []])
        if delta is not None:
            # Modulo 2^64: both ends of the range lie further apart than a delta can say.
            last[at % points] = (last[at % points] + delta + (1 << 63)) % (1 << 64) - (1 << 63)
        polls[-1][1].append(None if delta is None else last[at % points])
    for field, triples in ((2, marks), (3, raws)):
        for at in range(0, len(triples), 3):
            polls[triples[at]][field] += triples[at + 1 : at + 3]
    return polls


def test_the_core_still_makes_the_golden_bytes():
    hint = "the wire format changed: a new version? python -m tests.unit.test_docs"
    assert GOLDEN.read_text("utf-8") == golden_text(), hint


def test_the_golden_batch_is_read_by_the_text_of_the_contract():
    golden = read_golden()
    records = read_batch(golden["batch"], golden["key"])
    assert records == [row["fields"] for row in golden["records"]]
    assert [msgpack.packb(record) for record in records] == [
        row["canonical"] for row in golden["records"]
    ]
    head = golden["genesis"]
    for row in golden["records"]:
        head = hashlib.sha256(head + row["canonical"]).digest()
        assert head == row["hash"]


def test_every_kind_of_a_running_gateway_and_both_clock_runs_are_in_the_example():
    rows = [row["fields"] for row in read_golden()["records"]]
    assert {row[0] for row in rows} == {
        Kind.TABLE,
        Kind.POLL,
        Kind.INTERVAL,
        Kind.EVENT,
        Kind.CLOCK,
    }
    assert {row[5] for row in rows} == {1, 2}


def test_the_golden_ack_is_read_by_the_text_of_the_contract():
    golden = read_golden()
    payload = golden["ack"]
    seal = hmac.digest(golden["key"], b"carbontally ack 1" + payload[:-34], "sha256")
    assert payload[-34:] == b"\xc4\x20" + seal
    assert msgpack.unpackb(payload)[:7] == [1, *golden["ack_fields"]]


def test_one_wrong_bit_anywhere_in_the_golden_batch_is_refused():
    golden = read_golden()
    payload = golden["batch"]
    for at in range(len(payload)):
        damaged = payload[:at] + bytes((payload[at] ^ 1 << at % 8,)) + payload[at + 1 :]
        with pytest.raises(TallyError):
            decode_batch(damaged, golden["key"])


def test_the_golden_interval_can_be_recomputed_from_its_polls_and_stream():
    rows = [row["fields"] for row in read_golden()["records"]]
    stream = next(row[6][0] for row in rows if row[0] == 0 and row[6][0][0] == 3)
    counts = [row[6][1][1] for row in rows if row[0] == 1 and row[6][1][1] is not None]
    rate = Fraction(stream[6], stream[7])
    _, _, [entry], totals = next(row[6] for row in rows if row[0] == 2)
    assert entry[1] == counts[-1] and entry[3] == counts[-1] - counts[0]
    assert entry[4] == round(counts[-1] * rate) - round(counts[0] * rate)
    assert totals[:5] == [0, entry[4], entry[4], entry[3], _per_kwh(entry[4], entry[3])]
    basis, up, down = stream[13][0][:3]
    other = round(counts[-1] * Fraction(up, down)) - round(counts[0] * Fraction(up, down))
    assert entry[9] == [other]
    assert totals[7] == [[basis, 0, other, other, _per_kwh(other, entry[3])]]


def _per_kwh(emission_mg: int, consumption_wh: int) -> int:
    return round(Fraction(emission_mg * 1000, consumption_wh))
