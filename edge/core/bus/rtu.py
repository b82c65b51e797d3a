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

#: The CRC of one byte by its value, low and high byte apart: bytes take no memory where a program
#: runs in place.
_CRC_LOW = (
    b"\x00\xc1\x81\x40\x01\xc0\x80\x41\x01\xc0\x80\x41\x00\xc1\x81\x40"
    b"\x01\xc0\x80\x41\x00\xc1\x81\x40\x00\xc1\x81\x40\x01\xc0\x80\x41"
    b"\x01\xc0\x80\x41\x00\xc1\x81\x40\x00\xc1\x81\x40\x01\xc0\x80\x41"
    b"\x00\xc1\x81\x40\x01\xc0\x80\x41\x01\xc0\x80\x41\x00\xc1\x81\x40"
    b"\x01\xc0\x80\x41\x00\xc1\x81\x40\x00\xc1\x81\x40\x01\xc0\x80\x41"
    b"\x00\xc1\x81\x40\x01\xc0\x80\x41\x01\xc0\x80\x41\x00\xc1\x81\x40"
    b"\x00\xc1\x81\x40\x01\xc0\x80\x41\x01\xc0\x80\x41\x00\xc1\x81\x40"
    b"\x01\xc0\x80\x41\x00\xc1\x81\x40\x00\xc1\x81\x40\x01\xc0\x80\x41"
    b"\x01\xc0\x80\x41\x00\xc1\x81\x40\x00\xc1\x81\x40\x01\xc0\x80\x41"
    b"\x00\xc1\x81\x40\x01\xc0\x80\x41\x01\xc0\x80\x41\x00\xc1\x81\x40"
    b"\x00\xc1\x81\x40\x01\xc0\x80\x41\x01\xc0\x80\x41\x00\xc1\x81\x40"
    b"\x01\xc0\x80\x41\x00\xc1\x81\x40\x00\xc1\x81\x40\x01\xc0\x80\x41"
    b"\x00\xc1\x81\x40\x01\xc0\x80\x41\x01\xc0\x80\x41\x00\xc1\x81\x40"
    b"\x01\xc0\x80\x41\x00\xc1\x81\x40\x00\xc1\x81\x40\x01\xc0\x80\x41"
    b"\x01\xc0\x80\x41\x00\xc1\x81\x40\x00\xc1\x81\x40\x01\xc0\x80\x41"
    b"\x00\xc1\x81\x40\x01\xc0\x80\x41\x01\xc0\x80\x41\x00\xc1\x81\x40"
)
_CRC_HIGH = (
    b"\x00\xc0\xc1\x01\xc3\x03\x02\xc2\xc6\x06\x07\xc7\x05\xc5\xc4\x04"
    b"\xcc\x0c\x0d\xcd\x0f\xcf\xce\x0e\x0a\xca\xcb\x0b\xc9\x09\x08\xc8"
    b"\xd8\x18\x19\xd9\x1b\xdb\xda\x1a\x1e\xde\xdf\x1f\xdd\x1d\x1c\xdc"
    b"\x14\xd4\xd5\x15\xd7\x17\x16\xd6\xd2\x12\x13\xd3\x11\xd1\xd0\x10"
    b"\xf0\x30\x31\xf1\x33\xf3\xf2\x32\x36\xf6\xf7\x37\xf5\x35\x34\xf4"
    b"\x3c\xfc\xfd\x3d\xff\x3f\x3e\xfe\xfa\x3a\x3b\xfb\x39\xf9\xf8\x38"
    b"\x28\xe8\xe9\x29\xeb\x2b\x2a\xea\xee\x2e\x2f\xef\x2d\xed\xec\x2c"
    b"\xe4\x24\x25\xe5\x27\xe7\xe6\x26\x22\xe2\xe3\x23\xe1\x21\x20\xe0"
    b"\xa0\x60\x61\xa1\x63\xa3\xa2\x62\x66\xa6\xa7\x67\xa5\x65\x64\xa4"
    b"\x6c\xac\xad\x6d\xaf\x6f\x6e\xae\xaa\x6a\x6b\xab\x69\xa9\xa8\x68"
    b"\x78\xb8\xb9\x79\xbb\x7b\x7a\xba\xbe\x7e\x7f\xbf\x7d\xbd\xbc\x7c"
    b"\xb4\x74\x75\xb5\x77\xb7\xb6\x76\x72\xb2\xb3\x73\xb1\x71\x70\xb0"
    b"\x50\x90\x91\x51\x93\x53\x52\x92\x96\x56\x57\x97\x55\x95\x94\x54"
    b"\x9c\x5c\x5d\x9d\x5f\x9f\x9e\x5e\x5a\x9a\x9b\x5b\x99\x59\x58\x98"
    b"\x88\x48\x49\x89\x4b\x8b\x8a\x4a\x4e\x8e\x8f\x4f\x8d\x4d\x4c\x8c"
    b"\x44\x84\x85\x45\x87\x47\x46\x86\x82\x42\x43\x83\x41\x81\x80\x40"
)


