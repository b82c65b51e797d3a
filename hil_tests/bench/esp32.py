"""`bench esp32`: what a gateway as built for a board takes: flash, heap, time per poll.

Seven meters of the factory day on a bus in virtual time, on real MicroPython, as two boards: one
with the program in its heap, as a firmware as it comes runs it, and one that runs it in place from
a ROMFS image; and the journal of eight meters in a partition of 1 MB. Time per poll is this
machine's, times the factor between the interpreter here and an ESP32: 10 to 15 by MicroPython's
own benchmarks, taken as 12, right to a factor of two; the interpreter that collects is slower
than the one that was compared, so it is rather too high. Then a day of a gateway that syncs,
judged: `esp32_day`.
"""

import contextlib
import io
import json
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge.__main__ import main
from edge.core.journal.record import decode_record
from hil_tests.bench.esp32_day import day_figures
from hil_tests.bench.measure import Figure
from hil_tests.micropython.device import Device, Event, shim_bytes
from hil_tests.micropython.twins import ROOT
from hil_tests.site import FACTORY, KEY, Site
from tests.unit.metered_ring import metered

#: What the program runs from -> the board and the UART of its bus.
BOARDS = {"heap": ("esp32s3_rs485_auto", "1"), "rom": ("esp32_devkitc_max485", "2")}
JOURNAL_BYTES = 0x100000
#: The first is more than enough.
HEAPS_KIB = (
    512,
    352,
    336,
    320,
    304,
    288,
    272,
    256,
    240,
    224,
    208,
    192,
    176,
    160,
    144,
    128,
    112,
    96,
)
DAYS_MAX = 10
MINUTES_OF_DAY = 1_440
SHORT_MS, LONG_MS = 20_000, 140_000
POLL_MS = 1_000
SLOWER = 12
NO_BROKER = 1

GOALS = {"core_bytes": "goal 40,960", "program_bytes": "goal 122,880"}


def run(rounds: int) -> Iterator[Figure]:
    """One run whatever `rounds` says: virtual time repeats itself exactly."""
    yield from _journal()
    for runs_from, (board, uart) in BOARDS.items():
        yield from _board(runs_from, ROOT / "boards" / board, uart)
    yield from day_figures()


def _journal() -> Iterator[Figure]:
    """A partition filled without the cloud, up to where retention begins to thin polls."""
    store, _ = metered(
        DAYS_MAX * MINUTES_OF_DAY,
        JOURNAL_BYTES,
        lambda store: store.plan_removal() is not None,
    )
    newest = decode_record(store.read(store.next_seq - 1, store.next_seq - 1)[0][0])
    minutes = newest.mono_ms // 60_000
    yield Figure("journal_days", minutes / MINUTES_OF_DAY, "d", "at full resolution; goal 7")
    years = store.wear(minutes * 60_000)["years_left"]
    yield Figure("journal_years", years, "a", "of the flash at that pace; goal 10")


def _board(runs_from: str, board: Path, uart: str) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        told = _build(Path(folder), board)
        for name, value in told.items():
            if name != "event":
                unit = "" if name == "modules" else "B"
                yield Figure(f"{runs_from}_{name}", value, unit, GOALS.get(name, ""))
        ended, spent = [], []
        for until_ms in (SHORT_MS, LONG_MS):
            begun = _children_s()
            ended.append(_boot(Path(folder), uart, HEAPS_KIB[0], until_ms))
            spent.append(_children_s() - begun)
        polls = (LONG_MS - SHORT_MS) // POLL_MS * len(FACTORY)
        here_ms = (spent[1] - spent[0]) * 1000 / polls
        yield Figure(f"{runs_from}_poll_here_ms", here_ms, "ms", "of this machine, in all")
        yield Figure(f"{runs_from}_poll_esp32_ms", here_ms * SLOWER, "ms", "by the model; goal 30")
        live_bytes = ended[1]["heap"]["live_bytes"] - shim_bytes()
        yield Figure(f"{runs_from}_live_bytes", live_bytes, "B", "of the heap; goal below 98,304")
        least_kib = _least_heap_kib(Path(folder), uart)
        yield Figure(f"{runs_from}_least_heap_kib", least_kib, "KiB", "starts twice; goal 96")


def _build(folder: Path, board: Path) -> dict[str, Any]:
    site = Site(folder, NO_BROKER, poll_ms=POLL_MS)
    site.document["bus"][0]["port"] = "bus0"
    site.document["gateway"]["commit_ms"] = 1000
    site.document["accounting"]["interval_s"] = 900
    site.write()
    options = ["-b", str(board), "-c", str(site.config), "-o", str(folder / "out"), "--json"]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert main(["build", "esp32", *options, "--ntp", ""]) == 0
    told: dict[str, Any] = json.loads(said.getvalue())
    return told


def _children_s() -> float:
    """Processor time of the devices so far: other work of the machine is not in it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _boot(folder: Path, uart: str, heap_kib: int, *until_ms: int) -> Event:
    """The last event of a device that ran for so long, in one boot after the other."""
    out = folder / "out"
    rom = out / "romfs.img"
    with tempfile.TemporaryDirectory(dir=folder) as place:
        device = Device(
            Path(place) / "device",
            out / "tree",
            {"tally": JOURNAL_BYTES},
            heap_kib * 1024,
            rom if rom.exists() else None,
        )
        device.state.write_text(json.dumps({"nvs": {"tally/key": "b" + KEY.hex()}}))
        meters = {str(station): {"counter": [1000, 1]} for _, station, _ in FACTORY}
        for stop_after_ms in until_ms:
            last = device.run(
                uarts={uart: {"bus": {"turnaround_ms": 10, "meters": meters}}},
                clock={"virtual": True, "rtc_unix_ms": 1_800_000_000_000},
                stop_after_ms=stop_after_ms,
                network={"up": False},
            )
            if last["reason"] != "time":
                break
        return last


def _least_heap_kib(folder: Path, uart: str) -> int:
    """The smallest heap of those tried in which it starts, and goes on with what it has stored."""
    least = HEAPS_KIB[0]
    for heap_kib in HEAPS_KIB[1:]:
        if _boot(folder, uart, heap_kib, SHORT_MS, LONG_MS)["reason"] != "time":
            break
        least = heap_kib
    return least
