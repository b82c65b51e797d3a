"""The same seed is the same world, to the last message."""

from hil_tests.soak.simulation import simulate

HOURS = 72


def test_a_seed_replays_exactly():
    first: list[str] = []
    second: list[str] = []
    one, two = simulate(11, HOURS, lines=first), simulate(11, HOURS, lines=second)
    assert one == two
    assert first == second and len(first) > 10


def test_another_seed_is_another_world():
    assert simulate(11, HOURS).digest != simulate(12, HOURS).digest
