from edge.core.bus import rtu
from edge.core.errors import TallyError


def with_crc(body):
    crc = rtu.crc16(body)
    return body + bytes((crc & 0xFF, crc >> 8))


def exchange(request_pdu, reply_pdu):
    """(request, reply) of station 1 around the examples of the protocol's own text."""
    return (
        with_crc(b"\x01" + bytes.fromhex(request_pdu)),
        with_crc(b"\x01" + bytes.fromhex(reply_pdu)),
    )


def bits_of(text):
    """ "CD 6B" -> the bits as the specification numbers them: lowest bit of each byte first."""
    return tuple((byte >> i) & 1 for byte in bytes.fromhex(text) for i in range(8))


def test_coils_of_the_specification():
    # V1.1b3, 6.1: coils 20 to 38, outputs 27-20 on off on on off off on on...
    request, reply = exchange("01 0013 0013", "01 03 CD6B05")
    assert rtu.encode_read(1, 1, 0x13, 0x13) == request
    assert rtu.read_reply_bytes(request) == len(reply)
    bits = rtu.decode_read_reply(request, reply)
    assert bits == bits_of("CD6B05")[:19]
    assert bits[:8] == (1, 0, 1, 1, 0, 0, 1, 1)


def test_discrete_inputs_of_the_specification():
    # V1.1b3, 6.2: inputs 197 to 218
    request, reply = exchange("02 00C4 0016", "02 03 ACDB35")
    assert rtu.encode_read(1, 2, 0xC4, 0x16) == request
    assert rtu.decode_read_reply(request, reply) == bits_of("ACDB35")[:22]


def test_as_many_bits_as_fit_a_frame():
    request = rtu.encode_read(1, 2, 0, 2000)
    assert rtu.read_reply_bytes(request) == 255
    assert rtu.bytes_missing(request, b"\x01\x02") == 253
    try:
        rtu.encode_read(1, 2, 0, 2001)
    except TallyError as error:
        assert error.code == "data.range"
    else:
        raise AssertionError("accepted")


def test_a_reply_with_the_byte_count_of_registers_is_refused():
    request = rtu.encode_read(1, 1, 0, 9)
    for pdu in ("01 01 FF", "01 03 FFFFFF"):
        reply = with_crc(b"\x01" + bytes.fromhex(pdu))
        try:
            rtu.decode_read_reply(request, reply)
        except TallyError as error:
            assert error.code in ("bus.short", "bus.mismatch")
        else:
            raise AssertionError(pdu)
