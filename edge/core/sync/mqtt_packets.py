"""MQTT 3.1.1 control packets: bytes to events, arguments to one bytes object per packet.

Source: OASIS MQTT Version 3.1.1 (2014-10-29), chapters 1.5, 2 and 3. Only what a client that
publishes and subscribes with QoS 0 and 1 sends and receives; everything else is refused.
"""

from collections import namedtuple

from edge.core.errors import DataError, SyncError

CONNACK = 2
PUBLISH = 3
PUBACK = 4
SUBACK = 9
PINGRESP = 13

PINGREQ_PACKET = b"\xc0\x00"
DISCONNECT_PACKET = b"\xe0\x00"

#: Default bound of the remaining length: a payload of 64 KiB, a topic and an identifier.
PACKET_LIMIT = 65536 + 1024
#: Largest remaining length the encoding can express (section 2.2.3).
LENGTH_MAX = 268435455
#: The only granted value of a SUBACK that is no quality of service (section 3.9.3).
SUBSCRIBE_FAILURE = 0x80

Connected = namedtuple("Connected", ("session_present",))
Refused = namedtuple("Refused", ("code",))
Subscribed = namedtuple("Subscribed", ("packet_id", "granted"))
Published = namedtuple("Published", ("packet_id",))
Message = namedtuple("Message", ("topic", "payload", "retain", "qos", "packet_id"))
Pong = namedtuple("Pong", ("packet_id",))

#: Kind -> the one remaining length it may have; PUBLISH, with any length, is not in it.
_FIXED_LENGTHS = {CONNACK: 2, PUBACK: 2, SUBACK: 3, PINGRESP: 0}


def encode_length(length: int) -> bytes:
    """Encode a remaining length, 0..LENGTH_MAX, in 1 to 4 bytes (section 2.2.3)."""
    if not 0 <= length <= LENGTH_MAX:
        raise DataError("data.range", what="MQTT packet length", value=length)
    digits = []
    while True:
        digit = length & 0x7F
        length >>= 7
        if not length:
            digits.append(digit)
            return bytes(digits)
        digits.append(digit | 0x80)


def encode_publish(
    topic: bytes,
    payload: "bytes | bytearray",
    retain: bool = False,
    qos: int = 0,
    packet_id: int = 0,
) -> "bytes | bytearray":
    """Encode PUBLISH (section 3.3); packet_id 1..65535 with qos 1, ignored with qos 0.

    A bytearray becomes the packet: there may be no room for it twice.
    """
    first = 0x30 | checked_qos(qos) << 1 | (1 if retain else 0)
    fields = [field(topic)]
    if qos:
        fields.append(identifier(packet_id))
    if not isinstance(payload, bytearray):
        return packet(first, fields + [payload])
    payload[:0] = packet(first, fields, len(payload))
    return payload


def encode_puback(packet_id: int) -> bytes:
    """Encode PUBACK (section 3.4)."""
    return b"\x40\x02" + identifier(packet_id)


def packet(first: int, parts: list[bytes], more: int = 0) -> bytes:
    """A packet, or what it begins with where so many bytes follow."""
    length = sum([len(part) for part in parts]) + more
    return b"".join([bytes((first,)), encode_length(length)] + parts)


def field(data: bytes) -> bytes:
    return word(len(data)) + data


def word(value: int) -> bytes:
    if not 0 <= value <= 65535:
        raise DataError("data.range", what="MQTT field", value=value)
    return bytes((value >> 8, value & 0xFF))


def identifier(packet_id: int) -> bytes:
    if not packet_id:
        raise DataError("data.range", what="MQTT packet id", value=packet_id)
    return word(packet_id)


def checked_qos(qos: int) -> int:
    if qos not in (0, 1):
        raise DataError("data.range", what="MQTT qos", value=qos)
    return qos


class PacketReader:
    """Cuts a byte stream into packets, holding at most one packet and one chunk.

    limit: largest remaining length accepted, in bytes; checked before the body is allocated.
    kept: of a longer body only so many bytes are held, and given; is_cut: so it was the last time.
    """

    def __init__(self, limit: int = PACKET_LIMIT, kept: int = PACKET_LIMIT) -> None:
        self._limit = limit
        self._kept = kept
        self.is_cut = False
        self._data = b""
        self._at = 0
        self._restart()

    def _restart(self) -> None:
        self._first = -1
        self._length = 0
        self._shift = 0
        self._filled = 0
        self._body: bytearray | None = None

    def feed(self, data: bytes) -> None:
        """Take the next chunk; call `next_packet` until None before feeding another."""
        left = self._data[self._at :]
        self._data = left + data if left else data
        self._at = 0

    def next_packet(self) -> tuple[int, bytearray] | None:
        """Return (first byte, body) of the next whole packet, or None if there is none yet.

        Raises SyncError "sync.protocol"; the stream cannot be read on after that.
        """
        while self._body is None:
            if self._at == len(self._data):
                return None
            byte = self._data[self._at]
            self._at += 1
            if self._first < 0:
                check_first_byte(byte)
                self._first = byte
            else:
                self._add_length(byte)
        size = min(self._length - self._filled, len(self._data) - self._at)
        held = min(size, len(self._body) - self._filled)
        if held > 0:
            self._body[self._filled : self._filled + held] = self._data[self._at : self._at + held]
        self._filled += size
        self._at += size
        if self._filled < self._length:
            return None
        packet = (self._first, self._body)
        self.is_cut = self._length > self._kept
        self._restart()
        return packet

    def _add_length(self, byte: int) -> None:
        self._length |= (byte & 0x7F) << self._shift
        self._shift += 7
        if self._length > self._limit:
            raise SyncError("sync.protocol", reason="packet over %d bytes" % self._limit)
        if not byte & 0x80:
            check_length(self._first >> 4, self._length)
            self._body = bytearray(min(self._length, self._kept))
        elif self._shift == 28:
            raise SyncError("sync.protocol", reason="remaining length over 4 bytes")


