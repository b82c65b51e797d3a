"""Prints the polls of a gateway: python -u consumer.py HOST PORT TOPIC KEY_HEX

pip install msgpack paho-mqtt. TOPIC is carbontally/v1/TENANT/GATEWAY/batch. A line is seq,
wall_ms, device and the values of its points; what they mean is in the table record, see batch.md.
"""

import hmac, sys, zlib

from msgpack import unpackb
from paho.mqtt.subscribe import callback


# A delta is modulo 2^64; where there is no value there is no delta, and the last value stays.
def column(deltas, last=0):
    return [d if d is None else (last := (last + d + 2**63) % 2**64 - 2**63) for d in deltas]


def show(payload, key):
    mac = hmac.digest(key, b"carbontally batch 1" + payload[:-34], "sha256")
    if not hmac.compare_digest(mac, payload[-32:]):
        return print("refused: not authentic", file=sys.stderr)
    fields = unpackb(payload)
    if fields[0] == 2:  # deflated without its MAC, for which any 34 bytes stand
        fields = unpackb(zlib.decompressobj(-15).decompress(fields[3], 65502) + payload[-34:])
    first, _, clocks, times, order, polls = fields[3:9]
    offsets = [clocks[at + 2] for at in range(0, len(clocks), 4) for _ in range(clocks[at])]
    rows = {n: zip(*(column(d[at::points]) for at in range(points))) for n, points, d, *_ in polls}
    for at, device in enumerate(order):
        if device >= 0:
            print(first + at, sum(times[: at + 1]) + offsets[at], device, *next(rows[device]))


_, host, port, topic, key = sys.argv
callback(lambda _, key, m: show(m.payload, key), topic, 1, bytes.fromhex(key), host, int(port))
