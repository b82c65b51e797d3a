"""Read Device Identification: what a station says it is (function 43, MEI type 14).

Source: MODBUS Application Protocol V1.1b3, 6.21. Text from the line is hostile: it is kept as
printable ASCII of bounded length.
"""

from edge.core.bus.rtu import EXCEPTION_BYTES, crc16, decode_read_reply
from edge.core.errors import BusError

FUNCTION = 43
MEI_TYPE = 14

#: Stream access to the three mandatory objects: vendor, product code, revision.
BASIC = 1
#: Stream access to the optional ones too: URL, product name, model name, application name.
REGULAR = 2

VENDOR, PRODUCT, REVISION, URL, PRODUCT_NAME, MODEL_NAME = range(6)

_HEAD_BYTES = 8
_TEXT_MAX = 64


def encode_device_id(station: int, access: int = BASIC, first_object: int = 0) -> bytes:
    """Build the request for the objects from `first_object` on.

    station 1..247, access BASIC or REGULAR, first_object 0..255.
    Raises BusError "data.range".
    """
    for what, value, low, high in (
        ("station", station, 1, 247),
        ("access", access, BASIC, REGULAR),
        ("object", first_object, 0, 255),
    ):
        if value < low or value > high:
            raise BusError("data.range", what=what, value=value)
    body = bytes((station, FUNCTION, MEI_TYPE, access, first_object))
    crc = crc16(body)
    return body + bytes((crc & 0xFF, crc >> 8))


def device_id_missing(reply: bytes) -> int:
    """How many more bytes the reply that begins so needs at least; 0 when it is complete.

    The length of each object stands in front of it, so the number is a lower bound until the
    last object's head has come.
    """
    if len(reply) >= 2 and reply[1] & 0x80:
        return max(0, EXCEPTION_BYTES - len(reply))
    if len(reply) < _HEAD_BYTES:
        return _HEAD_BYTES - len(reply)
    end = _HEAD_BYTES
    for _ in range(reply[7]):
        if len(reply) < end + 2:
            return end + 2 - len(reply)
        end += 2 + reply[end + 1]
    return max(0, end + 2 - len(reply))


def decode_device_id(request: bytes, reply: bytes) -> tuple[int | None, tuple]:
    """Return (first object of the next request or None, ((object id, text), ...)).

    Raises BusError "bus.short", "bus.crc", "bus.mismatch"; DeviceError for an exception.
    """
    station = request[0]
    if len(reply) >= EXCEPTION_BYTES and reply[1] & 0x80:
        decode_read_reply(request, reply[:EXCEPTION_BYTES])  # an exception reads alike: it raises
    if device_id_missing(reply):
        raise BusError("bus.short", station=station, frame_hex=reply.hex())
    crc = crc16(reply[:-2])
    if reply[-2] != crc & 0xFF or reply[-1] != crc >> 8:
        raise BusError("bus.crc", station=station, frame_hex=reply.hex())
    if reply[:3] != request[:3]:
        raise BusError("bus.mismatch", station=station, frame_hex=reply.hex())
    objects = []
    at = _HEAD_BYTES
    for _ in range(reply[7]):
        length = reply[at + 1]
        objects.append((reply[at], printable_ascii(reply[at + 2 : at + 2 + length])))
        at += 2 + length
    if at + 2 != len(reply):
        raise BusError("bus.mismatch", station=station, frame_hex=reply.hex())
    follows = reply[6] if reply[5] == 0xFF else None
    # A station that points backwards would be asked for ever.
    if follows is not None and follows <= request[4]:
        follows = None
    return follows, tuple(objects)


def printable_ascii(data: bytes) -> str:
    """The text in `data` up to the first NUL, other bytes as "?", ends trimmed, length capped."""
    text = ""
    for byte in data[:_TEXT_MAX]:
        if byte == 0:
            break
        text += chr(byte) if 32 <= byte < 127 else "?"
    return text.strip()
