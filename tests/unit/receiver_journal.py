"""Journals as a gateway writes them, for tests of the cloud side, with what they should become.

The expectation is built beside the records with decimal arithmetic, not read back from them.
"""

import random
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from cloud_sync.keys import Keys
from cloud_sync.receiver import Receiver, Reply
from cloud_sync.store.sqlite import SqliteStore
from edge.core.journal import chain
from edge.core.journal.record import Kind, Part, Record, encode_record, event_body
from edge.core.numbers import pack
from edge.core.sync import topics
from edge.core.sync.ack import Ack, decode_ack
from edge.core.sync.batch import encode_batch

TENANT = "park"
GATEWAY = "gw-1"
KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
EPOCH = b"epoch-01"
TOPIC = topics.topic(TENANT, GATEWAY, topics.BATCH)
NOW_MS = 1_790_000_000_000
START_MS = 1_780_000_000_000
MONO_MS = 5_000
POLL_MS = 1_000

#: number, name, and its points as (name, unit, places, class)
DEVICES = (
    (0, "main meter", (("power", "W", 1, "gauge"), ("energy", "kW.h", 2, "counter"))),
    (
        3,
        "stack",
        (("co2", "%", 4, "gauge"), ("state", "1", 0, "status"), ("t", "Cel", 1, "gauge")),
    ),
)


class Reading(NamedTuple):
    seq: int
    device: str
    point: str
    unit: str
    value: str | None
    quality: str
    wall_ms: int


class Journal:
    """One epoch of one gateway, in memory."""

    def __init__(self, gateway: str = GATEWAY, epoch: bytes = EPOCH, key: bytes = KEY) -> None:
        self.gateway, self.epoch, self.key = gateway, epoch, key
        self.records: list[Record] = []
        self.hashes: list[bytes] = []
        self.readings: list[Reading] = []
        self.chain = chain.Chain(0, chain.genesis(gateway, epoch))

    def append(self, kind: int, body: list, wall_ms: int | None = None, clock: int = 2) -> int:
        """Add one record, a second after the one before; return its seq."""
        seq = len(self.records)
        mono_ms = MONO_MS + POLL_MS * seq
        wall_ms = START_MS + POLL_MS * seq if wall_ms is None else wall_ms
        record = Record(kind, seq, 1, mono_ms, wall_ms, clock, body)
        self.records.append(record)
        self.hashes.append(self.chain.extend(encode_record(record)))
        return seq

    def define(self, devices=DEVICES) -> int:
        """Add the table record every journal starts with."""
        parts: list = [[Part.CONFIG, b"c" * 32, "0.1.0"]]
        for number, name, points in devices:
            table = [list(point) for point in points]
            head = [Part.DEVICE, number, name, "bus0", number + 1, "some/model", b"p" * 32]
            parts.append([*head, POLL_MS, table])
        parts.append([Part.FACTORS, "cn_park", b"f" * 32])
        head = [Part.STREAM, 1, "grid", "grid_import", 2, "W.h", 10 * 581_000, 1000]
        parts.append([*head, "grid_cn", b"f" * 32, "a method", b"s" * 32])
        return self.append(Kind.TABLE, parts)

    def poll(self, device: int, values: dict[str, str | None], bad: dict[str, int]) -> int:
        """Add a poll from decimal texts; bad: point -> quality code."""
        _, name, points = next(entry for entry in DEVICES if entry[0] == device)
        mantissas, qualities = [], []
        for at, (point, _, places, _) in enumerate(points):
            text = values[point]
            mantissas.append(None if text is None else int(Decimal(text).scaleb(places)))
            if point in bad:
                qualities += [at, bad[point]]
        seq = self.append(Kind.POLL, [device, mantissas, qualities, [0, b"\x01\x02"]])
        names = ("good", "sentinel", "range", "timeout", "corrupt", "exception", "backwards")
        for point, unit, places, _ in points:
            text = values[point]
            # quantize shows every place, as the view must
            shown = (
                None if text is None else str(Decimal(text).quantize(Decimal(1).scaleb(-places)))
            )
            quality = names[bad.get(point, 0)]
            wall_ms = START_MS + POLL_MS * seq
            self.readings.append(Reading(seq, name, point, unit, shown, quality, wall_ms))
        return seq

    def interval(self, streams: list, totals: list) -> int:
        start_ms = START_MS + POLL_MS * len(self.records)
        return self.append(Kind.INTERVAL, [start_ms, start_ms + 60_000, streams, totals])

    def batch(self, first: int, last: int, key: bytes | None = None) -> bytes:
        """The payload for records first..last."""
        before = self.hashes[first - 1] if first else chain.genesis(self.gateway, self.epoch)
        records = tuple(self.records[first : last + 1])
        sealed_with = self.key if key is None else key
        return encode_batch(
            self.gateway, self.epoch, before, records, self.hashes[last], sealed_with
        )

    def cut(self, *lasts: int) -> list[bytes]:
        """Payloads that end at these seq numbers, one after the other from 0."""
        firsts = [0, *(last + 1 for last in lasts[:-1])]
        return [self.batch(first, last) for first, last in zip(firsts, lasts, strict=True)]


