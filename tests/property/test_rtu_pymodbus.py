"""Frames against pymodbus's own RTU framer and CRC, in both directions."""

from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer.rtu import FramerRTU
from pymodbus.pdu import DecodePDU, ExceptionResponse
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ReadInputRegistersRequest,
    ReadInputRegistersResponse,
)

from edge.core.bus import rtu
from edge.core.errors import BusError, DeviceError

REQUESTS = {3: ReadHoldingRegistersRequest, 4: ReadInputRegistersRequest}
REPLIES = {3: ReadHoldingRegistersResponse, 4: ReadInputRegistersResponse}
SERVER = FramerRTU(DecodePDU(True))
CLIENT = FramerRTU(DecodePDU(False))

STATIONS = st.integers(1, 247)
FUNCTIONS = st.sampled_from([3, 4])
REGISTERS = st.lists(st.integers(0, 65535), min_size=1, max_size=125)


@st.composite
def reads(draw) -> tuple[int, int, int, int]:
    """(station, function, address, count) of a legal read."""
    count = draw(st.integers(1, 125))
    return draw(STATIONS), draw(FUNCTIONS), draw(st.integers(0, 65536 - count)), count


@given(st.binary(max_size=300))
def test_crc_is_pymodbus_crc(data: bytes):
    crc = rtu.crc16(data)
    # pymodbus gives the two bytes in the order they are sent.
    assert bytes((crc & 0xFF, crc >> 8)) == FramerRTU.compute_CRC(data).to_bytes(2, "big")


@given(reads())
def test_our_request_is_theirs_byte_for_byte_and_they_understand_it(read):
    station, function, address, count = read
    frame = rtu.encode_read(station, function, address, count)
    theirs = REQUESTS[function](address=address, count=count, dev_id=station)
    assert frame == CLIENT.buildFrame(theirs)
    used, understood = SERVER.handleFrame(frame, 0, 0)
    assert used == len(frame) and isinstance(understood, REQUESTS[function])
    assert (understood.dev_id, understood.address, understood.count) == (station, address, count)


@given(STATIONS, FUNCTIONS, REGISTERS)
def test_their_reply_reads_back_and_is_as_long_as_foretold(station, function, registers):
    request = rtu.encode_read(station, function, 0, len(registers))
    reply = SERVER.buildFrame(REPLIES[function](registers=registers, dev_id=station))
    assert rtu.read_reply_bytes(request) == len(reply)
    for size in range(2, len(reply) + 1):
        assert rtu.bytes_missing(request, reply[:size]) == len(reply) - size
    assert rtu.decode_read_reply(request, reply) == tuple(registers)


@given(reads(), st.sampled_from([1, 2, 3, 4, 5, 6, 8, 10, 11]))
def test_their_exceptions_are_device_errors(read, exception):
    request = rtu.encode_read(*read)
    reply = SERVER.buildFrame(ExceptionResponse(read[1], exception, device_id=read[0]))
    assert rtu.bytes_missing(request, reply) == 0
    try:
        rtu.decode_read_reply(request, reply)
    except DeviceError as error:
        assert error.fields["exception"] == exception
        fields = [error.fields[name] for name in ("station", "function", "address", "count")]
        assert fields == list(read)
    else:
        raise AssertionError("an exception read as registers")


@given(STATIONS, FUNCTIONS, REGISTERS, st.data())
def test_a_damaged_reply_is_never_read(station, function, registers, data):
    request = rtu.encode_read(station, function, 0, len(registers))
    reply = bytearray(SERVER.buildFrame(REPLIES[function](registers=registers, dev_id=station)))
    start = data.draw(st.integers(0, len(reply) - 1))
    burst = data.draw(st.integers(1, 0xFFFF))  # up to 16 bits in a row: CRC-16 sees them all
    for offset, flips in enumerate((burst >> 8, burst & 0xFF)):
        if start + offset < len(reply):
            reply[start + offset] ^= flips
    if bytes(reply) == SERVER.buildFrame(REPLIES[function](registers=registers, dev_id=station)):
        return
    try:
        rtu.decode_read_reply(request, bytes(reply))
    except (BusError, DeviceError) as error:
        assert error.code in ("bus.crc", "bus.short", "bus.mismatch")
    else:
        raise AssertionError("damage read as registers")


@given(reads(), st.binary(max_size=260))
def test_garbage_raises_nothing_but_a_bus_error(read, garbage):
    request = rtu.encode_read(*read)
    assert 0 <= rtu.bytes_missing(request, garbage) <= rtu.read_reply_bytes(request)
    try:
        registers = rtu.decode_read_reply(request, garbage)
    except (BusError, DeviceError):
        return
    assert FramerRTU.check_CRC(garbage[:-2], int.from_bytes(garbage[-2:], "big"))
    assert len(registers) == read[3] and garbage[0] == read[0]
