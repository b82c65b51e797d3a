"""Who is called only when a port says so misses no deadline, and is not called for nothing."""

import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

from edge.app.uploader import RECONNECT_MAX_MS, Uploader
from edge.core.errors import SyncError
from edge.ports.linux import tcp
from edge.ports.linux.tcp import TcpStream
from edge.ports.mqtt_uplink import MQTTUplink
from edge.ports.sim.broker import Broker
from edge.ports.sim.timeline import Timeline
from edge.ports.sim.uplink import SILENCE_MS, SimUplink
from tests.unit.port_doubles import KEY, ListStore
from tests.unit.test_umqtt import Pipe

from .brokers import HOST, wait_until
from .test_tcp_stream import connected


def ready(stream: TcpStream, wait_s: float) -> bool:
    """Whether one of the descriptor's events that the stream wants comes up in time."""
    writing = [stream.fileno()] if stream.is_writing else []
    return any(select.select([stream.fileno()], writing, [], wait_s))


class Network(Pipe):
    """A broker that takes a connection; `is_dark`: what is sent vanishes and nobody notices."""

    def __init__(self) -> None:
        super().__init__()
        self.is_dark = False

    def send(self, data: "bytes | memoryview") -> int:
        packet = bytes(data)
        if self.is_dark:
            return len(packet)
        if packet[0] == 0x10:
            self.arriving += b"\x20\x02\x00\x00"
        elif packet[0] == 0x82:
            self.arriving += b"\x90\x03" + packet[2:4] + b"\x01"
        elif packet[0] >> 4 == 3 and packet[0] & 2:
            at = 2 if packet[1] < 0x80 else 3
            at += 2 + int.from_bytes(packet[at : at + 2], "big")
            self.arriving += b"\x40\x02" + packet[at : at + 2]
        elif packet[0] == 0xC0:
            self.arriving += b"\xd0\x00"
        return len(packet)


def test_an_uploader_finds_a_half_open_link_at_one_and_a_half_keepalives():
    network = Network()
    uplink = MQTTUplink("gw", "broker", network, network.ticks_ms, keepalive=30)
    uploader = Uploader(uplink, ListStore(), "gw-1", "wuxi", KEY, 100)
    steps = 0

    def step() -> list[str]:
        nonlocal steps
        steps += 1
        return [error.code for error in uploader.step(network.now_ms)]

    def wait() -> None:
        due_ms = uploader.next_ms(network.now_ms)
        assert due_ms is not None and due_ms > network.now_ms
        network.now_ms = due_ms

    while network.now_ms < 600_000:
        while step() == [] and network.arriving:
            pass
        wait()
    assert uplink.state == "online" and steps < 4 * 600 // 15
    network.is_dark = True
    broke_ms, steps = network.now_ms, 0
    while (codes := step()) == []:
        wait()
    assert codes == ["sync.timeout"] and steps <= 3
    # The last sign of life was the answer half a keepalive before.
    assert 30_000 <= network.now_ms - broke_ms <= 45_000
    # Nobody answers: from attempt to attempt one look each at begin and deadline, nothing between.
    steps, begun_ms = 0, network.now_ms
    while network.now_ms < begun_ms + 20 * RECONNECT_MAX_MS:
        step()
        wait()
    assert steps <= 2 * (20 * 2 + 8)


def test_a_simulated_half_open_link_is_found_by_its_deadline_alone():
    timeline, pokes = Timeline(), []
    broker = Broker(timeline)
    uplink = SimUplink(timeline, broker, "gw", lambda: pokes.append(1), lambda _: None)
    assert uplink.wait_ms() is None
    uplink.start()
    assert uplink.wait_ms() is None  # how it ends is told by a poke
    while not pokes:
        timeline.advance(timeline.now_ms + 1000)
    uplink.check_msg()
    assert (uplink.state, uplink.wait_ms()) == ("online", None)
    broker.lines["gw"].is_dark = True
    uplink.send("carbontally/v1/t/g/batch", b"x", qos=1)
    sent_ms = timeline.now_ms
    assert uplink.wait_ms() == SILENCE_MS
    while timeline.advance(sent_ms + SILENCE_MS - 1):
        pass
    assert uplink.check_msg() == 0 and uplink.wait_ms() == 1
    while timeline.advance(sent_ms + SILENCE_MS):
        pass
    with pytest.raises(SyncError, match=r"sync\.timeout"):
        uplink.check_msg()


def test_a_stream_that_connects_asks_for_nothing_until_something_happens():
    with socket.create_server((HOST, 0), backlog=0) as listener:
        address = listener.getsockname()
        fillers = []
        for _ in range(4):  # the queue is full now, further SYNs are not answered
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(address)
            fillers.append(filler)
        stream = TcpStream()
        stream.open(HOST, address[1], False)
        assert stream.wait_ms() == 0
        assert stream.poll() == "connecting"
        assert stream.wait_ms() is None and stream.is_writing
        assert not ready(stream, 0.2), "it would be called again and again"
        listener.setblocking(False)

        def stands() -> bool:
            with suppress(BlockingIOError):
                listener.accept()[0].close()
            return ready(stream, 0.05)

        wait_until(stands, "the connection stands")  # its SYN is repeated
        assert stream.poll() == "open" and not stream.is_writing
        stream.close()
        for filler in fillers:
            filler.close()


def test_a_stream_with_more_addresses_says_when_the_next_one_is_due():
    stream = TcpStream(address_timeout_ms=2000)
    stream._stage = "connect"
    stream._addresses = [(0, 0, 0, "", ("192.0.2.1", 1))]
    stream._address_since_s = tcp.time.monotonic()
    waits = stream.wait_ms()
    assert waits is not None and 0 < waits <= 2000


def test_a_name_that_was_looked_up_wakes(monkeypatch: pytest.MonkeyPatch):
    woken, go_on = threading.Event(), threading.Event()

    def look_up(host: str, port: int, flags: int = 0) -> list:
        if flags:
            raise OSError
        go_on.wait(30)
        raise socket.gaierror(-2, "no such name")

    monkeypatch.setattr(tcp, "find_addresses", look_up)
    stream = TcpStream(wake=woken.set)
    stream.open("broker.test", 1, False)
    assert stream.poll() == "connecting"
    assert (stream.wait_ms(), stream.fileno(), woken.is_set()) == (None, -1, False)
    go_on.set()
    assert woken.wait(30)
    with pytest.raises(SyncError, match=r"sync\.offline"):
        stream.poll()


def test_what_could_not_be_sent_waits_for_room_and_not_for_time():
    with connected() as (stream, peer):
        payload = bytes(8_000_000)
        at = stream.send(payload)
        assert 0 < at < len(payload) and stream.is_writing
        assert stream.wait_ms() is None and not ready(stream, 0.1)
        sink = threading.Thread(target=_drain, args=(peer.recv, len(payload)), daemon=True)
        sink.start()
        while at < len(payload):
            assert ready(stream, 30), "nothing calls although there is room"
            at += stream.send(memoryview(payload)[at:])
        assert not stream.is_writing
        sink.join(30)


def _drain(receive: Callable[[int], bytes], size: int) -> None:
    while size > 0:
        size -= len(receive(65536))