def factory(polls: int = 20, seed: int = 1, **identity) -> Journal:
    """A table, a boot event, polls of two devices with gaps and faults, an interval every ten."""
    draw = random.Random(seed)
    journal = Journal(**identity)
    journal.define()
    journal.append(Kind.EVENT, event_body("boot", {"count": 1, "why": "power", "raw": b"\xff"}))
    energy = Decimal("100.00")
    for number in range(polls):
        energy += Decimal(draw.randrange(0, 300)) / 100
        power = Decimal(draw.randrange(-50_000, 50_000)) / 10
        if number % 7 == 3:
            journal.poll(0, {"power": None, "energy": None}, {"power": 3, "energy": 3})
        else:
            journal.poll(0, {"power": str(power), "energy": str(energy)}, {})
        state = str(draw.randrange(0, 4))
        co2 = str(Decimal(draw.randrange(0, 150_000)) / 10_000)
        bad = {"t": 1} if number % 5 == 0 else {}
        temperature = None if bad else str(Decimal(draw.randrange(-100, 100)) / 10)
        journal.poll(3, {"co2": co2, "state": state, "t": temperature}, bad)
        if number % 10 == 9:
            journal.interval(
                [[1, int(energy * 100), 0, 1_234, -56_789, 10, 10]],
                [None, -56_789, -56_789, 1_234, 0 if number > 10 else 46_019_449],
            )
    return journal


class World:
    """A receiver on a store file, with one known gateway, and what it said."""

    def __init__(self, path: Path, keys: dict[tuple[str, str], bytes] | None = None) -> None:
        self.path = path
        self.now_ms = NOW_MS
        self.notices: list[tuple[str, dict]] = []
        self.store = SqliteStore(path)
        known = Keys({(TENANT, GATEWAY): KEY} if keys is None else keys)
        self.receiver = Receiver(
            self.store,
            known,
            lambda: self.now_ms,
            lambda name, fields: self.notices.append((name, fields)),
        )

    def query(self, sql: str, *values: object) -> list[tuple]:
        return self.store.query(sql, *values)

    def count(self, table: str) -> int:
        return self.query(f"SELECT count(*) FROM {table}")[0][0]


def resealed(payload: bytes, change, key: bytes = KEY) -> bytes:
    """A payload with its unpacked fields changed and an honest MAC again."""
    fields = pack.decode(payload)
    change(fields)
    fields[-1] = bytes(chain.HASH_BYTES)
    signed = pack.encode(fields)[:-34]
    return signed + pack.encode(chain.mac(key, chain.BATCH_PURPOSE, signed))


def acked(reply: Reply | None) -> Ack:
    assert reply is not None
    assert reply.topic == "carbontally/v1/park/gw-1/ack"
    return decode_ack(reply.payload, GATEWAY, KEY)


def content(world: World) -> dict[str, list[tuple]]:
    """Every row of every table, without the times at which we heard of it."""
    tables = [row[0] for row in world.query("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {}
    for table in tables:
        columns = [row[1] for row in world.query(f"PRAGMA table_info({table})")]
        stable = ", ".join(c for c in columns if c not in ("first_ms", "last_ms", "last_seen_ms"))
        found[table] = sorted(world.query(f"SELECT {stable} FROM {table}"), key=repr)
    return found
