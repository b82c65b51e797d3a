"""A start of the gateway on an ESP32: what it runs on, taken from the flash and put together.

After CRASHES_MAX starts that were not good, the board waits in safe mode with its console open,
tells why, and tries again. Power that fails is no crash: a board that has its power back polls at
once, however often it went.

What lives on is made of classes and functions of other modules: this one goes after a start.
"""

from binascii import a2b_base64

from edge import VERSION
from edge.app.definitions import Definitions, number_streams, state_facts
from edge.app.gateway import Gateway
from edge.app.gateway_plan import GatewayPlan, decode_plan
from edge.app.poller import Poller
from edge.app.program import Program, bound_memory, fail
from edge.app.recorder import Recorder
from edge.app.uploader import Uploader
from edge.core.carbon.account import Accountant
from edge.core.errors import ConfigError
from edge.core.journal.record import Kind, Part, decode_record
from edge.core.sync.bounds import ACK_MAX_BYTES
from edge.core.sync.topics import ACK, STATE, topic
from edge.ports.esp32.board import Board
from edge.ports.esp32.board_parts import (
    begin_watch,
    find_partition,
    make_sntp,
    open_link,
    reset_cause,
)
from edge.ports.esp32.config_file import COPIES, mend_copies, read_copies
from edge.ports.esp32.nvs import JournalMark
from edge.ports.esp32.ring_store import RingStore
from edge.ports.esp32.socket_stream import SocketStream
from edge.ports.mqtt_uplink import MQTTUplink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TypeAlias

    from edge.app.station import Station

    #: As `program.take_up` takes it.
    Made: TypeAlias = (
        "tuple[Program, Iterable[list[object]], dict[int, list[int]], dict[str, object]]"
    )

CRASHES_MAX = 5
SAFE_MS = 300_000

#: Of a board that no configuration says anything about.
WATCHDOG_MS = 60_000

#: Records of a batch: what a board has memory for.
RECORDS_MAX = 8

#: What an MQTT packet of a message has beside topic and payload.
_MESSAGE_BYTES = 4


def make(program: str) -> "Made | None":
    """A gateway that has not taken up its journal yet, and what it is to begin with.

    None when there is none, which was told, and the board begins anew. program: names this build
    of the program; the configuration has to be for it.
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
    except Exception as error:  # a heap that is too small, too: nothing may end before the watch
        failure = error
    board = Board()
    facts = config.get("board", {"watchdog_ms": WATCHDOG_MS})
    begin_watch(board, facts["watchdog_ms"])
    why = _count_start(board)
    if why is None:
        return None
    try:
        if failure is not None:
            raise failure
        return _made(config, facts, board, _cause(problems, why))
    except Exception as error:  # whatever it is: tell it, and begin anew
        fail(board, error)
        return None


def _count_start(board: Board) -> str | None:
    """What ended the last start, "" for well; None when there were too many, which ended here."""
    crashes = (board.vault.read("crashes") or b"\0")[0]
    if reset_cause() == "power":
        crashes = 0
    why = board.vault.text("why") or ""
    if crashes < CRASHES_MAX:
        board.vault.note("crashes", bytes((crashes + 1,)))
        return why
    print("safe mode:", crashes, "starts ended early, the last one by", why or "a hang")
    for _ in range(SAFE_MS // 1000):
        board.feed()
        board.sleep(1000)
    board.vault.note("crashes", b"\0")
    board.reset()
    return None


def _made(config: dict, facts: dict, board: Board, cause: dict[str, object]) -> "Made":
    """The gateway of a configuration. cause: why the board started."""
    bound_memory()
    plan = decode_plan(a2b_base64(config.pop("plan", "")))
    board.feed()
    store = RingStore(find_partition(facts["partition"]), plan.gateway, JournalMark(board.vault))
    board.feed()
    stated: list[int] = []
    definitions = Definitions(_recorded(store, stated))
    definitions.config(bytes.fromhex(config["digest"]), VERSION)
    for set_id, digest in plan.factor_sets:
        definitions.factor_set(set_id, digest)
    numbers = [definitions.device(device) for device in plan.devices]
    streams = number_streams(plan.streams, numbers, definitions)
    state_facts(plan, definitions)
    gateway = Gateway(
        _pollers(plan, numbers, definitions, facts["rs485"], board),
        Recorder(store, board.clock, plan.commit_ms),
        Accountant(streams, plan.interval_ms, plan.tariffs),
        _uploader(plan, store, board, config.get("ca", "")),
    )
    gateway.stated = tuple(sorted(set(stated), key=int))
    ancestors = {stream.number: definitions.predecessors(stream) for stream in streams}
    sntp = make_sntp(board, config["ntp"]) if config.get("ntp") else None
    made = Program(board, gateway, facts["watchdog_ms"] * 3 // 4, sntp, config.get("wifi"))
    # What gives the definitions holds all that is here, so only where there is one to give.
    fresh = definitions.fresh() if definitions.is_extended else ()
    return made, fresh, ancestors, cause


def _recorded(store: RingStore, stated: list[int]) -> "Iterator[list[object]]":
    """The parts of all definitions in the journal. stated: takes what `Gateway.stated` is."""
    for data in store.each_of_kind(Kind.TABLE):
        record = decode_record(data)
        for part in record.body:
            if part[0] in (Part.FACT, Part.WINDOWS, Part.SERIAL):
                stated.append(record.seq)
            yield part


def _cause(problems: list[str], why: str) -> dict[str, object]:
    """Why the board started. problems: of the configuration's copies; why: see `_count_start`."""
    fields: dict[str, object] = {"cause": reset_cause()}
    if why:
        fields["why"] = why
    if problems:
        fields["config"] = "; ".join(problems)
    return fields


def _pollers(
    plan: GatewayPlan, numbers: list[int], definitions: Definitions, ports: dict, board: Board
) -> list[Poller]:
    from edge.app.station_plan import bus_timing, plan_station

    pollers = []
    for bus in plan.buses:
        stations: list[Station] = []
        for number, device, blocks in zip(numbers, plan.devices, plan.blocks):
            if device.bus == bus.name:
                known = definitions.learned(number)
                made = plan_station(number, device, bus, *known, blocks, stations)
                stations.append(made)
        link = open_link(
            ports[bus.port], bus.port, bus.baud, bus.format, bus_timing(bus), board.ticks
        )
        pollers.append(Poller(bus, stations, link, board.clock.mono_ms()))
    return pollers


def _uploader(plan: GatewayPlan, store: RingStore, board: Board, ca: str) -> Uploader:
    uplink = MQTTUplink(
        "carbontally-" + plan.tenant + "-" + plan.gateway,
        plan.broker.host,
        SocketStream(ca, board.clock.wall_ms),
        board.ticks.ms,
        plan.broker.port,
        plan.user,
        board.vault.text("password"),
        plan.keepalive_s,
        plan.broker.tls,
        # Whoever publishes more than an acknowledgement takes no memory with it.
        kept=ACK_MAX_BYTES + len(topic(plan.tenant, plan.gateway, ACK)) + _MESSAGE_BYTES,
    )
    name = topic(plan.tenant, plan.gateway, STATE)
    uplink.set_last_will(name, b"offline", True, 1)
    key = board.vault.device_key()
    return Uploader(uplink, store, plan.gateway, plan.tenant, key, plan.linger_ms, RECORDS_MAX)
