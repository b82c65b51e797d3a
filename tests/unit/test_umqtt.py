"""The client over a pipe in memory and a clock the test turns: order, bounds and deadlines.

Written in MicroPython's subset, like tests/core, because the client runs there too.
"""

from edge.core.errors import DataError, SyncError, TallyError
from edge.core.sync import mqtt_packets as packets
from edge.ports.contracts import Stream
from edge.ports.umqtt import MQTTClient

CONNACK_OK = b"\x20\x02\x00\x00"


def code_of(call, *arguments):
    """The code of the TallyError that the call raises, or "" if it raises none."""
    try:
        call(*arguments)
    except TallyError as error:
        return error.code
    return ""


class Pipe(Stream):
    """A stream in memory: takes `room` bytes a time, gives what the test put in `arriving`."""

    def __init__(self):
        self.now_ms = 0
        self.room = 1 << 20
        self.status = "closed"
        self.sent = b""
        self.arriving = b""
        self.answers = []

    def open(self, host, port, tls):
        self.status = "open"

    def poll(self):
        return self.status

    def send(self, data):
        taken = bytes(data)[: self.room]
        self.sent += taken
        if self.answers and taken:
            self.arriving += self.answers.pop(0)
        return len(taken)

    def recv(self, limit):
        data, self.arriving = self.arriving[:limit], self.arriving[limit:]
        return data

    def wait(self, timeout_ms, writing=False):
        self.now_ms += timeout_ms

    def close(self):
        self.status = "closed"

    def ticks_ms(self):
        return self.now_ms & 0x3FFFFFFF


def online_client(now_ms=0, **options):
    pipe = Pipe()
    pipe.now_ms = now_ms
    client = MQTTClient("gw", "broker", pipe, pipe.ticks_ms, **options)
    pipe.arriving = CONNACK_OK
    assert client.connect() is False
    assert client.state == "online"
    pipe.sent = b""
    return client, pipe


def test_client_publishes_and_waits_for_the_puback():
    client, pipe = online_client()
    pipe.answers = [b"\x40\x02\x00\x01"]
    client.publish("t", "x", qos=1)
    assert pipe.sent == b"\x32\x06\x00\x01t\x00\x01x"
    started_ms = pipe.now_ms
    assert code_of(client.publish, b"t", b"x", False, 1) == "sync.timeout"
    assert pipe.now_ms - started_ms == 5000
    assert client.state == "online"


def test_client_acknowledges_after_the_callback():
    client, pipe = online_client()
    got = []
    client.set_callback(lambda topic, payload: got.append((topic, payload, pipe.sent)))
    pipe.arriving = b"\x32\x06\x00\x01t\x00\x07x" + b"\x30\x04\x00\x01ty"
    assert client.check_msg() == 2
    assert got == [(b"t", b"x", b""), (b"t", b"y", b"")]
    assert pipe.sent == b"\x40\x02\x00\x07"


def test_client_does_not_acknowledge_what_the_callback_refused():
    client, pipe = online_client()

    def refuse(topic, payload):
        raise DataError("data.pack", reason="bad")

    client.set_callback(refuse)
    pipe.arriving = b"\x32\x06\x00\x01t\x00\x07x" + b"\xd0\x00"
    assert code_of(client.check_msg) == "data.pack"
    assert client.state == "online"
    assert client.check_msg() == 0
    assert pipe.sent == b""


def test_client_queue_is_bounded_and_resumes_partial_writes():
    client, pipe = online_client(queue_limit=100)
    pipe.room = 3
    assert client.send("t", b"x" * 200) == 0  # larger than the queue, but first
    assert client.send("t", b"y") is None
    assert client.send_subscribe("t") is None
    while len(pipe.sent) < 206:
        client.check_msg()
    pipe.room = 1 << 20
    assert client.send("t", b"y") == 0
    assert pipe.sent == packets.encode_publish(b"t", b"x" * 200) + b"\x30\x04\x00\x01ty"


def test_client_stops_reading_while_its_answers_find_no_room():
    client, pipe = online_client(queue_limit=12)
    client.set_callback(lambda topic, payload: None)
    pipe.room = 0
    pipe.arriving = b"\x32\x06\x00\x01t\x00\x07x" * 1000
    delivered = 0
    for _ in range(100):
        delivered += client.check_msg()
    assert delivered == 4
    pipe.room = 1 << 20
    while delivered < 1000:
        delivered += client.check_msg()
    client.check_msg()
    assert pipe.sent == b"\x40\x02\x00\x07" * 1000


