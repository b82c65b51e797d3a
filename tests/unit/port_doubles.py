"""In-memory ports after `edge.ports.contracts`: a register table behind a line, a journal in a
list, a clock that is set by hand, an uplink that keeps what is sent.

Nothing here uses the project's codecs: frames have a CRC computed bit by bit, acks are made with
msgpack and hmac.
"""

import hashlib
import hmac

import msgpack

from edge.core.errors import BusError, StoreError, SyncError
from edge.core.journal.clock import ClockQuality
from edge.ports.contracts import Clock, Link, Store, Uplink

KEY = bytes(range(32))
T0 = 1_800_000_000_000


class ManualClock(Clock):
    """Time as the test says; `start_wall_ms` is the wall time at mono 0, None for no clock."""

    def __init__(self, start_wall_ms: int | None = T0) -> None:
        self.mono = 0
        self.start_wall_ms = start_wall_ms
        self.stated = ClockQuality.SYNCED

    def mono_ms(self) -> int:
        return self.mono

    def wall_ms(self) -> int:
        return self.mono if self.start_wall_ms is None else self.start_wall_ms + self.mono

    def quality(self) -> int:
        return ClockQuality.UNSET if self.start_wall_ms is None else self.stated


class ListStore(Store):
    """A journal in a list; `opened_again` is what a restart finds."""

    def __init__(self, gateway: str = "gw-1", epoch: bytes = b"epoch--1") -> None:
        self.gateway, self.epoch, self.boot = gateway, epoch, 1
        self.genesis = hashlib.sha256(b"carbontally" + gateway.encode() + epoch).digest()
        self.rows: list[tuple[int, int, bytes, bytes]] = []
        self.appends: list[int] = []  # rows of each commit
        self.acked_seq = -1
        self.failing: str | None = None  # the code that writing fails with

    @property
    def next_seq(self) -> int:  # type: ignore[override]
        return len(self.rows)

    @property
    def head(self) -> bytes:  # type: ignore[override]
        return self.rows[-1][3] if self.rows else self.genesis

    def opened_again(self) -> "ListStore":
        again = ListStore(self.gateway, self.epoch)
        again.rows, again.acked_seq, again.boot = self.rows, self.acked_seq, self.boot + 1
        return again

    def _check(self) -> None:
        if self.failing is not None:
            raise StoreError(self.failing, file="journal", reason="as told")

    def append(self, rows: list[tuple[int, int, bytes, bytes]]) -> None:
        self._check()
        before = self.head
        for offset, (seq, _, data, digest) in enumerate(rows):
            assert seq == self.next_seq + offset
            before = hashlib.sha256(before + data).digest()
            assert digest == before
        self.rows.extend(rows)
        self.appends.append(len(rows))

    def read(self, first: int, last: int, most: int = 0) -> list[tuple[bytes, bytes]]:
        return [(data, digest) for _, _, data, digest in self.rows[max(0, first) : last + 1]]

    def hash_at(self, seq: int) -> bytes | None:
        if seq == -1:
            return self.genesis
        return self.rows[seq][3] if 0 <= seq < len(self.rows) else None

    def of_kind(self, kind: int) -> list[bytes]:
        return [data for _, found, data, _ in self.rows if found == kind]

    def last_of_kind(self, kind: int) -> bytes | None:
        found = self.of_kind(kind)
        return found[-1] if found else None

    def ack(self, seq: int) -> None:
        self._check()
        self.acked_seq = seq

    def close(self) -> None:
        pass

    def bodies(self, kind: int) -> list[list]:
        """Bodies of the records of a kind, read with msgpack."""
        return [msgpack.unpackb(data, raw=False)[6] for data in self.of_kind(kind)]

    def records(self) -> list[list]:
        return [msgpack.unpackb(data, raw=False) for _, _, data, _ in self.rows]


