"""The packets that begin an MQTT session: CONNECT and SUBSCRIBE, see `mqtt_packets`."""

from edge.core.errors import DataError
from edge.core.sync.mqtt_packets import checked_qos, field, identifier, is_text, packet, word


def encode_connect(
    client_id: bytes,
    keepalive_s: int,
    clean_session: bool,
    will: tuple[bytes, bytes, bool, int] | None = None,
    user: bytes | None = None,
    password: bytes | None = None,
) -> bytes:
    """Encode CONNECT (section 3.1).

    keepalive_s: 0..65535 s. will: (topic, payload, retain, qos 0..1).
    Raises DataError "data.range" for a password without user, an empty client id without a
    clean session, and any field that does not fit.
    """
    if not client_id and not clean_session:
        raise DataError("data.range", what="MQTT client id", value="")
    if password is not None and user is None:
        raise DataError("data.range", what="MQTT user", value="none, with a password")
    flags = 0x02 if clean_session else 0
    fields = [field(client_id)]
    if will is not None:
        topic, payload, retain, qos = will
        flags |= 0x04 | checked_qos(qos) << 3 | (0x20 if retain else 0)
        fields.append(field(topic))
        fields.append(field(payload))
    if user is not None:
        flags |= 0x80
        fields.append(field(user))
    if password is not None:
        flags |= 0x40
        fields.append(field(password))
    head = b"\x00\x04MQTT\x04" + bytes((flags,)) + word(keepalive_s)
    return packet(0x10, [head] + fields)


def encode_subscribe(packet_id: int, topic_filter: bytes, qos: int) -> bytes:
    """Encode SUBSCRIBE for one topic filter (section 3.8)."""
    body = [identifier(packet_id), field(topic_filter), bytes((checked_qos(qos),))]
    return packet(0x82, body)


def is_topic_filter(topic_filter: bytes) -> bool:
    """Tell whether one may subscribe to `topic_filter`: wildcards fill a level (section 4.7)."""
    if not 0 < len(topic_filter) <= 65535 or not is_text(topic_filter):
        return False
    levels = topic_filter.split(b"/")
    for level in levels[:-1]:
        if b"#" in level or (b"+" in level and level != b"+"):
            return False
    last = levels[-1]
    return last in (b"+", b"#") or not (b"+" in last or b"#" in last)
