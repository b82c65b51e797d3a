from edge.core.errors import TallyError
from edge.core.journal import record
from edge.core.journal.record import Kind, Record

# Bytes put together by hand from the MessagePack specification.
EVENT = Record(Kind.EVENT, 2, 1, 1020, 1800000001020, 2, ["bus.timeout", ["device", 0]])
EVENT_HEX = (
    "97 03 02 01 cd03fc cf000001a3185c53fc 0292 ab6275732e74696d656f7574 92 a6646576696365 00"
)
POLL = Record(Kind.POLL, 1, 1, 1010, 1800000001010, 2, [0, [1000, None], [1, 3], [0, b"\x124"]])
POLL_HEX = "97 01 01 01 cd03f2 cf000001a3185c53f2 02 94 00 92 cd03e8 c0 92 01 03 92 00 c4021234"


def refused(call, *args):
    try:
        call(*args)
    except TallyError as error:
        return error.code
    return None


def poll(*body):
    return Record(Kind.POLL, 1, 1, 1010, 1800000001010, 2, list(body))


def event(mono_ms, wall_ms):
    return Record(Kind.EVENT, 2, 1, mono_ms, wall_ms, 2, ["x", []])


def test_canonical_bytes_are_those_of_the_specification():
    assert record.encode_record(EVENT) == bytes.fromhex(EVENT_HEX)
    assert record.encode_record(POLL) == bytes.fromhex(POLL_HEX)


def test_canonical_bytes_read_back():
    assert record.decode_record(bytes.fromhex(EVENT_HEX)) == EVENT
    assert record.decode_record(bytes.fromhex(POLL_HEX)) == POLL


def test_every_kind_has_a_name_and_its_wire_number():
    numbers = (Kind.TABLE, Kind.POLL, Kind.INTERVAL, Kind.EVENT, Kind.CLOCK, Kind.TOMBSTONE)
    assert numbers == (0, 1, 2, 3, 4, 5)
    assert [record.KIND_NAMES[number] for number in numbers] == [
        "table",
        "poll",
        "interval",
        "event",
        "clock",
        "tombstone",
    ]


def test_what_is_no_record_is_refused():
    for text in (
        "01",  # no array
        "90",
        "96 03 02 01 00 00 02",  # six fields
        "98 03 02 01 00 00 02 92 a161 90 00",  # eight
        "97 06 02 01 00 00 02 91 00",  # unknown kind
        "97 ff 02 01 00 00 02 91 00",
        "97 03 ff 01 00 00 02 92 a161 90",  # seq -1
        "97 03 02 ff 00 00 02 92 a161 90",  # boot -1
        "97 03 02 01 00 00 03 92 a161 90",  # clock quality 3
        "97 03 02 01 00 00 ff 92 a161 90",
        "97 03 c3 01 00 00 02 92 a161 90",  # true for a seq
        "97 03 c0 01 00 00 02 92 a161 90",  # nil for a seq
        "97 03 02 01 a161 00 02 92 a161 90",  # text for a time
        "97 03 02 01 00 00 02 90",  # empty body
        "97 03 02 01 00 00 02 a161",  # a body that is no array
        "97 03 02 01 00 00 02 91 a161",  # an event of one field
        "97 02 02 01 00 00 02 93 00 00 90",  # an interval of three
        "97 04 02 01 00 00 02 94 00 00 00 00",  # a clock of four
        "97 05 02 01 00 00 02 97 00 00 00 00 00 00 00",  # a tombstone of seven
    ):
        assert refused(record.decode_record, bytes.fromhex(text)) == "data.record", text


def test_bytes_that_cannot_be_unpacked_are_refused():
    whole = bytes.fromhex(POLL_HEX)
    for size in range(len(whole)):
        assert refused(record.decode_record, whole[:size]) == "data.pack", size
    assert refused(record.decode_record, whole + b"\x00") == "data.pack"


def test_a_poll_has_integers_or_nil_and_whole_pairs():
    assert refused(record.check_record, poll(0, [1, None], [1, 3], [0, b"\x00"])) is None
    for body in (
        (-1, [1], [], []),
        (True, [1], [], []),
        ("0", [1], [], []),
        (0, 1, [], []),
        (0, [True], [], []),
        (0, ["1"], [], []),
        (0, [1], [0], []),
        (0, [1], [0, None], []),
        (0, [1], None, []),
        (0, [1], [], [0]),
        (0, [1], [], b""),
    ):
        assert refused(record.check_record, poll(*body)) == "data.record", body


def test_times_may_lie_before_1970_but_not_beyond_64_bits():
    early = event(0, -5)
    assert record.decode_record(record.encode_record(early)) == early
    assert refused(record.encode_record, event(0, 1 << 64)) == "data.range"


def test_event_fields_are_ascending_so_that_their_bytes_are_one():
    made = record.event_body("x", {"b": 2, "a": None, "c": b"\x01", "d": OSError})
    assert made[0] == "x"
    assert made[1][:6] == ["a", None, "b", 2, "c", b"\x01"]
    assert made[1][6] == "d"
    assert isinstance(made[1][7], str)
    assert record.event_body("x", {}) == ["x", []]


def test_a_bool_is_no_integer():
    assert record.is_integer(0) and record.is_integer(1 << 70)
    for value in (True, False, None, "0", b"0", []):
        assert not record.is_integer(value)
