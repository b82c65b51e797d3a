"""Who is next at the receiver: floods, backlogs and live records against each other.

Virtual time: a worker that takes so many microseconds a message, and senders on schedules.
"""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_sync.fair import (
    BURST_S,
    PER_GATEWAY_MAX,
    SMALL_MAX_BYTES,
    SMALL_RUN,
    WAITING_MAX_BYTES,
    Fair,
)

S = 1_000_000
LIVE, HISTORY = 800, 40_000


def test_the_same_gateway_s_live_record_does_not_wait_for_its_history():
    fair: Fair[str] = Fair(100)
    for number in range(4):
        fair.put("a", HISTORY, f"history {number}", 0)
    fair.put("a", LIVE, "live", 0)
    order = [fair.pop(0) for _ in range(5)]
    assert order == ["live", *(f"history {number}" for number in range(4))]


def test_a_thousand_backlogs_delay_a_live_record_by_less_than_a_round():
    """4 large messages of each of 1,000 gateways wait when each sends a small one."""
    fair: Fair[tuple[str, str]] = Fair(100)
    names = [f"g{number}" for number in range(1_000)]
    for _ in range(4):
        for name in names:
            fair.put(name, HISTORY // 8, (name, "history"), 0)
    for _ in range(500):
        assert fair.pop(0) is not None
    for name in names:
        fair.put(name, LIVE, (name, "live"), 0)
    served = [fair.pop(0) for _ in range(len(fair))]
    lives = [at for at, item in enumerate(served) if item is not None and item[1] == "live"]
    assert len(lives) == 1_000
    assert lives[-1] < 2_000  # of 4,500
    for at in range(4):  # nobody's second before everybody's first
        begun = Counter(name for name, kind in served[: 2_000 + 1_000 * at] if kind == "history")
        assert max(begun.values()) - min(begun[name] for name in names) <= 2


def test_a_live_record_comes_into_a_round_of_history_at_once():
    """A thousand equal tags are one round: what comes in its middle is not put behind it."""
    fair: Fair[str] = Fair(100)
    for number in range(1_000):
        fair.put(f"g{number}", HISTORY, "history", 0)
    for _ in range(400):
        fair.pop(0)
    for number in range(50):
        fair.put(f"g{number}", LIVE, "live", 0)
    served = [fair.pop(0) for _ in range(60)]
    assert served.count("live") == 50 and served.count("history") == 10


def test_a_flood_takes_no_more_than_its_rate_and_nothing_from_others():
    rate, others, service_us = 20, [f"g{number}" for number in range(9)], 5_000
    fair: Fair[tuple[str, int]] = Fair(rate)
    flood_next, refused, taken = 0, 0, Counter[str]()
    waits: dict[str, list[int]] = {name: [] for name in others}
    end_us = 60 * S
    due = {name: at * 11_000 for at, name in enumerate(others)}
    now_us = 0
    while now_us < end_us:
        while flood_next <= now_us:
            if fair.has_room("flood", LIVE):
                fair.put("flood", LIVE, ("flood", flood_next), now_us)
            else:
                refused += 1
            flood_next += 1_000
        for name in others:
            while due[name] <= now_us:
                assert fair.has_room(name, LIVE)
                fair.put(name, LIVE, (name, due[name]), now_us)
                due[name] += S // 10
        item = fair.pop(now_us)
        if item is not None:
            taken[item[0]] += 1
            if item[0] in waits:
                waits[item[0]].append(now_us - item[1])
        now_us += service_us
    assert rate * 60 <= taken["flood"] <= rate * (60 + BURST_S) + 1
    assert refused > 55_000
    for name in others:
        assert len(waits[name]) >= 597 and max(waits[name]) <= 12 * service_us


def test_what_is_over_the_rate_comes_later_and_comes_all():
    """An honest backlog, a window of 4 at a time, is slowed and never refused."""
    rate = 50
    fair: Fair[int] = Fair(rate)
    sent = served = now_us = 0
    while served < 2_000:
        while sent < served + 4:
            assert fair.has_room("a", HISTORY)
            fair.put("a", HISTORY, sent, now_us)
            sent += 1
        item = fair.pop(now_us)
        if item is None:
            wait_us = fair.wait_us(now_us)
            assert wait_us is not None and wait_us > 0
            now_us += wait_us
            continue
        assert item == served
        served += 1
        now_us += 1_000
    assert 2_000 // rate - BURST_S - 1 <= now_us // S <= 2_000 // rate - BURST_S + 1


def test_what_waits_is_bounded():
    fair: Fair[int] = Fair(1)
    for number in range(PER_GATEWAY_MAX):
        assert fair.has_room("a", LIVE)
        fair.put("a", LIVE, number, 0)
    assert not fair.has_room("a", LIVE) and fair.has_room("b", LIVE)
    assert not fair.has_room("b", WAITING_MAX_BYTES)
    while fair.pop(10**12) is not None:
        pass
    assert len(fair) == fair.waiting_bytes == 0 and fair.has_room("a", WAITING_MAX_BYTES)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.integers(0, 65_536), st.integers(0, S)), max_size=120
    ),
    st.integers(1, 200),
)
def test_every_message_comes_once_and_each_flow_in_its_order(puts, rate: int):
    fair: Fair[tuple[str, bool, int]] = Fair(rate)
    now_us, kept, came = 0, [], []
    for number, (owner, size, pause_us) in enumerate(puts):
        now_us += pause_us
        if fair.has_room(owner, size):
            fair.put(owner, size, (owner, size > SMALL_MAX_BYTES, number), now_us)
            kept.append(number)
        if number % 3 == 0 and (item := fair.pop(now_us)) is not None:
            came.append(item)
    while (wait := fair.wait_us(now_us)) is not None or len(fair):
        now_us += wait or 0
        while (item := fair.pop(now_us)) is not None:
            came.append(item)
    assert sorted(number for _, _, number in came) == kept
    for flow in {item[:2] for item in came}:
        numbers = [number for *of, number in came if tuple(of) == flow]
        assert numbers == sorted(numbers)


def test_nobody_starves_under_an_endless_stream_of_small_messages():
    fair: Fair[str] = Fair(1_000)
    fair.put("slow", 65_536, "large", 0)
    for turn in range(5_000):
        fair.put("busy", 1, "small", turn * 1_000)
        if fair.pop(turn * 1_000) == "large":
            break
    assert turn <= SMALL_RUN
