"""The part of `bench esp32` that takes long: a day of a board, judged by a ledger.

8 meters of 30 points each minute at 9600 baud and 12 streams, with the real program, ring and
client, through broker and receiver; the broker is away for a fifth of it, the ticks wrap.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from hil_tests.bench.measure import Figure, seconds
from hil_tests.micropython.built import BACKLOG_HEAP_BYTES
from hil_tests.micropython.day import MINUTE_MS, Day, judge_day, run_day
from hil_tests.micropython.device import shim_bytes

#: When the broker goes and comes, in parts of the whole.
AWAY = (0.3, 0.5)
SAMPLES = 48
#: What comes after is growth; buffers and models that come and go are none.
SETTLED_MINUTES = 120
GROWTH_BYTES = 4096


def day_figures(minutes: int) -> Iterator[Figure]:
    """One run: virtual time repeats itself, but for when the network answers."""
    days: list[Day] = []
    away = (int(minutes * AWAY[0]), int(minutes * AWAY[1]))
    every = max(1, minutes // SAMPLES)
    with tempfile.TemporaryDirectory() as folder:
        spent_s = seconds(
            lambda: days.append(run_day(Path(folder), minutes, away, BACKLOG_HEAP_BYTES, every))
        )
    day = days[0]
    judge_day(day, minutes)
    yield Figure("day_virtual_minutes", minutes, "min", "lost 0, duplicated 0, wrong 0")
    yield Figure("day_seconds", spent_s, "s", "of this machine")
    yield Figure("day_readings", day.found.good, "", "good, each on the wire")
    yield Figure("day_records", len(day.cloud), "", "in the cloud, as on the flash")
    yield Figure("day_intervals", day.intervals, "", "each begins where the last one ended")
    yield Figure("day_broker_away_minutes", day.away_ms // MINUTE_MS, "min", "at least")
    yield from _heap(day, every)


def _heap(day: Day, every: int) -> Iterator[Figure]:
    """Raises AssertionError where the heap grows."""
    live = [event["live_bytes"] - shim_bytes() for event in day.heaps]
    free = [event["largest_free_bytes"] for event in day.heaps]
    settled = live[SETTLED_MINUTES // every :]
    if settled:
        growth_bytes = settled[-1] - settled[0]
        assert growth_bytes < GROWTH_BYTES, live
        yield Figure("day_growth_bytes", growth_bytes, "B", "from two hours on to the end")
    yield Figure("day_heap_cap_bytes", BACKLOG_HEAP_BYTES, "B", "a hard cap, without the harness")
    yield Figure("day_live_first_bytes", live[0], "B", f"after {every} min")
    yield Figure("day_live_last_bytes", live[-1], "B", "at the end")
    yield Figure("day_live_most_bytes", max(live), "B", f"of a sample in {every} min")
    yield Figure("day_largest_free_bytes", min(free), "B", "the least of all samples")
