"""The single-file verifier against more than ten thousand ways to tamper with an evidence file.

The file is rebuilt here with json, hashlib, hmac and msgpack alone; what is changed in it is
changed by someone who knows the format, and who writes the file's own checksum anew.
"""

import hashlib
import hmac
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_sync.evidence import plan_span, write_evidence
from cloud_sync.raw import ALWAYS, find_journals
from cloud_sync.verifier import unpack, verify
from edge.core.numbers import pack
from tests.unit.receiver_journal import EPOCH, GATEWAY, KEY, TOPIC, World, factory

JOURNAL = factory(polls=24)
LAST = len(JOURNAL.records) - 1
FORMAT = b"carbontally evidence 1"


def evidence_of(path: Path, journal: Any = JOURNAL, key: bytes | None = KEY) -> bytes:
    world = World(path, {("park", journal.gateway): KEY})
    topic = TOPIC.replace(GATEWAY, journal.gateway)
    world.receiver.receive(topic, journal.batch(0, len(journal.records) - 1))
    (found,) = find_journals(world.store)
    span = plan_span(world.store, found, ALWAYS)
    assert span == (0, len(journal.records) - 1)
    out = io.BytesIO()
    write_evidence(world.store, [(found, span, key)], out)
    world.store.close()
    return out.getvalue()


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return evidence_of(tmp_path_factory.mktemp("store") / "cloud.db")


def verdict(data: bytes, key: bytes | None = None, anchors: Any = ()) -> dict[str, Any]:
    found = list(verify(io.BytesIO(data), key, anchors))
    worst = [one for one in found if one["status"] != "proven"]
    return worst[0] if worst else found[-1]


