"""MQTT messages that are larger than what a device has memory for."""

from edge.core.errors import TallyError
from edge.core.sync import mqtt_packets as packets
from edge.core.sync.mqtt import Session

KEPT = 100
LARGE = 60000


def connected():
    session = Session("gw", limit=70000, kept=KEPT)
    session.start(True, 0)
    assert events_of(session, b"\x20\x02\x00\x00") == [packets.Connected(False)]
    return session


def events_of(session, data):
    session.feed(data, 0)
    found = []
    while True:
        event = session.next_event()
        if event is None:
            return found
        found.append(event)


def test_a_message_larger_than_what_is_kept_comes_without_its_payload():
    session = connected()
    fitting = packets.encode_publish(b"t", b"x" * (KEPT - 5), False, 1, 7)
    larger = packets.encode_publish(b"t", b"x" * LARGE, True, 1, 8)
    data = fitting + larger + fitting
    kept = packets.Message(b"t", b"x" * (KEPT - 5), False, 1, 7)
    cut = packets.Message(b"t", b"", True, 1, 8)
    for size in (7, 256, len(data)):
        found = []
        for at in range(0, len(data), size):
            found.extend(events_of(session, data[at : at + size]))
        assert found == [kept, cut, kept], size


def test_no_more_of_it_is_held():
    reader = packets.PacketReader(70000, KEPT)
    reader.feed(packets.encode_publish(b"t", b"x" * LARGE))
    assert len(reader.next_packet()[1]) == KEPT and reader.is_cut
    reader.feed(packets.encode_publish(b"t", b"y"))
    assert bytes(reader.next_packet()[1]) == b"\x00\x01ty" and not reader.is_cut


def test_beyond_the_limit_or_with_a_topic_that_does_not_fit_it_is_no_message():
    long_topic = packets.encode_publish(b"t" * 2 * KEPT, b"x")
    for bad in (b"\x30\x80\x80\x08", long_topic):
        code = ""
        try:
            events_of(connected(), bad)
        except TallyError as error:
            code = error.code
        assert code == "sync.protocol"
