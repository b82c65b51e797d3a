"""The golden files of docs/contract/golden: every record kind, every part of a table, acks.

Made by the core; `python -m tests.unit.test_docs` writes them. Who reads them is in
test_contract_files and in the consumers of docs/contract.
"""

import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

from edge.core.journal import chain
from edge.core.journal.record import Kind, Part, Record, encode_record, event_body
from edge.core.sync.ack import GAPS_MAX, Ack, encode_ack
from edge.core.sync.batch import encode_batch
from edge.core.sync.deflated import MAC_BYTES, encode_deflated

from .source_tree import ROOT

FOLDER = ROOT / "docs" / "contract" / "golden"
TENANT = "park-7"
GATEWAY = "boiler-house"
EPOCH = bytes.fromhex("c0ffee0011223344")
KEY = bytes(range(32))
WALL_MS = 1_790_000_100_000
LOWEST, HIGHEST = -(1 << 63), (1 << 63) - 1


def digest_of(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def table_parts() -> list[list[Any]]:
    """One part of each kind; streams: a counter, a virtual meter over it, a stack."""
    factors = digest_of("factors")
    points = [["active_power_total", "W", 1, "gauge"], ["energy", "kW.h", 3, "counter"]]
    stream = ["grid_import", 2, "W.h", 832_500_000, 1_000_000, "electricity_fossil", factors]
    rates = [["national", 530_600_000, 1_000_000, "national_average", factors]]
    limits = [None, 500_000_000, 0, 1]
    memo = ["memo", 0, "W.h", 0, 1_000, "", b"", "sum of counters", digest_of("sum"), "park_910"]
    stack = [
        "hj212",
        [2827, 2],
        101_300,
        "dry",
        [],
        "hj75",
        None,
        [[1, "N"], [2, "C"]],
        [94, 2],
        None,
    ]
    coal = [["equivalent", 1229, 10_000, "electricity", factors]]
    return [
        [Part.CONFIG, digest_of("config"), "0.1.0"],
        [Part.DEVICE, 0, "grid", "bus1", 1, "eastron_sdm630", digest_of("p"), 10_000, points],
        [Part.DEVICE, 7, "stack", "bus2", 247, "a_cems", digest_of("q"), 60_000, points[:1]],
        [Part.FACTORS, "cn_park_910_2025", factors],
        [Part.STREAM, 0, "grid", *stream, "counter x factor", digest_of("grid"), "park_910"]
        + [rates, "works/boiler house", limits, [["grid", "energy"]], []],
        [Part.STREAM, 1, "rest", *memo, [], "", None, [], [[0, -2]]],
        [Part.LEARNED, 0, 40, [4, 12, 19], [1], 35],
        [Part.SWAP, "grid", "energy", None, 0, "2026-09-21T10:00:00+08:00", "meter", "换表 4711"],
        [Part.FACT, "floor", "floor_area", 12_345, 1, "m2", "2026", "2026-01-31", "deed 88"],
        [Part.FACT, "lamps", "product", 425, 2, "10*3", "2026-09", "2026-10-08", "ledger"]
        + [1_788_192_000_000, 1_790_784_000_000],
        [Part.STREAM, 2, "chimney", "stack_co2", 1, "mg", 1, 1, "", b"", "hj212+hj75"]
        + [digest_of("stack"), "park_910", [], "", None, [["stack", "energy"]], [], stack, []],
        [Part.STREAM, 3, "bought", *stream, "counter x factor", digest_of("b"), "park_910", []]
        + ["", limits, [["grid", "energy"]], [], None, coal],
        [Part.WINDOWS, [["chimney", WALL_MS, WALL_MS + 60_000, "C", "年检"]]],
        [Part.SERIAL, "grid", 20_110_734],
    ]


def kinds() -> list[tuple[int, int, int, list[Any]]]:
    """(kind, mono_ms, clock, body): every kind, both clocks, the ends of the number range."""
    end = WALL_MS // 900_000 * 900_000
    entry = [0, 48_211_552, 0, 525, 437_062, 2, 90, 1, 0, [278_565], []]
    hours = [["hours", "valid", "", 1, 0, "h"], ["samples", "N", "", 720, 0, "1"]]
    mass = [2, 9_000, 0, 4_000, 4_000, 720, 720, 16, 1_000, [], [b"\x90", []], hours, []]
    coal = [["coal", "equivalent", "", 65, 0, "g"], ["per_coal", "equivalent", "", None, 6, "t/t"]]
    lost = [2, 4, "minute", WALL_MS, WALL_MS + 9, 3, digest_of("before"), digest_of("end")]
    memory = [None, None, "memory", WALL_MS, WALL_MS + 5, 17, None, None]
    totals = [0, 437_062, 437_062, 525, 832_499, 0, 0, [["national", 0, 1, 1, None]]]
    return [
        (Kind.TABLE, 0, 0, table_parts()),
        (Kind.CLOCK, 40, 1, [1, 40, WALL_MS + 40, 0, "system"]),
        (Kind.EVENT, 41, 1, event_body("gateway.boot", {"boot": 1, "raw": b"\xff", "why": None})),
        (Kind.POLL, 230, 1, [0, [189_123, 48_211_027], [], []]),
        (Kind.POLL, 231, 1, [7, [HIGHEST], [], []]),
        (Kind.POLL, 10_530, 2, [0, [None, None], [0, 3, 1, 3], []]),
        (Kind.POLL, 10_531, 2, [7, [LOWEST], [0, 9], []]),
        (Kind.POLL, 20_231, 2, [0, [-189_001, 48_211_552], [], [1, b"\x47\x3c\x53\x8d"]]),
        (Kind.INTERVAL, 800_000, 2, [end, end + 900_000, [entry], totals]),
        (Kind.INTERVAL, 800_000, 2, [end, end + 900_000, [entry, mass], [*totals, coal]]),
        (Kind.TOMBSTONE, 800_001, 2, lost),
        (Kind.TOMBSTONE, 800_002, 2, memory),
    ]


def batch_of(first: int) -> dict[str, Any]:
    """A batch of every kind, from seq `first` on."""
    before = chain.genesis(GATEWAY, EPOCH) if first == 0 else digest_of("the record before")
    head, records, rows = before, [], []
    for at, (kind, mono_ms, clock, body) in enumerate(kinds()):
        record = Record(kind, first + at, 1, mono_ms, WALL_MS + mono_ms, clock, body)
        canonical = encode_record(record)
        head = chain.link(head, canonical)
        records.append(record)
        rows.append({"fields": list(record), "canonical": canonical, "hash": head})
    payload = encode_batch(GATEWAY, EPOCH, before, tuple(records), head, KEY)
    return {"payload": payload, "records": rows}


def deflated_of(payload: bytes) -> bytes:
    """In stored blocks, which every zlib makes alike."""
    maker = zlib.compressobj(0, zlib.DEFLATED, -15)
    body = maker.compress(payload[:-MAC_BYTES]) + maker.flush()
    return encode_deflated(GATEWAY, EPOCH, body, KEY)


def ack_of(
    seq: int, digest: bytes, gaps: tuple[int, ...], fork: tuple[int, bytes] | None = None
) -> dict[str, Any]:
    ack = Ack(GATEWAY, EPOCH, seq, digest, gaps, WALL_MS + 900_000, fork)
    return {"payload": encode_ack(ack, KEY)}


def golden_files() -> dict[str, str]:
    """File name -> text."""
    genesis = chain.genesis(GATEWAY, EPOCH)
    many = tuple(item for at in range(GAPS_MAX) for item in (10 * at + 20, 10 * at + 22))
    built: dict[str, tuple[str, dict[str, Any]]] = {
        "batch-kinds": ("batch", batch_of(0)),
        "batch-later": ("batch", batch_of(1_000_000)),
        "deflated-kinds": ("batch", {"payload": deflated_of(batch_of(0)["payload"])}),
        "ack-none": ("ack", ack_of(-1, genesis, ())),
        "ack-head": ("ack", ack_of(9, digest_of("9"), ())),
        "ack-gaps": ("ack", ack_of(9, digest_of("9"), many)),
        "ack-fork": ("ack", ack_of(9, digest_of("9"), many[:2], (25, digest_of("25")))),
        "state-online": ("state", {"payload": b"online"}),
        "state-offline": ("state", {"payload": b"offline"}),
    }
    texts = {}
    for name, (leaf, content) in built.items():
        topic = f"carbontally/v1/{TENANT}/{GATEWAY}/{leaf}"
        head = {"topic": topic, "gateway": GATEWAY, "epoch": EPOCH, "key": KEY}
        texts[f"{name}.json"] = json.dumps({**head, **content}, indent=1, default=_plain) + "\n"
    return texts


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    raise TypeError(type(value))


def read_golden(path: Path) -> dict[str, Any]:
    """A golden file with its bytes as bytes."""

    def with_bytes(item: dict[str, Any]) -> object:
        return bytes.fromhex(item["hex"]) if set(item) == {"hex"} else item

    found: dict[str, Any] = json.loads(path.read_text("utf-8"), object_hook=with_bytes)
    return found


def write_golden() -> None:
    """Write the folder anew."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in golden_files().items():
        (FOLDER / name).write_text(text, "utf-8")