def lines_of(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def written(lines: list[dict[str, Any]], key: bytes | None = None) -> bytes:
    """The lines as a file whose checksum, and with the key whose seal, is right again."""
    body = b""
    for line in lines[:-1]:
        if "seal" in line and key is not None:
            line["seal"] = hmac.digest(key, FORMAT + body, "sha256").hex()
        body += json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    last = {"sha256": hashlib.sha256(body).hexdigest()}
    return body + json.dumps(last, separators=(",", ":")).encode() + b"\n"


def chained(lines: list[dict[str, Any]], gateway: str, epoch: bytes) -> list[dict[str, Any]]:
    """Every hash of the chain made anew: what a forger without the key can do."""
    before = hashlib.sha256(b"carbontally" + gateway.encode() + epoch).digest()
    for line in lines:
        if "from" in line:
            line["hash"] = before.hex()
        if "seq" in line:
            before = hashlib.sha256(before + bytes.fromhex(line["record"])).digest()
            line["hash"] = before.hex()
    return lines


def test_an_honest_file_is_proven_and_is_what_msgpack_and_hashlib_say(honest: bytes):
    found = verdict(honest, KEY, [(LAST, JOURNAL.hashes[-1])])
    assert (found["status"], found["sealed"], found["records"]) == ("proven", True, LAST + 1)
    assert verdict(honest)["status"] == "proven" and not verdict(honest)["sealed"]
    lines = lines_of(honest)
    assert written(lines, KEY) == honest == written(chained(lines, GATEWAY, EPOCH), KEY)
    records = [msgpack.unpackb(bytes.fromhex(one["record"])) for one in lines if "seq" in one]
    assert records == [list(record) for record in JOURNAL.records]


def flips(data: bytes) -> Iterator[bytes]:
    """Every byte of the file with one bit turned, a different one from byte to byte."""
    for at in range(len(data)):
        yield data[:at] + bytes((data[at] ^ 1 << at % 8,)) + data[at + 1 :]


def test_every_byte_of_the_file_counts(honest: bytes):
    cases = 0
    for damaged in flips(honest):
        assert verdict(damaged)["status"] == "broken"
        cases += 1
    for length in range(len(honest)):
        if length % 8 == 0 or honest[length - 1 : length] == b"\n":
            assert verdict(honest[:length])["status"] == "broken"
            cases += 1
    assert cases >= 10_000


def test_every_bit_of_a_record_and_of_a_hash_counts_when_the_checksum_is_made_anew(honest: bytes):
    cases = 0
    for at, line in enumerate(lines_of(honest)):
        for name in ("record", "hash"):
            data = bytes.fromhex(line.get(name) or "")
            for byte in range(len(data)):
                lines = lines_of(honest)
                changed = data[:byte] + bytes((data[byte] ^ 1 << byte % 8,)) + data[byte + 1 :]
                lines[at][name] = changed.hex()
                found = verdict(written(lines))
                assert found["status"] == "broken"
                assert found["broken"] in (line.get("seq", 0), line.get("seq", 0) + 1)
                cases += 1
    assert cases >= 1_000


def reordered(lines: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Records swapped, dropped, repeated; lines of every kind dropped and repeated."""
    for one in range(len(lines)):
        yield lines[:one] + lines[one + 1 :]
        yield lines[: one + 1] + lines[one:]
        for other in range(one + 1, len(lines)):
            swapped = list(lines)
            swapped[one], swapped[other] = lines[other], lines[one]
            yield swapped


def test_no_line_can_be_swapped_dropped_or_repeated(honest: bytes):
    lines = lines_of(honest)
    for tampered in reordered(lines[:-1]):
        assert verdict(written([*tampered, lines[-1]]))["status"] == "broken"


def test_a_dropped_record_whose_hole_is_declared_is_missing(honest: bytes):
    lines = lines_of(honest)
    for at in range(2, len(lines) - 3):
        run = {"from": lines[at + 1]["seq"], "hash": lines[at]["hash"]}
        end = {"records": LAST, "seal": None}
        holed = [*lines[:at], run, *lines[at + 1 : -2], end, lines[-1]]
        found = verdict(written(holed))
        seq = lines[at]["seq"]
        assert (found["status"], found["missing"]) == ("incomplete", [[seq, seq]])


def test_records_of_another_gateway_or_epoch_do_not_fit(honest: bytes, tmp_path: Path):
    for name, identity in (("gw", {"gateway": "gw-2"}), ("epoch", {"epoch": b"epoch-02"})):
        data = evidence_of(tmp_path / f"{name}.db", factory(polls=24, **identity))
        assert verdict(data)["status"] == "proven"
        other, lines = lines_of(data), lines_of(honest)
        for at in range(1, len(lines) - 2):
            for tail in (lines, other):
                spliced = [*lines[:at], other[at], *tail[at + 1 :]]
                assert verdict(written(spliced))["status"] == "broken", (name, at)


def test_another_head_does_not_fit(honest: bytes):
    for byte in range(8):
        lines = lines_of(honest)
        epoch = bytearray(EPOCH)
        epoch[byte] ^= 1
        lines[0]["epoch"] = epoch.hex()
        assert verdict(written(lines))["code"] == "genesis"
    for name, value in (("gateway", "gw-2"), ("first", 1), ("last", LAST + 1), ("last", LAST - 1)):
        lines = lines_of(honest)
        lines[0][name] = value
        assert verdict(written(lines))["status"] == "broken"


def test_only_the_seal_or_a_noted_hash_catches_a_file_written_anew(honest: bytes):
    for at in range(2, len(lines_of(honest)) - 2):
        lines = lines_of(honest)
        record = msgpack.unpackb(bytes.fromhex(lines[at]["record"]))
        record[4] += 1
        lines[at]["record"] = msgpack.packb(record).hex()
        forged = written(chained(lines, GATEWAY, EPOCH))
        assert verdict(forged)["status"] == "proven", "nobody can tell without a secret"
        assert verdict(forged, KEY)["code"] == "seal"
        assert verdict(forged, None, [(LAST, JOURNAL.hashes[-1])])["broken"] == LAST
    lines = lines_of(honest)
    shorter = [lines[0] | {"last": LAST - 1}, *lines[1:-3], {"records": LAST, "seal": None}, {}]
    assert verdict(written(shorter))["status"] == "proven"
    assert verdict(written(shorter), KEY)["code"] == "seal"
    assert verdict(written(shorter), None, [(LAST, JOURNAL.hashes[-1])])["code"] == "anchor"
    assert verdict(written(lines_of(honest), bytes(32)), KEY)["code"] == "seal"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.binary() | st.text(),
    st.lists,
    max_leaves=20,
)


@given(VALUES)
def test_the_verifier_reads_what_msgpack_writes(value: object):
    assert unpack(msgpack.packb(value)) == value


@given(st.binary(max_size=40))
def test_the_verifier_reads_no_bytes_otherwise_than_msgpack(data: bytes):
    try:
        value = unpack(data)
    except (ValueError, RecursionError):
        return
    assert msgpack.unpackb(data, strict_map_key=False) == value
    assert pack.decode(data) == value
