"""`bench esp32`: what a gateway as built for a board takes: flash, heap, time per poll.

One workload, that of the day: 8 meters of 30 points each minute at 9600 baud, 12 streams in
intervals of 15 minutes. On real MicroPython, as two boards: one with the program in its heap, as a
firmware as it comes runs it, and one that runs it in place from a ROMFS image; and the journal of
such meters in a partition of 1 MB.

Time per poll is this machine's, what the same meters take when they are polled more often, times
the factor between the interpreter here and an ESP32: 10 to 15 by MicroPython's own benchmarks,
taken as 12, right to a factor of two; the interpreter that collects is slower than the one that
was compared, so it is rather too high, and what else this machine does makes it higher.

Then a day of a gateway that syncs, judged: `esp32_day`; a short one without `--hours`.
"""

import resource
from collections.abc import Iterator
from pathlib import Path

from edge.core.journal.record import decode_record
from hil_tests.bench.esp32_day import day_figures
from hil_tests.bench.measure import Figure
from hil_tests.micropython.built import BOARD, LEAN_HEAP_BYTES, PSRAM_BOARD
from hil_tests.micropython.day import MINUTE_MS, workload
from hil_tests.micropython.device import Event, shim_bytes
from hil_tests.micropython.least import (
    MOST_KIB,
    least_kib,
    run_starts,
    try_day,
    try_starts,
)
from tests.unit.metered_ring import metered

#: What the program runs from -> the board.
BOARDS = {"heap": PSRAM_BOARD, "rom": BOARD}
JOURNAL_BYTES = 0x100000
DAYS_MAX = 10
MINUTES_OF_DAY = 1_440
#: Of the search; the day that is judged is longer.
SHORT_DAY_MINUTES, DAY_MINUTES = 17, 40
POLLED_MS = 600_000
SLOWER = 12

GOALS = {"core_bytes": "goal 40,960", "program_bytes": "goal 122,880"}
HEAP_GOAL = "goal below 98,304"


def run(rounds: int, hours: int = 0) -> Iterator[Figure]:
    """One run whatever `rounds` says: virtual time repeats itself exactly."""
    yield from _journal()
    for runs_from, board in BOARDS.items():
        yield from _board(runs_from, board)
    yield from _least_with_sync()
    yield from day_figures(hours * 60 or DAY_MINUTES)


def _journal() -> Iterator[Figure]:
    """A partition filled without the cloud, up to where retention begins to thin polls."""
    store, _ = metered(
        DAYS_MAX * MINUTES_OF_DAY,
        JOURNAL_BYTES,
        lambda store: store.plan_removal() is not None,
    )
    newest = decode_record(store.read(store.next_seq - 1, store.next_seq - 1)[0][0])
    minutes = newest.mono_ms // MINUTE_MS
    yield Figure("journal_days", minutes / MINUTES_OF_DAY, "d", "at full resolution; goal 7")
    years = store.wear(minutes * MINUTE_MS)["years_left"]
    yield Figure("journal_years", years, "a", "of the flash at that pace; goal 10")


def _board(runs_from: str, board: Path) -> Iterator[Figure]:
    made = workload(board)
    for name, value in made.told.items():
        if name != "event":
            unit = "" if name == "modules" else "B"
            yield Figure(f"{runs_from}_{name}", value, unit, GOALS.get(name, ""))
    here_ms = poll_ms(board)
    yield Figure(f"{runs_from}_poll_here_ms", here_ms, "ms", "of this machine, in all")
    what = "by the model, right to a factor of 2; goal 30"
    yield Figure(f"{runs_from}_poll_esp32_ms", here_ms * SLOWER, "ms", what)
    last = run_starts(made, MOST_KIB, board)
    yield from _heap(runs_from, last, "after two starts")
    least = least_kib(lambda kib: not try_starts(made, kib, board).problem)
    yield Figure(f"{runs_from}_least_heap_kib", least, "KiB", "starts twice; goal 96")


def poll_ms(board: Path) -> float:
    """Processor time of this machine for a poll: what more of them take in the same time."""
    spent: list[float] = []
    polls: list[int] = []
    for is_hurried in (False, True):
        made = workload(board, is_hurried=is_hurried)
        begun = _children_s()
        last = run_starts(made, MOST_KIB, board, (POLLED_MS,))
        assert last["reason"] == "time", last
        spent.append(_children_s() - begun)
        polls.append(last["serial"]["requests"]["answered"])
    return (spent[1] - spent[0]) * 1000 / (polls[1] - polls[0])


def _children_s() -> float:
    """Processor time of the devices so far: other work of the machine is not in it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _heap(name: str, last: Event, when: str) -> Iterator[Figure]:
    live_bytes = last["heap"]["live_bytes"] - shim_bytes()
    yield Figure(f"{name}_live_bytes", live_bytes, "B", f"of the heap {when}; {HEAP_GOAL}")


def _least_with_sync() -> Iterator[Figure]:
    """The board without PSRAM, in less and less until its short day fails."""
    most = LEAN_HEAP_BYTES // 1024
    least = least_kib(lambda kib: not try_day(kib, SHORT_DAY_MINUTES).problem, most)
    what = f"{SHORT_DAY_MINUTES} minutes with sync and an outage; goal 96"
    yield Figure("sync_least_heap_kib", least, "KiB", what)
