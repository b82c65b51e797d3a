"""The uplink against a broker that misbehaves on cue: coded errors, and never past a deadline."""

import time
from collections.abc import Callable

import pytest

from edge.core.errors import SyncError
from edge.ports.linux.tcp import TcpStream
from edge.ports.umqtt import MQTTClient

from .brokers import HOST, Peer, free_port, scripted, wait_until

TIMEOUT_MS = 400
#: What a busy test machine may add to a deadline.
SLACK_MS = 600
PINGRESP = b"\xd0\x00"


def ticks_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def new_client(port: int, **options: object) -> MQTTClient:
    options.setdefault("timeout_ms", TIMEOUT_MS)
    return MQTTClient("gw-1", HOST, TcpStream(), ticks_ms, port=port, **options)


def online(port: int, **options: object) -> MQTTClient:
    client = new_client(port, **options)
    client.connect()
    return client


def failure(call: Callable[[], object]) -> SyncError:
    """The SyncError the call raises, in time."""
    started_ms = ticks_ms()
    with pytest.raises(SyncError) as caught:
        call()
    assert ticks_ms() - started_ms < TIMEOUT_MS + SLACK_MS
    return caught.value


def failure_of_steps(client: MQTTClient) -> SyncError:
    """The SyncError of `check_msg` called again and again, none of the calls blocking."""
    while True:
        started_ns = time.monotonic_ns()
        try:
            client.check_msg()
        except SyncError as error:
            assert client.state == "offline"
            return error
        assert time.monotonic_ns() - started_ns < 200_000_000
        time.sleep(0.002)


def silent_from_the_start(peer: Peer) -> None:
    peer.fall_silent()


def silent_in_the_connack(peer: Peer) -> None:
    peer.read_packet()
    peer.send(b"\x20\x02\x00")
    peer.fall_silent()


def silent_after_connack(peer: Peer) -> None:
    peer.accept()
    peer.fall_silent()


@pytest.mark.parametrize("script", [silent_from_the_start, silent_in_the_connack])
def test_silence_before_the_connack(script: Callable[[Peer], None]) -> None:
    with scripted(script) as port:
        client = new_client(port)
        error = failure(client.connect)
        assert (error.code, error.fields["operation"]) == ("sync.timeout", "connect")
        assert client.state == "offline"
        client.start()
        assert failure_of_steps(client).code == "sync.timeout"


@pytest.mark.parametrize("operation", ["publish", "subscribe", "ping"])
def test_silence_after_the_connack(operation: str) -> None:
    calls = {
        "publish": lambda: client.publish("t", b"x", qos=1),
        "subscribe": lambda: client.subscribe("t"),
        "ping": lambda: client.ping(),
    }
    with scripted(silent_after_connack) as port:
        client = online(port)
        error = failure(calls[operation])
        assert (error.code, error.fields["operation"]) == ("sync.timeout", operation)
        started_ms = ticks_ms()
        assert client.wait_msg() == 0
        assert ticks_ms() - started_ms < TIMEOUT_MS + SLACK_MS
        client.disconnect()


def test_a_mute_peer_is_given_up_after_one_and_a_half_keepalives() -> None:
    with scripted(silent_after_connack) as port:
        client = online(port, keepalive=1)
        started_ms = ticks_ms()
        error = failure_of_steps(client)
        assert (error.code, error.fields["operation"]) == ("sync.timeout", "keepalive")
        assert 1400 <= ticks_ms() - started_ms < 1500 + SLACK_MS


def test_a_peer_that_reads_nothing_blocks_no_call() -> None:
    def stuck(peer: Peer) -> None:
        peer.accept()
        wait_until(lambda: done, "the client has filled the pipe")

    def fill() -> None:
        # The kernel's buffers grow for a while before they stay full.
        started_ms = ticks_ms()
        while ticks_ms() - started_ms < TIMEOUT_MS:
            client.publish("t", bytes(60000))
            started_ms = ticks_ms()

    done: list[bool] = []
    with scripted(stuck) as port:
        client = online(port)
        with pytest.raises(SyncError) as caught:
            fill()
        error = caught.value
        assert (error.code, error.fields["operation"]) == ("sync.timeout", "publish")
        assert client.send("t", bytes(60000)) is None
        assert failure(lambda: client.publish("t", bytes(60000))).code == "sync.timeout"
        assert failure(client.disconnect).code == "sync.timeout"
        assert client.state == "offline"
        done.append(True)


