"""What `main.py` runs on an ESP32: the gateway of `edge.app` in a loop, and what keeps it alive.

A start counts as good after GOOD_MS. After CRASHES_MAX starts that were not, the board waits in
safe mode with its console open, tells why, and tries again. Power that fails is no crash: a board
that has its power back polls at once, however often it went.
"""

import gc
from binascii import a2b_base64

import edge.app.gateway
import edge.app.recorder
import edge.app.replay
import edge.app.uploader
from edge import VERSION
from edge.app.definitions import Definitions, number_streams, state_facts
from edge.app.gateway import Gateway
from edge.app.gateway_plan import GatewayPlan, decode_plan
from edge.app.poller import Poller
from edge.app.progress import Progress
from edge.app.recorder import Recorder
from edge.app.uploader import Uploader
from edge.core.carbon.account import Accountant
from edge.core.errors import ConfigError, TallyError
from edge.core.journal.record import Kind, decode_record
from edge.core.sync.topics import STATE, topic
from edge.ports.esp32.config_file import COPIES, mend_copies, read_copies
from edge.ports.esp32.nvs import JournalMark
from edge.ports.esp32.ring_store import RingStore
from edge.ports.esp32.socket_stream import SocketStream
from edge.ports.mqtt_uplink import MQTTUplink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.app.station import Station
    from edge.ports.esp32.board import Board

CRASHES_MAX = 5
GOOD_MS = 60_000
SAFE_MS = 300_000

#: What a board has memory for: records of a batch and their bytes, records of a read at the start,
#: waiting for the flash.
RECORDS_MAX = 8
ROWS_BYTES = 1024
REPLAY_CHUNK = 1
LOOK_BACK = 64
WAITING_MAX = 96

#: Garbage after which the heap is cleared, so that batches and segments find room in one piece.
GARBAGE_BYTES = 16_384

#: The longest the loop sleeps, and while a reply is awaited.
REST_MS = 50
BUSY_MS = 3

#: While it only waits for a reply, everything else is looked at this often; its progress always.
LOOK_MS = 20
PROGRESS_MS = 500

_WHY_BYTES = 100


