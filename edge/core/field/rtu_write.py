"""Modbus RTU writes of registers: frames for functions 6 and 16 and their confirmations.

Source: MODBUS Application Protocol V1.1b3, 6.6 (write single register) and 6.12 (write multiple
registers). Only the tools that a person drives write; polling never does.
"""

from edge.core.bus.rtu import EXCEPTION_BYTES, crc16, decode_read_reply
from edge.core.errors import BusError

WRITE_SINGLE = 6
WRITE_MULTIPLE = 16

#: V1.1b3, 6.12: most registers in one write.
WRITE_MAX = 123

#: Both confirmations: station, function, address, value or count, CRC.
REPLY_BYTES = 8


def _seal(body: bytes) -> bytes:
    crc = crc16(body)
    return body + bytes((crc & 0xFF, crc >> 8))


def _check(station: int, address: int, registers: tuple[int, ...], most: int) -> None:
    checks = [
        ("station", station, 1, 247),  # 0 would be a broadcast, which no one confirms
        ("count", len(registers), 1, most),
        ("address", address, 0, 65536 - len(registers)),
    ]
    checks += [("register", register, 0, 65535) for register in registers]
    for what, value, low, high in checks:
        if value < low or value > high:
            raise BusError("data.range", what=what, value=value)


def encode_write(station: int, function: int, address: int, registers: tuple[int, ...]) -> bytes:
    """Build the request that writes `registers` from wire address `address` on.

    function: 6 (exactly one register) or 16 (1..123). station 1..247: never a broadcast.
    Raises BusError "data.range" before anything could wrap.
    """
    if function not in (WRITE_SINGLE, WRITE_MULTIPLE):
        raise BusError("data.range", what="function", value=function)
    _check(station, address, registers, 1 if function == WRITE_SINGLE else WRITE_MAX)
    head = bytes((station, function, address >> 8, address & 0xFF))
    data = b"".join([bytes((register >> 8, register & 0xFF)) for register in registers])
    if function == WRITE_SINGLE:
        return _seal(head + data)
    count = len(registers)
    return _seal(head + bytes((0, count, 2 * count)) + data)


def decode_write_reply(request: bytes, reply: bytes) -> None:
    """Return when `reply` confirms `request`: the same function, address and value or count.

    Raises BusError "bus.short", "bus.crc", "bus.mismatch", or DeviceError for an exception.
    """
    station = request[0]
    if len(reply) >= EXCEPTION_BYTES and reply[1] & 0x80:
        decode_read_reply(request, reply[:EXCEPTION_BYTES])  # an exception reads alike: it raises
    if len(reply) < REPLY_BYTES:
        raise BusError("bus.short", station=station, frame_hex=reply.hex())
    crc = crc16(reply[:-2])
    if reply[-2] != crc & 0xFF or reply[-1] != crc >> 8:
        raise BusError("bus.crc", station=station, frame_hex=reply.hex())
    if len(reply) != REPLY_BYTES or reply[:6] != request[:6]:
        raise BusError("bus.mismatch", station=station, frame_hex=reply.hex())
