from edge.core.bus.schedule import BACKOFF_PERIODS_MAX, Schedule


def test_devices_keep_to_their_grid():
    schedule = Schedule(((1, 1000), (2, 5000)), 0)
    assert schedule.take(0) == 1
    schedule.done(1, 200, True)
    assert schedule.take(200) == 2
    schedule.done(2, 400, True)
    assert schedule.take(400) is None
    assert schedule.next_due_ms() == 1000
    assert schedule.take(1000) == 1
    schedule.done(1, 1150, True)
    assert schedule.next_due_ms() == 2000


def test_missed_turns_are_skipped_not_made_up():
    schedule = Schedule(((1, 1000),), 0)
    schedule.done(1, 4500, True)
    assert schedule.next_due_ms() == 5000


def test_a_silent_device_is_asked_ever_more_rarely_until_it_answers():
    schedule = Schedule(((1, 1000),), 0)
    now = 0
    waits = []
    for _ in range(10):
        schedule.done(1, now, False)
        waits.append((schedule.next_due_ms() - now) // 1000)
        now = schedule.next_due_ms()
    assert waits == [1, 2, 4, 8, 16, 32, 32, 32, 32, 32]
    assert max(waits) == BACKOFF_PERIODS_MAX
    schedule.done(1, now, True)
    assert schedule.next_due_ms() - now == 1000


def test_the_longest_overdue_goes_first_so_none_starves():
    schedule = Schedule(((1, 100), (2, 100), (3, 100)), 0)
    served = []
    now = 0
    for _ in range(9):
        device = schedule.take(now)
        served.append(device)
        now += 90
        schedule.done(device, now, True)
    assert sorted(served, key=int) == [1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_an_empty_bus_has_nothing_to_do():
    assert Schedule((), 0).next_due_ms() is None
    assert Schedule((), 0).take(5) is None
