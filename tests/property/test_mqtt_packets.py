"""Our packets against amqtt's codec, field by field, and our reader against any bytes at all."""

import asyncio

from amqtt.adapters import BufferReader
from amqtt.mqtt.connack import ConnackPacket
from amqtt.mqtt.connect import ConnectPacket
from amqtt.mqtt.puback import PubackPacket
from amqtt.mqtt.publish import PublishPacket
from amqtt.mqtt.suback import SubackPacket
from amqtt.mqtt.subscribe import SubscribePacket
from hypothesis import given
from hypothesis import strategies as st

from edge.core.errors import DataError, SyncError
from edge.core.sync import mqtt_packets as packets
from edge.core.sync.mqtt import Session
from edge.core.sync.mqtt_connect import encode_connect, encode_subscribe

#: What MQTT allows in a string, and paths made of it.
words = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
topics = (
    st.text(st.characters(exclude_characters="\0+#", exclude_categories=["Cs"]), max_size=30)
    .filter(bool)
    .map(str.encode)
)
packet_ids = st.integers(1, 65535)


def decode_with_amqtt(kind, packet: bytes):
    """The packet as amqtt understands it; all bytes must be used."""
    reader = BufferReader(packet)
    decoded = asyncio.run(kind.from_stream(reader))
    assert asyncio.run(reader.read()) == b""
    return decoded


def read_events(data: bytes, sizes: list[int]) -> list[object]:
    """The events of a connected session fed with `data`, cut into pieces of these sizes."""
    session = Session("gw")
    session.start(True, 0)
    session.feed(b"\x20\x02\x00\x00", 0)
    session.next_event()
    session.publish("t", b"", False, 1, 0)
    session.subscribe("t", 1, 0)
    found: list[object] = []
    at = 0
    for size in [*sizes, len(data)]:
        session.feed(data[at : at + size], 0)
        at += size
        while (event := session.next_event()) is not None:
            found.append(event)
    return found


@given(topics, st.binary(max_size=20000), st.booleans(), st.integers(0, 1), packet_ids)
def test_publish_read_by_amqtt(
    topic: bytes, payload: bytes, retain: bool, qos: int, packet_id: int
) -> None:
    packet = packets.encode_publish(topic, payload, retain, qos, packet_id)
    decoded = decode_with_amqtt(PublishPacket, packet)
    assert decoded.variable_header.topic_name.encode() == topic
    assert decoded.data == payload
    assert (decoded.retain_flag, decoded.qos, decoded.dup_flag) == (retain, qos, False)
    assert decoded.packet_id == (packet_id if qos else None)


@given(
    words,
    st.integers(0, 65535),
    st.booleans(),
    st.none() | st.tuples(topics, st.binary(max_size=50), st.booleans(), st.integers(0, 1)),
    st.none() | words,
    st.none() | words,
)
def test_connect_read_by_amqtt(client_id, keepalive_s, clean, will, user, password) -> None:
    fields = [None if text is None else text.encode() for text in (user, password)]
    try:
        packet = encode_connect(client_id.encode(), keepalive_s, clean, will, *fields)
    except DataError:
        assert (not client_id and not clean) or (user is None and password is not None)
        return
    decoded = decode_with_amqtt(ConnectPacket, packet)
    assert (decoded.proto_name, decoded.proto_level, decoded.reserved_flag) == ("MQTT", 4, False)
    assert (decoded.keep_alive, decoded.clean_session_flag) == (keepalive_s, clean)
    assert decoded.client_id_is_random if not client_id else decoded.client_id == client_id
    assert (decoded.username, decoded.password) == (user, password)
    assert decoded.will_flag == (will is not None)
    if will is not None:
        assert (decoded.will_topic.encode(), bytes(decoded.will_message)) == will[:2]
        assert (decoded.will_retain_flag, decoded.will_qos) == will[2:]


@given(packet_ids, topics, st.integers(0, 1))
def test_subscribe_and_puback_read_by_amqtt(packet_id: int, topic: bytes, qos: int) -> None:
    packet = encode_subscribe(packet_id, topic, qos)
    decoded = decode_with_amqtt(SubscribePacket, packet)
    assert decoded.variable_header.packet_id == packet_id
    assert decoded.payload.topics == [(topic.decode(), qos)]
    answer = decode_with_amqtt(PubackPacket, packets.encode_puback(packet_id))
    assert answer.variable_header.packet_id == packet_id


@given(
    topics,
    st.binary(max_size=3000),
    st.booleans(),
    st.integers(0, 1),
    packet_ids,
    st.lists(st.integers(1, 500), max_size=20),
)
def test_what_amqtt_sends_is_read_in_any_pieces(
    topic, payload, retain, qos, packet_id, sizes
) -> None:
    identifier = packet_id if qos else 0
    publish = PublishPacket.build(
        topic.decode(), payload, identifier or None, bool(qos), qos, retain
    )
    data = (
        bytes(publish.to_bytes())
        + bytes(PubackPacket.build(1).to_bytes())
        + bytes(SubackPacket.build(2, [1]).to_bytes())
    )
    assert read_events(data, sizes) == [
        packets.Message(topic, payload, retain, qos, identifier),
        packets.Published(1),
        packets.Subscribed(2, 1),
    ]


@given(st.integers(0, 1), st.integers(0, 5))
def test_connack_of_amqtt(session_present: int, code: int) -> None:
    packet = bytes(ConnackPacket.build(session_present, code).to_bytes())
    event = packets.decode_packet(packet[0], packet[2:])
    expected = packets.Refused(code) if code else packets.Connected(bool(session_present))
    assert event == expected and type(event) is type(expected)


@given(st.binary(max_size=300), st.lists(st.integers(1, 20), max_size=20))
def test_any_bytes_are_events_or_a_protocol_error(data: bytes, sizes: list[int]) -> None:
    outcomes = []
    for cut in ([], sizes):
        try:
            outcomes.append(repr(read_events(data, cut)))
        except SyncError as error:
            assert error.code == "sync.protocol"
            outcomes.append(str(error.fields["reason"]))
    assert outcomes[0] == outcomes[1]


@given(st.binary(max_size=60))
def test_text_is_what_python_calls_utf_8_without_nul(data: bytes) -> None:
    try:
        expected = "\0" not in data.decode()
    except UnicodeDecodeError:
        expected = False
    assert packets.is_text(data) == expected


@given(words, st.integers(0, 3))
def test_spoiled_text_is_no_text(word: str, keep: int) -> None:
    data = f"{word}\U0002a6d4".encode()
    assert packets.is_text(data)
    assert not packets.is_text(data[: len(data) - 4 + keep]) or not keep
