"""Nobody starves: a device waits for each of the others once at the most."""

from hypothesis import given
from hypothesis import strategies as st

from edge.core.bus.schedule import BACKOFF_PERIODS_MAX, Schedule

PERIODS_MS = st.sampled_from([100, 250, 1000, 1000, 5000, 60_000])


@given(
    st.lists(st.tuples(PERIODS_MS, st.integers(1, 900)), min_size=1, max_size=8),
    st.lists(st.booleans(), min_size=1, max_size=60),
)
def test_a_due_device_waits_for_each_other_once_at_the_most(devices, answers):
    """devices: (period, duration of its poll), overload included; answers: used in a circle."""
    schedule = Schedule(tuple((i, period) for i, (period, _) in enumerate(devices)), 0)
    all_polls_ms = sum(duration for _, duration in devices)
    now, served = 0, [0] * len(devices)
    for turn in range(40 * len(devices)):
        due = {t.device: t.due_ms for t in schedule.turns}
        chosen = schedule.take(now)
        if chosen is None:
            now = schedule.next_due_ms()
            chosen = schedule.take(now)
        assert due[chosen] == min(due.values()) <= now
        duration = devices[chosen][1]
        assert now - due[chosen] <= all_polls_ms - duration
        now += duration
        served[chosen] += 1
        schedule.done(chosen, now, answers[turn % len(answers)])
        period = devices[chosen][0]
        after = {t.device: t.due_ms for t in schedule.turns}[chosen]
        assert after >= now and (after - due[chosen]) % period == 0
    if now > (BACKOFF_PERIODS_MAX + 1) * 60_000 + all_polls_ms:
        assert min(served) > 1


@given(st.lists(PERIODS_MS, min_size=2, max_size=6), st.integers(20, 400))
def test_a_dead_device_costs_the_healthy_ones_little(periods, timeout_ms):
    """The last device never answers; the share of the bus it takes shrinks to its backoff."""
    schedule = Schedule(tuple(enumerate(periods)), 0)
    dead = len(periods) - 1
    now, lost_ms = 0, 0
    end = 100 * BACKOFF_PERIODS_MAX * periods[dead]
    polls = 0
    while now < end and polls < 4000:
        device = schedule.take(now)
        if device is None:
            now = schedule.next_due_ms()
            continue
        polls += 1
        now += timeout_ms if device == dead else 5
        lost_ms += timeout_ms if device == dead else 0
        schedule.done(device, now, device != dead)
    asked = lost_ms // timeout_ms
    # 6 polls until the backoff is full, then one in 32 periods
    assert asked <= 7 + now // (BACKOFF_PERIODS_MAX * periods[dead]) + 1


def test_years_of_silence_do_not_grow_a_number():
    schedule = Schedule(((1, 1000),), 0)
    now = 0
    for _ in range(5000):
        schedule.done(1, now, False)
        now = schedule.next_due_ms()
    assert schedule.turns[0].silent_polls.bit_length() <= 8
    schedule.done(1, now, False)
    assert schedule.next_due_ms() - now == BACKOFF_PERIODS_MAX * 1000
    schedule.done(1, schedule.next_due_ms(), True)
    assert schedule.turns[0].silent_polls == 0
