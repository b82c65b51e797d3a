"""The emulator: a scenario's buses, running, until stopped."""

import time
from pathlib import Path
from typing import Any

from edge.core.errors import BusError
from hil_tests.emulator.device import Device
from hil_tests.emulator.ledger import Ledger
from hil_tests.emulator.line import Line
from hil_tests.emulator.port import PtyPort, SerialPort
from hil_tests.emulator.responder import BusResponder, FactoryView
from hil_tests.emulator.scenario import BusSpec, Scenario
from hil_tests.emulator.summary import summarise
from hil_tests.emulator.timing import UNPACED, plan_timing

#: A pause inside a request that makes it two (serial line guide V1.02, 2.5.1.1): a strict station
#: discards the frame after 1.5 characters, any station ends it after 3.5.
STRICT_GAP_CHARACTERS = 1.5
GAP_CHARACTERS = 3.5

#: 10:30, when the sun and both shifts are at work.
DEFAULT_START_S = 37_800


class Emulator:
    """Serve `scenario` from start() to stop(); also a context manager.

    ledger_path: SQLite file that records every reply; None for none.
    link_dir: directory that gets one link per pty bus, named as the bus.
    speed: factory seconds per real second; start_s: factory second to begin at.
    strict: stations drop a request that breaks the silence before it.
    in_bursts: a reply becomes readable at its end, in one piece, as a UART with a FIFO hands it
    over; a pause of this machine never falls into a frame.
    is_paced: False lets every byte and every answer pass at once.
    ports: bus name -> what a master opens; usable before start().
    Raises BusError bus.port for a port that can't be opened, StoreError for the ledger.
    """

    def __init__(
        self,
        scenario: Scenario,
        ledger_path: Path | None = None,
        link_dir: Path | None = None,
        speed: int = 1,
        start_s: int = DEFAULT_START_S,
        strict: bool = False,
        is_paced: bool = True,
        in_bursts: bool = False,
    ) -> None:
        self._view = FactoryView(scenario.seed, start_s, speed)
        self._strict = strict
        self._is_paced = is_paced
        self._in_bursts = in_bursts
        self._ledger: Ledger | None = None
        self._responders: dict[str, BusResponder] = {}
        self._lines: dict[str, Line] = {}
        self.ports: dict[str, str] = {}
        opened = []
        try:
            for bus in scenario.buses:
                opened.append((bus, _open_port(bus, link_dir)))
            if ledger_path is not None:
                self._ledger = Ledger(ledger_path, self._facts(scenario, start_s, speed))
        except Exception:
            for _, port in opened:
                port.close()
            raise
        for bus, port in opened:
            self._add_line(scenario.seed, bus, port)

    def _add_line(self, seed: int, bus: BusSpec, port: PtyPort | SerialPort) -> None:
        is_paced = self._is_paced
        timing = plan_timing(bus.baud, bus.format) if is_paced else UNPACED
        responder = BusResponder(
            bus.name,
            [Device(spec, seed, is_paced) for spec in bus.stations],
            self._view,
            bus.faults,
            bus.foreign,
            seed,
            timing,
            STRICT_GAP_CHARACTERS if self._strict else GAP_CHARACTERS,
            self._ledger,
        )
        self._responders[bus.name] = responder
        self._lines[bus.name] = Line(port, timing, responder, self._strict, self._in_bursts)
        self.ports[bus.name] = port.name

    def start(self) -> None:
        """Begin the factory's time and answer."""
        self._view.begin()
        for line in self._lines.values():
            line.start()

    def fall_silent(self) -> None:
        """Stop answering; the ports stay open, and what was sent can be read."""
        for line in self._lines.values():
            line.end()

    @property
    def is_read(self) -> bool:
        """Whether masters have read all that was sent."""
        return all(line.is_read for line in self._lines.values())

    def stop(self) -> None:
        """Stop answering, join every thread, commit the ledger."""
        for line in self._lines.values():
            line.stop()
        if self._ledger is not None:
            self._ledger.close()

    def __enter__(self) -> "Emulator":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def check(self) -> None:
        """Raise BusError bus.port if a line has ended by itself."""
        for name, line in self._lines.items():
            if line.failure is not None:
                raise BusError("bus.port", port=self.ports[name], reason=str(line.failure))

    def summary(self) -> dict[str, dict[str, Any]]:
        """What each bus did; see emulator.summary."""
        return {
            name: summarise(responder.counts, self._lines[name])
            for name, responder in self._responders.items()
        }

    def _facts(self, scenario: Scenario, start_s: int, speed: int) -> dict[str, str]:
        return {
            "scenario": scenario.file,
            "seed": str(scenario.seed),
            "start_s": str(start_s),
            "speed": str(speed),
            "started_ms": str(time.time_ns() // 1_000_000),
            "strict": "yes" if self._strict else "no",
            "pacing": "wire" if self._is_paced else "none",
        }


def _open_port(bus: BusSpec, link_dir: Path | None) -> PtyPort | SerialPort:
    if bus.port is not None:
        return SerialPort(bus.port, bus.baud, bus.format)
    return PtyPort(None if link_dir is None else link_dir / bus.name)
