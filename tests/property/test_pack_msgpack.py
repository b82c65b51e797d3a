"""Our MessagePack subset against the msgpack package.

What the decoder accepts beyond the canonical bytes, and nothing else: an integer, a length of
text, of bytes or of an array in a wider format than needed, and a signed format for an integer
that is not negative. Each reads as the msgpack package reads it. No identity rests on this: the
chain hashes what our encoder makes of the values, and MACs are over the bytes received.
"""

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.core.errors import DataError
from edge.core.numbers import pack

EDGES = [0, 31, 32, 33, 127, 128, 129, 255, 256, 32767, 32768, 65535, 65536]
EDGES += [(1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 53) + 1, (1 << 63) - 1, 1 << 63]
INTEGERS = st.one_of(
    st.integers(-(1 << 63), (1 << 64) - 1),
    st.sampled_from(EDGES + [-edge for edge in EDGES if edge <= 1 << 63]),
)
LEAVES = st.one_of(
    st.none(), st.booleans(), INTEGERS, st.binary(max_size=40), st.text(max_size=40)
)


def nested(depth: int):
    """Arrays of arrays, `depth` deep at most."""
    values = LEAVES
    for _ in range(depth):
        values = st.one_of(LEAVES, st.lists(values, max_size=6))
    return values


VALUES = nested(pack.DEPTH_MAX)


def packb(value: object) -> bytes:
    return msgpack.packb(value, use_bin_type=True)


def unpackb(data: bytes) -> object:
    return msgpack.unpackb(data, raw=False, strict_map_key=False)


def same(left: object, right: object) -> bool:
    """Equal with the same types: True is no 1, text no bytes."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right


@given(VALUES)
def test_the_bytes_are_those_of_msgpack(value):
    assert pack.encode(value) == packb(value)


@given(VALUES)
def test_what_msgpack_packs_reads_back(value):
    assert same(pack.decode(packb(value)), value)


@pytest.mark.parametrize("size", [15, 16, 31, 32, 255, 256, 65535, 65536, 70000])
def test_each_length_format_is_msgpacks(size: int):
    for value in ("x" * size, b"x" * size, [None] * size, "é" * (size // 2)):
        assert pack.encode(value) == packb(value)
        assert same(pack.decode(packb(value)), value)


@given(st.one_of(st.integers(max_value=-(1 << 63) - 1), st.integers(min_value=1 << 64)))
def test_beyond_64_bits_both_refuse(value: int):
    with pytest.raises(DataError):
        pack.encode(value)
    with pytest.raises(OverflowError):
        packb(value)


@st.composite
def garbage(draw) -> bytes:
    """Random bytes, and good bytes with some of them changed, cut or doubled."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=64))
    data = bytearray(packb(draw(VALUES)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        if draw(st.booleans()):
            data[at : at + 1] = draw(st.binary(max_size=3))
        else:
            data = data[:at] + data[at:][: draw(st.integers(0, 9))]
    return bytes(data)


def is_wider_form(data: bytes, canonical: bytes) -> bool:
    """True when `data` is not canonical only by formats wider, or signed, without need."""
    if len(data) > len(canonical):
        return True
    signed_for_unsigned = {0xD1: 0xCD, 0xD2: 0xCE, 0xD3: 0xCF}
    differing = [(a, b) for a, b in zip(data, canonical, strict=True) if a != b]
    return all(signed_for_unsigned.get(a) == b for a, b in differing)


@given(garbage())
def test_garbage_is_refused_or_read_as_msgpack_reads_it(data: bytes):
    try:
        value = pack.decode(data)
    except DataError as error:
        assert error.code == "data.pack"
        return
    assert same(value, unpackb(data))
    canonical = pack.encode(value)
    assert canonical == data or is_wider_form(data, canonical)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("cc05", 5),  # uint 8 for a fixint
        ("cd0005", 5),
        ("ce00000005", 5),
        ("cf0000000000000005", 5),
        ("d005", 5),  # int 8 for a fixint
        ("d10100", 256),  # int 16 where uint 16 is canonical: same length
        ("d200010000", 65536),
        ("d30000000100000000", 1 << 32),
        ("d0ff", -1),  # int 8 for a negative fixint
        ("d1ffff", -1),
        ("d9026869", "hi"),  # str 8 for a fixstr
        ("da00026869", "hi"),
        ("db000000026869", "hi"),
        ("c500026869", b"hi"),  # bin 16 for bin 8
        ("c6000000026869", b"hi"),
        ("dc000101", [1]),  # array 16 for a fixarray
        ("dd0000000101", [1]),
    ],
)
def test_the_wider_forms_that_are_accepted(data: str, value: object):
    assert same(pack.decode(bytes.fromhex(data)), value)
    assert same(unpackb(bytes.fromhex(data)), value)
    assert pack.encode(value) != bytes.fromhex(data)


@given(st.floats(), st.dictionaries(st.text(max_size=3), INTEGERS, max_size=3), st.binary())
def test_what_records_do_not_have_is_refused(number, mapping, data):
    values = (number, mapping, msgpack.ExtType(5, data), msgpack.Timestamp(1))
    for value in values:
        for packed in (packb(value), packb([1, [value]])):
            with pytest.raises(DataError):
                pack.decode(packed)


@given(st.lists(INTEGERS, max_size=40), st.integers(0, 45))
def test_the_item_limit_counts_every_item(items: list[int], limit: int):
    data = packb([items])
    if limit >= len(items) + 1:
        assert pack.decode(data, limit) == [items]
        return
    with pytest.raises(DataError):
        pack.decode(data, limit)
