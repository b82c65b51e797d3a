"""The gateway's poller on a bus with trouble, and the ledger's word on what it believed."""

import select
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path

from edge.app.config import Bus, Device
from edge.app.poller import Poll, Poller
from edge.app.station_plan import plan_station
from edge.core.bus.profile import parse_profile
from edge.core.numbers.quality import Quality
from edge.ports.linux.clock import LinuxClock
from edge.ports.linux.files import read_profile as read_document
from edge.ports.linux.serial_link import SerialLink
from hil_tests.emulator.judge import Poll as Served
from hil_tests.emulator.judge import judge_poll
from hil_tests.emulator.ledger import read_replies
from hil_tests.emulator.profile import PROFILE_DIR, read_profile
from hil_tests.processes import Command

BAUD = 115_200

#: (station, profile, points): short reads, so that many fit into a test.
STATIONS = (
    (1, "eastron_sdm630", ("active_power_total", "frequency", "active_energy_import")),
    (2, "acrel_adw300", ("voltage_l1", "active_power_total", "active_energy_import")),
    (3, "hefeng_cems", ("stack_temperature", "flue_gas_velocity", "co2_concentration")),
)
_FOLLOWS = {
    1: 'follows = "grid"',
    2: 'follows = "line1"',
    3: 'points = { stack_temperature = "stack_temperature", '
    'flue_gas_velocity = "stack_velocity", co2_concentration = "stack_co2" }',
}

#: Faults in which the reply, whole and right, comes when its request is not waited for any more.
LATE = ("late", "collision", "twin", "foreign")

#: A busy machine may take so long from the last byte on the wire to the ledger's time of it.
LEDGER_LATE_MS = 100


@dataclass
class Seen:
    """One poll as the poller ended it, between two moments of the wall clock."""

    station: int
    poll: Poll
    begun_ms: int
    ended_ms: int


@dataclass
class Outcome:
    """What a run brought. wrong: (station, point, value) believed but never served then."""

    frames: int = 0
    polls: int = 0
    good: int = 0
    wrong: list[tuple[int, str, int]] = field(default_factory=list)
    codes: set[str] = field(default_factory=set)
    findings: set[str] = field(default_factory=set)


def scenario(folder: Path, trouble: str) -> Path:
    """Write a scenario of the three stations with TOML for the trouble at its end."""
    parts = [f'seed = 7\n[[bus]]\nname = "bus1"\nbaud = {BAUD}\nturnaround_ms = 2\n']
    for station, profile, _ in STATIONS:
        parts.append(
            f'[[bus.station]]\nstation = {station}\nname = "s{station}"\n'
            f'profile = "{profile}"\n{_FOLLOWS[station]}\n'
        )
    path = folder / "trouble.toml"
    path.write_text("".join(parts) + trouble)
    return path


class TroubleBus:
    """Emulator process, link and poller; polls until enough frames have passed."""

    def __init__(self, folder: Path, trouble: str, timeout_ms: int, *options: str) -> None:
        self.ledger = folder / "ledger.db"
        arguments = ["emulate", str(scenario(folder, trouble)), "--json", "--speed", "60"]
        arguments += ["--ledger", str(self.ledger), "--link-dir", str(folder), *options]
        self._emulator = Command(arguments, folder / "emulator.log")
        self._emulator.wait_for(lambda event: event["event"] == "ready", "the bus")
        self._clock = LinuxClock()
        self._woken, self._waker = socket.socketpair()
        self.link = SerialLink(str(folder / "bus1"), BAUD, "8N1", self._wake)
        bus = Bus("bus1", "", BAUD, "8N1", timeout_ms)
        self.stations = [
            plan_station(at, _device(station, profile, points), bus)
            for at, (station, profile, points) in enumerate(STATIONS)
        ]
        self.poller = Poller(bus, self.stations, self.link, self._clock.mono_ms())
        self.outcome = Outcome()
        self._seen: list[Seen] = []
        self._begun_ms = _wall_ms()
        self._starts = self.link.start
        self.link.start = self._start  # type: ignore[method-assign]

    def _start(self, request: bytes, timeout_ms: int, gap_ms: int = 0) -> None:
        self.outcome.frames += 1
        self._starts(request, timeout_ms, gap_ms)

    def _wake(self) -> None:
        self._waker.send(b"x")

    def run(self, frames: int, seconds: float = 60.0) -> None:
        """Poll until `frames` requests have been sent, or for `seconds` at most."""
        end_s = time.monotonic() + seconds
        while self.outcome.frames < frames and time.monotonic() < end_s:
            poll = self.poller.step(self._clock.mono_ms())
            self.outcome.findings |= {finding.code for finding in self.poller.findings()}
            if poll is None:
                self._wait()
                continue
            self._seen.append(Seen(STATIONS[poll.device][0], poll, self._begun_ms, _wall_ms()))
            self._begun_ms = _wall_ms()

    def _wait(self) -> None:
        due_ms = self.poller.next_ms()
        wait_s = 0.05 if due_ms is None else max(0, due_ms - self._clock.mono_ms()) / 1000
        if select.select([self._woken], [], [], min(wait_s, 0.05))[0]:
            self._woken.recv(64)

    def finish(self) -> Outcome:
        """Stop everything and judge every poll by the ledger."""
        self.link.close()
        self._emulator.stop()
        outcome = self.outcome
        for at, (station, profile_id, _) in enumerate(STATIONS):
            profile = read_profile(PROFILE_DIR / f"{profile_id}.toml")
            served = [
                (reply.wall_ms, judge_poll(_as_poll(reply), profile))
                for reply in read_replies(self.ledger, "bus1", station)
                if reply.registers is not None and reply.fault not in LATE
            ]
            for seen in self._seen:
                if seen.station == station:
                    self._judge(seen, self.stations[at].device.points, served)
        return outcome

    def _judge(self, seen: Seen, points, served) -> None:  # type: ignore[no-untyped-def]
        outcome, poll = self.outcome, seen.poll
        outcome.polls += 1
        if poll.error is not None:
            outcome.codes.add(poll.error.code)
        # The ledger may be written late, and nothing can be read before it is served.
        until_ms = seen.ended_ms + LEDGER_LATE_MS
        near = [values for at, values in served if seen.begun_ms - 5 <= at <= until_ms]
        for index, point in enumerate(points):
            value = poll.values[index]
            if poll.qualities.get(index, Quality.GOOD) != Quality.GOOD:
                continue
            outcome.good += 1
            if not any(values.get(point.name, "absent") == value for values in near):
                outcome.wrong.append((seen.station, point.name, value))


def _as_poll(reply) -> Served:  # type: ignore[no-untyped-def]
    """One reply as the judge's poll, to decode what points it holds."""
    made = Served(first_wall_ms=reply.wall_ms)
    for offset in range(len(reply.registers) // 2):
        word = int.from_bytes(reply.registers[2 * offset : 2 * offset + 2], "big")
        made.registers[reply.function, reply.address + offset] = word
    return made


def _device(station: int, profile_id: str, names: tuple[str, ...]) -> Device:
    profile = parse_profile(read_document(profile_id, "test", "profile"))
    name = f"s{station}"
    return Device(name, "bus1", station, profile, profile.select(names), 20, name, None)


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
