"""The gateway's MQTT client on real MicroPython: Mosquitto, and a broker that fails."""

import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.app.cli.build_tree import needed_modules
from hil_tests.micropython.device import Device, Event, compile_tree
from tests.contract.brokers import Peer, mosquitto, scripted, wait_until
from tests.contract.test_uplink import watching
from tests.contract.tls_peer import make_certificates

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = ("edge.ports.umqtt", "edge.ports.esp32.socket_stream")
TIMEOUT_MS = 1000
TURNS = 2
#: Packet ids end at 65,535; a client that counts on sends id 0 and loses its session.
PUBLISHES = 70_000

CLIENT = """
import time
from edge.core.errors import SyncError
from edge.ports.umqtt import MQTTClient
from edge.ports.esp32.socket_stream import SocketStream
def attempt(call):
    try:
        return call()
    except SyncError as error:
        return error.code
def client(port, ca="", **options):
    return MQTTClient("gw-1", "127.0.0.1", SocketStream(ca), time.ticks_ms, port=port, **options)
"""


@pytest.fixture
def device(tmp_path: Path) -> Device:
    tree = tmp_path / "tree"
    compile_tree(ROOT, tree, needed_modules(ENTRIES).values())
    return Device(tmp_path / "device", tree, heap_bytes=64 * 1024)


def run(device: Device, port: int, program: str, **plan: object) -> Event:
    device.write("main.py", f"{CLIENT}PORT = {port}\n{program}")
    return device.run(**plan)


@pytest.mark.parametrize("nagle", [False, True], ids=["no_delay", "nagle"])
def test_messages_go_both_ways(device: Device, tmp_path: Path, nagle: bool) -> None:
    program = (
        "one = client(PORT)\n"
        "print(one.connect())\n"
        "got = []\n"
        "one.set_callback(lambda topic, payload: got.append(int(payload[:-1000])))\n"
        "one.subscribe('up/#', 1)\n"
        "for at in range(200):\n"
        "    one.publish('up/' + str(at % 3), str(at) + 'x' * 1000, qos=1)\n"
        "while len(got) < 200: one.wait_msg()\n"
        "print(got == list(range(200)))\n"
        "one.ping()\n"
        "one.disconnect()\n"
    )
    with mosquitto(tmp_path) as broker, watching(broker.port, "up/#") as watcher:
        last = run(device, broker.port, program, network={"nagle": nagle})
        assert last["lines"] == ["False", "True"], last
        assert [int(payload[:-1000]) for _, payload, _, _ in watcher.arrived] == list(range(200))
    assert last["network"]["writes"] < 450, "one write a packet"


def test_seventy_thousand_publishes(device: Device, tmp_path: Path) -> None:
    program = (
        "one = client(PORT)\n"
        "one.connect()\n"
        "counts = [0, 0]\n"
        "def published(number):\n"
        "    counts[0] += 1\n"
        "    if not 1 <= number <= 65535: counts[1] += 1\n"
        "one.on_published = published\n"
        "sent = 0\n"
        f"while counts[0] < {PUBLISHES}:\n"
        f"    while sent < {PUBLISHES} and one.send('up', 'x', qos=1) is not None: sent += 1\n"
        "    one.stream.wait(50)\n"
        "    one.check_msg()\n"
        "print(sent, counts, one.state)\n"
    )
    with mosquitto(tmp_path) as broker:
        last = run(device, broker.port, program, deadline_s=240)
    assert last["lines"] == [f"{PUBLISHES} [{PUBLISHES}, 0] online"], last
    assert last["network"]["connects"] == 1
    assert last["heap"]["live_bytes"] < 64 * 1024


def reset(peer: Peer) -> None:
    peer.accept()
    peer.read_packet()
    linger = struct.pack("ii", 1, 0)
    peer.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    peer.connection.close()


def stall(peer: Peer) -> None:
    peer.accept()
    peer.fall_silent()


def never_answer(peer: Peer) -> None:
    peer.fall_silent()


def close_at_once(peer: Peer) -> None:
    peer.connection.close()


def talk_nonsense(peer: Peer) -> None:
    peer.accept()
    peer.read_packet()
    peer.send(b"\xf7\xff\xff\xff\xff\xff")
    peer.fall_silent()


@pytest.mark.parametrize(
    ("script", "codes"),
    [
        (reset, ["sync.offline"]),
        (stall, ["sync.timeout"]),
        (never_answer, ["sync.timeout"]),
        (close_at_once, ["sync.offline"]),
        (talk_nonsense, ["sync.protocol"]),
    ],
)
def test_a_broker_that_fails_is_coded_and_costs_a_deadline_at_most(
    device: Device, script: Callable[[Peer], None], codes: list[str]
) -> None:
    program = (
        f"one = client(PORT, timeout_ms={TIMEOUT_MS})\n"
        f"for turn in range({TURNS}):\n"
        "    before = time.ticks_ms()\n"
        "    code = attempt(lambda: one.connect() or one.publish('up', 'x', qos=1))\n"
        "    print(code, time.ticks_diff(time.ticks_ms(), before))\n"
        "    one.close()\n"
    )
    with scripted(script) as port:
        last = run(device, port, program)
    said = [line.split() for line in last["lines"]]
    assert [code for code, _ in said] == codes * TURNS, last
    assert max(int(ms) for _, ms in said) < 2 * TIMEOUT_MS + 500


