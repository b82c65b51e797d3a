"""Modbus RTU frames: bytes in, registers or bits out, no line and no clock.

Source: MODBUS over Serial Line V1.02 (2.5.1 framing, 6.2.2 CRC) and MODBUS Application Protocol
V1.1b3 (6.1 to 6.4 reads; 7 exceptions).
"""

import struct

from edge.core.errors import BusError, DeviceError

READ_COILS = 1
READ_DISCRETE = 2
READ_HOLDING = 3
READ_INPUT = 4

#: Functions that bring single bits.
BIT_FUNCTIONS = (READ_COILS, READ_DISCRETE)

#: V1.1b3, 6.3: most registers in one read; 6.1: 2000 bits, the same number of bytes.
REGISTERS_MAX = 125
BITS_PER_REGISTER = 16

#: Longest RTU frame (serial line guide, 2.5.1).
FRAME_MAX_BYTES = 256

EXCEPTION_BYTES = 5

_FORMATS = ">%dH"

_EXCEPTION_CODES = {
    1: "device.illegal_function",
    2: "device.illegal_address",
    3: "device.illegal_value",
    5: "device.busy",  # acknowledge: accepted, takes long
    6: "device.busy",
    10: "device.failure",
    11: "device.failure",
}


def _crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
        table.append(value)
    return tuple(table)


_TABLE = _crc_table()


def crc16(data: bytes) -> int:
    """The Modbus CRC of `data`; it goes on the wire low byte first. 0 for a whole frame."""
    crc = 0xFFFF
    table = _TABLE
    for byte in data:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    return crc


def encode_read(station: int, function: int, address: int, count: int) -> bytes:
    """Build the request for `count` registers or bits from wire address `address`.

    station 1..247 (0..247 accepted: some devices answer as 0), function 1..4, address 0..65535,
    count 1..125 registers or 1..2000 bits, the last one within 65535.
    Raises BusError "data.range" before anything could wrap.
    """
    most = REGISTERS_MAX * (BITS_PER_REGISTER if function in BIT_FUNCTIONS else 1)
    for what, value, low, high in (
        ("station", station, 0, 247),
        ("function", function, READ_COILS, READ_INPUT),
        ("count", count, 1, most),
        ("address", address, 0, 65536 - count),
    ):
        if value < low or value > high:
            raise BusError("data.range", what=what, value=value)
    body = bytes((station, function, address >> 8, address & 0xFF, count >> 8, count & 0xFF))
    crc = crc16(body)
    return body + bytes((crc & 0xFF, crc >> 8))


def data_bytes(function: int, count: int) -> int:
    """Bytes of data in a good reply: 2 per register, 1 per 8 bits begun."""
    return (count + 7) // 8 if function in BIT_FUNCTIONS else 2 * count


def read_reply_bytes(request: bytes) -> int:
    """Length of the good reply to a read request: its data and 5."""
    return 5 + data_bytes(request[1], (request[4] << 8) | request[5])


def bytes_missing(request: bytes, reply: bytes) -> int:
    """How many more bytes complete the frame that `reply` begins; 0 when it is complete.

    The length is known from the second byte on: an exception takes 5 bytes, a reply to a read
    what its request implies. A frame that cannot be told is taken for a good reply.
    """
    if len(reply) < 2:
        return EXCEPTION_BYTES - len(reply)
    if reply[1] & 0x80:
        return max(0, EXCEPTION_BYTES - len(reply))
    return max(0, read_reply_bytes(request) - len(reply))


def decode_read_reply(request: bytes, reply: bytes) -> tuple[int, ...]:
    """Return the registers, or bits as 0 and 1, that answer `request`, in wire order.

    Checked in this order: length, CRC, station, function, byte count.
    Raises BusError "bus.short", "bus.crc", "bus.mismatch", or DeviceError for an exception.
    """
    station = request[0]
    if len(reply) < EXCEPTION_BYTES or bytes_missing(request, reply):
        raise BusError("bus.short", station=station, frame_hex=reply.hex())
    if crc16(reply):
        raise BusError("bus.crc", station=station, frame_hex=reply.hex())
    if reply[0] != station or reply[1] & 0x7F != request[1]:
        raise BusError("bus.mismatch", station=station, frame_hex=reply.hex())
    if reply[1] & 0x80:
        raise _exception(request, reply[2])
    if len(reply) != read_reply_bytes(request) or reply[2] != len(reply) - 5:
        raise BusError("bus.mismatch", station=station, frame_hex=reply.hex())
    if request[1] in BIT_FUNCTIONS:
        count = (request[4] << 8) | request[5]
        return tuple((reply[3 + i // 8] >> (i % 8)) & 1 for i in range(count))
    return struct.unpack_from(_FORMATS % (reply[2] >> 1), reply, 3)


def _exception(request: bytes, exception: int) -> DeviceError:
    return DeviceError(
        _EXCEPTION_CODES.get(exception, "device.failure"),
        station=request[0],
        function=request[1],
        address=(request[2] << 8) | request[3],
        count=(request[4] << 8) | request[5],
        exception=exception,
    )
