"""What `main.py` runs on an ESP32: the gateway of `edge.app` in a loop, and what keeps it alive.

A start counts as good after GOOD_MS. After CRASHES_MAX starts that were not, the board waits in
safe mode with its console open, tells why, and tries again.
"""

import gc

import edge.app.gateway
import edge.app.recorder
import edge.app.replay
from edge import VERSION
from edge.app.config import Library, Settings
from edge.app.counted_link import CountedLink
from edge.app.definitions import Definitions, define_streams
from edge.app.gateway import Gateway
from edge.app.poller import Poller
from edge.app.progress import Progress
from edge.app.recorder import Recorder
from edge.app.station import plan_station
from edge.app.uploader import Uploader
from edge.core.bus.plan import character_bits
from edge.core.carbon.account import Accountant
from edge.core.errors import TallyError
from edge.core.journal.record import Kind, decode_record
from edge.core.sync.topics import STATE, topic
from edge.ports.esp32.config_file import read_copies
from edge.ports.esp32.nvs import JournalMark
from edge.ports.esp32.ring_store import RingStore
from edge.ports.esp32.socket_stream import SocketStream
from edge.ports.mqtt_uplink import MQTTUplink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.ports.esp32.board import Board

CRASHES_MAX = 5
GOOD_MS = 60_000
SAFE_MS = 300_000

#: What a board has memory for: records of a batch, of a read at the start, waiting for the flash.
RECORDS_MAX = 8
REPLAY_CHUNK = 64
WAITING_MAX = 96

#: The longest the loop sleeps, and while a reply is awaited.
REST_MS = 50
BUSY_MS = 3

_WHY_BYTES = 100


class Program:
    """One start of a gateway. config: what `carbontally build esp32` made of gateway.toml."""

    def __init__(self, config: dict, board: "Board", problems: list[str], why: str) -> None:
        """problems: of the configuration's copies; why: what ended the last start, "" for well."""
        _bound_memory()
        self.board = board
        self.config = config
        self.clock = board.clock
        library = Library(
            lambda name, file, key: config["profiles"][name],
            lambda name, file, key: config["factors"][name],
            lambda name, file, key: config["tariffs"][name],
        )
        settings = Settings(config["document"], "config.json", library)
        board.feed()
        store = RingStore(board.partition(), settings.gateway, JournalMark(board.vault))
        board.feed()
        tables = [decode_record(data).body for data in store.of_kind(Kind.TABLE)]
        definitions = Definitions([part for table in tables for part in table])
        definitions.config(bytes.fromhex(config["digest"]), VERSION)
        for found in settings.factor_sets:
            definitions.factor_set(found.id, found.digest)
        numbers = [definitions.device(device) for device in settings.devices]
        streams = define_streams(settings, numbers, definitions)
        self.gateway = Gateway(
            self._pollers(settings, numbers, definitions),
            Recorder(store, self.clock, settings.commit_ms),
            Accountant(streams, settings.interval_ms, tuple(settings.tariffs)),
            self._uploader(settings, store),
        )
        ancestors = {stream.number: definitions.predecessors(stream) for stream in streams}
        now_ms = self.clock.mono_ms()
        self.gateway.start(definitions.fresh, ancestors, now_ms)
        self._tell_start(problems, why, now_ms)
        limit_ms = board.facts["watchdog_ms"] * 3 // 4
        self._progress = Progress(self.gateway, limit_ms, now_ms)
        self._limit_ms = limit_ms
        self._offline_ms = now_ms
        self._sntp = board.sntp(config["ntp"]) if config.get("ntp") else None

    def _tell_start(self, problems: list[str], why: str, now_ms: int) -> None:
        """Record why the board started."""
        fields: dict[str, object] = {"cause": self.board.reset_cause()}
        if why:
            fields["why"] = why
        if problems:
            fields["config"] = "; ".join(problems)
        self.gateway.recorder.event("gateway.reset", fields, now_ms)

    def _pollers(
        self, settings: Settings, numbers: list[int], definitions: Definitions
    ) -> list[Poller]:
        pollers = []
        for bus in settings.buses:
            bits = character_bits(bus.format)
            stations = [
                plan_station(number, device, bus, bits, *definitions.learned(number))
                for number, device in zip(numbers, settings.devices)
                if device.bus == bus.name
            ]
            link = CountedLink(self.board.link(bus.port, bus.baud, bus.format))
            pollers.append(Poller(bus, stations, link, self.clock.mono_ms()))
        return pollers

    def _uploader(self, settings: Settings, store: RingStore) -> Uploader:
        vault = self.board.vault
        uplink = MQTTUplink(
            "carbontally-" + settings.tenant + "-" + settings.gateway,
            settings.broker.host,
            SocketStream(self.config.get("ca", ""), self.clock.wall_ms),
            self.board.ticks.ms,
            settings.broker.port,
            settings.user,
            vault.text("password"),
            settings.keepalive_s,
            settings.broker.tls,
        )
        name = topic(settings.tenant, settings.gateway, STATE)
        uplink.set_last_will(name, b"offline", True, 1)
        return Uploader(
            uplink,
            store,
            settings.gateway,
            settings.tenant,
            vault.device_key(),
            settings.linger_ms,
            RECORDS_MAX,
        )

    def step(self) -> int:
        """One step of everything; the milliseconds until the next one is wanted."""
        now_ms = self.clock.mono_ms()
        self.board.join(self.config.get("wifi"), now_ms)
        if self._sntp is not None:
            self._sntp.step(now_ms)
        due_ms = self.gateway.step(now_ms)
        if not self._stalled(now_ms):
            self.board.feed()
        links = [poller.link.link for poller in self.gateway.pollers]  # type: ignore[attr-defined]
        if any(link.is_busy for link in links):
            return BUSY_MS
        return max(1, min(REST_MS, due_ms - self.clock.mono_ms()))

    def _stalled(self, now_ms: int) -> list[str]:
        """What stands still: a bus, the journal, or a connection that neither comes nor fails."""
        done = [poller.link.done for poller in self.gateway.pollers]  # type: ignore[attr-defined]
        stalled = self._progress.look(done, now_ms)
        if self.gateway.uploader.uplink.state != "connecting":
            self._offline_ms = now_ms
        elif now_ms - self._offline_ms >= self._limit_ms:
            stalled.append("uplink")
        return stalled


