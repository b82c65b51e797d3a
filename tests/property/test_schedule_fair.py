"""Nobody starves: a device waits for each of the others once at the most."""

from hypothesis import given
from hypothesis import strategies as st

from edge.core.bus.schedule import DEAD_AFTER, DEAD_SHARE_PPM, Schedule

PERIODS_MS = st.sampled_from([100, 250, 1000, 1000, 5000, 60_000])


@given(st.lists(st.tuples(PERIODS_MS, st.integers(1, 900)), min_size=1, max_size=8))
def test_a_due_device_waits_for_each_other_once_at_the_most(devices):
    """devices: (period, duration of its poll), overload included; all of them answer."""
    turns = tuple((i, period, 100 + i) for i, (period, _) in enumerate(devices))
    schedule = Schedule(turns, 0)
    all_polls_ms = sum(duration for _, duration in devices)
    now, served = 0, [0] * len(devices)
    for _ in range(40 * len(devices)):
        due = dict(zip(schedule.numbers, schedule.due_ms, strict=True))
        chosen = schedule.take(now)
        if chosen is None:
            now = schedule.next_due_ms()
            chosen = schedule.take(now)
        assert due[chosen] == min(due.values()) <= now
        duration = devices[chosen][1]
        assert now - due[chosen] <= all_polls_ms - duration
        now += duration
        served[chosen] += 1
        schedule.done(chosen, now, True, duration)
        period = devices[chosen][0]
        after = dict(zip(schedule.numbers, schedule.due_ms, strict=True))[chosen]
        assert after >= now and (after - due[chosen]) % period == 0
    if now > 60_000 + all_polls_ms:
        assert min(served) > 1


@given(
    st.lists(PERIODS_MS, min_size=3, max_size=6),
    st.integers(20, 400),
    st.integers(1, 2),
)
def test_dead_stations_together_cost_their_share_and_no_more(periods, timeout_ms, dead):
    """The last `dead` stations never answer; probes stay within DEAD_SHARE_PPM of the time."""
    schedule = Schedule(tuple((i, period, 100 + i) for i, period in enumerate(periods)), 0)
    first_dead = len(periods) - dead
    now, lost_ms, polls = 0, 0, 0
    while polls < 3000:
        device = schedule.take(now)
        if device is None:
            now = schedule.next_due_ms()
            continue
        polls += 1
        silent = device >= first_dead
        now += timeout_ms if silent else 5
        lost_ms += timeout_ms if silent else 0
        schedule.done(device, now, not silent, timeout_ms if silent else 5)
    until_known = dead * DEAD_AFTER * timeout_ms + timeout_ms  # the last probe is not over yet
    assert (lost_ms - until_known) * 1_000_000 <= now * DEAD_SHARE_PPM
