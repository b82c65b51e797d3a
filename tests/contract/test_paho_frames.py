"""The same connection made by paho and by us puts the same bytes on the wire."""

import time

import paho.mqtt.client as paho

from edge.ports.linux.tcp import TcpStream
from edge.ports.umqtt import MQTTClient

from .brokers import HOST, Peer, scripted, wait_until

EXCHANGE = 5


def record(frames: list[bytes], peer: Peer) -> None:
    """Keep every packet of the client, answering as a broker does."""
    while True:
        packet = peer.read_packet()
        frames.append(packet)
        kind = packet[0] >> 4
        if kind == 1:
            peer.send(b"\x20\x02\x00\x00")
        elif kind == 8:
            peer.send(b"\x90\x03" + packet[2:4] + b"\x01")
            peer.send(b"\x32\x08\x00\x03t/a\x01\x02x")
        elif kind == 3 and packet[0] & 0x06:
            # Two length bytes, because of the 200 bytes of payload, and the topic "up/".
            peer.send(b"\x40\x02" + packet[8:10])


def frames_of_paho() -> list[bytes]:
    frames: list[bytes] = []
    with scripted(lambda peer: record(frames, peer)) as port:
        client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, "gw-1", clean_session=True, protocol=paho.MQTTv311
        )
        client.username_pw_set("me", "geheim-ß")
        client.will_set("w/1", b"gone", 1, True)
        client.connect(HOST, port, keepalive=300)
        client.loop_start()
        wait_until(client.is_connected, "paho is connected")
        client.subscribe("t/+", 1)
        wait_until(lambda: len(frames) == 3, "SUBSCRIBE and PUBACK of paho")
        client.publish("up/", "x" * 200, 1).wait_for_publish(5)
        client.publish("up/", b"", 0, True).wait_for_publish(5)
        wait_until(lambda: len(frames) == EXCHANGE, "both PUBLISH of paho")
        client.disconnect()
        wait_until(lambda: len(frames) == EXCHANGE + 1, "DISCONNECT of paho")
        client.loop_stop()
    return frames


def frames_of_ours() -> list[bytes]:
    frames: list[bytes] = []
    with scripted(lambda peer: record(frames, peer)) as port:
        client = MQTTClient(
            "gw-1",
            HOST,
            TcpStream(),
            lambda: time.monotonic_ns() // 1_000_000,
            port=port,
            user="me",
            password="geheim-ß",
            keepalive=300,
        )
        got: list[bytes] = []
        client.set_callback(lambda topic, payload: got.append(payload))
        client.set_last_will("w/1", b"gone", retain=True, qos=1)
        client.connect()
        client.subscribe("t/+", 1)
        while not got:
            assert client.wait_msg()
        client.publish("up/", "x" * 200, qos=1)
        client.publish("up/", b"", retain=True)
        client.disconnect()
        wait_until(lambda: len(frames) == EXCHANGE + 1, "our DISCONNECT")
    return frames


def test_same_bytes_as_paho() -> None:
    ours, theirs = frames_of_ours(), frames_of_paho()
    assert [packet[0] for packet in theirs] == [0x10, 0x82, 0x40, 0x32, 0x31, 0xE0]
    assert ours == theirs
