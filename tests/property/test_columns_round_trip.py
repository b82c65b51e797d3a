"""Batches of any records: what goes in comes out, and nothing else passes for it."""

import hashlib
import hmac

import msgpack
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.core.errors import TallyError
from edge.core.journal import chain
from edge.core.journal.record import Kind, Record
from edge.core.sync.batch import decode_batch, encode_batch

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
VALUES = st.one_of(st.none(), st.integers(-1000, 10**6), INT64)
#: Times a gateway can have, and a clock that was never set.
MONO_MS = st.integers(0, 1 << 45)
WALL_MS = st.one_of(st.just(0), st.integers(1_735_689_600_000, 1 << 45))
TEXT = st.text(max_size=12)
HASH = st.binary(min_size=32, max_size=32)

BODIES = {
    Kind.TABLE: st.one_of(
        st.tuples(st.just(0), HASH, TEXT),
        st.tuples(st.just(2), TEXT, HASH),
        st.tuples(st.just(1), st.integers(0, 99), TEXT, st.lists(st.lists(TEXT, max_size=4))),
    ),
    Kind.INTERVAL: st.tuples(
        WALL_MS, WALL_MS, st.lists(st.lists(VALUES, max_size=7), max_size=4), st.lists(VALUES)
    ),
    Kind.EVENT: st.tuples(TEXT, st.lists(st.one_of(TEXT, INT64, st.none()), max_size=6)),
    Kind.CLOCK: st.tuples(st.integers(0, 9), MONO_MS, WALL_MS, st.integers(0, 9), TEXT),
    Kind.TOMBSTONE: st.tuples(
        INT64, INT64, TEXT, WALL_MS, WALL_MS, st.integers(0, 99), HASH, HASH
    ),
}


def listed(value):
    """Tuples as the lists that decoding gives."""
    return [listed(v) for v in value] if isinstance(value, (tuple, list)) else value


@st.composite
def poll_bodies(draw, widths: dict[int, int]) -> list:
    device = draw(st.sampled_from(sorted(widths)))
    values = draw(st.lists(VALUES, min_size=widths[device], max_size=widths[device]))
    qualities, evidence = [], []
    for point, value in enumerate(values):
        if value is None or draw(st.integers(0, 9)) == 0:
            qualities += [point, draw(st.integers(1, 8))]
        if draw(st.integers(0, 4)) == 0:
            evidence += [point, draw(st.binary(min_size=2, max_size=8))]
    return [device, values, qualities, evidence]


@st.composite
def journals(draw) -> tuple[Record, ...]:
    """1..30 consecutive records of every kind, over restarts and clocks that are set meanwhile."""
    widths = draw(st.dictionaries(st.integers(0, 300), st.integers(1, 6), min_size=1, max_size=4))
    first = draw(st.one_of(st.just(0), st.integers(0, 1 << 40)))
    boot, quality, records = draw(st.integers(1, 1 << 20)), 0, []
    mono_ms, offset_ms = draw(MONO_MS), draw(WALL_MS)
    for index in range(draw(st.integers(1, 30))):
        if draw(st.integers(0, 9)) == 0:
            boot, mono_ms = boot + 1, draw(st.integers(0, 1000))
        if draw(st.integers(0, 9)) == 0:
            offset_ms, quality = draw(WALL_MS), draw(st.integers(0, 2))
        mono_ms += draw(st.integers(0, 20_000))
        kind = draw(st.sampled_from([Kind.POLL, Kind.POLL, *sorted(BODIES)]))
        body = draw(poll_bodies(widths) if kind == Kind.POLL else BODIES[kind])
        header = (kind, first + index, boot, mono_ms, mono_ms + offset_ms, quality)
        records.append(Record(*header, listed(body)))
    return tuple(records)


def hashes_of(records: tuple[Record, ...], before: bytes) -> list[bytes]:
    """The chain by msgpack and hashlib alone."""
    found = []
    for record in records:
        data = msgpack.packb(list(record), use_bin_type=True)
        before = hashlib.sha256(before + data).digest()
        found.append(before)
    return found


KEYS = st.binary(min_size=32, max_size=32)


def payload_of(records, before: bytes, key: bytes) -> bytes:
    return encode_batch("gw", b"12345678", before, records, hashes_of(records, before)[-1], key)


