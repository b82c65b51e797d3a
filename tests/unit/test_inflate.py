"""Deflated batches: what comes out is what went in, and nothing hostile is inflated far."""

import tracemalloc
import zlib
from pathlib import Path

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_sync.inflate import plain_batch
from edge.core.errors import TallyError
from edge.core.journal.chain import genesis
from edge.core.sync.batch import PAYLOAD_MAX_BYTES, decode_batch
from edge.core.sync.deflated import encode_deflated
from edge.ports.linux.deflate import Deflater

from .contract_golden import FOLDER, read_golden
from .receiver_journal import (
    EPOCH,
    GATEWAY,
    KEY,
    OTHER_KEY,
    TENANT,
    TOPIC,
    World,
    acked,
    factory,
)

JOURNAL = factory(polls=200)
LAST = len(JOURNAL.records) - 1
PLAIN = JOURNAL.batch(0, LAST)
SHRINK = Deflater(GATEWAY, KEY).shrink
DEFLATED = SHRINK(PLAIN, EPOCH)


def code_of(payload: bytes, key: bytes = KEY) -> str:
    with pytest.raises(TallyError) as caught:
        plain_batch(payload, key)
    return caught.value.code


def raw_deflate(data: bytes) -> bytes:
    maker = zlib.compressobj(9, zlib.DEFLATED, -15)
    return maker.compress(data) + maker.flush()


def test_the_frame_is_shorter_and_gives_the_batch_back():
    assert len(DEFLATED) < len(PLAIN) // 2
    assert plain_batch(DEFLATED, KEY) == PLAIN
    assert plain_batch(PLAIN, KEY) == PLAIN
    version, gateway, epoch, body, _ = msgpack.unpackb(DEFLATED)
    assert (version, gateway, epoch) == (2, GATEWAY, EPOCH)
    assert zlib.decompress(body, -15) == PLAIN[:-34]


def test_the_golden_file_holds_the_golden_batch():
    both = [read_golden(FOLDER / f"{name}.json") for name in ("deflated-kinds", "batch-kinds")]
    assert plain_batch(both[0]["payload"], both[0]["key"]) == both[1]["payload"]


def test_what_deflate_would_not_shorten_stays_as_it_is():
    one = JOURNAL.batch(2, 2)
    assert SHRINK(one, EPOCH) == one


@given(st.integers(0, LAST), st.integers(0, 60))
def test_any_run_comes_back(first: int, length: int):
    payload = JOURNAL.batch(first, min(first + length, LAST))
    assert plain_batch(SHRINK(payload, EPOCH), KEY) == payload


def test_a_receiver_takes_both_forms_and_the_same_record_once(tmp_path: Path):
    world = World(tmp_path / "cloud.db")
    assert acked(world.receiver.receive(TOPIC, SHRINK(JOURNAL.batch(0, 99), EPOCH))).seq == 99
    assert acked(world.receiver.receive(TOPIC, JOURNAL.batch(50, 149))).seq == 149
    for _ in range(2):
        assert acked(world.receiver.receive(TOPIC, DEFLATED)).seq == LAST
    assert world.count("records") == LAST + 1 and world.count("quarantine") == 0
    world.store.close()


def test_a_receiver_of_before_refuses_it_as_no_batch():
    with pytest.raises(TallyError) as caught:
        decode_batch(DEFLATED, KEY)
    assert caught.value.code == "data.record"


def test_every_changed_byte_and_every_truncation_is_refused_before_anything_is_inflated(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("cloud_sync.inflate._inflated", lambda body: pytest.fail("inflated"))
    small = SHRINK(JOURNAL.batch(0, 60), EPOCH)
    for at in range(1, len(small)):
        other = bytearray(small)
        other[at] ^= 0x41
        assert code_of(bytes(other)) in ("sync.mac", "data.pack", "data.record"), at
        assert code_of(small[:at]) in ("sync.mac", "data.pack", "data.record"), at
    assert code_of(DEFLATED, OTHER_KEY) == "sync.mac"


def test_a_bomb_is_never_made():
    bomb = encode_deflated(GATEWAY, EPOCH, raw_deflate(bytes(60_000_000)), KEY)
    assert len(bomb) <= PAYLOAD_MAX_BYTES
    tracemalloc.start()
    assert code_of(bomb) == "data.pack"
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "data.pack"),
        (b"not deflate", "data.pack"),
        (raw_deflate(PLAIN[:-34])[:-3], "data.pack"),
        (raw_deflate(PLAIN[:-34]) + b"more", "data.pack"),
        (raw_deflate(bytes(PAYLOAD_MAX_BYTES - 33)), "data.pack"),
        (raw_deflate(bytes(PAYLOAD_MAX_BYTES - 34)), "data.record"),
        (raw_deflate(b""), "data.record"),
        (raw_deflate(DEFLATED[:-34]), "data.record"),  # no frame within a frame
        ("text", "data.record"),
        (None, "data.record"),
    ],
)
def test_an_honest_mac_over_what_is_no_batch(tmp_path: Path, body: object, code: str):
    payload = encode_deflated(GATEWAY, EPOCH, body, KEY)  # type: ignore[arg-type]
    assert code_of(payload) == code
    world = World(tmp_path / "cloud.db")
    ack = acked(world.receiver.receive(TOPIC, payload))
    assert (ack.seq, ack.hash) == (-1, genesis(GATEWAY, EPOCH)), "it is told where it stands"
    assert world.query("SELECT owner, code FROM quarantine") == [(f"{TENANT}/{GATEWAY}", code)]
    world.store.close()


def test_the_batch_within_is_of_the_gateway_and_epoch_of_the_frame():
    for gateway, epoch in (("gw-2", EPOCH), (GATEWAY, b"epoch-02")):
        assert code_of(encode_deflated(gateway, epoch, raw_deflate(PLAIN[:-34]), KEY)) == (
            "data.record"
        )
