"""Two meters, their gateway and its receiver in virtual time, with restarts and outages."""

from itertools import accumulate

from edge.app.config import Library, Settings
from edge.app.definitions import Definitions, define_streams
from edge.app.gateway import Gateway
from edge.app.poller import Poller
from edge.app.recorder import Recorder
from edge.app.station_plan import plan_station
from edge.app.uploader import Uploader
from edge.core.carbon.account import Accountant
from edge.core.journal.record import Kind
from edge.core.sync.batch import decode_batch
from edge.ports.linux import files

from .port_doubles import KEY, T0, ListStore, ManualClock, MemoryUplink, TableLink, ack_payload

HOUR_MS = 3_600_000
INTERVAL_MS = 900_000
POLL_MS = 60_000
ACK_TOPIC = b"carbontally/v1/wuxi/gw-1/ack"

POINTS = [
    {
        "name": "energy",
        "address": 0,
        "type": "u32",
        "scale": "0.01",
        "unit": "kW.h",
        "places": 2,
        "class": "counter",
        "evidence": True,
    },
    {
        "name": "power",
        "address": 200,
        "type": "u16",
        "scale": "1",
        "unit": "W",
        "places": 0,
        "class": "gauge",
    },
]
PROFILE = {
    "id": "meter",
    "function": 4,
    "word_order": "big",
    "byte_order": "big",
    "max_block_registers": 80,
    "points": POINTS,
}
DOCUMENT = {
    "gateway": {"id": "gw-1", "tenant": "wuxi", "key_file": "k", "journal": "j"},
    "uplink": {"broker": "mqtts://h", "linger_ms": 60_000},
    "accounting": {"interval_s": INTERVAL_MS // 1000},
    "bus": [{"name": "a", "port": "p"}],
    "device": [
        {"name": name, "bus": "a", "station": station, "profile": "meter", "poll_ms": POLL_MS}
        for name, station in (("grid", 1), ("line", 2))
    ],
    "stream": [
        {"name": name, "kind": kind, "point": name + ".energy", **factor}
        for name, kind, factor in (
            ("grid", "grid_import", {"factor": "electricity_fossil"}),
            ("line", "memo", {}),
        )
    ],
}


def load_w(minute: int) -> int:
    """A factory day: a base, two shifts, a ripple."""
    shift = 400_000 if 480 <= minute % 1440 < 1320 else 0
    return 120_000 + shift + 997 * (minute % 37)


#: Sum of the load over the first n minutes, two days long.
WATT_MINUTES = [0, *accumulate(load_w(minute) for minute in range(2 * 1440))]


class Site:
    """What outlives a restart of the gateway: meters, wall time, journal, receiver."""

    def __init__(self, start_wall_ms: int | None = T0) -> None:
        self.start_wall_ms = start_wall_ms
        self.up_ms = 0  # since the beginning of the world
        self.store = ListStore()
        self.uplink = MemoryUplink()
        self.received: dict[int, bytes] = {}
        self.silent: set[int] = set()
        self.shift_register = 0
        self.head = -1
        self.start()

    def start(self) -> None:
        """Power on: a new boot of the same gateway on the same journal."""
        self.boot_ms = self.up_ms
        self.clock = ManualClock(None)
        self.set_clock(self.start_wall_ms)
        self.store = self.store.opened_again()
        self.link = TableLink(self.clock)
        self.link.silent = self.silent
        self.uplink.close()
        self.seen = len(self.uplink.sent)
        settings = self.settings()
        parts = [part for body in self.store.bodies(Kind.TABLE) for part in body]
        definitions = Definitions(parts)
        numbers = [definitions.device(device) for device in settings.devices]
        streams = define_streams(settings, numbers, definitions)
        stations = [
            plan_station(number, device, settings.buses[0])
            for number, device in zip(numbers, settings.devices, strict=True)
        ]
        self.gateway = Gateway(
            [Poller(settings.buses[0], stations, self.link, 0)],
            Recorder(self.store, self.clock, 1000),
            Accountant(streams, settings.interval_ms, tuple(settings.tariffs)),
            Uploader(self.uplink, self.store, "gw-1", "wuxi", KEY, settings.linger_ms),
        )
        self.gateway.shown = {}
        ancestors = {stream.number: definitions.predecessors(stream) for stream in streams}
        self.gateway.start(definitions.fresh(), ancestors, 0)

    def settings(self) -> Settings:
        """What the gateway is told at its next start."""
        return Settings(DOCUMENT, "f", Library(lambda *_: PROFILE, files.read_factors))

    def fill(self) -> None:
        """Put into the registers what they show now."""
        for station in (1, 2):
            self.link.put_u32(station, 4, 0, self.register(station))
            self.link.registers[(station, 4, 200)] = 1234

    def set_clock(self, wall_at_zero_ms: int | None) -> None:
        """The system clock is set; wall_at_zero_ms: wall time at the beginning of the world."""
        self.start_wall_ms = wall_at_zero_ms
        if wall_at_zero_ms is not None:
            self.clock.start_wall_ms = wall_at_zero_ms + self.boot_ms

    def register(self, station: int) -> int:
        """The energy register now, in 0.01 kW.h: the integral of the load."""
        minutes, rest_ms = divmod(self.up_ms, 60_000)
        watt_ms = 60_000 * WATT_MINUTES[minutes] + rest_ms * load_w(minutes)
        return 5_000_000 * station + watt_ms // (HOUR_MS * 10) + self.shift_register

    def run(self, until_ms: int) -> None:
        """Step whenever the gateway or a port wants it, up to `until_ms` of the world."""
        while self.up_ms < until_ms:
            self.fill()
            due_ms = self.gateway.step(self.clock.mono)
            assert due_ms >= self.clock.mono
            self.answer()
            wake_ms = due_ms if self.link.ready_ms is None else min(due_ms, self.link.ready_ms)
            self.clock.mono = max(self.clock.mono + 1, wake_ms)
            self.up_ms = self.boot_ms + self.clock.mono

    def answer(self) -> None:
        """The receiver: keeps what arrives, acks its contiguous head."""
        if len(self.uplink.sent) == self.seen:
            return
        fresh = [m[1] for m in self.uplink.sent[self.seen :] if m[0].endswith("/batch")]
        self.seen = len(self.uplink.sent)
        for payload in fresh:
            batch = decode_batch(payload, KEY)
            for offset, digest in enumerate(batch.hashes):
                assert self.received.setdefault(batch.first + offset, digest) == digest
        if fresh:
            while self.head + 1 in self.received:
                self.head += 1
            ack = ack_payload(self.head, self.received[self.head])
            self.uplink.inbox.append((ACK_TOPIC, ack))

    def stop(self) -> None:
        """A clean stop: the poll under way ends, everything is committed."""
        self.gateway.stop()
        self.run(self.up_ms + 5000)
        assert self.gateway.is_drained

    def events(self, code: str) -> list[dict]:
        found = [body[1] for body in self.store.bodies(Kind.EVENT) if body[0] == code]
        return [dict(zip(flat[::2], flat[1::2], strict=True)) for flat in found]

    def intervals(self) -> list[list]:
        return self.store.bodies(Kind.INTERVAL)

    def registers_recorded(self, device: int) -> list[int]:
        bodies = self.store.bodies(Kind.POLL)
        return [b[1][0] for b in bodies if b[0] == device and b[1][0] is not None]
