"""The part of `bench esp32` that takes long: 24 hours of a board, judged by a ledger.

8 meters of 30 points each minute at 9600 baud and 12 streams, with the real program, ring and
client, through broker and receiver; the broker is away for five hours, the ticks wrap.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from hil_tests.bench.measure import Figure, seconds
from hil_tests.micropython.built import LEAN_HEAP_BYTES
from hil_tests.micropython.day import MINUTE_MS, Day, judge_day, run_day

MINUTES = 24 * 60
AWAY = (7 * 60, 12 * 60)
SAMPLE_MINUTES = 30
#: What comes after is growth.
SETTLED_MINUTES = 120


def day_figures() -> Iterator[Figure]:
    """One run: virtual time repeats itself, but for when the network answers."""
    days: list[Day] = []
    with tempfile.TemporaryDirectory() as folder:
        spent_s = seconds(
            lambda: days.append(
                run_day(Path(folder), MINUTES, AWAY, LEAN_HEAP_BYTES, SAMPLE_MINUTES)
            )
        )
    day = days[0]
    judge_day(day, MINUTES)
    live = [event["live_bytes"] for event in day.heaps]
    settled = live[SETTLED_MINUTES // SAMPLE_MINUTES :]
    free = [event["largest_free_bytes"] for event in day.heaps]
    yield Figure("day_virtual_minutes", MINUTES, "min", "lost 0, duplicated 0, wrong 0")
    yield Figure("day_seconds", spent_s, "s", "of this machine")
    yield Figure("day_readings", day.found.good, "", "good, each on the wire")
    yield Figure("day_records", len(day.cloud), "", "in the cloud, as on the flash")
    yield Figure("day_intervals", day.intervals, "", "each begins where the last one ended")
    yield Figure("day_broker_away_minutes", day.away_ms // MINUTE_MS, "min", "at least")
    yield Figure(
        "day_heap_cap_bytes", LEAN_HEAP_BYTES, "B", "a hard cap, with what stays in place"
    )
    yield Figure("day_live_first_bytes", live[0], "B", "the harness' own included")
    yield Figure("day_live_settled_bytes", settled[0], "B", "after two hours")
    yield Figure("day_live_last_bytes", settled[-1], "B", "after the day")
    yield Figure("day_live_most_bytes", max(live), "B", f"of a sample in {SAMPLE_MINUTES} min")
    yield Figure("day_largest_free_bytes", min(free), "B", "the least of all samples")
