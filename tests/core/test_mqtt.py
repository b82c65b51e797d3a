"""MQTT 3.1.1 packets and session against the bytes of the standard."""

from edge.core.errors import TallyError
from edge.core.sync import mqtt_packets as packets
from edge.core.sync.mqtt import Session, elapsed_ms
from edge.core.sync.mqtt_connect import encode_connect, encode_subscribe, is_topic_filter

CONNACK_OK = b"\x20\x02\x00\x00"


def code_of(call, *arguments):
    """The code of the TallyError that the call raises, or "" if it raises none."""
    try:
        call(*arguments)
    except TallyError as error:
        return error.code
    return ""


def connected_session(keepalive_s=60, window=16, now_ms=0):
    session = Session("gw", keepalive_s, window=window)
    session.start(True, now_ms)
    session.feed(CONNACK_OK, now_ms)
    assert session.next_event() == packets.Connected(False)
    return session


def events_of(session, data, now_ms=0):
    session.feed(data, now_ms)
    found = []
    while True:
        event = session.next_event()
        if event is None:
            return found
        found.append(event)


def test_remaining_length_of_table_2_4():
    for length, encoded in (
        (0, b"\x00"),
        (127, b"\x7f"),
        (128, b"\x80\x01"),
        (321, b"\xc1\x02"),
        (16383, b"\xff\x7f"),
        (16384, b"\x80\x80\x01"),
        (2097151, b"\xff\xff\x7f"),
        (2097152, b"\x80\x80\x80\x01"),
        (268435455, b"\xff\xff\xff\x7f"),
    ):
        assert packets.encode_length(length) == encoded
    assert code_of(packets.encode_length, 268435456) == "data.range"
    assert code_of(packets.encode_length, -1) == "data.range"


def test_connect_of_figure_3_6():
    # User, password, will with qos 1, clean session: flags 0xCE, keepalive 10 s.
    packet = encode_connect(b"id", 10, True, (b"w", b"gone", False, 1), b"me", b"pw")
    head = b"\x00\x04MQTT\x04\xce\x00\x0a"
    body = head + b"\x00\x02id" + b"\x00\x01w" + b"\x00\x04gone" + b"\x00\x02me" + b"\x00\x02pw"
    assert packet == b"\x10" + bytes((len(body),)) + body


def test_connect_refuses_what_the_standard_forbids():
    assert code_of(encode_connect, b"", 10, False) == "data.range"
    assert code_of(encode_connect, b"id", 65536, True) == "data.range"
    assert code_of(encode_connect, b"id", 1, True, None, None, b"pw") == "data.range"
    assert code_of(encode_connect, b"id", 1, True, (b"w", b"", False, 2)) == "data.range"
    assert encode_connect(b"", 0, True) == b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00"


def test_publish_of_figure_3_11():
    packet = packets.encode_publish(b"a/b", b"hi", False, 1, 10)
    assert packet == b"\x32\x09\x00\x03a/b\x00\x0ahi"
    assert packets.encode_publish(b"a/b", b"", True) == b"\x31\x05\x00\x03a/b"
    assert code_of(packets.encode_publish, b"a", b"", False, 1, 0) == "data.range"
    assert code_of(packets.encode_publish, b"a", b"", False, 1, 65536) == "data.range"
    assert code_of(packets.encode_publish, b"a", b"", False, 2, 1) == "data.range"


def test_small_packets():
    assert packets.encode_puback(0x1234) == b"\x40\x02\x12\x34"
    assert encode_subscribe(10, b"a/b", 1) == b"\x82\x08\x00\x0a\x00\x03a/b\x01"
    assert packets.PINGREQ_PACKET == b"\xc0\x00"
    assert packets.DISCONNECT_PACKET == b"\xe0\x00"


def test_text_of_section_1_5_3():
    assert packets.is_text(b"\x41\xf0\xaa\x9b\x94")
    assert packets.is_text("m³/h 一氧化碳".encode())
    for bad in (
        b"a\x00",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xc0\x80",
        b"\xe0\x80\x80",
        b"\xf0\x80\x80\x80",
        b"\xf4\x90\x80\x80",
        b"\xf5\x80\x80\x80",
        b"\x80",
        b"\xe4\xb8",
        b"\xe4\xb8a",
        b"\xff",
    ):
        assert not packets.is_text(bad), bad