def crc16(data: "bytes | memoryview") -> int:
    """The Modbus CRC of `data`; it goes on the wire low byte first. 0 for a whole frame."""
    low = high = 0xFF
    lows, highs = _CRC_LOW, _CRC_HIGH
    for byte in data:
        byte ^= low
        low = high ^ lows[byte]
        high = highs[byte]
    return high << 8 | low


def encode_read(station: int, function: int, address: int, count: int) -> bytes:
    """Build the request for `count` registers or bits from wire address `address`.

    station 1..247 (0..247 accepted: some devices answer as 0), function 1..4, address 0..65535,
    count 1..125 registers or 1..2000 bits, the last one within 65535.
    Raises BusError "data.range" before anything could wrap.
    """
    most = REGISTERS_MAX * (BITS_PER_REGISTER if function in BIT_FUNCTIONS else 1)
    _check_range("station", station, 0, 247)
    _check_range("function", function, READ_COILS, READ_INPUT)
    _check_range("count", count, 1, most)
    _check_range("address", address, 0, 65536 - count)
    body = struct.pack(">BBHH", station, function, address, count)
    return body + struct.pack("<H", crc16(body))


def _check_range(what: str, value: int, low: int, high: int) -> None:
    if value < low or value > high:
        raise BusError("data.range", what=what, value=value)


def data_bytes(function: int, count: int) -> int:
    """Bytes of data in a good reply: 2 per register, 1 per 8 bits begun."""
    return (count + 7) // 8 if function in BIT_FUNCTIONS else 2 * count


def read_reply_bytes(request: bytes) -> int:
    """Length of the good reply to a read request: its data and 5."""
    return 5 + data_bytes(request[1], (request[4] << 8) | request[5])


def bytes_missing(request: bytes, reply: "bytes | memoryview") -> int:
    """How many more bytes complete the frame that `reply` begins; 0 when it is complete.

    The length is known from the second byte on: an exception takes 5 bytes, a reply to a read
    what its request implies. A frame that cannot be told is taken for a good reply.
    """
    if len(reply) < 2:
        return EXCEPTION_BYTES - len(reply)
    if reply[1] & 0x80:
        return max(0, EXCEPTION_BYTES - len(reply))
    return max(0, read_reply_bytes(request) - len(reply))


def decode_read_reply(
    request: bytes, reply: "bytes | memoryview", is_checked: bool = False
) -> tuple[int, ...]:
    """Return the registers, or bits as 0 and 1, that answer `request`, in wire order.

    Checked in this order: length, CRC unless it `is_checked`, station, function, byte count.
    Raises BusError "bus.short", "bus.crc", "bus.mismatch", or DeviceError for an exception.
    """
    station = request[0]
    if len(reply) < EXCEPTION_BYTES or bytes_missing(request, reply):
        raise BusError("bus.short", station=station, frame_hex=bytes(reply).hex())
    if not is_checked and crc16(reply):
        raise BusError("bus.crc", station=station, frame_hex=bytes(reply).hex())
    if reply[0] != station or reply[1] & 0x7F != request[1]:
        raise BusError("bus.mismatch", station=station, frame_hex=bytes(reply).hex())
    if reply[1] & 0x80:
        raise _exception(request, reply[2])
    if len(reply) != read_reply_bytes(request) or reply[2] != len(reply) - 5:
        raise BusError("bus.mismatch", station=station, frame_hex=bytes(reply).hex())
    if request[1] in BIT_FUNCTIONS:
        count = (request[4] << 8) | request[5]
        return tuple((reply[3 + i // 8] >> (i % 8)) & 1 for i in range(count))
    return struct.unpack_from(_FORMATS % (reply[2] >> 1), reply, 3)


def _exception(request: bytes, exception: int) -> DeviceError:
    codes = {
        1: "device.illegal_function",
        2: "device.illegal_address",
        3: "device.illegal_value",
        5: "device.busy",  # acknowledge: accepted, takes long
        6: "device.busy",
    }
    return DeviceError(
        codes.get(exception, "device.failure"),
        station=request[0],
        function=request[1],
        address=(request[2] << 8) | request[3],
        count=(request[4] << 8) | request[5],
        exception=exception,
    )
