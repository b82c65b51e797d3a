# ruff: noqa: B905, UP031
"""A whole gateway on ports that do the same everywhere; runs on CPython and on MicroPython.

Its bus, its store, its cloud and its time are functions of the configuration, so every byte that
two interpreters make differently shows in the digests that it prints: of all records by kind, of
the chain's head and of all batches.
"""

import hashlib

from edge.app.definitions import Definitions, number_streams, state_facts
from edge.app.gateway import Gateway
from edge.app.gateway_plan import decode_plan
from edge.app.poller import Poller
from edge.app.recorder import Recorder
from edge.app.station_plan import plan_station
from edge.app.uploader import Uploader
from edge.core.bus.rtu import crc16
from edge.core.carbon.account import Accountant
from edge.core.errors import BusError
from edge.core.journal.clock import ClockQuality
from edge.core.journal.record import Kind
from edge.core.sync.ack import Ack, encode_ack
from edge.ports.contracts import Clock, Link, Store, Uplink

T0_MS = 1_800_000_000_000
KEY = bytes(range(32))
EPOCH = b"epoch--1"
REPLY_MS = 47
HOUR_MS = 3_600_000
#: The cloud answers every so many looks, so that some batches wait for their ack.
ACK_AFTER_LOOKS = 3
#: One transaction in so many finds no answer.
SILENT_EVERY = 997


class SteppedClock(Clock):
    def __init__(self) -> None:
        self.now_ms = 0

    def mono_ms(self) -> int:
        return self.now_ms

    def wall_ms(self) -> int:
        # A crystal of 20 ppm against the network's time: now and then the anchor moves.
        return T0_MS + self.now_ms + self.now_ms // 50_000

    def quality(self) -> int:
        return ClockQuality.SYNCED


