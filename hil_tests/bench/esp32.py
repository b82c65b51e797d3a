"""`bench esp32`: what a gateway as built for a board takes: flash, heap, time per poll.

One workload, that of the day: 8 meters of 30 points each minute at 9600 baud, 12 streams in
intervals of 15 minutes. On real MicroPython, as two boards: one with the program in its heap, as a
firmware as it comes runs it, and one that runs it in place from a ROMFS image; and the journal of
such meters in a partition of 1 MB.

Time per poll is this machine's, what the same meters take when they are polled more often, taken
to the interpreter that MicroPython's own benchmarks compare with an ESP32, times their factor:
`esp32_model`. It is right to a factor of two.

Then a day of a gateway that syncs, judged: `esp32_day`; a short one without `--hours`.
"""

from collections.abc import Iterator
from pathlib import Path

from edge.core.journal.record import decode_record
from hil_tests.bench.esp32_day import day_figures
from hil_tests.bench.esp32_model import SLOWER, compared, processor_s
from hil_tests.bench.measure import Figure
from hil_tests.micropython.built import BOARD, LEAN_HEAP_BYTES, PSRAM_BOARD
from hil_tests.micropython.day import MINUTE_MS, workload
from hil_tests.micropython.device import Event, shim_bytes
from hil_tests.micropython.interpreter import OLDEST, WITH_ROM
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
#: The heap in which the time of a poll is measured: garbage is collected more often in less.
POLLED_KIB = {PSRAM_BOARD: MOST_KIB, BOARD: LEAN_HEAP_BYTES // 1024}
JOURNAL_BYTES = 0x100000
DAYS_MAX = 10
MINUTES_OF_DAY = 1_440
#: Of the search; the day that is judged is longer.
SHORT_DAY_MINUTES, DAY_MINUTES = 17, 40
POLLED_MS = 600_000
#: Each is measured so often, in turn; the least counts.
POLLED_TIMES = 2

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
        if isinstance(value, int):  # beside what names it, and how to flash it
            unit = "" if name == "modules" else "B"
            yield Figure(f"{runs_from}_{name}", value, unit, GOALS.get(name, ""))
    yield from _poll(runs_from, board)
    last = run_starts(made, MOST_KIB, board)
    yield from _heap(runs_from, last, "after two starts")
    least = least_kib(lambda kib: not try_starts(made, kib, board).problem)
    yield Figure(f"{runs_from}_least_heap_kib", least, "KiB", "starts twice; goal 96")


def _poll(name: str, board: Path) -> Iterator[Figure]:
    here_ms = poll_ms(board)
    yield Figure(f"{name}_poll_here_ms", here_ms, "ms", "of this machine, in all")
    model = compared(WITH_ROM if board == BOARD else OLDEST)
    span = f"{model.least:.2f} to {model.most:.2f} by the kind of work"
    yield Figure(f"{name}_interpreter_ratio", model.mean, "", f"to the one compared; {span}")
    what = "by the model, right to a factor of 2; goal 30"
    yield Figure(f"{name}_poll_esp32_ms", here_ms / model.mean * SLOWER, "ms", what)


def poll_ms(board: Path) -> float:
    """Processor time of this machine for a poll: what more of them take in the same time."""
    spent: list[list[float]] = [[], []]
    polls = [0, 0]
    shim_bytes()  # makes what is made once, the interpreter too
    for _ in range(POLLED_TIMES):
        for is_hurried in (False, True):
            made = workload(board, is_hurried=is_hurried)
            begun_s = processor_s()
            last = run_starts(made, POLLED_KIB[board], board, (POLLED_MS,))
            spent[is_hurried].append(processor_s() - begun_s)
            assert last["reason"] == "time", last
            polls[is_hurried] = last["serial"]["requests"]["answered"]
    more_s, more_polls = min(spent[True]) - min(spent[False]), polls[True] - polls[False]
    assert more_polls > polls[False] and more_s > min(spent[False]) / 4, (spent, polls)
    return more_s * 1000 / more_polls


def _heap(name: str, last: Event, when: str) -> Iterator[Figure]:
    live_bytes = last["heap"]["live_bytes"] - shim_bytes()
    yield Figure(f"{name}_live_bytes", live_bytes, "B", f"of the heap {when}; {HEAP_GOAL}")


def _least_with_sync() -> Iterator[Figure]:
    """The board without PSRAM, in less and less until its short day fails."""
    most = LEAN_HEAP_BYTES // 1024
    least = least_kib(lambda kib: not try_day(kib, SHORT_DAY_MINUTES).problem, most)
    what = f"{SHORT_DAY_MINUTES} minutes with sync and an outage; goal 96"
    yield Figure("sync_least_heap_kib", least, "KiB", what)
