from edge.core.bus.confirm import Confirm
from edge.core.bus.second_look import settle
from edge.core.numbers.quality import Quality


def confirm_of(classes):
    return Confirm([index for index, kind in enumerate(classes) if kind == "counter"])


def steady(confirm, start, step, polls):
    for poll in range(polls):
        values = [start + step * poll]
        assert confirm.suspects(values, 1000 * poll) == []
        confirm.accept(values, {}, 1000 * poll)


def test_a_steady_counter_is_believed():
    steady(confirm_of(["counter"]), 1000, 3, 20)


def test_gauges_may_do_what_they_like():
    confirm = confirm_of(["gauge"])
    for value in (5, -100000, 7):
        assert confirm.suspects([value], 0) == []
        confirm.accept([value], {}, 0)


def test_going_back_and_jumping_are_looked_at_twice():
    confirm = confirm_of(["counter"])
    steady(confirm, 13_423_700, 1, 10)
    assert confirm.suspects([0], 10_000) == [0]
    assert confirm.suspects([99_999_999], 10_000) == [0]
    assert confirm.suspects([13_423_712], 10_000) == []
    # after a long silence a large move is what one expects
    assert confirm.suspects([13_425_700], 2_000_000) == []


def test_after_trouble_every_counter_is_looked_at_once():
    confirm = confirm_of(["counter", "gauge"])
    confirm.accept([5, 5], {}, 0)
    confirm.trouble()
    assert confirm.suspects([6, 6], 1000) == [0]
    confirm.accept([6, 6], {}, 1000)
    assert confirm.suspects([7, 7], 2000) == []


def test_two_reads_that_agree_are_the_truth_and_two_that_do_not_are_none():
    values, qualities = [0, 700_000, 9], {}
    settle(values, [0, 5, None], [0, 1, 2], qualities)
    assert values == [0, None, None]
    assert qualities == {1: Quality.UNCONFIRMED, 2: Quality.UNCONFIRMED}


def test_a_value_that_is_not_there_is_no_suspect():
    confirm = confirm_of(["counter"])
    steady(confirm, 10, 1, 5)
    assert confirm.suspects([None], 6000) == []


def test_a_counter_that_was_missing_is_judged_by_its_own_time():
    confirm = confirm_of(["counter", "counter"])
    for now_ms, values in ((0, [0, 0]), (60_000, [60, 60]), (120_000, [None, 120])):
        assert confirm.suspects(values, now_ms) == []
        confirm.accept(values, {}, now_ms)
    # 20 times faster than ever in two minutes, and in one: a move of 3000 is a jump in one.
    assert confirm.suspects([3060, 3120], 180_000) == [1]
    confirm.accept([3060, 180], {}, 180_000)
    assert confirm.suspects([9_060, 3_180], 240_000) == [1]
