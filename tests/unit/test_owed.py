"""What a device owed, by the polls that came: lateness is no loss, and no poll is one too many."""

import random

from cloud_sync.owed import Owed

POLL_MS = 1_000


def lacking_of(times: list[int], until_ms: int = 0) -> list[int]:
    owed = Owed(POLL_MS, times[0])
    found = [at for time in times[1:] for at in owed.take(time)]
    return found + list(owed.lack(until_ms))


def test_polls_that_are_late_by_less_than_a_period_lack_none():
    rng = random.Random(7)
    for late_ms in (0, 5, 400, 900):
        times = [at * POLL_MS + rng.randint(0, late_ms) for at in range(5_000)]
        assert lacking_of(times, times[-1] + 1) == []


def test_each_that_is_left_out_lacks_at_its_time():
    rng = random.Random(8)
    kept = [at for at in range(5_000) if at in (0, 4_999) or rng.random() < 0.7]
    gone = sorted(set(range(5_000)) - set(kept))
    assert lacking_of([at * POLL_MS for at in kept]) == [at * POLL_MS for at in gone]


def test_a_bus_that_cannot_keep_up_lacks_what_it_leaves_out():
    times = [at * 1_100 for at in range(1_001)]
    assert len(times) + len(lacking_of(times)) == 1_101


def test_one_that_begins_anew_owes_from_there():
    times = [0, 1_000, 1_400, 2_400, 3_400, 9_500]
    assert lacking_of(times) == [4_400, 5_400, 6_400, 7_400, 8_400]


def test_one_that_falls_silent_owes_until_the_end():
    assert lacking_of([0, 1_000], 4_999) == [2_000, 3_000]
    assert lacking_of([0, 1_000], 5_000) == [2_000, 3_000, 4_000]


def test_a_period_of_zero_owes_nothing():
    owed = Owed(0, 5)
    assert list(owed.take(9_000)) == list(owed.lack(99_000)) == []
