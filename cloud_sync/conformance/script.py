"""What the kit sends: an epoch of honest records, and payloads that break one rule each.

Every wrong payload is otherwise right: its hashes are those of the bytes that it carries, and its
MAC is that of the device key, so that only the rule in question can refuse it.
"""

import secrets
from collections.abc import Callable

from edge.core.journal import chain
from edge.core.journal.record import Kind, Part, Record, encode_record, event_body
from edge.core.numbers import pack
from edge.core.sync.batch import encode_batch

#: Stands in a record until it is replaced by bytes that our encoder does not write.
_PLACE = b"conformance kit: here"
_MAC_BYTES = 2 + chain.HASH_BYTES

#: 2026-11-20T00:00:00Z: records of the kit lie a second apart from here on.
_START_MS = 1_795_132_800_000


class Epoch:
    """One incarnation of a journal, made up: a table, then polls, every tenth an event."""

    def __init__(self, gateway: str, key: bytes, epoch: bytes | None = None) -> None:
        self.gateway, self.key = gateway, key
        self.epoch = secrets.token_bytes(chain.EPOCH_BYTES) if epoch is None else epoch
        self.genesis = chain.genesis(gateway, self.epoch)
        self.records: list[Record] = []
        self.hashes: list[bytes] = []
        self._chain = chain.Chain(0, self.genesis)
        points = [["power", "W", 1, "gauge"], ["energy", "kW.h", 3, "counter"]]
        device = [Part.DEVICE, 0, "kit", "bus1", 1, "kit", bytes(32), 1_000, points]
        self.add(Kind.TABLE, [[Part.CONFIG, bytes(32), "0"], device])

    def add(self, kind: int, body: list[object]) -> int:
        """Append a record; return its seq."""
        seq = len(self.records)
        record = Record(kind, seq, 1, 1_000 * seq, _START_MS + 1_000 * seq, 2, body)
        self.records.append(record)
        self.hashes.append(self._chain.extend(encode_record(record)))
        return seq

    def grow(self, count: int) -> int:
        """Append ordinary records; return the last seq."""
        for _ in range(count):
            seq = len(self.records)
            if seq % 10 == 9:
                self.add(Kind.EVENT, event_body("kit.event", {"seq": seq}))
            else:
                self.add(Kind.POLL, [0, [seq % 977 - 400, 1_000_000 + 7 * seq], [], []])
        return len(self.records) - 1

    def hash_at(self, seq: int) -> bytes:
        """The chain hash at `seq`; -1 for the genesis."""
        return self.genesis if seq < 0 else self.hashes[seq]

    def batch(self, first: int, last: int) -> bytes:
        """The honest payload of records first..last."""
        records = tuple(self.records[first : last + 1])
        ends = (self.hash_at(first - 1), records, self.hash_at(last))
        return encode_batch(self.gateway, self.epoch, *ends, self.key)

    def fork(self, at: int) -> "Epoch":
        """The same journal with another record at `at`, and honest hashes from there on."""
        other = Epoch(self.gateway, self.key, self.epoch)
        for record in self.records[1:at]:
            other.add(record.kind, record.body)
        other.add(Kind.EVENT, event_body("kit.fork", {"seq": at}))
        other.grow(len(self.records) - at - 1)
        return other

    def nasty(self, encoded: bytes) -> bytes:
        """The next record's batch, with `encoded` as the value of an event's field.

        The record is not part of the journal: an honest one takes its place.
        """
        seq = len(self.records)
        record = Record(Kind.EVENT, seq, 1, 1_000 * seq, _START_MS, 2, ["kit", ["field", _PLACE]])
        place = pack.encode(_PLACE)
        canonical = encode_record(record).replace(place, encoded)
        head = chain.link(self.hash_at(seq - 1), canonical)
        payload = encode_batch(
            self.gateway, self.epoch, self.hash_at(seq - 1), (record,), head, self.key
        )
        return seal(payload[:-_MAC_BYTES].replace(place, encoded), self.key)

    def changed(self, first: int, last: int, change: Callable[[list], None]) -> bytes:
        """The batch with its twelve elements changed, under an honest MAC."""
        fields = pack.decode(self.batch(first, last))
        assert isinstance(fields, list)
        change(fields)
        return seal(pack.encode(fields)[:-_MAC_BYTES], self.key)


def seal(signed: bytes, key: bytes) -> bytes:
    """A payload with an honest MAC over whatever it says."""
    return signed + pack.encode(chain.mac(key, chain.BATCH_PURPOSE, signed))


#: What records may not hold, each as the bytes of one value.
NASTY = {
    "ext": b"\xc7\x03\x05abc",
    "timestamp": b"\xd6\xff\x00\x00\x00\x00",
    "nan": b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00",
    "float": b"\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00",
    "map": b"\x81\xa1a\x01",
    "duplicate-keys": b"\x82\xa1a\x01\xa1a\x02",
    "depth": b"\x91" * 9 + b"\x01",
    "utf-8": b"\xa2\xff\xfe",
    "array-bomb": b"\xdd\x7f\xff\xff\xff",
    "reserved": b"\xc1",
}
