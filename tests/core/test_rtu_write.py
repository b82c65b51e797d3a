"""Writes, settings and device identification: bytes against printed frames, and refusals."""

from edge.core.bus.rtu import crc16
from edge.core.errors import TallyError
from edge.core.field.device_id import decode_device_id, device_id_missing, encode_device_id
from edge.core.field.rtu_write import decode_write_reply, encode_write
from edge.core.field.settings import allowed, decode_setting, encode_setting, parse_settings

# Printed examples of functions 6 and 16 (station 17).
WRITE = bytes.fromhex("1106000100039a9b")
WRITE_MANY = bytes.fromhex("11100001000204000a0102c6f0")
WRITTEN_MANY = bytes.fromhex("1110000100021298")


def seal(body):
    crc = crc16(body)
    return body + bytes((crc & 0xFF, crc >> 8))


def code_of(function, *arguments):
    try:
        function(*arguments)
    except TallyError as error:
        return error.code
    return None


def test_writes_are_the_printed_frames():
    assert encode_write(17, 6, 1, (3,)) == WRITE
    assert encode_write(17, 16, 1, (10, 258)) == WRITE_MANY
    assert decode_write_reply(WRITE, WRITE) is None
    assert decode_write_reply(WRITE_MANY, WRITTEN_MANY) is None


def test_a_write_out_of_range_is_refused():
    for arguments in (
        (0, 6, 0, (1,)),  # a broadcast
        (248, 6, 0, (1,)),
        (1, 5, 0, (1,)),
        (1, 6, 0, (1, 2)),
        (1, 16, 0, ()),
        (1, 16, 0, tuple(range(124))),
        (1, 16, 65535, (1, 2)),
        (1, 6, 0, (65536,)),
        (1, 6, 0, (-1,)),
    ):
        assert code_of(encode_write, *arguments) == "data.range", arguments


def test_a_confirmation_is_checked():
    assert code_of(decode_write_reply, WRITE, b"") == "bus.short"
    assert code_of(decode_write_reply, WRITE, WRITE[:-1]) == "bus.short"
    assert code_of(decode_write_reply, WRITE, WRITE[:-1] + b"\x00") == "bus.crc"
    assert code_of(decode_write_reply, WRITE, encode_write(17, 6, 1, (4,))) == "bus.mismatch"
    assert code_of(decode_write_reply, WRITE, encode_write(18, 6, 1, (3,))) == "bus.mismatch"
    refused = seal(bytes((17, 0x86, 3)))
    assert code_of(decode_write_reply, WRITE, refused) == "device.illegal_value"


#: The example of V1.1b3, 6.21, as a station of number 5.
OBJECTS = ((0, b"Company identification"), (1, b"Product code XX"), (2, b"V2.11"))


def said(objects, more=0, following=0, conformity=1):
    body = bytes((5, 43, 14, 1, conformity, more, following, len(objects)))
    for number, text in objects:
        body += bytes((number, len(text))) + text
    return seal(body)


def test_device_identification():
    request = encode_device_id(5)
    assert request[:5] == bytes((5, 0x2B, 0x0E, 1, 0)) and crc16(request) == 0
    following, objects = decode_device_id(request, said(OBJECTS))
    assert following is None
    assert objects == (
        (0, "Company identification"),
        (1, "Product code XX"),
        (2, "V2.11"),
    )


def test_device_identification_knows_when_it_is_complete():
    reply = said(OBJECTS)
    have = 0
    rounds = 0
    while device_id_missing(reply[:have]):
        have += device_id_missing(reply[:have])
        rounds += 1
        assert have <= len(reply) and rounds < 20
    assert have == len(reply)
    assert device_id_missing(bytes((5, 0xAB))) == 3


def test_device_identification_goes_on_but_never_back():
    request = encode_device_id(5, 2, 3)
    assert decode_device_id(request, said(OBJECTS, 0xFF, 4))[0] == 4
    assert decode_device_id(request, said(OBJECTS, 0xFF, 3))[0] is None
    assert decode_device_id(request, said(OBJECTS, 0xFF, 0))[0] is None


