from edge.core.bus import rtu
from edge.core.errors import TallyError

# Frames printed in meter and bus manuals, not made by this code.
REQUEST = bytes.fromhex("010400010006 21C8")
REPLY = bytes.fromhex("01040C436B5AB442DC672042480C63AF7C")


def refused(call, *args):
    try:
        call(*args)
    except TallyError as error:
        return error.code
    return None


def with_crc(body):
    crc = rtu.crc16(body)
    return body + bytes((crc & 0xFF, crc >> 8))


def test_crc_of_published_texts():
    assert rtu.crc16(b"123456789") == 0x4B37  # CRC-16/MODBUS check value
    assert rtu.crc16(REQUEST[:-2]) == 0xC821


def test_request_of_a_published_exchange():
    assert rtu.encode_read(1, 4, 1, 6) == REQUEST
    # SDM630 manual style: voltage, first two registers of function 4
    assert rtu.encode_read(1, 4, 0, 2) == bytes.fromhex("01040000000271CB")


def test_reply_of_a_published_exchange():
    registers = rtu.decode_read_reply(REQUEST, REPLY)
    assert registers == (0x436B, 0x5AB4, 0x42DC, 0x6720, 0x4248, 0x0C63)


def test_out_of_range_requests_never_wrap():
    for args in (
        (248, 4, 0, 1),
        (1, 5, 0, 1),
        (1, 3, 0, 126),
        (1, 3, 0, 0),
        (1, 3, 65535, 2),
        (1, 3, -1, 1),
    ):
        assert refused(rtu.encode_read, *args) == "data.range", args


def test_frame_length_is_known_from_the_second_byte():
    assert rtu.bytes_missing(REQUEST, b"") == 5
    assert rtu.bytes_missing(REQUEST, REPLY[:2]) == 15
    assert rtu.bytes_missing(REQUEST, REPLY[:16]) == 1
    assert rtu.bytes_missing(REQUEST, REPLY) == 0
    assert rtu.bytes_missing(REQUEST, b"\x01\x84") == 3
    assert rtu.bytes_missing(REQUEST, b"\x01\x84\x02\x00\x00") == 0


def test_each_exception_is_named():
    for number, code in (
        (1, "device.illegal_function"),
        (2, "device.illegal_address"),
        (3, "device.illegal_value"),
        (4, "device.failure"),
        (5, "device.busy"),
        (6, "device.busy"),
        (11, "device.failure"),
        (99, "device.failure"),
    ):
        assert refused(rtu.decode_read_reply, REQUEST, with_crc(bytes((1, 0x84, number)))) == code


def test_every_flipped_bit_of_a_reply_is_noticed():
    for bit in range(8 * len(REPLY)):
        frame = bytearray(REPLY)
        frame[bit // 8] ^= 1 << (bit % 8)
        assert refused(rtu.decode_read_reply, REQUEST, bytes(frame)) in (
            "bus.crc",
            "bus.short",
            "bus.mismatch",
        )


def test_a_good_frame_that_answers_something_else_is_refused():
    other_station = with_crc(b"\x02" + REPLY[1:-2])
    other_function = with_crc(b"\x01\x03" + REPLY[2:-2])
    wrong_count = with_crc(b"\x01\x04\x0a" + REPLY[3:-2])
    for frame in (other_station, other_function, wrong_count):
        assert refused(rtu.decode_read_reply, REQUEST, frame) == "bus.mismatch"
    assert refused(rtu.decode_read_reply, REQUEST, REQUEST) == "bus.short"  # echo
    assert refused(rtu.decode_read_reply, REQUEST, b"") == "bus.short"
    assert refused(rtu.decode_read_reply, REQUEST, REPLY[:-1]) == "bus.short"