class MeterLink(Link):
    """Stations whose 32-bit points grow with the time, each at a rate of its own."""

    def __init__(self, clock: SteppedClock) -> None:
        self.clock = clock
        self.ready_ms: int | None = None
        self.latency_us = 1000 * (REPLY_MS - 20)
        self._request = b""
        self._transactions = 0

    def start(self, request: bytes, timeout_ms: int, gap_ms: int = 0) -> None:
        self._transactions += 1
        self._request = request
        is_silent = self._transactions % SILENT_EVERY == 0
        self.ready_ms = self.clock.now_ms + (timeout_ms if is_silent else REPLY_MS)

    def poll(self) -> "bytes | None":
        if self.ready_ms is None or self.clock.now_ms < self.ready_ms:
            return None
        self.ready_ms = None
        station = self._request[0]
        if self._transactions % SILENT_EVERY == 0:
            raise BusError("bus.timeout", station=station, timeout_ms=300)
        address = int.from_bytes(self._request[2:4], "big")
        count = int.from_bytes(self._request[4:6], "big")
        body = bytearray((station, self._request[1], 2 * count))
        for at in range(address, address + count):
            point = at >> 1
            grown_s = (self.clock.now_ms // 1000) * (37 * station + 11 * point + 5)
            value = (1000 * point + grown_s) % 2**32
            body.extend((value >> (0 if at & 1 else 16) & 0xFFFF).to_bytes(2, "big"))
        return bytes(body) + crc16(bytes(body)).to_bytes(2, "little")

    def distrust(self) -> None:
        pass

    def close(self) -> None:
        pass


class DigestStore(Store):
    """Keeps what is not acked, what the gateway asks for by kind, and a digest of everything."""

    def __init__(self, gateway: str) -> None:
        self.epoch, self.boot, self.acked_seq = EPOCH, 1, -1
        self.genesis = hashlib.sha256(b"carbontally" + gateway.encode() + EPOCH).digest()
        self.next_seq = 0
        self.head = self.genesis
        self.digests: dict[int, bytes] = {}
        self.counts: dict[int, int] = {}
        self._rows: list[tuple[int, bytes, bytes]] = []
        self._before = (-1, self.genesis)
        self._last: dict[int, bytes] = {}

    def append(self, rows: "list[tuple[int, int, bytes, bytes]]") -> None:
        for seq, kind, data, digest in rows:
            assert seq == self.next_seq
            assert digest == hashlib.sha256(self.head + data).digest()
            self.next_seq, self.head = seq + 1, digest
            self.digests[kind] = hashlib.sha256(self.digests.get(kind, b"") + data).digest()
            self.counts[kind] = self.counts.get(kind, 0) + 1
            if kind != Kind.POLL:
                self._last[kind] = data
            self._rows.append((seq, data, digest))

    def read(self, first: int, last: int, most: int = 0) -> "list[tuple[bytes, bytes]]":
        return [(data, digest) for seq, data, digest in self._rows if first <= seq <= last]

    def hash_at(self, seq: int) -> "bytes | None":
        if seq == self._before[0]:
            return self._before[1]
        for found, _, digest in self._rows:
            if found == seq:
                return digest
        return self.genesis if seq == -1 else None

    def of_kind(self, kind: int) -> "list[bytes]":
        return [self._last[kind]] if kind in self._last else []

    def last_of_kind(self, kind: int) -> "bytes | None":
        return self._last.get(kind)

    def ack(self, seq: int) -> None:
        while self._rows and self._rows[0][0] <= seq:
            row = self._rows.pop(0)
            self._before = (row[0], row[2])
        self.acked_seq = seq

    def close(self) -> None:
        pass


class NextDoorCloud(Uplink):
    """Takes every batch, and acks what came before, a few looks later."""

    def __init__(self, store: DigestStore, gateway: str) -> None:
        self.state = "offline"
        self.store = store
        self.gateway = gateway
        self.digest = b""
        self.batches = 0
        self.batch_bytes = 0
        self._ack: tuple[int, bytes] | None = None
        self._looks = 0
        self._topic = b""
        self._callback: object = None

    def set_callback(self, callback: object) -> None:
        self._callback = callback

    def start(self, clean_session: bool = True) -> None:
        self.state = "connecting"

    def check_msg(self) -> int:
        if self.state == "connecting":
            self.state = "online"
            self.on_connect(False)  # type: ignore[misc]
        if self._ack is None:
            return 0
        self._looks += 1
        if self._looks < ACK_AFTER_LOOKS:
            return 0
        seq, digest = self._ack
        self._ack, self._looks = None, 0
        ack = Ack(self.gateway, EPOCH, seq, digest, (), T0_MS, None)
        self._callback(self._topic, encode_ack(ack, KEY))  # type: ignore[operator]
        return 1

    def wait_ms(self) -> "int | None":
        return None if self._ack is None and self.state != "connecting" else 0

    def send(
        self,
        topic: "str | bytes",
        payload: "str | bytes | bytearray",
        retain: bool = False,
        qos: int = 0,
    ) -> "int | None":
        if topic.endswith("/batch"):  # type: ignore[arg-type]
            self.digest = hashlib.sha256(self.digest + bytes(payload)).digest()  # type: ignore[arg-type]
            self.batches += 1
            self.batch_bytes += len(payload)
            self._ack = (self.store.next_seq - 1, self.store.head)
        return self.batches + 1

    def send_subscribe(self, topic: "str | bytes", qos: int = 0) -> "int | None":
        self._topic = topic.encode()  # type: ignore[union-attr]
        return 1

    def close(self) -> None:
        self.state = "offline"


class Twin:
    """A gateway on these ports."""

    def __init__(
        self, stated: object, sets: object, blocks: object, define: object, records_max: int
    ) -> None:
        """stated: Settings or a GatewayPlan. sets: (id, digest) of its factor sets.

        blocks: per device the reads that were planned before. define: (numbers, definitions) ->
        streams, numbered. records_max: a batch is made in memory, and a board has little.
        """
        self.clock = SteppedClock()
        self.store = DigestStore(stated.gateway)  # type: ignore[attr-defined]
        self.cloud = NextDoorCloud(self.store, stated.gateway)  # type: ignore[attr-defined]
        definitions = Definitions([])
        for name, digest in sets:  # type: ignore[attr-defined]
            definitions.factor_set(name, digest)
        numbers = [definitions.device(device) for device in stated.devices]  # type: ignore
        streams = define(numbers, definitions)  # type: ignore[operator]
        planned = list(zip(numbers, stated.devices, blocks))  # type: ignore
        self.links: list[MeterLink] = []
        pollers = []
        for bus in stated.buses:  # type: ignore[attr-defined]
            stations = [
                plan_station(number, device, bus, blocks=given)
                for number, device, given in planned
                if device.bus == bus.name
            ]
            self.links.append(MeterLink(self.clock))
            pollers.append(Poller(bus, stations, self.links[-1], 0))
        self.gateway = Gateway(
            pollers,
            Recorder(self.store, self.clock, stated.commit_ms),  # type: ignore[attr-defined]
            Accountant(streams, stated.interval_ms, tuple(stated.tariffs)),  # type: ignore
            self._uploader(stated, records_max),
        )
        ancestors = {stream.number: definitions.predecessors(stream) for stream in streams}
        self.gateway.start(definitions.fresh(), ancestors, 0)

    def _uploader(self, stated: object, records_max: int) -> Uploader:
        return Uploader(
            self.cloud,
            self.store,
            stated.gateway,  # type: ignore[attr-defined]
            stated.tenant,  # type: ignore[attr-defined]
            KEY,
            stated.linger_ms,  # type: ignore[attr-defined]
            records_max,
        )

    def run(self, until_ms: int, rest: object) -> None:
        """Step up to `until_ms`; rest: called after each step, the place to collect garbage."""
        clock = self.clock
        while clock.now_ms < until_ms:
            due_ms = self.gateway.step(clock.now_ms)
            for link in self.links:
                if link.ready_ms is not None:
                    due_ms = min(due_ms, link.ready_ms)
            clock.now_ms = max(clock.now_ms + 1, due_ms)
            rest()  # type: ignore[operator]

    def lines(self) -> "list[str]":
        """What has been made, in digests."""
        hexed = ["%d %s" % (self.store.next_seq, self.store.head.hex())]
        for kind in sorted(self.store.digests, key=int):
            digest = self.store.digests[kind].hex()
            hexed.append("kind %d: %d %s" % (kind, self.store.counts[kind], digest))
        cloud = self.cloud
        totals = (cloud.batches, cloud.batch_bytes, cloud.digest.hex())
        hexed.append("batches %d of %d bytes %s" % totals)
        return hexed


def twin_of_plan(data: bytes, records_max: int) -> Twin:
    """The twin as a device makes it. data: a plan, encoded."""
    plan = decode_plan(data)

    def define(numbers: list, definitions: Definitions) -> object:
        streams = number_streams(plan.streams, numbers, definitions)
        state_facts(plan, definitions)
        return streams

    return Twin(plan, plan.factor_sets, plan.blocks, define, records_max)
