"""`bench bus`: cycle time over the wire minimum of the plan, beside other masters.

SDM630 meters with 30 points on an emulated bus in a process of its own that keeps the wire's
timing. 1.00 is the wire minimum: requests, replies, two silences and the turnaround.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from edge.core.bus.plan import Timing, block_us, cycle_us, line_timing, plan_blocks
from hil_tests.bench.masters import MASTERS, Ours, Task
from hil_tests.bench.measure import Figure, seconds
from hil_tests.bench.plant import METERS, sdm630
from hil_tests.demo.stage import Actor

BAUDS = (9600, 19200, 115200)
DEAD_OF = (32, 2)
_DEAD_POINTS = 10

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


class Bench:
    """An emulated bus in a process of its own."""

    def __init__(self, baud: int, stations: range, strict: bool) -> None:
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        scenario = folder / "bench.toml"
        listed = "".join(_STATION.format(station=station) for station in stations)
        scenario.write_text(_SCENARIO.format(baud=baud) + listed)
        arguments = ["emulate", str(scenario), "--json", "--link-dir", str(folder)]
        self._actor = Actor("emulator", arguments + ["--strict"] * strict, folder)
        self._actor.wait_ready()
        self.port = str(folder / "bench")

    def __enter__(self) -> "Bench":
        return self

    def __exit__(self, *_: object) -> None:
        self._actor.stop()
        self._folder.cleanup()


def run(rounds: int) -> Iterator[Figure]:
    """Ratios by baud rate, friendly and strict; the plan's gain; CPU; dead stations."""
    for baud in BAUDS:
        yield from _race(baud, rounds, strict=False)
    for baud in (9600, 115200):
        yield from _race(baud, rounds, strict=True)
    yield from _dead_stations(rounds)


def _task(port: str, baud: int, stations: range, points: int) -> tuple[Task, Timing]:
    profile, wanted = sdm630()
    wanted = wanted[:points]
    timing = line_timing(baud, 10)
    blocks = plan_blocks(wanted, profile, timing)
    return Task(port, baud, tuple(stations), profile, wanted, blocks), timing


def _race(baud: int, rounds: int, strict: bool) -> Iterator[Figure]:
    """Each master in turn alone on the line: serial ports are exclusive."""
    stations = range(1, METERS + 1)
    suffix = f"{baud}_strict" if strict else str(baud)
    with Bench(baud, stations, strict) as bench:
        task, timing = _task(bench.port, baud, stations, 30)
        minimum_s = METERS * cycle_us(task.blocks, timing) / 1e6
        for name, make in MASTERS.items():
            master = make(task)
            master.cycle()
            cpu_s = time.process_time()
            median_s = statistics.median(seconds(master.cycle) for _ in range(rounds))
            cpu_s = time.process_time() - cpu_s
            master.close()
            yield Figure(f"{name}_ratio_{suffix}", median_s / minimum_s, "x", "of the minimum")
            if not strict:
                per_ms = 1000 * cpu_s / (rounds * METERS * len(task.blocks))
                yield Figure(f"{name}_cpu_ms_{baud}", per_ms, "ms", "CPU per transaction")
        if not strict:
            singles_us = sum(block_us(2, timing) for _ in task.points)
            gain = singles_us / cycle_us(task.blocks, timing)
            yield Figure(f"plan_gain_{baud}", gain, "x", "over one read per point")


def _dead_stations(rounds: int) -> Iterator[Figure]:
    """32 stations of which 2 are not there, at 9600: against the minimum of the 30."""
    total, dead = DEAD_OF
    with Bench(9600, range(1, total - dead + 1), strict=False) as bench:
        task, timing = _task(bench.port, 9600, range(1, total + 1), _DEAD_POINTS)
        minimum_s = (total - dead) * cycle_us(task.blocks, timing) / 1e6
        for name, make in MASTERS.items():
            master = make(task)
            if isinstance(master, Ours):
                master.learn(task.stations[-dead:])
            else:
                master.cycle()
            # The mean: our probes come every few cycles, and a median would not see them.
            mean_s = statistics.mean(seconds(master.cycle) for _ in range(2 * rounds))
            master.close()
            yield Figure(f"{name}_ratio_dead_2_of_32", mean_s / minimum_s, "x", "of the 30")