class Program:
    """One start of a gateway. config: what `carbontally build esp32` made of gateway.toml."""

    def __init__(self, config: dict, board: "Board", problems: list[str], why: str) -> None:
        """problems: of the configuration's copies; why: what ended the last start, "" for well."""
        _bound_memory()
        self.board = board
        self.config = config
        self.clock = board.clock
        plan = decode_plan(a2b_base64(config.pop("plan", "")))
        board.feed()
        store = RingStore(board.partition(), plan.gateway, JournalMark(board.vault))
        board.feed()
        self.gateway, fresh, ancestors = self._define(plan, store)
        del plan
        now_ms = self.clock.mono_ms()
        self.gateway.start(fresh, ancestors, now_ms)
        self._tell_start(problems, why, now_ms)
        limit_ms = board.facts["watchdog_ms"] * 3 // 4
        self._progress = Progress(self.gateway, limit_ms, now_ms)
        self._sntp = board.sntp(config["ntp"]) if config.get("ntp") else None
        self._links = [poller.link for poller in self.gateway.pollers]
        self._look_ms = self._progress_ms = now_ms

    def _define(
        self, plan: GatewayPlan, store: RingStore
    ) -> tuple[Gateway, list[list[object]], dict[int, list[int]]]:
        """The gateway, the definitions that are new, and the ancestors of its streams.

        All definitions of the journal are in memory here, and not any more when the rest of it is
        read.
        """
        tables = [decode_record(data).body for data in store.of_kind(Kind.TABLE)]
        definitions = Definitions([part for table in tables for part in table])
        definitions.config(bytes.fromhex(self.config["digest"]), VERSION)
        for set_id, digest in plan.factor_sets:
            definitions.factor_set(set_id, digest)
        numbers = [definitions.device(device) for device in plan.devices]
        streams = number_streams(plan.streams, numbers, definitions)
        state_facts(plan, definitions)
        gateway = Gateway(
            self._pollers(plan, numbers, definitions),
            Recorder(store, self.clock, plan.commit_ms),
            Accountant(streams, plan.interval_ms, plan.tariffs),
            self._uploader(plan, store),
        )
        ancestors = {stream.number: definitions.predecessors(stream) for stream in streams}
        return gateway, definitions.fresh, ancestors

    def _tell_start(self, problems: list[str], why: str, now_ms: int) -> None:
        """Record why the board started."""
        fields: dict[str, object] = {"cause": self.board.reset_cause()}
        if why:
            fields["why"] = why
        if problems:
            fields["config"] = "; ".join(problems)
        self.gateway.recorder.event("gateway.reset", fields, now_ms)

    def _pollers(
        self, plan: GatewayPlan, numbers: list[int], definitions: Definitions
    ) -> list[Poller]:
        from edge.app.station_plan import plan_station
        from edge.core.bus.plan import character_bits

        pollers = []
        for bus in plan.buses:
            bits = character_bits(bus.format)
            stations: list[Station] = []
            for number, device, blocks in zip(numbers, plan.devices, plan.blocks):
                if device.bus == bus.name:
                    known = definitions.learned(number)
                    made = plan_station(number, device, bus, bits, *known, blocks, stations)
                    stations.append(made)
            link = self.board.link(bus.port, bus.baud, bus.format)
            pollers.append(Poller(bus, stations, link, self.clock.mono_ms()))
        return pollers

    def _uploader(self, plan: GatewayPlan, store: RingStore) -> Uploader:
        vault = self.board.vault
        uplink = MQTTUplink(
            "carbontally-" + plan.tenant + "-" + plan.gateway,
            plan.broker.host,
            SocketStream(self.config.get("ca", ""), self.clock.wall_ms),
            self.board.ticks.ms,
            plan.broker.port,
            plan.user,
            vault.text("password"),
            plan.keepalive_s,
            plan.broker.tls,
        )
        name = topic(plan.tenant, plan.gateway, STATE)
        uplink.set_last_will(name, b"offline", True, 1)
        return Uploader(
            uplink,
            store,
            plan.gateway,
            plan.tenant,
            vault.device_key(),
            plan.linger_ms,
            RECORDS_MAX,
        )

    def step(self) -> int:
        """One step of everything; the milliseconds until the next one is wanted."""
        now_ms = self.clock.mono_ms()
        if now_ms < self._look_ms and self._is_waiting():
            return BUSY_MS
        self.board.join(self.config.get("wifi"), now_ms)
        if self._sntp is not None:
            self._sntp.step(now_ms)
        due_ms = self.gateway.step(now_ms)
        self._look_ms = min(due_ms, now_ms + LOOK_MS)
        if now_ms >= self._progress_ms:
            self._progress_ms = now_ms + PROGRESS_MS
            if not self._progress.look(now_ms):
                self.board.feed()
        for link in self._links:
            if link.is_busy:  # type: ignore[attr-defined]
                return BUSY_MS
        return max(1, min(REST_MS, due_ms - self.clock.mono_ms()))

    def _is_waiting(self) -> bool:
        """True when a reply is awaited, and nothing has come on any bus since the last step."""
        is_any = False
        for link in self._links:
            if link.is_busy:  # type: ignore[attr-defined]
                if not link.is_waiting:  # type: ignore[attr-defined]
                    return False
                is_any = True
        return is_any


def _bound_memory() -> None:
    """Of the app's bounds, those that are for machines with more memory."""
    edge.app.replay.CHUNK = REPLAY_CHUNK
    edge.app.replay.LOOK_BACK = LOOK_BACK
    edge.app.recorder.WAITING_MAX = WAITING_MAX
    edge.app.recorder.WAITING_ALL_MAX = WAITING_MAX + WAITING_MAX // 4
    edge.app.uploader.ROWS_BYTES = ROWS_BYTES


def run(program: str = "", board: "Board | None" = None) -> None:
    """Start, and go on until something ends it; then say what, and begin anew.

    program: names this build of the program; the configuration has to be for it.
    """
    config: dict = {}
    problems: list[str] = []
    failure: Exception | None = None
    try:
        config, problems = read_copies()
        mend_copies(problems)
        found = config.get("program", "")
        if found != program:
            raise ConfigError("config.build", file=COPIES[0], found=found, expected=program)
    except TallyError as error:
        failure = error
    if board is None:
        from edge.ports.esp32.board import Board

        board = Board(config.get("board", {"watchdog_ms": GOOD_MS}))
    board.begin_watch()
    crashes = (board.vault.read("crashes") or b"\0")[0]
    if board.reset_cause() == "power":
        crashes = 0
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
    gc.threshold(GARBAGE_BYTES)  # type: ignore[attr-defined]
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
    print("safe mode:", crashes, "starts ended early, the last one by", why or "a hang")
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
