"""The part of `hil` that goes over RS-485: a board reads emulated stations, their ledger judges.

The board asks through the gateway's own line on its own UART; the adapter at the other end of the
wire is the emulator's.
"""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from edge.app.cli.build_board import read_board
from edge.app.cli.build_tree import needed_modules
from hil_tests.emulator.emulator import Emulator
from hil_tests.emulator.frame import encode_reply
from hil_tests.emulator.ledger import ServedReply, read_replies
from hil_tests.emulator.port import SerialPort
from hil_tests.emulator.scenario import read_scenario

ENTRY, PLAN = "edge.ports.esp32.uart_link", "edge.core.bus.plan"
BAUD = 9600
TURNS = 20
STATIONS = (1, 2)
NOBODY = 9
REGISTERS = 60
TIMEOUT = "bus.timeout"
#: Of stations that answer, which a busy machine may be late with; and of nobody.
LATE_MS, ABSENT_MS = 10_000, 1_000

#: (station, address, timeout in ms): every reply is another one, and the last request has none.
READS = (
    *((station, turn, LATE_MS) for turn in range(TURNS) for station in STATIONS),
    (NOBODY, 0, ABSENT_MS),
)

_PROFILE = """
id = "wide"
function = 3
word_order = "big"
byte_order = "big"
max_block_registers = 120
points = [
  { name = "a", address = 0, type = "u16", scale = "1", unit = "1", places = 0, class = "gauge" },
  { name = "b", address = 30, type = "u16", scale = "1", unit = "1", places = 0, class = "gauge" },
  { name = "c", address = 99, type = "u16", scale = "1", unit = "1", places = 0, class = "gauge" },
]
"""

#: Prints a JSON list of what each read gave: the reply in hex, or a code.
READ = """
import gc, json, sys, time
sys.path[:] = ["/hil", ""] + [item for item in sys.path if item not in ("", "/hil")]
from machine import UART, Pin
from edge.core.bus.hearing import HEARD_BYTES
from edge.core.bus.plan import line_timing
from edge.core.bus.rtu import encode_read
from edge.core.errors import TallyError
from edge.ports.esp32.ticks import Ticks
from edge.ports.esp32.uart_link import UartLink
uart_id, tx, rx, de, active, baud, registers, reads = FACTS
uart = UART(uart_id, baud, tx=tx, rx=rx, rxbuf=HEARD_BYTES, timeout=0)
drive = None
if de is not None:
    pin = Pin(de, Pin.OUT, value=1 - active)
    drive = lambda level: pin.value(level if active else 1 - level)
ticks = Ticks(time.ticks_ms, time.ticks_us, time.ticks_diff)
link = UartLink(uart, drive, line_timing(baud, 10), ticks)
def read(station, address, timeout_ms):
    link.start(encode_read(station, 3, address, registers), timeout_ms)
    while True:
        try:
            reply = link.poll()
        except TallyError as error:
            return error.code
        if reply is not None:
            return bytes(reply).hex()
        time.sleep_ms(2)
found = []
for asked in reads:
    found.append(read(*asked))
    gc.collect()
uart.deinit()
print(json.dumps(found))
"""


class LineFindings(NamedTuple):
    """reads: asked; wrong: answers that are not what the bus served; lost: replies not taken."""

    reads: int
    wrong: int
    lost: int


def line_modules() -> dict[str, Path]:
    """{module: source} that the board needs for this."""
    return needed_modules((ENTRY, PLAN))


def line_facts(board: Path) -> dict[str, Any]:
    """The board's first RS-485 port. Raises ConfigError for a board that is no ESP32."""
    ports: dict[str, dict[str, Any]] = read_board(board)["rs485"]
    return ports[min(ports)]


def check_adapter(adapter: str, baud: int = BAUD) -> None:
    """Raise BusError "bus.port" for an adapter that can't be opened."""
    SerialPort(adapter, baud, "8N1").close()


def judge_line(
    adapter: str, facts: dict[str, Any], execute: Callable[[str], str], baud: int = BAUD
) -> LineFindings:
    """Let the board read what the emulator serves on `adapter`.

    execute: runs a program on the board and gives what it prints. Raises BusError "bus.port" for
    an adapter that can't be opened.
    """
    own = [facts[name] for name in ("uart", "tx", "rx", "de", "active")]
    told = [*own, baud, REGISTERS, list(READS)]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "wide.toml").write_text(_PROFILE)
        (folder / "scenario.toml").write_text(_scenario(adapter, baud))
        ledger = folder / "ledger.db"
        with Emulator(read_scenario(folder / "scenario.toml"), ledger):
            said = execute(READ.replace("FACTS", repr(told)))
        served = {number: read_replies(ledger, "b", number) for number in STATIONS}
    return compare(json.loads(said.splitlines()[-1]), served)


def compare(found: list[str], served: dict[int, list[ServedReply]]) -> LineFindings:
    """What the board has read beside what each station has said, both in order.

    A read without an answer is right only where the station gave none.
    """
    left = {number: list(replies) for number, replies in served.items()}
    wrong = abs(len(READS) - len(found))
    for (station, address, _), text in zip(READS, found, strict=False):
        replies = left.get(station, [])
        is_served = bool(replies) and replies[0].address == address
        wrong += text != (_frame_text(replies.pop(0)) if is_served else TIMEOUT)
    lost = sum(len(replies) for replies in left.values())
    return LineFindings(len(READS), wrong, lost)


def _frame_text(reply: ServedReply) -> str:
    """The frame that a reply is on the wire, in hex."""
    return encode_reply(reply.station, reply.function, reply.registers or b"").hex()


def _scenario(adapter: str, baud: int) -> str:
    lines = ["seed = 11", "[[bus]]", 'name = "b"', f"baud = {baud}"]
    lines.append(f"port = {json.dumps(adapter)}")
    for number in STATIONS:
        lines += ["[[bus.station]]", f"station = {number}", f'name = "s{number}"']
        lines += ['profile = "wide.toml"', f"points = {{ a = {number * 257}, b = 7, c = 9 }}"]
    return "\n".join(lines)
