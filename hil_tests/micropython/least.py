"""The least heap in which the workload of the day lives, and what fails in less.

Two starts without a network, the second with the journal of the first; then a short day with
broker, receiver and outage. What a program says as it fails is told in the names of its sources.
"""

import ast
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from hil_tests.micropython.built import BOARD, PSRAM_BOARD, Built, board_with
from hil_tests.micropython.day import START_MS, judge_day, run_day, virtual_meters, workload
from hil_tests.micropython.device import Event
from hil_tests.micropython.told import explained

KIB = 1024
STEP_KIB = 4
#: In more it lives, with the program in the heap too; in less nothing does.
MOST_KIB, LITTLE_KIB = 512, 64
#: One start after the other, at the same meters.
STARTS_MS = (200_000, 200_000)
BETWEEN_MS = 400_000
#: The UART of the bus, and what drives the wire; nothing where the transceiver does it itself.
UARTS: dict[Path, dict[str, Any]] = {BOARD: {"2": {"de_pin": 4}}, PSRAM_BOARD: {"1": {}}}
#: Last in the program's first module: how it says what has ended it.
_TOLD_WHOLE = """
import edge.app.program
def _told_whole(error: Exception) -> str:
    import sys

    sys.print_exception(error)  # type: ignore[attr-defined]
    return str(error)
edge.app.program._describe = _told_whole
"""


class Trial(NamedTuple):
    """problem: "" or how it ended instead of by its time; heap: of the device as it ended."""

    problem: str
    heap: dict[str, int]


def run_starts(
    made: Built, heap_kib: int, board: Path = BOARD, until_ms: tuple[int, ...] = STARTS_MS
) -> Event:
    """Starts of a fresh board, each for so long; how the last one ended, or one that failed."""
    bus = {"turnaround_ms": 20, "meters": virtual_meters()}
    with tempfile.TemporaryDirectory() as folder:
        device = board_with(made, Path(folder) / "device", None, heap_kib * KIB)
        for boot, stop_after_ms in enumerate(until_ms):
            last = device.run(
                uarts={uart: {**pins, "bus": bus} for uart, pins in UARTS[board].items()},
                clock={"virtual": True, "rtc_unix_ms": START_MS + boot * BETWEEN_MS},
                stop_after_ms=stop_after_ms,
                network={"up": False},
            )
            if last["reason"] != "time":
                break
    return last


def try_starts(made: Built, heap_kib: int, board: Path = BOARD) -> Trial:
    """Two starts in so much."""
    return _judged(run_starts(made, heap_kib, board))


def try_day(heap_kib: int, minutes: int, added: str = "") -> Trial:
    """A day of so many minutes in so much, the broker away for a quarter of it."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            away = (minutes // 4, minutes // 2)
            day = run_day(Path(folder), minutes, away, heap_kib * KIB, 1, added)
            judge_day(day, minutes)
        except AssertionError as error:
            return Trial(str(error), {})
    return Trial("", day.last["heap"])


def _judged(last: Event) -> Trial:
    problem = "" if last["reason"] == "time" else "\n".join([last["reason"], *last["lines"]])
    if not problem and not last["serial"]["requests"]["answered"]:
        problem = "it polls nobody"
    return Trial(problem, last.get("heap", {}))


def least_kib(works: Callable[[int], Any], most: int = MOST_KIB, little: int = LITTLE_KIB) -> int:
    """The least of a scale of STEP_KIB where it works, by halves; `most` is not tried."""
    while most - little > STEP_KIB:
        middle = (most + little) // (2 * STEP_KIB) * STEP_KIB
        if works(middle):
            most = middle
        else:
            little = middle
    return most


def failure(heap_kib: int) -> str:
    """What ends two starts in too little, with a traceback in the names of the sources."""
    made = workload(added=_TOLD_WHOLE)
    return explained(made.out / "names.json", try_starts(made, heap_kib).problem)


def day_failure(heap_kib: int, minutes: int) -> str:
    """The same of a day: what a start of it has printed last."""
    problem = try_day(heap_kib, minutes, _TOLD_WHOLE).problem
    events = [line for line in problem.splitlines() if line.startswith("{'event': 'print'")]
    said = "\n".join(ast.literal_eval(event)["line"] for event in events)
    return explained(workload(added=_TOLD_WHOLE).out / "names.json", said) or problem
