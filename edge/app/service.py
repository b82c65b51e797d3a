"""`carbontally run`: the gateway alone on Linux, what systemd starts.

Stops cleanly on SIGTERM or SIGINT: the poll under way ends, everything is committed, and what
the broker takes within DRAIN_MS is sent; the rest stays in the journal.
"""

import argparse
import json
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import NoReturn

from edge import VERSION
from edge.app.config import Library, Settings
from edge.app.counted_link import CountedLink
from edge.app.definitions import Definitions, define_streams
from edge.app.gateway import Gateway
from edge.app.output import Lines
from edge.app.poller import Poller
from edge.app.recorder import Recorder
from edge.app.station_plan import plan_station
from edge.app.status import status_of
from edge.app.supervision import Supervision
from edge.app.uploader import Uploader
from edge.core.carbon.account import Accountant
from edge.core.errors import UsageError
from edge.core.journal.record import Kind, decode_record
from edge.core.schema import check_document
from edge.ports.contracts import Uplink
from edge.ports.linux import files
from edge.ports.linux.clock import LinuxClock
from edge.ports.linux.deflate import Deflater
from edge.ports.linux.journal_space import read_space
from edge.ports.linux.notify import Notifier
from edge.ports.linux.serial_link import SerialLink
from edge.ports.linux.sqlite_store import SqliteStore
from edge.ports.linux.status_socket import StatusSocket
from edge.ports.linux.tcp import TcpStream
from edge.ports.linux.trace_file import TraceFile
from edge.ports.mqtt_uplink import MQTTUplink

SCHEMA = Path(__file__).with_name("gateway.schema.json")

#: SIGTERM to exit stays below 5 s: a poll under way, then this much for sending.
DRAIN_MS = 2_500
STOP_MS = 4_000

STATUS_MS = 1_000

#: The loop looks around at least this often, and this often while it stops.
WAIT_MS = 1_000
STOP_WAIT_MS = 100


class Waker:
    """Lets a worker thread end the loop's wait."""

    def __init__(self) -> None:
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)

    def wake(self) -> None:
        """End the wait that runs or comes next; from any thread or signal handler."""
        try:
            self._write.send(b"\0")
        except (BlockingIOError, OSError):
            pass  # full: a wake-up is pending already; closed: nobody waits any more

    def wait(self, reading: list[int], writing: list[int], timeout_ms: int) -> None:
        """Wait for a wake-up, for a descriptor to be readable or writable, or for time to pass."""
        fds = [self._read.fileno(), *reading]
        ready, _, _ = select.select(fds, writing, [], timeout_ms / 1000)
        if self._read.fileno() in ready:
            self._read.recv(4096)


def read_settings(path: Path) -> tuple[Settings, bytes]:
    """Settings and the configuration's bytes; ConfigError before anything is opened."""
    data = files.read_bytes(path)
    document = files.parse_toml(data, str(path))
    check_document(document, json.loads(SCHEMA.read_text("utf-8")), str(path))
    folder = path.resolve().parent
    library = Library(
        files.read_profile,
        files.read_factors,
        lambda name, file, key: files.read_tariff(folder / name),
    )
    settings = Settings(document, str(path), library)
    return settings, data


