# mypy: disable-error-code="attr-defined"
# ruff: noqa: B905, I001
"""The gateway on `machine.UART` and sockets, its journal in memory."""

import time

from edge.app.config import Library, Settings
from edge.app.definitions import Definitions, define_streams
from edge.app.gateway import Gateway
from edge.app.poller import Poller
from edge.app.recorder import Recorder
from edge.app.station import plan_station
from edge.app.uploader import Uploader
from edge.core.bus.plan import character_bits
from edge.core.bus.rtu import bytes_missing
from edge.core.carbon.account import Accountant
from edge.core.errors import BusError
from edge.core.journal.clock import ClockQuality
from edge.ports.contracts import Clock, Link
from edge.ports.esp32.socket_stream import SocketStream
from edge.ports.mqtt_uplink import MQTTUplink
from machine import UART, Pin
from twin_gateway import KEY, DigestStore

EPOCH_2000_MS = 946_684_800_000
LEAST_REPLY_BYTES = 5
STOP_MS = 10_000


class RtcClock(Clock):
    """Monotonic over the wrap of the ticks; the wall time is the board's."""

    def __init__(self) -> None:
        self._ticks = time.ticks_ms()
        self._mono_ms = 0

    def mono_ms(self) -> int:
        now = time.ticks_ms()
        self._mono_ms += time.ticks_diff(now, self._ticks)
        self._ticks = now
        return self._mono_ms

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000 + EPOCH_2000_MS

    def quality(self) -> int:
        return ClockQuality.SYNCED


class UartLink(Link):
    """One transaction at a time: DE around the request, then what comes, then silence."""

    def __init__(self, uart: UART, drive: Pin, baud: int) -> None:
        self._uart = uart
        self._drive = drive
        self._silence_ms = max(2, 38_500 // baud + 1)
        self._request = b""
        self._timeout_ms = 0
        self._reply = b""
        self._sent_ms = 0
        self._heard_ms = time.ticks_ms()
        self._quiet_ms = 0
        self.is_busy = False

    def start(self, request: bytes, timeout_ms: int, gap_ms: int = 0) -> None:
        self.is_busy = True
        self._request, self._timeout_ms, self._reply = request, timeout_ms, b""
        self._gap_ms = max(self._silence_ms, gap_ms, self._quiet_ms)
        self._is_sent = False

    def poll(self) -> "bytes | None":
        data = self._uart.read()
        if data:
            self._heard_ms = time.ticks_ms()
        if not self._is_sent:
            if time.ticks_diff(time.ticks_ms(), self._heard_ms) >= self._gap_ms:
                self._send()
            return None
        if data:
            self._reply += data
        if len(self._reply) >= LEAST_REPLY_BYTES and not bytes_missing(self._request, self._reply):
            self._quiet_ms = 0
            self.is_busy = False
            return self._reply
        waited_ms = time.ticks_diff(time.ticks_ms(), self._sent_ms)
        if waited_ms >= self._timeout_ms:
            self._fail("bus.short" if self._reply else "bus.timeout")
        return None

    def _send(self) -> None:
        self._drive.on()
        self._uart.write(self._request)
        self._uart.flush()
        self._drive.off()
        self._sent_ms = self._heard_ms = time.ticks_ms()
        self._is_sent = True

    def _fail(self, code: str) -> None:
        self.distrust()
        self.is_busy = False
        raise BusError(code, station=self._request[0], timeout_ms=self._timeout_ms)

    def distrust(self) -> None:
        self._quiet_ms = self._timeout_ms


def build(plan: dict) -> "tuple[Gateway, RtcClock, UartLink]":
    """Wire the gateway of `plan`, see `twin_gateway.Twin`; "broker_port" and "baud" too."""
    library = Library(
        lambda name, file, key: plan["profiles"][name],
        lambda name, file, key: plan["factors"][name],
    )
    settings = Settings(plan["document"], "gateway.toml", library)
    clock = RtcClock()
    store = DigestStore(settings.gateway)
    definitions = Definitions([])
    for found in settings.factor_sets:
        definitions.factor_set(found.id, found.digest)
    numbers = [definitions.device(device) for device in settings.devices]
    streams = define_streams(settings, numbers, definitions)
    bus = settings.buses[0]
    bits = character_bits(bus.format)
    stations = [
        plan_station(number, device, bus, bits)
        for number, device in zip(numbers, settings.devices)
    ]
    uart = UART(2, bus.baud, tx=17, rx=16, rxbuf=512)
    link = UartLink(uart, Pin(4, Pin.OUT, value=0), bus.baud)
    gateway = Gateway(
        [Poller(bus, stations, link, clock.mono_ms())],
        Recorder(store, clock, settings.commit_ms),
        Accountant(streams, settings.interval_ms),
        _uploader(plan, settings, store),
    )
    ancestors = {stream.number: definitions.predecessors(stream) for stream in streams}
    gateway.start(definitions.fresh, ancestors, clock.mono_ms())
    return gateway, clock, link


def _uploader(plan: dict, settings: Settings, store: DigestStore) -> Uploader:
    broker = settings.broker
    uplink = MQTTUplink("gw", broker.host, SocketStream(), time.ticks_ms, broker.port)
    return Uploader(
        uplink,
        store,
        settings.gateway,
        settings.tenant,
        KEY,
        settings.linger_ms,
        plan["records_max"],
    )


def run(plan: dict) -> Gateway:
    """Poll for "run_ms", then stop and drain; the gateway, is_drained unless it took too long."""
    gateway, clock, link = build(plan)
    while True:
        now_ms = clock.mono_ms()
        if now_ms >= plan["run_ms"]:
            gateway.stop()
        due_ms = gateway.step(now_ms)
        if gateway.stopping and (gateway.is_drained or now_ms >= plan["run_ms"] + STOP_MS):
            return gateway
        time.sleep_ms(5 if link.is_busy else max(1, min(100, due_ms - now_ms)))
