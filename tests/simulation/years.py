"""Years of a small site in virtual time, with every fault there is: the ledger finds nothing.

Each half is a test file of its own, so that both processors have something to do.
"""

from collections import Counter

from hil_tests.soak.campaign import RUN_H
from hil_tests.soak.simulation import Outcome, simulate

#: Together the halves make ten years: 122 runs of 30 days.
YEARS = 10
HALF_RUNS = -(-YEARS * 365 * 24 // (2 * RUN_H))

FIRST_SEED = 20_261_130

#: A fault strikes every few hours.
FAULT_EVERY_H = 6


def check_half(half: int) -> None:
    """Run the seeds of one half, 0 or 1, and look at what happened in them."""
    first = FIRST_SEED + half * HALF_RUNS
    counts: Counter[str] = Counter()
    failed: list[Outcome] = []
    for seed in range(first, first + HALF_RUNS):
        outcome = simulate(seed, RUN_H)
        counts.update(outcome.counts)
        if not outcome.ok:
            failed.append(outcome)
    assert [(f"./run soak --runs 1 --seed {bad.seed}", bad.violations) for bad in failed] == []
    hours = HALF_RUNS * RUN_H
    assert 2 * hours >= YEARS * 365 * 24
    assert counts["faults"] >= hours / FAULT_EVERY_H
    # Two meters, four times an hour, less what outages of power and meters took.
    assert counts["polls"] >= hours * 2 * 4 * 0.8
    assert counts["receiver crashes"] >= 50 and counts["boots"] >= 500
