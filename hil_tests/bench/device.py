"""`bench device`: a gateway for 24 virtual hours on real MicroPython; what its heap holds.

8 meters of 30 points each minute, 12 streams in intervals of 15 minutes, every batch acked. The
cap holds for everything, the code too, which is loaded into the heap from .mpy files. What it
makes has to be, byte for byte, what CPython makes.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from hil_tests.bench.measure import Figure, seconds
from hil_tests.micropython.device import Event, shim_bytes
from hil_tests.micropython.twins import run_in_device, run_on_cpython, said, settings_of, twin_plan

HOURS = 24
HEAP_BYTES = 264 * 1024
DEADLINE_S = 1800


def run(rounds: int) -> Iterator[Figure]:
    """One run whatever `rounds` says: virtual time repeats itself exactly."""
    settings = settings_of(twin_plan())
    ended: list[Event] = []
    with tempfile.TemporaryDirectory() as folder:
        spent_s = seconds(
            lambda: ended.append(
                run_in_device(Path(folder), settings, HOURS, HEAP_BYTES, deadline_s=DEADLINE_S)
            )
        )
    last = ended[0]
    assert last["reason"] == "finished", last
    assert said(last, "made") == run_on_cpython(settings, HOURS), "other bytes than CPython's"
    live = [int(line) for line in said(last, "live")]
    yield Figure("virtual_hours", HOURS, "h", "same bytes as CPython")
    yield Figure("seconds", spent_s, "s", "of this machine")
    yield Figure("heap_cap_bytes", HEAP_BYTES, "B", "code and data")
    yield Figure("harness_bytes", shim_bytes(), "B", "beside the cap: stands for firmware")
    yield Figure("code_bytes", int(said(last, "code")[0]), "B", "of .mpy files in the heap")
    yield Figure("live_first_bytes", live[0], "B", "data after the first hour")
    yield Figure("live_last_bytes", live[-1], "B", "data after the last hour")
    yield Figure("live_most_bytes", max(live), "B", "data, most after any hour")
    yield Figure("largest_free_bytes", last["heap"]["largest_free_bytes"], "B", "at the end")
