from edge.core.journal.clock import FLOOR_MS, NAMES, TOLERANCE_MS, Anchor, ClockQuality

T0 = 1800000000000
SYNCED = ClockQuality.SYNCED
HELD = ClockQuality.HELD
UNSET = ClockQuality.UNSET


def anchored(mono_ms=1000, wall_ms=T0, quality=SYNCED):
    anchor = Anchor()
    assert anchor.observe(mono_ms, wall_ms, quality)
    return anchor


def test_names_are_those_of_the_wire_numbers():
    assert (NAMES[UNSET], NAMES[HELD], NAMES[SYNCED]) == ("unset", "held", "synced")


def test_before_the_first_look_nothing_is_known():
    anchor = Anchor()
    assert anchor.wall_ms(5000) == 0
    assert anchor.quality == UNSET


def test_wall_time_runs_with_the_monotonic_clock():
    anchor = anchored()
    assert anchor.wall_ms(1000) == T0
    assert anchor.wall_ms(1001) == T0 + 1
    assert anchor.wall_ms(0) == T0 - 1000


def test_small_differences_do_not_move_the_anchor():
    for drift_ms in (-TOLERANCE_MS, -1, 0, 1, TOLERANCE_MS):
        anchor = anchored()
        assert not anchor.observe(2000, T0 + 1000 + drift_ms, SYNCED)
        assert anchor.wall_ms(2000) == T0 + 1000


def test_a_difference_beyond_the_tolerance_does_in_both_directions():
    for jump_ms in (-3600000, -TOLERANCE_MS - 1, TOLERANCE_MS + 1, 3600000):
        anchor = anchored()
        assert anchor.observe(2000, T0 + 1000 + jump_ms, SYNCED)
        assert anchor.wall_ms(2000) == T0 + 1000 + jump_ms


def test_a_slow_drift_adds_up_until_it_counts():
    anchor = anchored(0)
    moves = 0
    for second in range(1, 201):
        moves += anchor.observe(1000 * second, T0 + 1001 * second, SYNCED)  # 1 ms per second
        assert abs(anchor.wall_ms(1000 * second) - (T0 + 1001 * second)) <= TOLERANCE_MS
    assert moves == 200 // (TOLERANCE_MS + 1)


def test_another_quality_is_a_move_even_at_the_same_time():
    anchor = anchored(quality=HELD)
    assert anchor.observe(2000, T0 + 1000, SYNCED)
    assert anchor.quality == SYNCED
    assert anchor.observe(3000, T0 + 2000, HELD)
    assert anchor.quality == HELD


def test_a_time_before_the_floor_is_never_trusted():
    anchor = Anchor()
    assert anchor.observe(0, FLOOR_MS - 1, SYNCED)
    assert anchor.quality == UNSET
    assert not anchor.observe(10, FLOOR_MS + 9, UNSET)
    assert anchor.observe(20, FLOOR_MS, SYNCED)
    assert anchor.quality == SYNCED
    assert anchor.wall_ms(20) == FLOOR_MS


def test_a_clock_that_is_lost_again_is_said_to_be():
    anchor = anchored()
    assert anchor.observe(2000, 0, SYNCED)
    assert anchor.quality == UNSET
