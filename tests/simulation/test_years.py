"""Ten virtual years of a small site, with every fault there is: the ledger finds nothing."""

from hil_tests.soak.campaign import RUN_H, run_campaign

#: 122 runs of 30 days.
YEARS = 10
RUNS = -(-YEARS * 365 * 24 // RUN_H)

FIRST_SEED = 20_261_130

#: A fault strikes every few hours.
FAULT_EVERY_H = 6


def test_ten_years_pass_and_nothing_is_lost_or_wrong():
    total = run_campaign(FIRST_SEED, RUN_H, lambda begun: begun < RUNS)
    print(f"\n{total.virtual_years:.2f} years, {total.seconds:.0f} s: {total.counts}")
    replay = [
        (f"./run soak --runs 1 --seed {found.seed}", found.hours, found.kinds, found.violations)
        for found in total.failed
    ]
    assert replay == []
    assert total.virtual_years >= YEARS
    assert total.counts["faults"] >= total.virtual_years * 365 * 24 / FAULT_EVERY_H
    # Two meters, four times an hour, less what outages of power and meters took.
    assert total.counts["polls"] >= total.virtual_years * 365 * 24 * 2 * 4 * 0.8
    assert total.counts["receiver crashes"] >= 100 and total.counts["boots"] >= 1000