def crc16(data: bytes) -> bytes:
    """The two CRC bytes as they are sent, computed bit by bit."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc.to_bytes(2, "little")


class TableLink(Link):
    """Stations that answer from a register table, with faults on demand.

    registers: (station, function, address) -> value; an address without one is exception 2.
    silent: stations that do not answer. faults: what becomes of the next replies, first come
    first served: None (good), "damage", "mute", "port", "noise" or the number of an exception.
    """

    REPLY_MS = 30

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.registers: dict[tuple[int, int, int], int] = {}
        self.silent: set[int] = set()
        self.faults: list[str | int | None] = []
        self.requests: list[tuple[int, int, int, int]] = []
        self.waits: list[tuple[int, int]] = []
        self.distrusted = 0
        self.ready_ms: int | None = None
        self._outcome: bytes | BusError = b""
        self.latency_us = 1000 * (self.REPLY_MS - 20)

    def start(self, request: bytes, timeout_ms: int, gap_ms: int = 0) -> None:
        assert self.ready_ms is None, "a transaction is running"
        assert crc16(request[:-2]) == request[-2:]
        station, function = request[0], request[1]
        address, count = (int.from_bytes(request[i : i + 2], "big") for i in (2, 4))
        self.requests.append((station, function, address, count))
        self.waits.append((timeout_ms, gap_ms))
        fault = self.faults.pop(0) if self.faults else None
        if station in self.silent or fault == "mute":
            self._outcome = BusError("bus.timeout", station=station)
            self.ready_ms = self.clock.mono + timeout_ms
            return
        self.ready_ms = self.clock.mono + self.REPLY_MS
        if fault in ("port", "noise"):
            self._outcome = BusError(f"bus.{fault}", port="tty", station=station, reason="told")
            return
        self._outcome = self._reply(station, function, address, count, fault)

    def _reply(self, station: int, function: int, address: int, count: int, fault) -> bytes:
        keys = [(station, function, address + offset) for offset in range(count)]
        if isinstance(fault, int) or any(key not in self.registers for key in keys):
            body = bytes((station, function | 0x80, fault if isinstance(fault, int) else 2))
            return body + crc16(body)
        body = bytes((station, function, 2 * count))
        body += b"".join(self.registers[key].to_bytes(2, "big") for key in keys)
        reply = bytearray(body + crc16(body))
        if fault == "damage":
            reply[4] ^= 0x10
        return bytes(reply)

    def poll(self) -> bytes | None:
        assert self.ready_ms is not None, "no transaction is running"
        if self.clock.mono < self.ready_ms:
            return None
        self.ready_ms = None
        if isinstance(self._outcome, BusError):
            raise self._outcome
        return self._outcome

    def distrust(self) -> None:
        self.distrusted += 1

    def close(self) -> None:
        pass

    def put_u32(self, station: int, function: int, address: int, value: int) -> None:
        self.registers[(station, function, address)] = value >> 16
        self.registers[(station, function, address + 1)] = value & 0xFFFF


class MemoryUplink(Uplink):
    """A broker next door: connects at the second look, keeps what is sent, can be cut."""

    def __init__(self) -> None:
        self.state = "offline"
        self.reachable = True
        self.room = 1 << 30  # messages it still takes
        self.starts = 0
        self.subscribed: list[str] = []
        self.sent: list[tuple[str, bytes, bool, int]] = []
        self.inbox: list[tuple[bytes, bytes]] = []
        self._callback = None

    def set_callback(self, callback) -> None:
        self._callback = callback

    def start(self, clean_session: bool = True) -> None:
        assert self.state == "offline"
        self.starts += 1
        self.state = "connecting"

    def check_msg(self) -> int:
        if not self.reachable:
            self.state = "offline"
            raise SyncError("sync.offline", server="broker", reason="cut")
        if self.state == "connecting":
            self.state = "online"
            self.on_connect(False)
        messages, self.inbox = self.inbox, []
        for topic, payload in messages:
            self._callback(topic, payload)
        return len(messages)

    def wait_ms(self) -> int | None:
        return 0 if self.state == "connecting" or self.inbox else None

    def send(self, topic, payload, retain: bool = False, qos: int = 0) -> int | None:
        if self.state != "online":
            raise SyncError("sync.offline", server="broker", reason="not online")
        if self.room <= 0:
            return None
        self.room -= 1
        self.sent.append((topic, bytes(payload), retain, qos))
        return len(self.sent)

    def send_subscribe(self, topic, qos: int = 0) -> int | None:
        self.subscribed.append(topic)
        return 1

    def close(self) -> None:
        self.state = "offline"

    def batches(self) -> list[bytes]:
        return [payload for topic, payload, _, _ in self.sent if topic.endswith("/batch")]


def ack_payload(
    seq: int,
    digest: bytes,
    epoch: bytes = b"epoch--1",
    gateway: str = "gw-1",
    key: bytes = KEY,
    gaps: tuple[int, ...] = (),
    fork: tuple[int, bytes] | None = None,
) -> bytes:
    """An acknowledgement made from the layout alone."""
    fields = [2 if fork else 1, gateway, epoch, seq, digest, list(gaps), T0, *(fork or ())]
    signed = bytes((0x91 + len(fields),)) + b"".join(
        msgpack.packb(field, use_bin_type=True) for field in fields
    )
    seal = hmac.new(key, b"carbontally ack 1" + signed, hashlib.sha256).digest()
    return signed + msgpack.packb(seal, use_bin_type=True)
