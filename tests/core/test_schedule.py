from edge.core.bus.schedule import DEAD_AFTER, DEAD_SHARE_PPM, Schedule


def test_devices_keep_to_their_grid():
    schedule = Schedule(((1, 1000, 11), (2, 5000, 12)), 0)
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
    schedule = Schedule(((1, 1000, 11),), 0)
    schedule.done(1, 4500, True)
    assert schedule.next_due_ms() == 5000


def kill(schedule, device, now_ms, spent_ms):
    for _ in range(DEAD_AFTER):
        schedule.done(device, now_ms, False, spent_ms)


def test_a_station_is_dead_after_some_silence_and_alive_after_one_answer():
    schedule = Schedule(((1, 1000, 11),), 0)
    kill(schedule, 1, 0, 100)
    assert schedule.is_dead(11)
    schedule.done(1, 10_000, False, 100)
    schedule.done(1, 50_000, True, 30)
    assert not schedule.is_dead(11)
    assert schedule.next_due_ms() <= 50_000


def test_all_probes_together_keep_to_their_share():
    # Two of four stations never answer; every poll of a live one takes 50 ms, a probe 200 ms.
    schedule = Schedule(((1, 100, 11), (2, 100, 12), (3, 100, 13), (4, 100, 14)), 0)
    now_ms = 0
    probing_ms = 0
    probed = {3: 0, 4: 0}
    while now_ms < 600_000:
        device = schedule.take(now_ms)
        if device is None:
            now_ms = schedule.next_due_ms()
            continue
        dead = device in probed
        now_ms += 200 if dead else 50
        if dead and now_ms > 10_000:
            probing_ms += 200
            probed[device] += 1
        schedule.done(device, now_ms, not dead, 200 if dead else 50)
    assert probing_ms * 1_000_000 <= 590_000 * DEAD_SHARE_PPM
    assert probing_ms * 1_000_000 >= 500_000 * DEAD_SHARE_PPM
    assert abs(probed[3] - probed[4]) <= 1


def test_a_full_bus_still_probes():
    schedule = Schedule(((1, 100, 11), (2, 100, 12)), 0)
    kill(schedule, 2, 0, 200)
    now_ms = 0
    seen = set()
    for _ in range(200):
        device = schedule.take(now_ms)
        if device is None:
            now_ms = schedule.next_due_ms()
            continue
        seen.add(device)
        now_ms += 150  # longer than the period: device 1 is nearly always overdue
        schedule.done(device, now_ms, device == 1, 150)
    assert seen == {1, 2}


def test_the_longest_overdue_goes_first_so_none_starves():
    schedule = Schedule(((1, 100, 11), (2, 100, 12), (3, 100, 13)), 0)
    served = []
    now_ms = 0
    for _ in range(9):
        device = schedule.take(now_ms)
        served.append(device)
        now_ms += 90
        schedule.done(device, now_ms, True)
    assert sorted(served, key=int) == [1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_a_station_polled_at_two_rates_is_one_station():
    schedule = Schedule(((1, 1000, 11), (2, 60_000, 11)), 0)
    kill(schedule, 1, 0, 100)
    assert schedule.is_dead(11)
    schedule.done(2, 5000, True, 30)
    assert not schedule.is_dead(11)


def test_retries_are_paid_from_a_budget_and_only_for_the_healthy():
    schedule = Schedule(((1, 1000, 11), (2, 1000, 12)), 0)
    assert not schedule.may_retry(11, 0, 200)  # never heard of
    schedule.done(1, 0, True, 30)
    schedule.done(2, 0, True, 30)
    granted = sum(schedule.may_retry(11, 0, 200) for _ in range(20))
    assert granted == 5  # one second saved
    assert not schedule.may_retry(11, 1000, 200)
    assert schedule.may_retry(11, 4000, 200)
    schedule.done(2, 4000, False, 200)
    assert not schedule.may_retry(12, 60_000, 200)
    assert schedule.may_retry(11, 60_000, 200)


def test_an_empty_bus_has_nothing_to_do():
    assert Schedule((), 0).next_due_ms() is None
    assert Schedule((), 0).take(5) is None