@pytest.mark.parametrize("before", [b"", b"\x20", b"\x20\x02\x00"])
def test_close_instead_of_connack(before: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.read_packet()
        peer.send(before)

    with scripted(script) as port:
        client = new_client(port)
        error = failure(client.connect)
        assert error.code == "sync.offline"
        assert error.fields["server"] == f"{HOST}:{port}"


def test_nobody_listens() -> None:
    client = new_client(free_port())
    assert failure(client.connect).code == "sync.offline"
    client.start()
    assert failure_of_steps(client).fields["reason"] == "connection refused"


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5])
def test_every_connack_code(code: int) -> None:
    def script(peer: Peer) -> None:
        peer.read_packet()
        peer.send(bytes((0x20, 2, 0, code)))
        peer.fall_silent()

    with scripted(script) as port:
        error = failure(new_client(port).connect)
        assert (error.code, error.fields["reason"]) == ("sync.refused", code)


def test_refused_subscription() -> None:
    def script(peer: Peer) -> None:
        peer.accept()
        packet_id = peer.read_packet()[2:4]
        peer.send(b"\x90\x03" + packet_id + b"\x80")
        peer.fall_silent()

    with scripted(script) as port:
        client = online(port)
        error = failure(lambda: client.subscribe("t"))
        assert (error.code, error.fields["reason"]) == ("sync.subscribe", 0x80)
        client = online(port)
        client.send_subscribe("t")
        assert failure_of_steps(client).code == "sync.subscribe"


def test_puback_lost_then_late_then_twice_then_wrong() -> None:
    def script(peer: Peer) -> None:
        peer.accept()
        first = peer.read_packet()[5:7]
        second = peer.read_packet()[5:7]
        peer.send(b"\x40\x02" + first)  # late
        peer.send(b"\x40\x02" + first)  # twice
        peer.send(b"\x40\x02\x77\x77")  # of nothing
        peer.send(b"\x40\x02" + second)
        peer.read_packet()
        peer.send(b"\x40\x02" + second)  # an old one is no answer to the third
        peer.fall_silent()

    with scripted(script) as port:
        client = online(port)
        published: list[int] = []
        client.on_published = published.append
        publish = lambda: client.publish("t", b"x", qos=1)  # noqa: E731
        assert failure(publish).code == "sync.timeout"
        publish()
        assert published == [1, 2]
        assert failure(publish).code == "sync.timeout"
        assert published == [1, 2]
        client.close()


def test_a_puback_that_never_comes_ends_the_connection() -> None:
    def script(peer: Peer) -> None:
        peer.accept()
        while True:
            if peer.read_packet()[0] == 0xC0:
                peer.send(PINGRESP)

    with scripted(script) as port:
        client = online(port, keepalive=1)
        client.send("t", b"x", qos=1)
        error = failure_of_steps(client)
        assert (error.code, error.fields["operation"]) == ("sync.timeout", "publish")


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x00" * 8,
        b"\x30\xff\xff\xff\x7f",
        b"\x30\x84\x88\x04",  # one byte over the limit
        b"\x30\xff\xff\xff\xff\x01",
        b"\x20\x02\x00\x00",
        b"\x34\x05\x00\x01t\x00\x01",
    ],
)
def test_garbage_after_the_connack(garbage: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.accept()
        peer.send(garbage)
        peer.fall_silent()

    with scripted(script) as port:
        client = new_client(port)
        # It may arrive together with the CONNACK, or later.
        error = failure(lambda: (client.connect(), client.ping()))
        assert error.code == "sync.protocol"
        assert client.state == "offline"


@pytest.mark.parametrize(
    "garbage", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\x90\x03\x00\x01\x00", PINGRESP]
)
def test_garbage_instead_of_the_connack(garbage: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.send(garbage)
        peer.fall_silent()

    with scripted(script) as port:
        assert failure(new_client(port).connect).code == "sync.protocol"


def test_replies_one_byte_at_a_time() -> None:
    got: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.read_packet()
        peer.send(b"\x20\x02\x00\x00", piece=1)
        packet_id = peer.read_packet()[2:4]
        peer.send(b"\x90\x03" + packet_id + b"\x01", piece=1)
        peer.send(b"\x32\xc9\x01\x00\x01t\x00\x09" + b"x" * 196, piece=1)
        got.append(peer.read_packet())
        peer.fall_silent()

    with scripted(script) as port:
        client = new_client(port)
        messages: list[bytes] = []
        client.set_callback(lambda topic, payload: messages.append(payload))
        client.connect()
        client.subscribe("t", 1)
        while not messages:
            assert client.wait_msg()
        wait_until(lambda: got, "the PUBACK")
        client.close()
    assert messages == [b"x" * 196] and got == [b"\x40\x02\x00\x09"]


def test_a_flood_does_not_hold_up_a_step() -> None:
    def script(peer: Peer) -> None:
        peer.accept()
        peer.send(b"\x30\x04\x00\x01tx" * 20000)
        peer.fall_silent()

    with scripted(script) as port:
        client = online(port)
        seen: list[bytes] = []
        client.set_callback(lambda topic, payload: seen.append(payload))
        counts = []
        while sum(counts) < 1000:
            counts.append(client.check_msg())
        assert max(counts) <= 32
        client.close()