def check_first_byte(first: int) -> None:
    """Refuse a packet no server may send, or flags section 2.2.2 reserves."""
    kind = first >> 4
    if kind == PUBLISH:
        if first & 0x06 in (0x04, 0x06):
            raise SyncError("sync.protocol", reason="PUBLISH with qos 2 or 3")
        if first & 0x0E == 0x08:
            raise SyncError("sync.protocol", reason="PUBLISH with qos 0 marked duplicate")
    elif kind not in _FIXED_LENGTHS or first & 0x0F:
        raise SyncError("sync.protocol", reason="unexpected packet 0x%02x" % first)


def check_length(kind: int, length: int) -> None:
    """Refuse a remaining length that packets of this kind cannot have."""
    if kind in _FIXED_LENGTHS:
        if length != _FIXED_LENGTHS[kind]:
            raise SyncError("sync.protocol", reason="packet %d with length %d" % (kind, length))
    elif length < 3:
        raise SyncError("sync.protocol", reason="PUBLISH with length %d" % length)


def decode_packet(
    first: int, body: "bytes | bytearray"
) -> "Connected | Refused | Subscribed | Published | Message | Pong":
    """Decode one packet from the server into its event.

    first, body: as `PacketReader.next_packet` returns them, its checks done.
    Raises SyncError "sync.protocol" for what the standard forbids.
    """
    kind = first >> 4
    if kind == PUBLISH:
        return _decode_publish(first, body)
    if kind == CONNACK:
        if body[0] > 1 or body[1] > 5:
            raise SyncError("sync.protocol", reason="CONNACK %02x %02x" % (body[0], body[1]))
        return Refused(body[1]) if body[1] else Connected(bool(body[0]))
    if kind == PINGRESP:
        return Pong(0)
    packet_id = body[0] << 8 | body[1]
    if not packet_id:
        raise SyncError("sync.protocol", reason="acknowledgement of packet id 0")
    if kind == PUBACK:
        return Published(packet_id)
    if body[2] not in (0, 1, 2, SUBSCRIBE_FAILURE):
        raise SyncError("sync.protocol", reason="SUBACK 0x%02x" % body[2])
    return Subscribed(packet_id, body[2])


def _decode_publish(first: int, body: "bytes | bytearray") -> Message:
    qos = first >> 1 & 0x03
    end = 2 + (body[0] << 8 | body[1])
    start = end + 2 if qos else end
    if start > len(body):
        raise SyncError("sync.protocol", reason="PUBLISH shorter than its topic")
    topic = bytes(body[2:end])
    if not is_topic_name(topic):
        raise SyncError("sync.protocol", reason="PUBLISH with an invalid topic")
    packet_id = body[end] << 8 | body[end + 1] if qos else 0
    if qos and not packet_id:
        raise SyncError("sync.protocol", reason="PUBLISH with packet id 0")
    payload = bytes(memoryview(body)[start:])
    return Message(topic, payload, bool(first & 1), qos, packet_id)


def is_topic_name(topic: bytes) -> bool:
    """Tell whether `topic` may be published to: 1..65535 bytes, no wildcard (section 4.7)."""
    return 0 < len(topic) <= 65535 and not (b"+" in topic or b"#" in topic) and is_text(topic)


def is_text(data: bytes) -> bool:
    """Tell whether `data` is an MQTT string: well-formed UTF-8 without U+0000 (section 1.5.3).

    Written out because MicroPython's decoder lets surrogates and overlong forms pass.
    """
    at = 0
    while at < len(data):
        byte = data[at]
        at += 1
        if 0 < byte < 0x80:
            continue
        more = 1 if 0xC2 <= byte <= 0xDF else 2 if byte & 0xF0 == 0xE0 else 3
        if byte < 0xC2 or byte > 0xF4 or at + more > len(data):
            return False
        second = data[at]
        low = {0xE0: 0xA0, 0xF0: 0x90}.get(byte, 0x80)
        high = {0xED: 0x9F, 0xF4: 0x8F}.get(byte, 0xBF)
        if not low <= second <= high:
            return False
        for index in range(at + 1, at + more):
            if data[index] & 0xC0 != 0x80:
                return False
        at += more
    return True
