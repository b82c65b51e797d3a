"""How a benchmark measures: interleaved rounds, medians, named figures."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Figure:
    """One result. name: stable, part of the `--json` contract; unit: for the table."""

    name: str
    value: float
    unit: str
    note: str = ""


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def interleave(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each work; A B C A B C ..., so that a slow machine is slow for all."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()  # warm up
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(seconds(work))
    return {name: statistics.median(values) for name, values in times.items()}
