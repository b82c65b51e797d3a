"""Prints the readings of a gateway: python consumer.py HOST PORT TENANT GATEWAY KEY_HEX

pip install msgpack paho-mqtt. What a value means is in the gateway's table record, see batch.md.
"""

import hmac
import sys
import zlib

import msgpack
import paho.mqtt.client as mqtt


def readings(payload, key):
    """(seq, wall_ms, device, [integer or None, ...]) of each poll in a batch."""
    mac = hmac.digest(key, b"carbontally batch 1" + payload[:-34], "sha256")
    if len(payload) > 65536 or not hmac.compare_digest(mac, payload[-32:]):
        raise ValueError("too large, or not authentic")
    fields = msgpack.unpackb(payload)
    if len(fields) == 5:  # deflated; any 34 bytes stand for the MAC that it has not
        inner = zlib.decompressobj(-15).decompress(fields[3], 65502)
        fields = msgpack.unpackb(inner + payload[-34:])
    _, _, _, first, _, clocks, times, order, polls, _, _, _ = fields
    offsets = [clocks[at + 2] for at in range(0, len(clocks), 4) for _ in range(clocks[at])]
    blocks = {block[0]: (iter(block[2]), [0] * block[1]) for block in polls}
    mono_ms = 0
    for at, device in enumerate(order):
        mono_ms += times[at]
        if device >= 0:
            deltas, last = blocks[device]
            values = [next(deltas) for _ in last]
            for point, delta in enumerate(values):
                if delta is not None:
                    values[point] = last[point] = (last[point] + delta + 2**63) % 2**64 - 2**63
            yield first + at, mono_ms + offsets[at], device, values


def main(host, port, tenant, gateway, key):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.on_connect = lambda *_: client.subscribe(f"carbontally/v1/{tenant}/{gateway}/batch", 1)
    client.on_subscribe = lambda *_: print("ready", flush=True)
    client.on_message = lambda _, __, message: [
        print(*row[:3], *row[3], flush=True)
        for row in readings(message.payload, bytes.fromhex(key))
    ]
    client.connect(host, int(port))
    client.loop_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
