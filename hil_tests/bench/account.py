"""The account: a year of minute data for 40 streams, one close, and what a close costs in heap.

The year is fed as the gateway feeds it: five meters of eight registers each, polled once a
minute, closed every quarter of an hour, on two bases. A tenth of it is measured and scaled.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from edge.core.carbon.account import Accountant
from edge.core.carbon.streams import Factor, Setup, Stream, counter_stream
from edge.core.journal.record import Kind, Record, encode_record
from hil_tests.bench.measure import Figure, interleave, seconds

METERS = 5
REGISTERS = 8
MINUTE_MS = 60_000
QUARTER_MS = 15 * MINUTE_MS
YEAR_MINUTES = 365 * 24 * 60
TENTH = 10
T0 = 1_800_000_000_000

FACTOR = Factor("f", "energy", 832_500, "set", bytes(32))
OTHER = Factor("g", "energy", 530_600, "set", bytes(32))
SETUP = Setup("park", (("national", OTHER),), "", (), ())

ROOT = Path(__file__).resolve().parents[2]
RUNNER = ROOT / "hil_tests" / "micropython" / "run_file.mjs"
HEAP_TEST = ROOT / "tests" / "core" / "test_close_heap.py"


def streams() -> tuple[Stream, ...]:
    """40 counters, half of them on a second basis."""
    made = []
    for number in range(METERS * REGISTERS):
        place = (number // REGISTERS, number % REGISTERS)
        kind = "grid_import" if number % 2 else "memo"
        factor = FACTOR if number % 2 else None
        setup = SETUP if number % 2 else Setup("park", (), "", (), ())
        made.append(
            counter_stream(
                number, f"s{number}", kind, factor, "kW.h", 3, MINUTE_MS, place, b"", setup
            )
        )
    return tuple(made)


def _feed(minutes: int) -> Callable[[], int]:
    """Account `minutes` of polls; returns how many bytes of interval records came of it."""

    def work() -> int:
        account = Accountant(streams(), QUARTER_MS)
        registers: list[int | None] = [1_000_000] * REGISTERS
        size = 0
        for minute in range(minutes):
            at_ms = minute * MINUTE_MS
            wall_ms = T0 + at_ms
            body = account.close(wall_ms)
            if body is not None:
                size += len(
                    encode_record(Record(Kind.INTERVAL, minute, 1, at_ms, wall_ms, 2, body))
                )
            registers = [1_000_000 + 97 * (minute + 1)] * REGISTERS
            for device in range(METERS):
                account.observe(device, 1, at_ms, wall_ms, registers, {})
        return size

    return work


def _one_close() -> Callable[[], None]:
    account = Accountant(streams(), QUARTER_MS)
    state = {"at_ms": 0}

    def work() -> None:
        at_ms = state["at_ms"] = state["at_ms"] + QUARTER_MS
        for device in range(METERS):
            account.observe(device, 1, at_ms, T0 + at_ms, [at_ms // 1000] * REGISTERS, {})
        body = account.close(T0 + at_ms)
        encode_record(Record(Kind.INTERVAL, 1, 1, at_ms, T0 + at_ms, 2, body))

    work()
    return work


def heap_bytes() -> dict[str, int]:
    """What a close of 40 streams costs on real MicroPython; {} without node or the package."""
    environment = {**os.environ, "CARBONTALLY_HEAP": "1"}
    try:
        done = subprocess.run(
            ["node", str(RUNNER), str(ROOT), str(HEAP_TEST)],
            capture_output=True,
            text=True,
            timeout=120,
            env=environment,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    for line in done.stderr.splitlines():
        if line.startswith("heap "):
            found: dict[str, int] = json.loads(line.removeprefix("heap "))
            return found
    return {}


def run(rounds: int) -> Iterator[Figure]:
    """A tenth of a year, scaled; one close; the heap of one on MicroPython."""
    minutes = YEAR_MINUTES // TENTH
    tenths = [seconds(_feed(minutes)) for _ in range(min(rounds, 3))]
    tenth = sorted(tenths)[len(tenths) // 2]
    yield Figure("year_40_streams_s", tenth * TENTH, "s", "minute data, quarter hours; budget 60")
    readings = minutes * METERS * REGISTERS
    yield Figure("readings_per_s", readings / tenth, "1/s")
    size = _feed(60 * 24)()
    yield Figure("interval_record_bytes", size / 95, "B", "40 streams, 20 of them on two bases")
    close = interleave({"close": _one_close()}, max(rounds, 20))
    yield Figure("close_40_streams_ms", close["close"] * 1000, "ms", "with encoding; budget 20")
    heap = heap_bytes()
    if heap:
        note = "MicroPython, one close without collection; budget 61440"
        yield Figure("close_heap_bytes", heap["close"], "B", note)
        yield Figure("account_heap_bytes", heap["account"], "B", "40 streams, kept")