def test_topic_names_and_filters_of_section_4_7():
    for good in (b"/", b"a/b", b"a//b", b"$SYS/x", b" "):
        assert packets.is_topic_name(good) and is_topic_filter(good)
    for pattern in (b"#", b"+", b"+/a/#", b"/+", b"sport/+/p"):
        assert is_topic_filter(pattern) and not packets.is_topic_name(pattern)
    for bad in (b"", b"a#", b"#/a", b"a/#/b", b"a+", b"+a/b", b"a\x00", b"##", b"x" * 65536):
        assert not is_topic_filter(bad), bad


def test_events_from_bytes_of_the_standard():
    session = Session("gw")
    session.start(False, 0)
    assert events_of(session, b"\x20\x02\x01\x00") == [packets.Connected(True)]
    message = b"\x33\x07\x00\x03a/b\x00\x0a" + b"\xd0\x00" + b"\x30\x04\x00\x01tx"
    assert events_of(session, message) == [
        packets.Message(b"a/b", b"", True, 1, 10),
        packets.Pong(0),
        packets.Message(b"t", b"x", False, 0, 0),
    ]


def test_every_refusal():
    for code in (1, 2, 3, 4, 5):
        session = Session("gw")
        session.start(True, 0)
        assert events_of(session, bytes((0x20, 2, 0, code))) == [packets.Refused(code)]
        assert not session.is_connected


def test_one_byte_at_a_time():
    session = connected_session()
    data = packets.encode_publish(b"t", b"x" * 200, False, 1, 7) + b"\xd0\x00"
    found = []
    for at in range(len(data)):
        found.extend(events_of(session, data[at : at + 1]))
    assert found == [packets.Message(b"t", b"x" * 200, False, 1, 7), packets.Pong(0)]


def test_malformed_input_is_a_protocol_error():
    for bad in (
        b"H",  # an HTTP server
        b"\x00",
        b"\x10",  # CONNECT from a server
        b"\xf0",
        b"\xd1",
        b"\x41",
        b"\x34",  # qos 2
        b"\x36",  # qos 3
        b"\x38",  # DUP with qos 0
        b"\x50",  # PUBREC
        b"\x20\x03",
        b"\x40\x01",
        b"\x90\x02",
        b"\xd0\x01",
        b"\x30\x02",
        b"\x30\xff\xff\xff\xff",
        b"\x30\xff\xff\xff\x7f",
        b"\x30\x80\x80\x80\x80",
        b"\x40\x02\x00\x00",
        b"\x90\x03\x00\x01\x03",
        b"\x30\x03\x00\x02a",
        b"\x32\x04\x00\x01a\x00",
        b"\x32\x05\x00\x01a\x00\x00",
        b"\x30\x03\x00\x01+",
        b"\x30\x03\x00\x01\xff",
        b"\x30\x03\x00\x00x",
        CONNACK_OK,  # a second one
    ):
        assert code_of(events_of, connected_session(), bad) == "sync.protocol", bad


def test_connack_must_come_first_and_be_well_formed():
    for bad in (b"\xd0\x00", b"\x30\x03\x00\x01t", b"\x20\x02\x02\x00", b"\x20\x02\x00\x06"):
        session = Session("gw")
        session.start(True, 0)
        assert code_of(events_of, session, bad) == "sync.protocol", bad


def test_length_limit_is_exact_and_stops_before_the_body():
    session = Session("gw", limit=300)
    session.start(True, 0)
    events_of(session, CONNACK_OK)
    fitting = packets.encode_publish(b"t", b"x" * 297)
    assert len(events_of(session, fitting)) == 1
    assert code_of(events_of, session, b"\x30\xad\x02") == "sync.protocol"  # 301
    assert code_of(session.publish, "t", b"x" * 298, False, 0, 0) == "data.range"


def test_packet_ids_wrap_and_skip_those_in_flight():
    session = connected_session()
    kept = session.publish("t", b"", False, 1, 0)[0]
    assert kept == 1
    for expected in range(2, 65536):
        packet_id, packet = session.publish("t", b"", False, 1, 0)
        assert packet_id == expected
        assert packet[5:7] == bytes((expected >> 8, expected & 0xFF))
        assert events_of(session, b"\x40\x02" + packet[5:7]) == [packets.Published(expected)]
    assert session.publish("t", b"", False, 1, 0)[0] == 2
    assert session.is_in_flight(kept)
    assert session.subscribe("t", 0, 0)[0] == 3


