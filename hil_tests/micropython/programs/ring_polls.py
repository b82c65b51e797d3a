"""Appends polls to the ring on the partition "tally" and says what was promised."""

import hashlib

from esp32 import Partition

from edge.core.journal.record import Kind, Record, encode_record
from edge.ports.esp32.ring_store import RingStore

GATEWAY = "gw-1"
POINTS = 30


def run(commits: int, sectors: int) -> None:
    """Append `commits` times a poll of each of two devices; every fifth time, all is acked."""
    store = RingStore(Partition("tally"), GATEWAY, sectors=sectors)
    print("opened", store.boot, store.next_seq, store.acked_seq, store.head.hex())
    for commit in range(commits):
        rows = []
        head, seq = store.head, store.next_seq
        for device in (0, 1):
            values = [1000 * point + seq * (point + device) for point in range(POINTS)]
            at_ms = 60_000 * seq
            body = [device, values, [], []]
            data = encode_record(Record(Kind.POLL, seq, store.boot, at_ms, at_ms, 2, body))
            head = hashlib.sha256(head + data).digest()
            rows.append((seq, Kind.POLL, data, head))
            seq += 1
        store.append(rows)
        print("promised", store.next_seq - 1, head.hex())
        if commit % 5 == 4:
            store.ack(store.next_seq - 1)
    store.close()
    print("closed", store.next_seq)
