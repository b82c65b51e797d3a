"""Digits and rows that no meter of the day has: what was put is taken, however odd it is."""

from hypothesis import given
from hypothesis import strategies as st

from edge.core.journal.record import Kind, Record, encode_record
from edge.ports.esp32.digits import Digits
from edge.ports.esp32.row_codec import RowCodec

INT64 = st.integers(-(1 << 63), (1 << 64) - 1)
LEAF = st.one_of(INT64, st.none(), st.booleans(), st.binary(max_size=20), st.text(max_size=20))
BODY = st.recursive(LEAF, lambda items: st.lists(items, max_size=50), max_leaves=150)


def taken(parts: list[bytes]) -> Digits:
    data = b"".join(parts)
    return Digits(lambda at, count: data[at : at + count], len(data))


@given(st.lists(st.tuples(st.integers(1, 1 << 70), st.integers(0, 1 << 80)), max_size=400))
def test_digits_of_a_number_of_many_limbs_are_taken_as_they_were_put(pairs):
    digits = Digits()
    wanted = [(number % radix, radix) for radix, number in pairs]
    for digit, radix in wanted:
        digits.put(digit, radix)
    found = taken(digits.encode(7))
    assert found.count == 7
    assert [found.take(radix) for _, radix in wanted] == [digit for digit, _ in wanted]


@given(st.integers(0, 300), st.integers(0, 300), st.booleans())
def test_a_digit_that_is_raised_late_is_found_where_it_was_reserved(before, behind, is_raised):
    digits = Digits()
    for at in range(before):
        digits.put(at % 1000, 1001)
    digits.reserve(3)
    for at in range(behind):
        digits.put(at % 1000, 1001)
    if is_raised:
        digits.raise_one()
    found = taken(digits.encode())
    assert [found.take(1001) for _ in range(before)] == [at % 1000 for at in range(before)]
    assert found.take(3) == int(is_raised)
    assert [found.take(1001) for _ in range(behind)] == [at % 1000 for at in range(behind)]


@given(st.lists(st.tuples(st.sampled_from([Kind.INTERVAL, Kind.EVENT]), BODY), max_size=6))
def test_rows_of_any_body_are_taken_as_they_were_put_by_writer_and_reader(bodies):
    writer, reader, again = RowCodec(), RowCodec(None, True), RowCodec()
    for seq in range(2 * len(bodies)):
        kind, body = bodies[seq // 2]
        fields = 4 if kind == Kind.INTERVAL else 2
        data = encode_record(Record(kind, seq, 1, 1000 * seq, 2000 * seq, 1, [body] * fields))
        digits = Digits()
        writer.put(digits, data)
        parts = digits.encode(1)
        for codec in (reader, again):
            record, found = codec.take(taken(parts), seq)
            assert found == data and record[:6] == (kind, seq, 1, 1000 * seq, 2000 * seq, 1)
