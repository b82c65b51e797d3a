from edge.core.carbon.counter import LEARNED, Counter, Flag, Limits
from edge.core.errors import DataError

HOUR = 3_600_000


def counter(most=10_000_000, modulus=None, is_rated=True, step=1, poll_ms=1000):
    """10,000 kW.h an hour in W.h, where nothing else is said."""
    return Counter(Limits(modulus, most, is_rated, step), poll_ms)


def show(meter, readings, start_s=0, boot=1):
    """Feed one register a second; return the codes of the events."""
    for at, register in enumerate(readings):
        mono_ms = 1000 * (start_s + at)
        meter.take(register, boot, mono_ms, 1_800_000_000_000 + mono_ms)
    codes = [event.code for event in meter.events]
    meter.events = []
    return codes


def gained(meter, first):
    return meter.total - first


def test_what_flows_is_counted():
    meter = counter()
    assert show(meter, [100, 100, 150, 400]) == []
    assert gained(meter, 100) == 300


def test_a_momentary_zero_costs_nothing_and_brings_nothing():
    # 13,423.7 -> 0 -> 13,423.8 kW.h is 0.1 kW.h, not 13 MW.h
    meter = counter()
    assert show(meter, [13_423_700, 0, 13_423_800]) == ["data.backwards", "data.glitch"]
    assert gained(meter, 13_423_700) == 100
    assert not meter.is_held


def test_a_glitch_upwards_is_not_counted_either():
    meter = counter()
    assert show(meter, [1000, 900_000_000, 1010]) == ["data.jump", "data.glitch"]
    assert gained(meter, 1000) == 10


def test_an_event_has_both_readings():
    meter = counter()
    meter.take(5000, 1, 0, None)
    meter.take(7, 1, 1000, None)
    meter.take(5001, 1, 2000, None)
    told = [(e.code, e.fields["before"], e.fields["value"]) for e in meter.events]
    assert told == [("data.backwards", 5000, 7), ("data.glitch", 5000, 7)]
    assert meter.events[1].fields["after"] == 5001


def test_a_rollover_is_counted_across_the_modulus():
    meter = counter(modulus=1 << 32)
    assert show(meter, [(1 << 32) - 5, 15, 20]) == ["data.rollover"]
    assert gained(meter, (1 << 32) - 5) == 25
    assert meter.flags == Flag.STEP


def test_a_zero_near_the_modulus_is_a_glitch_when_it_comes_back():
    meter = counter(modulus=1 << 32)
    assert show(meter, [(1 << 32) - 50, 0, (1 << 32) - 40]) == ["data.glitch"]
    assert gained(meter, (1 << 32) - 50) == 10


def test_a_zero_far_from_the_modulus_is_no_rollover():
    meter = counter(modulus=1 << 32)
    assert show(meter, [5_000_000, 0, 5_000_100]) == ["data.backwards", "data.glitch"]
    assert gained(meter, 5_000_000) == 100


def test_a_rollover_that_could_not_have_flowed_is_held():
    meter = counter(modulus=10_000_000)
    assert show(meter, [9_500_000, 400_000]) == ["data.backwards"]
    assert gained(meter, 9_500_000) == 0


def test_a_reset_is_told_and_held_until_it_is_confirmed():
    meter = counter()
    codes = show(meter, [500_000, 500_010, 0, 5, 10, 15])
    assert codes == ["data.backwards", "data.reset"]
    assert gained(meter, 500_000) == 10 and meter.is_held
    meter.swap(None, 0)
    assert show(meter, [20], 6) == []
    assert gained(meter, 500_000) == 30


def test_another_level_may_be_another_meter():
    meter = counter()
    codes = show(meter, [500_000, 500_010, 123_457, 123_460, 123_461])
    assert codes == ["data.backwards", "data.level"]
    meter.swap(500_020, 123_450)
    show(meter, [123_470], 5)
    assert gained(meter, 500_000) == 20 + 20