def test_hostile_texts_are_made_plain():
    _, objects = decode_device_id(encode_device_id(5), said(((0, b"\x1b[31mX\xff\x00rest"),)))
    assert objects == ((0, "?[31mX?"),)


def test_device_identification_refusals():
    request = encode_device_id(5)
    assert code_of(decode_device_id, request, seal(bytes((5, 0xAB, 1)))) == (
        "device.illegal_function"
    )
    reply = said(OBJECTS)
    assert code_of(decode_device_id, request, reply[:-3]) == "bus.short"
    assert code_of(decode_device_id, request, reply[:-1] + b"\x00") == "bus.crc"
    other = seal(b"\x06" + reply[1:-2])
    assert code_of(decode_device_id, request, other) == "bus.mismatch"
    assert code_of(decode_device_id, request, seal(reply[:-2] + b"x")) == "bus.mismatch"
    assert code_of(encode_device_id, 0) == "data.range"
    assert code_of(encode_device_id, 1, 4) == "data.range"
    assert code_of(encode_device_id, 1, 1, 256) == "data.range"


DOCUMENT = {
    "word_order": "big",
    "byte_order": "big",
    "settings": [
        {
            "name": "station",
            "function": 16,
            "address": 20,
            "type": "f32",
            "minimum": 1,
            "maximum": 247,
        },
        {
            "name": "baud",
            "function": 6,
            "address": 28,
            "type": "u16",
            "values": {"9600": 2, "2400": 0},
            "takes_effect": "restart",
        },
        {"name": "ct_ratio", "function": 16, "address": 3, "type": "u32"},
    ],
}


def test_settings_turn_words_to_registers_and_back():
    station, baud, ratio = parse_settings(DOCUMENT)
    assert encode_setting(station, "1") == (0x3F80, 0)
    assert encode_setting(station, "247") == (0x4377, 0)
    assert decode_setting(station, (0x4377, 0)) == "247"
    assert encode_setting(baud, "9600") == (2,)
    assert decode_setting(baud, (0,)) == "2400"
    assert decode_setting(baud, (7,)) is None
    assert encode_setting(ratio, "40") == (0, 40)
    assert (station.at_once, baud.at_once) == (True, False)
    for number in range(1, 248):
        assert decode_setting(station, encode_setting(station, str(number))) == str(number)


def test_settings_in_other_orders():
    document = dict(DOCUMENT)
    document["word_order"] = document["byte_order"] = "little"
    station, _, _ = parse_settings(document)
    assert encode_setting(station, "1") == (0, 0x803F)
    assert decode_setting(station, (0, 0x803F)) == "1"


def test_a_setting_that_the_profile_does_not_allow_is_refused():
    station, baud, ratio = parse_settings(DOCUMENT)
    for setting, wanted in (
        (station, "0"),
        (station, "248"),
        (station, "1.5"),
        (station, ""),
        (baud, "19200"),
        (baud, "2"),
        (ratio, "65536"),
        (ratio, "-1"),
    ):
        assert code_of(encode_setting, setting, wanted) == "data.range", wanted


def test_a_fraction_in_a_float_register_is_not_shown_as_a_number():
    station = parse_settings(DOCUMENT)[0]
    assert decode_setting(station, (0x3FC0, 0)) is None  # 1.5
    assert decode_setting(station, (0x7FC0, 0)) is None  # NaN


def test_what_a_setting_allows_is_said():
    document = {
        "word_order": "big",
        "byte_order": "big",
        "settings": [
            {"name": "station", "function": 6, "address": 1, "type": "u16", "maximum": 247},
            {"name": "baud", "function": 6, "address": 2, "type": "u16", "values": {"9600": 2}},
            {"name": "ct_ratio", "function": 16, "address": 3, "type": "u32", "maximum": 1 << 30},
        ],
    }
    said = [allowed(setting) for setting in parse_settings(document)]
    assert said == ["a whole number, 0 to 247", "one of 9600", "a whole number, 0 to 16777215"]