def test_window_bounds_what_is_in_flight():
    session = connected_session(window=2)
    assert session.publish("t", b"", False, 1, 0) is not None
    assert session.subscribe("t", 1, 0) is not None
    assert session.publish("t", b"", False, 1, 0) is None
    assert session.subscribe("t", 1, 0) is None
    assert session.publish("t", b"", False, 0, 0) is not None
    assert events_of(session, b"\x90\x03\x00\x02\x01") == [packets.Subscribed(2, 1)]
    assert session.publish("t", b"", False, 1, 0)[0] == 3


def test_acknowledgements_of_nothing_are_no_events():
    session = connected_session()
    session.publish("t", b"", False, 1, 0)
    session.subscribe("t", 1, 0)
    assert events_of(session, b"\x40\x02\x00\x09") == []
    assert events_of(session, b"\x40\x02\x00\x02") == []  # a PUBACK for the SUBSCRIBE
    assert events_of(session, b"\x90\x03\x00\x01\x00") == []  # and the other way round
    assert events_of(session, b"\x40\x02\x00\x01") == [packets.Published(1)]
    assert events_of(session, b"\x40\x02\x00\x01") == []
    assert events_of(session, b"\x90\x03\x00\x02\x80") == [packets.Subscribed(2, 0x80)]


def test_keepalive_pings_at_half_and_gives_up_at_one_and_a_half():
    session = connected_session(keepalive_s=10)
    assert session.poll(4999) == b""
    assert session.poll(5000) == b"\xc0\x00"
    assert session.poll(14999) == b""
    assert code_of(session.poll, 15000) == "sync.timeout"
    events_of(session, b"\xd0\x00", 14999)
    assert session.poll(15000) == b"\xc0\x00"  # nothing sent since 5000


def test_traffic_both_ways_needs_no_ping():
    session = connected_session(keepalive_s=10)
    for now_ms in range(0, 20000, 1000):
        session.publish("t", b"", False, 0, now_ms)
        events_of(session, b"\x30\x03\x00\x01t", now_ms)
        assert session.poll(now_ms) == b""


def test_sending_alone_does_not_keep_a_mute_peer_alive():
    session = connected_session(keepalive_s=10)
    for now_ms in range(0, 5000, 500):
        session.publish("t", b"", False, 0, now_ms)
    assert session.poll(5000) == b"\xc0\x00"
    for now_ms in range(5000, 15000, 500):
        session.publish("t", b"", False, 0, now_ms)
        assert session.poll(now_ms) == b""
    assert code_of(session.poll, 15000) == "sync.timeout"


def test_a_missing_puback_ends_the_connection():
    session = connected_session(keepalive_s=10)
    session.publish("t", b"", False, 1, 0)
    for now_ms in range(1000, 15000, 1000):
        events_of(session, b"\x30\x03\x00\x01t", now_ms)
        if session.poll(now_ms):
            events_of(session, b"\xd0\x00", now_ms)
    assert code_of(session.poll, 15000) == "sync.timeout"


def test_a_new_connection_forgets_the_last_but_not_its_ids():
    session = connected_session()
    session.publish("t", b"", False, 1, 0)
    session.feed(b"\x30\x05\x00", 0)
    session.start(True, 0)
    assert not session.is_in_flight(1)
    assert events_of(session, CONNACK_OK) == [packets.Connected(False)]
    assert session.publish("t", b"", False, 1, 0)[0] == 2


def test_the_clock_may_wrap_like_ticks_ms():
    assert elapsed_ms(5, (1 << 30) - 5) == 10
    start = (1 << 30) - 2000
    session = connected_session(keepalive_s=10, now_ms=start)
    assert session.poll((1 << 30) - 1) == b""
    assert session.poll(2999) == b""
    assert session.poll(3000) == b"\xc0\x00"


def test_callers_mistakes_are_data_errors():
    session = connected_session()
    for topic in ("", "a/#", "+", "a\x00b", b"\xff", "x" * 65536):
        assert code_of(session.publish, topic, b"", False, 0, 0) == "data.range", topic
    for topic in ("", "a#", "a/#/b"):
        assert code_of(session.subscribe, topic, 0, 0) == "data.range", topic
    assert code_of(session.subscribe, "t", 2, 0) == "data.range"
    assert code_of(session.set_last_will, "a/+", b"") == "data.range"
    assert code_of(Session, "gw", 0) == "data.range"
    assert code_of(Session, "gw", 60, "a\x00") == "data.range"
