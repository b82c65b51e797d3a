"""Modbus RTU frames as a station sees them: requests in, replies out.

Written from the Modbus serial line guide V1.02 and application protocol V1.1b3, apart from the
gateway's own codec, so that the two cannot agree on a common mistake.
"""

import struct
from dataclasses import dataclass

ILLEGAL_FUNCTION = 1
ILLEGAL_ADDRESS = 2
ILLEGAL_VALUE = 3

READ_FUNCTIONS = (3, 4)
MAX_READ_COUNT = 125

_FIXED_LENGTH_FUNCTIONS = (1, 2, 3, 4, 5, 6)
_COUNTED_FUNCTIONS = (15, 16)


@dataclass(frozen=True)
class Request:
    """One request whose CRC is right; `count` is None where the function has none."""

    station: int
    function: int
    address: int | None
    count: int | None


def checksum(data: bytes) -> bytes:
    """CRC-16 of `data` as sent, low byte first (serial line guide, 6.2.2), bit by bit."""
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            carry = register & 1
            register >>= 1
            if carry:
                register ^= 0xA001
    return bytes((register & 0xFF, register >> 8))


def seal(body: bytes) -> bytes:
    """`body` (station, function, data) followed by its CRC."""
    return body + checksum(body)


def request_length(head: bytes) -> int | None:
    """Bytes of the request that begins with `head`; None while unknown or without fixed form."""
    if len(head) < 2:
        return None
    if head[1] in _FIXED_LENGTH_FUNCTIONS:
        return 8
    if head[1] in _COUNTED_FUNCTIONS and len(head) >= 7:
        return 9 + head[6]
    return None


def decode_request(frame: bytes) -> Request | None:
    """The request in `frame`, or None if it is too short or its CRC is wrong."""
    if len(frame) < 4 or checksum(frame[:-2]) != frame[-2:]:
        return None
    if len(frame) >= 8:
        address, count = struct.unpack(">HH", frame[2:6])
        return Request(frame[0], frame[1], address, count)
    return Request(frame[0], frame[1], None, None)


def encode_reply(station: int, function: int, registers: bytes) -> bytes:
    """A read reply; registers: big-endian bytes, two a register."""
    return seal(bytes((station, function, len(registers))) + registers)


def encode_exception(station: int, function: int, code: int) -> bytes:
    """An exception reply (V1.1b3, section 7)."""
    return seal(bytes((station, function | 0x80, code)))