#: 303 bytes behind the fixed header: a length of two bytes, as each of them may come alone.
MESSAGE = b"\x30\xaf\x02\x00\x01a" + bytes(range(100)) * 3


def trickle(peer: Peer) -> None:
    """Everything one byte at a time."""
    peer.read_packet()
    peer.send(b"\x20\x02\x00\x00", 1)
    subscribe = peer.read_packet()
    peer.send(b"\x90\x03" + subscribe[2:4] + b"\x01", 1)
    peer.send(MESSAGE, 1)
    publish = peer.read_packet()
    assert publish[:5] == b"\x32\x06\x00\x01b"
    peer.send(b"\x40\x02" + publish[5:7], 1)
    peer.fall_silent()


def test_what_comes_a_byte_at_a_time_is_put_together(device: Device) -> None:
    program = (
        "one = client(PORT, timeout_ms=20000)\n"
        "got = []\n"
        "one.set_callback(lambda topic, payload: got.append((topic, payload)))\n"
        "one.connect()\n"
        "one.subscribe('a', 1)\n"
        "while not got: one.wait_msg()\n"
        "print(got == [(b'a', bytes(range(100)) * 3)])\n"
        "one.publish('b', 'x', qos=1)\n"
        "print(one.state)\n"
    )
    with scripted(trickle) as port:
        assert run(device, port, program)["lines"] == ["True", "online"]


def test_a_connection_whose_other_end_is_gone_is_given_up_and_made_anew(
    device: Device, tmp_path: Path
) -> None:
    """Half open: the radio is out of range, and nobody says that the connection is dead."""
    program = (
        "import network\n"
        "one = client(PORT, keepalive=2)\n"
        "one.connect()\n"
        "print('online')\n"
        "while True:\n"
        "    code = attempt(one.check_msg)\n"
        "    if one.state == 'offline': break\n"
        "    time.sleep_ms(50)\n"
        "print('lost', code)\n"
        "while attempt(one.connect) not in (True, False): time.sleep_ms(50)\n"
        "one.publish('up', 'again', qos=1)\n"
        "print('again')\n"
    )
    with mosquitto(tmp_path) as broker, watching(broker.port, "up") as watcher:
        device.write("main.py", f"{CLIENT}PORT = {broker.port}\n{program}")
        with device.power_on() as running:
            running.wait_line("online")
            running.command("network", up=False)
            assert running.wait_line("lost") == "lost sync.timeout"
            running.command("network", up=True)
            running.wait_line("again")
            assert running.wait_end()["reason"] == "finished"
        wait_until(lambda: watcher.arrived, "the message after it")
        assert [payload for _, payload, _, _ in watcher.arrived] == [b"again"]


def test_a_broker_that_went_and_came_is_found_again(device: Device, tmp_path: Path) -> None:
    program = (
        "one = client(PORT)\n"
        "one.connect()\n"
        "one.publish('up', 'first', qos=1)\n"
        "print('published')\n"
        "while attempt(lambda: one.publish('up', 'lost', qos=1)) is None: time.sleep_ms(20)\n"
        "print('lost', one.state)\n"
        "while attempt(one.connect) not in (True, False): time.sleep_ms(50)\n"
        "one.publish('up', 'again', qos=1)\n"
        "print('again')\n"
    )
    with mosquitto(tmp_path) as broker:
        device.write("main.py", f"{CLIENT}PORT = {broker.port}\n{program}")
        with device.power_on() as running:
            running.wait_line("published")
            broker.stop()
            assert running.wait_line("lost") == "lost offline"
            broker.start()
            running.wait_line("again")
            assert running.wait_end()["reason"] == "finished"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder)
    return folder


@pytest.mark.parametrize(("hours", "outcome"), [(0, "online"), (48, "offline")])
def test_certificates_are_held_against_the_clock_of_the_device(
    device: Device, tmp_path: Path, certificates: Path, hours: int, outcome: str
) -> None:
    device.write("ca.pem", (certificates / "ca.pem").read_text())
    program = (
        "with open('ca.pem') as file: ca = file.read()\n"
        "one = client(PORT, ca, tls=True)\n"
        "attempt(one.connect)\n"
        "if one.state == 'online': one.publish('up', 'x' * 3000, qos=1)\n"
        "print(one.state)\n"
    )
    files = {"certfile": certificates / "good.pem", "keyfile": certificates / "good.key"}
    now_ms = int(time.time() * 1000) + hours * 3_600_000
    with mosquitto(tmp_path, **files) as broker:
        last = run(device, broker.port, program, clock={"rtc_unix_ms": now_ms})
    assert last["lines"] == [outcome], last
