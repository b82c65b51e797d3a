"""The simulator can fail: each bug that is put in is found, where the product is clean."""

import pytest

from hil_tests.soak.simulation import simulate
from tests.simulation import mutants_cloud, mutants_gateway, mutants_journal
from tests.simulation.mutant import Mutant, applied

MUTANTS = (*mutants_gateway.MUTANTS, *mutants_journal.MUTANTS, *mutants_cloud.MUTANTS)


def test_there_are_enough():
    assert len(MUTANTS) >= 20
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_is_killed(mutant: Mutant):
    with applied(mutant):
        mutated = simulate(mutant.seed, mutant.hours, mutant.kinds)
    assert mutated.violations, mutated.counts
    assert simulate(mutant.seed, mutant.hours, mutant.kinds).violations == ()