def test_a_change_of_the_transformer_ratio_is_named():
    meter = counter()
    codes = show(meter, [400_000, 400_010, 600_020, 600_025, 600_030])
    assert codes == ["data.jump", "data.ratio"]
    down = counter()
    assert show(down, [800_000, 800_001, 400_001, 400_002, 400_003])[-1] == "data.ratio"


def test_a_swap_may_not_take_back_what_was_counted():
    meter = counter()
    show(meter, [1000, 1100])
    try:
        meter.swap(1099, 0)
    except DataError as error:
        assert error.code == "data.range"
    else:
        raise AssertionError("accepted")
    assert meter.total == 1100


def test_a_rated_stream_never_counts_what_could_not_flow():
    meter = counter(most=5_000)  # 5 kW
    codes = show(meter, [100, 100] + [53_700_000 + at for at in range(50)])
    assert codes == ["data.jump", "data.level"]
    assert gained(meter, 100) == 0


def test_a_register_that_moves_once_a_minute_may_move_by_a_minute():
    meter = counter(most=6_000_000)  # 100 kW.h a minute
    assert show(meter, [0] * 60 + [100_000] * 60 + [200_000]) == []
    assert gained(meter, 0) == 200_000


def test_coarse_registers_step_by_what_they_can_show():
    meter = counter(most=1_000, step=60_000)
    assert show(meter, [600_000, 660_000]) == []


def test_without_a_rating_what_was_learned_bounds_and_agreement_counts():
    meter = counter(most=500_000_000, is_rated=False)
    show(meter, [at * 10 for at in range(LEARNED + 2)])
    top = (LEARNED + 1) * 10
    assert show(meter, [top + 5000], 12) == ["data.jump"]
    assert meter.total == top
    assert show(meter, [top + 5001, top + 5002], 13) == ["data.surge"]
    assert meter.total == top + 5002 and meter.flags == Flag.STEP


def test_a_first_register_that_was_the_glitch():
    meter = counter(most=500_000_000, is_rated=False)
    codes = show(meter, [0, 13_423_700, 13_423_701, 13_423_702, 13_423_703])
    assert codes == ["data.jump", "data.glitch"]
    assert gained(meter, 0) == 3


def test_a_gap_is_told_and_caught_up():
    meter = counter()
    show(meter, [1000])
    meter.take(51_000, 1, HOUR, None)
    (event,) = meter.events
    assert (event.code, event.fields["elapsed_ms"]) == ("data.gap", HOUR)
    assert gained(meter, 1000) == 50_000 and meter.flags == Flag.GAP


def test_across_boots_the_wall_clock_tells_what_could_flow():
    wall_ms = 1_800_000_000_000
    meter = counter(most=3_600)  # 1 W.h a second
    meter.take(0, 1, 900_000, wall_ms)
    meter.take(11_000, 2, 5, wall_ms + 10_000_000)
    assert meter.total == 11_000
    meter = counter(most=3_600)
    meter.take(0, 1, 900_000, wall_ms)
    meter.take(11_000, 2, 5, wall_ms + 100_000)
    assert meter.total == 0 and meter.is_held


def test_noise_that_never_agrees_is_told_once():
    meter = counter()
    assert show(meter, [500_000, 7, 400_000, 3, 300_000, 1]) == ["data.backwards"]
    assert show(meter, [500_001], 6) == ["data.glitch"]


def test_the_state_goes_on_exactly():
    shown = [1000, 1010, 0, 1, 2, 1020, 700_000_000, 1030, 1040]
    for cut in range(1, len(shown)):
        one = counter(modulus=1 << 32)
        codes = show(one, shown)
        before = counter(modulus=1 << 32)
        first = show(before, shown[:cut])
        after = counter(modulus=1 << 32)
        after.restore(before.total, before.state())
        assert first + show(after, shown[cut:], cut) == codes
        assert (after.total, after.state()) == (one.total, one.state())


def test_a_record_without_state_knows_its_register():
    meter = counter()
    meter.restore(5000, [])
    meter.take(5100, 3, 0, None)
    assert meter.total == 5100