class Service:
    """One gateway process: ports, gateway, loop."""

    def __init__(self, path: Path, trace: Path | None = None) -> None:
        """Read everything that can be wrong first; open the journal and the ports last.

        trace: a folder for one trace file a bus, None for none.
        """
        settings, data = read_settings(path)
        self._folder = path.resolve().parent
        key = files.read_key(self._folder / settings.key_file)
        self.waker = Waker()
        uplink, self._stream = self._uplink(settings)
        self.clock = LinuxClock()
        self.store = SqliteStore(
            self._folder / settings.journal, settings.gateway, quota_bytes=settings.quota_bytes
        )
        tables = (decode_record(data).body for data in self.store.each_of_kind(Kind.TABLE))
        definitions = Definitions(part for table in tables for part in table)
        definitions.config(files.digest(data), VERSION)
        for found in settings.factor_sets:
            definitions.factor_set(found.id, found.digest)
        numbers = [definitions.device(device) for device in settings.devices]
        streams = define_streams(settings, numbers, definitions)
        self.gateway = Gateway(
            self._pollers(settings, numbers, definitions, trace),
            Recorder(self.store, self.clock, settings.commit_ms),
            Accountant(streams, settings.interval_ms, tuple(settings.tariffs)),
            Uploader(
                uplink,
                self.store,
                settings.gateway,
                settings.tenant,
                key,
                settings.linger_ms,
                shrink=Deflater(settings.gateway, key).shrink if settings.deflate else None,
            ),
        )
        ancestors = {stream.number: definitions.predecessors(stream) for stream in streams}
        self.gateway.start(definitions.fresh(), ancestors, self.clock.mono_ms())
        self._stop_at_ms: int | None = None
        self.notifier = Notifier()
        self.supervision = self._supervision(settings.status_port)

    def _uplink(self, settings: Settings) -> tuple[Uplink, TcpStream]:
        folder = self._folder
        ca_file = None if settings.ca_file is None else str(folder / settings.ca_file)
        password = None
        if settings.password_file is not None:
            password = files.read_password(folder / settings.password_file)
        stream = TcpStream(ca_file, wake=self.waker.wake)
        uplink = MQTTUplink(
            "carbontally-" + settings.tenant + "-" + settings.gateway,
            settings.broker.host,
            stream,
            lambda: time.monotonic_ns() // 1_000_000,
            settings.broker.port,
            settings.user,
            password,
            settings.keepalive_s,
            settings.broker.tls,
        )
        uplink.set_last_will(
            "carbontally/v1/" + settings.tenant + "/" + settings.gateway + "/state",
            b"offline",
            True,
            1,
        )
        return uplink, stream

    def _supervision(self, port: int | None) -> Supervision:
        self.gateway.shown = {}
        return Supervision(
            self.gateway,
            None if port is None else StatusSocket(port),
            lambda: read_space(self.store, self.store.remover.limit_bytes()),
            self.notifier,
            self.clock.mono_ms(),
        )

    def _pollers(
        self,
        settings: Settings,
        numbers: list[int],
        definitions: Definitions,
        trace: Path | None,
    ) -> list[Poller]:
        pollers = []
        now_ms = self.clock.mono_ms()
        for bus in settings.buses:
            stations = [
                plan_station(number, device, bus, *definitions.learned(number))
                for number, device in zip(numbers, settings.devices, strict=True)
                if device.bus == bus.name
            ]
            port = str(self._folder / bus.port)  # an absolute port stays as it is
            heard = None
            if trace is not None:
                heard = TraceFile(trace / f"{bus.name}.ndjson", bus.baud, bus.format).heard
            link = CountedLink(SerialLink(port, bus.baud, bus.format, self.waker.wake, heard))
            pollers.append(Poller(bus, stations, link, now_ms))
        return pollers

    def stop(self, *_: object) -> None:
        """Begin a clean stop; a signal handler."""
        if self._stop_at_ms is None:
            self._stop_at_ms = self.clock.mono_ms()
        self.waker.wake()

    def run(self, as_json: bool) -> int:
        """Step until stopped; return the exit status."""
        status_at_ms = 0
        lines = Lines(as_json)
        self.notifier.ready()
        while True:
            now_ms = self.clock.mono_ms()
            if self._stop_at_ms is not None:
                if not self.gateway.stopping:
                    self.notifier.stopping()
                self.gateway.stop()
            due_ms = self.gateway.step(now_ms)
            self.supervision.step(now_ms)
            if lines.are_wanted and now_ms >= status_at_ms:
                lines.say(json.dumps(status_of(self.gateway, now_ms)))
                status_at_ms = now_ms + STATUS_MS
            if self._is_over(now_ms):
                break
            if lines.are_wanted:
                due_ms = min(due_ms, status_at_ms)
            self._wait(min(due_ms, self.supervision.next_ms()))
        self._close()
        if lines.are_wanted:
            lines.say(json.dumps({**status_of(self.gateway, now_ms), "event": "stopped"}))
        return 0

    def _wait(self, due_ms: int) -> None:
        """Until `due_ms`, or until a port has something to say."""
        most_ms = WAIT_MS if self._stop_at_ms is None else STOP_WAIT_MS
        reading, writing = self.supervision.descriptors()
        descriptor = self._stream.fileno()
        if descriptor >= 0:
            reading.append(descriptor)
            if self._stream.is_writing:
                writing.append(descriptor)
        self.waker.wait(reading, writing, max(0, min(due_ms - self.clock.mono_ms(), most_ms)))

    def _is_over(self, now_ms: int) -> bool:
        if self._stop_at_ms is None:
            return False
        stopping_ms = now_ms - self._stop_at_ms
        idle_and_safe = self.gateway.idle and self.gateway.recorder.waiting == 0
        if self.gateway.is_drained or (idle_and_safe and stopping_ms >= DRAIN_MS):
            return True
        return stopping_ms >= STOP_MS

    def _close(self) -> None:
        self.gateway.recorder.commit(self.clock.mono_ms(), True)
        self.gateway.uploader.close()
        self.supervision.close()
        for poller in self.gateway.pollers:
            poller.link.close()
        self.store.close()


class _Options(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError("usage.options", reason=message)


def main(argv: list[str]) -> int:
    """Parse the options, run the gateway, return the exit status."""
    parser = _Options(prog="carbontally run", description="Run the gateway.")
    parser.add_argument("-c", "--config", type=Path, required=True, help="gateway.toml")
    parser.add_argument("--json", action="store_true", help="one status object a second")
    parser.add_argument("--trace", type=Path, help="folder for a trace of each bus while it polls")
    options = parser.parse_args(argv)
    service = Service(options.config, options.trace)
    signal.signal(signal.SIGTERM, service.stop)
    signal.signal(signal.SIGINT, service.stop)
    _announce(service)
    return service.run(options.json)


def _announce(service: Service) -> None:
    store = service.store
    print(
        f"carbontally {VERSION}: boot {store.boot}, journal {store.path} at seq {store.next_seq},"
        f" {store.next_seq - 1 - store.acked_seq} records to send",
        file=sys.stderr,
        flush=True,
    )
