"""`bench bus`: cycle time over the wire minimum of the plan, beside other masters.

Three SDM630 with 30 points on an emulated bus that keeps the wire's timing. 1.00 is the wire
minimum: requests, replies, two silences and the turnaround, nothing else.
"""

import queue
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import minimalmodbus
from pymodbus.client import ModbusSerialClient

from edge.core.bus.plan import Block, block_us, cycle_us, line_timing, plan_blocks
from edge.core.bus.rtu import decode_read_reply, encode_read
from edge.ports.linux.serial_link import SerialLink
from hil_tests.bench.measure import Figure, interleave
from hil_tests.bench.plant import sdm630
from hil_tests.emulator.emulator import Emulator
from hil_tests.emulator.scenario import read_scenario

STATIONS = (1, 2, 3)
BAUDS = (9600, 115200)
_TIMEOUT_MS = 300

_SCENARIO = """seed = 1
[[bus]]
name = "bench"
baud = {baud}
format = "8N1"
turnaround_ms = 5
"""
_STATION = """[[bus.station]]
station = {station}
name = "meter{station}"
profile = "eastron_sdm630"
"""


class OurMaster:
    """SerialLink and the core's frames, as the gateway uses them."""

    def __init__(self, port: str, baud: int, blocks: tuple[Block, ...]) -> None:
        self._blocks = blocks
        self._ended: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.link = SerialLink(port, baud, "8N1", lambda: self._ended.put(None))

    def cycle(self) -> None:
        """Poll every station once."""
        for station in STATIONS:
            for block in self._blocks:
                request = encode_read(station, block.function, block.address, block.count)
                self.link.start(request, _TIMEOUT_MS)
                self._ended.get()
                decode_read_reply(request, self.link.poll() or b"")


def _minimalmodbus(port: str, baud: int, blocks: tuple[Block, ...]) -> Callable[[], None]:
    instruments = [minimalmodbus.Instrument(port, station) for station in STATIONS]
    instruments[0].serial.baudrate = baud
    instruments[0].serial.timeout = _TIMEOUT_MS / 1000

    def cycle() -> None:
        for instrument in instruments:
            for block in blocks:
                instrument.read_registers(block.address, block.count, block.function)

    return cycle


def _pymodbus(
    port: str, baud: int, blocks: tuple[Block, ...]
) -> tuple[Callable[[], None], Callable[[], None]]:
    client = ModbusSerialClient(port, baudrate=baud, timeout=_TIMEOUT_MS / 1000)
    client.connect()

    def cycle() -> None:
        for station in STATIONS:
            for block in blocks:
                reply = client.read_input_registers(
                    block.address, count=block.count, device_id=station
                )
                assert not reply.isError()

    return cycle, client.close


def run(rounds: int) -> Iterator[Figure]:
    """Ratios per baud rate, and what the plan saves over one read per point."""
    profile, points = sdm630()
    for baud in BAUDS:
        timing = line_timing(baud, 10)
        blocks = plan_blocks(points, profile, timing)
        minimum_s = len(STATIONS) * cycle_us(blocks, timing) / 1e6
        singles_us = sum(block_us(2, timing) for _ in points)
        with tempfile.TemporaryDirectory() as name:
            scenario = Path(name) / "bench.toml"
            stations = "".join(_STATION.format(station=station) for station in STATIONS)
            scenario.write_text(_SCENARIO.format(baud=baud) + stations)
            with Emulator(read_scenario(scenario), None, None, 1, 0, False) as emulator:
                medians = _race(emulator.ports["bench"], baud, blocks, rounds)
        for master, median_s in medians.items():
            yield Figure(
                f"{master}_ratio_{baud}", median_s / minimum_s, "x", "of the wire minimum"
            )
        gain = len(STATIONS) * singles_us / 1e6 / minimum_s
        yield Figure(f"plan_gain_{baud}", gain, "x", "over one read per point, on the wire")


def _race(port: str, baud: int, blocks: tuple[Block, ...], rounds: int) -> dict[str, float]:
    """Each master in turn alone on the line: serial ports are exclusive."""
    medians = {}
    ours = OurMaster(port, baud, blocks)
    medians["carbontally"] = interleave({"cycle": ours.cycle}, rounds)["cycle"]
    ours.link.close()
    cycle = _minimalmodbus(port, baud, blocks)
    medians["minimalmodbus"] = interleave({"cycle": cycle}, rounds)["cycle"]
    minimalmodbus._serialports.pop(port).close()
    cycle, close = _pymodbus(port, baud, blocks)
    medians["pymodbus"] = interleave({"cycle": cycle}, rounds)["cycle"]
    close()
    return medians
