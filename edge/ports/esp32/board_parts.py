"""What a start takes of its board: why it started, and the parts that the gateway is made with.

What lives on is made of classes and functions of other modules: this one goes after a start.
facts: of the board file, as `carbontally build esp32` wrote them: "rs485" {bus: {"uart", "tx",
"rx", "de", "active"}}, "partition", "watchdog_ms".
"""

import esp32
import machine

from edge.core.bus.hearing import HEARD_BYTES
from edge.core.errors import ConfigError
from edge.ports.esp32.board import Board, inverted, random_bytes, udp_opener
from edge.ports.esp32.sntp import PORT, Sntp
from edge.ports.esp32.ticks import Ticks
from edge.ports.esp32.uart_link import UartLink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.core.bus.plan import Timing

#: Why the board started, by `machine.reset_cause()`.
_CAUSES = ("", "power", "reset", "watchdog", "deep sleep", "soft reset")


def reset_cause() -> str:
    """Why the board started."""
    cause = machine.reset_cause()
    return _CAUSES[cause] if 0 < cause < len(_CAUSES) else str(cause)


def begin_watch(board: Board, timeout_ms: int) -> None:
    """From now on the board has to be fed, or it resets itself."""
    board.watchdog = machine.WDT(timeout=timeout_ms)


def find_partition(name: str) -> object:
    """The journal's partition; raises ConfigError "config.file"."""
    found = esp32.Partition.find(esp32.Partition.TYPE_DATA, label=name)
    if not found:
        raise ConfigError("config.file", file=name, reason="no such partition on this flash")
    return found[0]


def open_link(
    facts: dict, port: str, baud: int, character_format: str, timing: "Timing", ticks: Ticks
) -> UartLink:
    """The line on one of the board's RS-485 ports. facts: of that port."""
    parity = {"N": None, "E": 0, "O": 1}[character_format[1]]
    uart = machine.UART(
        facts["uart"],
        baud,
        bits=int(character_format[0]),
        parity=parity,
        stop=int(character_format[2]),
        tx=facts["tx"],
        rx=facts["rx"],
        rxbuf=HEARD_BYTES,
        timeout=0,
    )
    drive = None
    if facts["de"] is not None:
        active = facts["active"]
        pin = machine.Pin(facts["de"], machine.Pin.OUT, value=1 - active)
        drive = pin.value if active else inverted(pin)
    return UartLink(uart, drive, timing, ticks, port)


def make_sntp(board: Board, server: str) -> Sntp:
    """A time source for the clock of the board."""
    return Sntp(udp_opener(server, PORT), board.set_clock, random_bytes)
