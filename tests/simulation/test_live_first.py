"""Live records before history, with every fault: the ledger finds nothing lost, twice or wrong."""

import pytest

from edge.core.sync import settling
from edge.core.sync.uplink import Uplink
from hil_tests.soak import machine
from hil_tests.soak.simulation import simulate

#: Three hours of a small site: after a longer outage there is a backlog to split.
RECORDS_MAX = 8

SEEDS = (20_261_130, 20_261_131, 20_261_134, 20_261_150)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_split_window_loses_nothing(monkeypatch: pytest.MonkeyPatch, seed: int):
    splits = 0
    split = settling._split

    def counted(window: Uplink, head_seq: int, gaps: int) -> None:
        nonlocal splits
        was = window.split_seq
        split(window, head_seq, gaps)
        splits += was is None and window.split_seq is not None

    monkeypatch.setattr(machine, "RECORDS_MAX", RECORDS_MAX)
    monkeypatch.setattr(settling, "_split", counted)
    found = simulate(seed, 360)
    assert found.violations == ()
    assert splits >= 1, "the run had no backlog to split"