def test_client_offline_says_so():
    client, pipe = online_client()
    client.close()
    assert pipe.sent == b"\xe0\x00"
    for call in (client.check_msg, client.ping, client.wait_msg):
        assert code_of(call) == "sync.offline"
    assert code_of(client.send, "t", b"") == "sync.offline"
    assert code_of(client.publish, "t", b"") == "sync.offline"
    client.disconnect()


def test_client_connect_has_one_deadline():
    pipe = Pipe()
    client = MQTTClient("gw", "broker", pipe, pipe.ticks_ms, timeout_ms=700)
    assert code_of(client.connect) == "sync.timeout"
    assert pipe.now_ms == 700 and client.state == "offline" and pipe.status == "closed"


def test_hooks_may_send_but_not_wait():
    client, pipe = online_client()

    def reply(topic, payload):
        client.publish("r", payload, qos=1)
        client.check_msg()

    client.set_callback(reply)
    pipe.arriving = b"\x30\x04\x00\x01tx"
    try:
        client.check_msg()
        raised = False
    except RuntimeError:
        raised = True
    assert raised and pipe.sent == b"\x32\x06\x00\x01r\x00\x01x"


def test_errors_name_the_server():
    client, pipe = online_client(port=1884)
    pipe.arriving = b"garbage"
    try:
        client.check_msg()
        raise AssertionError("garbage passed")
    except SyncError as error:
        assert error.code == "sync.protocol" and error.fields["server"] == "broker:1884"
    assert client.state == "offline"


def looks_until_given_up(uplink, pipe, most=10):
    """(its code, how often it was called): one that is called only when it says it has to be."""
    for looks in range(most):
        code = code_of(uplink.check_msg)
        if code:
            return code, looks + 1
        assert uplink.wait_ms() > 0, "called again at once though there is nothing"
        pipe.now_ms += uplink.wait_ms()
    return "", most


def test_a_broker_that_never_answers_costs_two_looks_and_ends_at_the_deadline():
    for answer in (b"", b"\x20\x02"):
        pipe = Pipe()
        client = MQTTClient("gw", "broker", pipe, pipe.ticks_ms, timeout_ms=5000)
        assert client.wait_ms() is None
        client.start()
        pipe.arriving = answer
        assert looks_until_given_up(client, pipe) == ("sync.timeout", 2)
        assert pipe.now_ms == 5000 and client.state == "offline"


def test_a_half_open_link_is_given_up_at_one_and_a_half_keepalives():
    # When the last bytes came before it broke, and what was sent since: qos, and how late.
    late = ((0, 2_000), (1, 4_000), (1, 29_000))
    for number, sent in enumerate(((), ((0, 0),), ((1, 0),), ((1, 9_999),), late) * 2):
        # The second time around, the ticks wrap while it waits.
        client, pipe = online_client((number // 5) * ((1 << 30) - 20_000), keepalive=30)
        broke_ms = pipe.now_ms
        for qos, later_ms in sent:
            while broke_ms + later_ms - pipe.now_ms >= client.wait_ms():
                pipe.now_ms += client.wait_ms()
                assert code_of(client.check_msg) == ""
            pipe.now_ms = broke_ms + later_ms
            client.send("t", "x", qos=qos)
        code, looks = looks_until_given_up(client, pipe)
        assert code == "sync.timeout" and looks <= 4
        assert pipe.now_ms - broke_ms == 45_000, sent


def test_a_quiet_session_is_looked_at_twice_a_keepalive():
    client, pipe = online_client(keepalive=60)
    looks = 0
    while pipe.now_ms < 3_600_000:
        wait_ms = client.wait_ms()
        assert wait_ms > 0
        pipe.now_ms += wait_ms
        looks += 1
        pipe.answers = [b"\xd0\x00"]
        client.check_msg()
        client.check_msg()  # what the answer being readable calls for
    assert looks <= 2 * 60 + 1


def test_more_than_one_call_handles_is_called_for_at_once():
    client, pipe = online_client()
    pipe.arriving = b"\x30\x04\x00\x01tx" * 100
    client.set_callback(lambda topic, payload: None)
    counts = []
    while not counts or client.wait_ms() == 0:
        counts.append(client.check_msg())
    assert sum(counts) == 100 and len(counts) > 1