def _bound_memory() -> None:
    """Of the app's bounds, those that are for machines with more memory."""
    edge.app.replay.CHUNK = REPLAY_CHUNK
    edge.app.recorder.WAITING_MAX = WAITING_MAX
    edge.app.recorder.WAITING_ALL_MAX = WAITING_MAX + WAITING_MAX // 4


def run(board: "Board | None" = None) -> None:
    """Start, and go on until something ends it; then say what, and begin anew."""
    config: dict = {}
    problems: list[str] = []
    failure: Exception | None = None
    gc.collect()  # what loading the program left
    try:
        config, problems = read_copies()
    except TallyError as error:
        failure = error
    if board is None:
        from edge.ports.esp32.board import Board

        board = Board(config.get("board", {"watchdog_ms": GOOD_MS}))
    board.begin_watch()
    crashes = (board.vault.read("crashes") or b"\0")[0]
    why = board.vault.text("why") or ""
    if crashes >= CRASHES_MAX:
        _stay_safe(board, crashes, why)
        return
    board.vault.write("crashes", bytes((crashes + 1,)))
    try:
        if failure is not None:
            raise failure
        _run(config, board, problems, why)
    except Exception as error:  # whatever it is: tell it, and begin anew
        told = _describe(error)
        print("failed:", told)
        board.vault.write("why", told.encode()[:_WHY_BYTES])
        board.reset()


def _run(config: dict, board: "Board", problems: list[str], why: str) -> None:
    program = Program(config, board, problems, why)
    store = program.gateway.recorder.store
    print("gateway", VERSION, "boot", store.boot, "seq", store.next_seq)
    is_good = False
    while True:
        rest_ms = program.step()
        if not is_good and board.clock.mono_ms() >= GOOD_MS:
            is_good = True
            board.vault.write("crashes", b"\0")
            board.vault.write("why", b"")
        board.sleep(rest_ms)


def _stay_safe(board: "Board", crashes: int, why: str) -> None:
    """Leave the console to whoever looks, then try again."""
    print("safe mode:", crashes, "starts ended early, the last one by", why or "a cut or a hang")
    for _ in range(SAFE_MS // 1000):
        board.feed()
        board.sleep(1000)
    board.vault.write("crashes", b"\0")
    board.reset()


def _describe(error: Exception) -> str:
    if isinstance(error, TallyError):
        parts = [name + "=" + str(error.fields[name]) for name in sorted(error.fields, key=str)]
        return " ".join([error.code] + parts)
    return type(error).__name__ + " " + str(error)