@settings(max_examples=60)
@given(journals(), HASH, KEYS)
def test_what_goes_in_comes_out(records, before, key):
    payload = payload_of(records, before, key)
    found = decode_batch(payload, key)
    assert found.records == records
    assert list(found.hashes) == hashes_of(records, before)
    assert (found.first, found.hash_before) == (records[0].seq, before)


@settings(max_examples=60)
@given(journals(), HASH, KEYS)
def test_the_envelope_is_msgpack_and_hmac(records, before, key):
    payload = payload_of(records, before, key)
    fields = msgpack.unpackb(payload, raw=False)
    assert msgpack.packb(fields, use_bin_type=True) == payload
    assert fields[:5] == [1, "gw", b"12345678", records[0].seq, before]
    assert fields[10] == hashes_of(records, before)[-1]
    message = chain.BATCH_PURPOSE + payload[:-34]
    assert fields[11] == payload[-32:] == hmac.new(key, message, hashlib.sha256).digest()


@settings(max_examples=60)
@given(journals(), HASH, KEYS)
def test_any_cut_of_the_journal_arrives_as_the_same_records(records, before, key):
    hashes = [before, *hashes_of(records, before)]
    arrived: list[Record] = []
    for size in (1, 7):
        arrived.clear()
        for at in range(0, len(records), size):
            part = records[at : at + size]
            last = hashes[at + len(part)]
            payload = encode_batch("gw", b"12345678", hashes[at], part, last, key)
            arrived.extend(decode_batch(payload, key).records)
        assert tuple(arrived) == records


def refusal(payload: bytes, key: bytes) -> str:
    try:
        decode_batch(payload, key)
    except TallyError as error:
        return error.code
    return "accepted"


@settings(max_examples=10)
@given(journals(), HASH, KEYS, st.integers(1, 255))
def test_a_change_of_any_single_byte_is_refused(records, before, key, flip):
    payload = payload_of(records, before, key)
    for position in range(len(payload)):
        other = bytearray(payload)
        other[position] ^= flip
        assert refusal(bytes(other), key) in ("sync.mac", "data.pack", "data.record")


@settings(max_examples=10)
@given(journals(), HASH, KEYS, st.binary(min_size=1, max_size=3))
def test_any_truncation_or_extension_is_refused(records, before, key, tail):
    payload = payload_of(records, before, key)
    for size in range(len(payload)):
        assert refusal(payload[:size], key) == "data.pack"
    assert refusal(payload + tail, key) == "data.pack"


@settings(max_examples=60)
@given(journals(), journals(), HASH, KEYS)
def test_a_batch_never_holds_under_another_chain_or_key(records, others, before, key):
    wrong = hashes_of(others, before)[-1]
    payload = encode_batch("gw", b"12345678", before, records, wrong, key)
    right = wrong == hashes_of(records, before)[-1]
    assert refusal(payload, key) == ("accepted" if right else "sync.chain")
    assert refusal(payload_of(records, before, key), bytes(31) + b"x") == "sync.mac"


@given(st.binary(max_size=200), KEYS)
def test_garbage_is_refused_with_a_code(garbage, key):
    assert refusal(garbage, key) in ("data.pack", "data.record", "sync.mac")


@st.composite
def mangled_columns(draw) -> list:
    """Twelve fields of a good batch, one of them replaced somewhere, to be sealed anew."""
    fields = msgpack.unpackb(payload_of(draw(journals()), bytes(32), bytes(32)), raw=False)
    spot = fields
    at = draw(st.integers(5, 9))
    while isinstance(spot[at], list) and spot[at] and draw(st.integers(0, 3)):
        spot = spot[at]
        at = draw(st.integers(0, len(spot) - 1))
    wrong = st.one_of(VALUES, TEXT, st.booleans(), st.just([]), st.just([[]]), st.binary())
    spot[at] = draw(wrong)
    return fields


@settings(max_examples=80)
@given(mangled_columns())
def test_wrong_columns_of_an_honest_key_raise_nothing_but_our_errors(fields):
    signed = msgpack.packb(fields, use_bin_type=True)[:-34]
    seal = hmac.new(bytes(32), chain.BATCH_PURPOSE + signed, hashlib.sha256).digest()
    payload = signed + msgpack.packb(seal, use_bin_type=True)
    codes = ("accepted", "data.pack", "data.record", "data.range", "sync.chain", "sync.mac")
    assert refusal(payload, bytes(32)) in codes
