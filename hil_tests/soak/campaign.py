"""Many seeds on all processors, for a time or a number; what fails is shrunk."""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import NamedTuple

from hil_tests.soak.shrink import shrink
from hil_tests.soak.simulation import YEAR_MS, Outcome, simulate
from hil_tests.soak.site import HOUR_MS

#: Virtual hours of one run: long enough for a clock that is wrong for days.
RUN_H = 720


class Total(NamedTuple):
    """What a campaign amounts to. failed: shrunk outcomes."""

    runs: int
    virtual_years: float
    seconds: float
    counts: dict[str, int]
    failed: tuple[Outcome, ...]

    @property
    def years_per_minute(self) -> float:
        return self.virtual_years * 60 / self.seconds


def outcomes(first_seed: int, hours: int, wanted: Callable[[int], bool]) -> Iterator[Outcome]:
    """Outcomes of first_seed, first_seed + 1, ..., each as soon as it is there.

    wanted: asked with the number of runs begun whether to begin one more.
    """
    workers = os.cpu_count() or 1
    with ProcessPoolExecutor(workers) as pool:
        running: set[Future[Outcome]] = set()
        begun = 0
        while True:
            while len(running) < 2 * workers and wanted(begun):
                running.add(pool.submit(simulate, first_seed + begun, hours))
                begun += 1
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()


def run_campaign(
    first_seed: int,
    hours: int,
    wanted: Callable[[int], bool],
    tell: Callable[[Outcome], None] = lambda outcome: None,
) -> Total:
    """Run seeds until `wanted` says no. tell: called with each outcome, a failing one shrunk."""
    begun_at = time.monotonic()
    runs = 0
    counts: dict[str, int] = {}
    failed = []
    for outcome in outcomes(first_seed, hours, wanted):
        runs += 1
        for name, count in outcome.counts.items():
            counts[name] = counts.get(name, 0) + count
        if not outcome.ok:
            outcome = shrink(outcome, simulate)
            failed.append(outcome)
        tell(outcome)
    seconds = time.monotonic() - begun_at
    years = runs * hours * HOUR_MS / YEAR_MS
    return Total(runs, years, seconds, counts, tuple(failed))
