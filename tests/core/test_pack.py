from edge.core.errors import TallyError
from edge.core.numbers import pack


def refused(call, *args):
    try:
        call(*args)
    except TallyError as error:
        return error.code
    return None


def test_each_format_boundary_takes_the_shortest_form():
    # First bytes as the MessagePack specification lists them.
    for value, head in (
        (0, b"\x00"),
        (127, b"\x7f"),
        (128, b"\xcc\x80"),
        (255, b"\xcc\xff"),
        (256, b"\xcd\x01\x00"),
        (65536, b"\xce\x00\x01\x00\x00"),
        (1 << 32, b"\xcf\x00\x00\x00\x01\x00\x00\x00\x00"),
        ((1 << 64) - 1, b"\xcf" + b"\xff" * 8),
        (-1, b"\xff"),
        (-32, b"\xe0"),
        (-33, b"\xd0\xdf"),
        (-128, b"\xd0\x80"),
        (-129, b"\xd1\xff\x7f"),
        (-32769, b"\xd2\xff\xff\x7f\xff"),
        (-(1 << 31) - 1, b"\xd3\xff\xff\xff\xff\x7f\xff\xff\xff"),
        (-(1 << 63), b"\xd3\x80" + b"\x00" * 7),
        (None, b"\xc0"),
        (True, b"\xc3"),
        (False, b"\xc2"),
        ("abc", b"\xa3abc"),
        (b"abc", b"\xc4\x03abc"),
        ([], b"\x90"),
        ([1, [2]], b"\x92\x01\x91\x02"),
    ):
        assert pack.encode(value) == head, value
        assert pack.decode(head) == value


def test_long_text_bytes_and_arrays():
    for value in (
        "x" * 32,
        "x" * 256,
        "é" * 40000,
        b"y" * 256,
        b"y" * 70000,
        [1] * 16,
        [0] * 70000,
    ):
        assert pack.decode(pack.encode(value)) == value


def test_what_a_record_may_not_hold_is_refused():
    for value in ({}, 1 << 64, -(1 << 63) - 1, object()):
        assert refused(pack.encode, value) in ("data.pack", "data.range")
    deep = []
    for _ in range(pack.DEPTH_MAX):
        deep = [deep]
    assert refused(pack.encode, deep) == "data.pack"


def test_hostile_bytes_are_refused_before_they_cost_anything():
    for data in (
        b"",
        b"\xc1",  # never used
        b"\xca\x00\x00\x00\x00",  # float 32
        b"\xcb" + b"\x00" * 8,  # float 64
        b"\x80",  # map
        b"\xd4\x00\x00",  # extension
        b"\xdd\xff\xff\xff\xff",  # array that claims 4e9 items
        b"\xc6\xff\xff\xff\xff",  # bytes that claim 4 GB
        b"\xa2\xff\xfe",  # not UTF-8
        b"\x01\x02",  # trailing
        b"\x91" * 9 + b"\x01",  # too deep
    ):
        assert refused(pack.decode, data) == "data.pack", data
    assert refused(pack.decode, pack.encode([1] * 100), 99) == "data.pack"
