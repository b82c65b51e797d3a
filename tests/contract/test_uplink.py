"""The uplink against real Mosquitto and amqtt, with paho on the other side."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from edge.core.errors import SyncError
from edge.ports.linux.tcp import TcpStream
from edge.ports.umqtt import MQTTClient

from .brokers import HOST, Broker, amqtt, mosquitto, wait_until

pytestmark = pytest.mark.system

TIMEOUT_MS = 5000
Arrived = tuple[str, bytes, bool, int]


def ticks_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def new_client(port: int, client_id: str = "gw-1", **options: object) -> MQTTClient:
    options.setdefault("timeout_ms", TIMEOUT_MS)
    return MQTTClient(client_id, HOST, TcpStream(), ticks_ms, port=port, **options)


class Watcher:
    """A paho client that keeps what arrives on its topic filter: topic, payload, retain, qos."""

    def __init__(self, port: int, topic_filter: str) -> None:
        self.arrived: list[Arrived] = []
        self._granted = threading.Event()
        self.paho = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv311)
        self.paho.on_subscribe = lambda *_: self._granted.set()
        self.paho.on_message = self._keep
        self.paho.connect(HOST, port)
        self.paho.loop_start()
        self.paho.subscribe(topic_filter, 1)
        assert self._granted.wait(10)

    def _keep(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        self.arrived.append((message.topic, message.payload, message.retain, message.qos))

    def publish(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False) -> None:
        self.paho.publish(topic, payload, qos, retain).wait_for_publish(10)

    def close(self) -> None:
        self.paho.disconnect()
        self.paho.loop_stop()


@contextmanager
def watching(port: int, topic_filter: str) -> Iterator[Watcher]:
    watcher = Watcher(port, topic_filter)
    try:
        yield watcher
    finally:
        watcher.close()


@pytest.fixture(scope="module", params=[mosquitto, amqtt])
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    with request.param(tmp_path_factory.mktemp("broker")) as started:
        yield started


@pytest.fixture
def client(broker: Broker) -> Iterator[MQTTClient]:
    made = new_client(broker.port)
    made.connect()
    yield made
    made.close()


def step_until(client: MQTTClient, condition: Callable[[], object], what: str) -> None:
    """Advance the client as `Gateway.step()` does, until the condition holds."""

    def advance() -> object:
        if client.state != "offline":
            client.check_msg()
        return condition()

    wait_until(advance, what)


@pytest.mark.parametrize("qos", [0, 1])
def test_what_we_publish_arrives(broker: Broker, client: MQTTClient, qos: int) -> None:
    with watching(broker.port, "up/#") as watcher:
        client.publish("up/é/1", b"\x00\xff", qos=qos)
        wait_until(lambda: watcher.arrived, "the message")
        # amqtt delivers with the qos of the subscription, 1, whatever the publisher's was.
        assert watcher.arrived in (
            [("up/é/1", b"\x00\xff", False, qos)],
            [("up/é/1", b"\x00\xff", False, 1)],
        )


@pytest.mark.parametrize("qos", [0, 1])
def test_what_others_publish_reaches_the_callback(
    broker: Broker, client: MQTTClient, qos: int
) -> None:
    got: list[tuple[bytes, bytes]] = []
    client.set_callback(lambda topic, payload: got.append((topic, payload)))
    client.subscribe("down/+", 1)
    with watching(broker.port, "none") as sender:
        sender.publish("down/a", b"x" * 10, qos)
        sender.publish("down/b", b"", qos)
        while len(got) < 2:
            assert client.wait_msg()
    assert got == [(b"down/a", b"x" * 10), (b"down/b", b"")]


def test_retained_message_reaches_a_later_subscriber(broker: Broker, client: MQTTClient) -> None:
    client.publish("state/gw-1", "kept", retain=True, qos=1)
    with watching(broker.port, "state/gw-1") as watcher:
        wait_until(lambda: watcher.arrived, "the retained message")
        assert watcher.arrived[0][:3] == ("state/gw-1", b"kept", True)
    got: list[bytes] = []
    client.set_callback(lambda topic, payload: got.append(payload))
    client.subscribe("state/gw-1", 1)
    step_until(client, lambda: got, "our own retained message")
    assert got == [b"kept"]
    # amqtt sends what is retained to clients that never subscribed to it: leave nothing behind.
    client.publish("state/gw-1", "", retain=True, qos=1)


def test_64_kib_both_ways(broker: Broker, client: MQTTClient) -> None:
    payload = os.urandom(65536)
    got: list[bytes] = []
    client.set_callback(lambda topic, payload: got.append(payload))
    client.subscribe("big", 1)
    with watching(broker.port, "big") as watcher:
        client.publish("big", payload, qos=1)
        wait_until(lambda: watcher.arrived, "64 KiB at paho")
        assert watcher.arrived[0][1] == payload
        step_until(client, lambda: got, "64 KiB back")
        assert got == [payload]


def test_publishes_with_qos_1_arrive_in_order(broker: Broker, client: MQTTClient) -> None:
    with watching(broker.port, "many") as watcher:
        for number in range(500):
            client.publish("many", b"%d" % number, qos=1)
        wait_until(lambda: len(watcher.arrived) >= 500, "500 messages")
        assert [item[1] for item in watcher.arrived] == [b"%d" % n for n in range(500)]


def test_the_step_side_keeps_the_window_full(broker: Broker) -> None:
    client = new_client(broker.port, "gw-step", window=8)
    published: list[int] = []
    in_flight: set[int] = set()

    def note(packet_id: int) -> None:
        published.append(packet_id)
        in_flight.discard(packet_id)

    client.on_published = note
    client.start()
    assert client.state == "connecting"
    step_until(client, lambda: client.state == "online", "online")
    most = sent = 0
    while len(published) < 200:
        packet_id = client.send("step", b"x", qos=1) if sent < 200 else None
        if packet_id is None:
            client.check_msg()
        else:
            in_flight.add(packet_id)
            sent += 1
        most = max(most, len(in_flight))
    client.close()
    assert most == 8 and sorted(published) == list(range(1, 201))


def test_last_will_is_published_when_the_socket_dies(broker: Broker) -> None:
    with watching(broker.port, "will/+") as watcher:
        client = new_client(broker.port, "gw-will")
        client.set_last_will("will/gw", "gone", retain=False, qos=1)
        client.connect()
        client.stream.close()
        wait_until(lambda: watcher.arrived, "the last will")
        assert watcher.arrived == [("will/gw", b"gone", False, 1)]
        with pytest.raises(SyncError) as caught:
            client.check_msg()
        assert caught.value.code == "sync.offline" and client.state == "offline"


def test_disconnect_is_no_reason_for_the_last_will(broker: Broker) -> None:
    with watching(broker.port, "quiet/+") as watcher:
        for end in (MQTTClient.disconnect, MQTTClient.close):
            client = new_client(broker.port, "gw-quiet")
            client.set_last_will("quiet/gw", "gone")
            client.connect()
            # With qos 0 amqtt may lose it to the DISCONNECT right behind it.
            client.publish("quiet/last", b"word", qos=1)
            end(client)
        wait_until(lambda: len(watcher.arrived) >= 2, "the last words")
        watcher.publish("quiet/marker", b"")
        wait_until(lambda: watcher.arrived[-1][0] == "quiet/marker", "the marker")
        assert [item[0] for item in watcher.arrived] == ["quiet/last"] * 2 + ["quiet/marker"]


def test_ping_is_answered(client: MQTTClient) -> None:
    client.ping()
    client.ping()


def test_a_kept_session_is_reported_and_delivers(tmp_path: Path) -> None:
    got: list[bytes] = []
    with mosquitto(tmp_path) as broker:
        client = new_client(broker.port, "gw-kept")
        client.set_callback(lambda topic, payload: got.append(payload))
        assert client.connect(clean_session=False) is False
        client.subscribe("kept", 1)
        client.disconnect()
        with watching(broker.port, "none") as sender:
            sender.publish("kept", b"while away")
        assert client.connect(clean_session=False) is True
        step_until(client, lambda: got, "the message of the kept session")
        client.disconnect()
        assert client.connect(clean_session=True) is False
        client.disconnect()
    assert got == [b"while away"]


def test_a_refused_subscription_is_reported(tmp_path: Path) -> None:
    with amqtt(tmp_path) as broker:
        client = new_client(broker.port)
        client.connect()
        with pytest.raises(SyncError) as caught:
            client.subscribe("prohibited", 1)
    assert caught.value.code == "sync.subscribe"


def test_user_and_password(tmp_path: Path) -> None:
    with mosquitto(tmp_path, users={"gateway": "right"}) as broker:
        good = new_client(broker.port, user="gateway", password="right")
        good.connect()
        good.ping()
        good.disconnect()
        for user, password in (("gateway", "wrong"), ("nobody", "right"), (None, None)):
            client = new_client(broker.port, user=user, password=password)
            with pytest.raises(SyncError) as caught:
                client.connect()
            assert caught.value.code == "sync.refused"
            assert caught.value.fields["reason"] == 5
            assert client.state == "offline"


def test_a_restarted_broker_is_noticed_and_subscribed_to_again(tmp_path: Path) -> None:
    got: list[bytes] = []
    with mosquitto(tmp_path) as broker:
        client = new_client(broker.port)
        client.set_callback(lambda topic, payload: got.append(payload))
        client.on_connect = lambda session_present: client.send_subscribe("down", 1)
        client.start()
        step_until(client, lambda: client.state == "online", "online")
        broker.stop()
        with pytest.raises(SyncError) as caught:
            step_until(client, lambda: client.state == "offline", "the loss")
        assert caught.value.code == "sync.offline"
        assert client.state == "offline"
        with pytest.raises(SyncError) as caught:
            client.connect()
        assert caught.value.code == "sync.offline"
        assert caught.value.fields["reason"] == "connection refused"
        broker.start()
        client.start()
        step_until(client, lambda: client.state == "online", "online again")
        client.ping()  # answered after the SUBSCRIBE before it
        with watching(broker.port, "none") as sender:
            sender.publish("down", b"again")
        step_until(client, lambda: got, "a message on the renewed subscription")
        client.disconnect()
    assert got == [b"again"]


def test_keepalive_holds_an_idle_connection(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        client = new_client(broker.port, keepalive=1, timeout_ms=2500)
        client.connect()
        assert client.wait_msg() == 0  # Mosquitto drops a silent client after 1.5 s
        client.ping()
        client.disconnect()
