"""Counters against the truth: registers that roll over, glitch, are silent and are exchanged."""

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.core.carbon.counter import AGREE, Counter, Limits

MODULUS = 100_000_000  # eight digits of 0.01 kW.h
MOST_PER_H = 3_600_000  # 1,000 a second
WALL_MS = 1_800_000_000_000

GLITCH = st.lists(st.integers(0, 4_294_967_295), min_size=1, max_size=AGREE - 1)
STEP = st.tuples(st.integers(1, 300), st.integers(0, 1000), st.one_of(st.none(), GLITCH))


def could_flow(register: int, value: int, seconds: int) -> bool:
    """What the judged register might show by itself, generously."""
    most = 1_100 * (seconds + 5) + 2_000 + (register >> 20)
    return 0 <= value - register <= most or 0 <= value + MODULUS - register <= most


@settings(max_examples=300)
@given(st.integers(0, MODULUS - 1), st.lists(STEP, min_size=1, max_size=30), st.integers(0, 30))
def test_what_counts_is_what_flowed(first, steps, restart_at):
    """Each step: seconds, flow a second, and odd readings before the true one."""
    meter = Counter(Limits(MODULUS, MOST_PER_H, True, 1), 1000)
    now_ms, flowed = 0, 0
    for _ in range(2):
        meter.take(first, 1, now_ms, WALL_MS + now_ms)
        now_ms += 1000
    for at, (seconds, rate, glitch) in enumerate(steps):
        if at == restart_at:
            twin = Counter(Limits(MODULUS, MOST_PER_H, True, 1), 1000)
            twin.restore(meter.total, meter.state())
            meter = twin
        register = (first + flowed) % MODULUS
        for value in glitch or ():
            if could_flow(register, value, seconds):
                continue
            now_ms += 10
            assert not meter.take(value, 1, now_ms, WALL_MS + now_ms)
        now_ms += 1000 * seconds
        flowed += rate * seconds
        if not meter.take((first + flowed) % MODULUS, 1, now_ms, WALL_MS + now_ms):
            assert (first + flowed) % MODULUS < register, "only a rollover waits for a second one"
            now_ms += 1000
            assert meter.take((first + flowed) % MODULUS, 1, now_ms, WALL_MS + now_ms)
        assert meter.total == first + flowed
        assert not meter.is_held


@settings(max_examples=200)
@given(
    st.integers(0, 10**7),
    st.integers(0, 10**7),
    st.lists(st.integers(0, 900), min_size=AGREE, max_size=20),
    st.integers(0, 5000),
)
def test_an_exchange_loses_nothing_however_late_it_is_confirmed(old, new, flows, unread):
    """flows: of the new meter, a reading a second; unread: what the old one counted at last."""
    meter = Counter(Limits(None, MOST_PER_H, True, 1), 1000)
    for second in range(3):
        meter.take(old, 1, 1000 * second, None)
    shown = new
    held = 0
    for at, flow in enumerate(flows):
        shown += flow
        held += not meter.take(shown, 1, 3000 + 1000 * at, None)
    if held < len(flows):
        return  # the new meter looks like the old one going on
    meter.swap(old + unread, new)
    shown += 5
    assert meter.take(shown, 1, 3000 + 1000 * len(flows), None)
    assert meter.total == old + unread + (shown - new)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(1, 120), st.integers(0, 10**9)), min_size=1, max_size=60))
def test_no_reading_whatever_makes_the_count_outrun_the_rating(readings):
    """Arbitrary registers, a modulus among them: the count never rises faster than can be."""
    meter = Counter(Limits(1 << 32, MOST_PER_H, True, 1), 1000)
    now_ms, start = 0, None
    slack = 0
    for seconds, register in readings:
        now_ms += 1000 * seconds
        meter.take(register, 1, now_ms, None)
        start = (meter.total, now_ms) if start is None else start
        slack += 4 + (register >> 21)
        most = MOST_PER_H * (now_ms - start[1]) * 11 // 36_000_000 + slack
        assert 0 <= meter.total - start[0] <= most
