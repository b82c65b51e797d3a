"""A column block cannot make the receiver allocate more than the payload is worth."""

from edge.core.errors import DataError
from edge.core.journal.record import Kind, Record, encode_record
from edge.core.numbers import pack
from edge.core.sync.columns import decode_columns
from edge.core.sync.row_columns import put_columns


def encoded(records: tuple) -> list:
    out = bytearray(b"\x95")
    put_columns(out, [encode_record(record) for record in records])
    columns = pack.decode(bytes(out))
    assert isinstance(columns, list)
    return columns


def refused(columns: list) -> bool:
    try:
        decode_columns(0, columns)
    except DataError as error:
        return error.code == "data.record"
    return False


def test_a_block_without_values_is_refused_whatever_width_it_claims():
    for points in (1, 30, 1 << 40):
        columns = [[1, 1, 0, 0], [0], [-4], [[7, points, [], [], []]], [["boot", []]]]
        assert refused(columns)
    assert not refused([[1, 1, 0, 0], [0], [-4], [], [["boot", []]]])


def test_the_widest_leap_between_two_readings_survives():
    low, high = -(1 << 63), (1 << 63) - 1
    records = tuple(
        Record(Kind.POLL, seq, 1, seq, seq, 2, [0, [value], [], []])
        for seq, value in enumerate((high, low, high, None, low, 0))
    )
    columns = encoded(records)
    assert all(delta is None or low <= delta <= high for delta in columns[3][0][2])
    assert decode_columns(0, columns) == records


def test_a_reading_beyond_64_bits_never_leaves():
    try:
        encoded((Record(Kind.POLL, 0, 1, 0, 0, 2, [0, [1 << 63], [], []]),))
    except DataError as error:
        assert error.code == "data.range"
    else:
        raise AssertionError("accepted")
