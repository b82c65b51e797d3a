"""Clocks, restarts and counts of a stack, and the family that needs no hours."""

from edge.core.carbon import cems, flags
from edge.core.carbon.stack_meter import StackMeter
from edge.core.numbers import pack

HOUR = 3600000
MINUTE = 60000
T0 = 1800000000000
GAS = ((125, 1), (125, 1), (120, 0), (-800, 0), (85, 1))
HELD = "hj212-2017/273/22.4"


def stack(basis="dry", method=HELD):
    return cems.Stack(cems.METHODS[method], (2827, 2), 101300, basis)


def gas(co2=125):
    return cems.Sample((co2, 1), *GAS[1:])


def rate(co2=125):
    return cems.mass_rate_mg_per_h(stack(), gas(co2))


def hours(to, first, count, flag="N", co2=125):
    """Whole hours of 12 samples a minute, at one CO2."""
    at = T0 + first * HOUR
    end = at + count * HOUR
    while at < end:
        to.observe(gas(co2), flag, 1, at - T0, at)
        at += 5000


def seen(to, values):
    """A look-back of these hourly values, as a restart brings it."""
    to.remember([[value, 1] for value in values])
    return to


def tens(milligrams):
    """Look-back values: 10 g/h."""
    return (milligrams + 5000) // 10000


def set_in_the_middle(jump_ms):
    """Three hours of samples and a standstill; the clock is set half an hour into the second."""
    made = seen(StackMeter(stack(), "hj75", 5000), [tens(rate())] * 1000)
    for at in range(5 * 720):
        set_ms = jump_ms if at >= 1080 else 0
        flag = "N" if at < 3 * 720 else "O"
        made.observe(gas(), flag, 1, at * 5000, T0 + at * 5000 + set_ms)
    made.settle()  # the running hour, a standstill, is not closed
    return made.cumulative_mg()


def test_a_clock_that_is_set_makes_no_gap_and_counts_no_time_twice():
    assert set_in_the_middle(0) == 3 * rate()
    for jump_ms in (10**12, -(10**12), HOUR, -HOUR, 7 * MINUTE, -7 * MINUTE, 7 * MINUTE + 30000):
        # The cut hours are filled by their minutes; at the cut one is lost or doubled at most.
        apart = abs(set_in_the_middle(jump_ms) - 3 * rate())
        assert apart * 60 <= rate() + 60 * 20000, jump_ms


def test_a_close_with_a_clock_gone_wrong_makes_no_hours():
    made = StackMeter(stack(), "hj75", 5000)
    hours(made, 0, 1)
    for _ in range(10):
        made.close(HOUR, T0 + 10**12)
    hours(made, 1, 1)
    closed = made.close(HOUR, T0 + 2 * HOUR)
    assert (closed.valid, closed.missing, closed.pending, closed.late) == (1, 0, 0, 0)


def restarted(meter, family):
    """Another meter from what the first leaves behind: a snapshot, and what its closes said."""
    again = StackMeter(stack(), family, 5000)
    again.remember(meter.values_so_far)
    again.restore(pack.decode(pack.encode(meter.snapshot())))
    again.values_so_far = meter.values_so_far
    return again


def close(meter, wall_ms=None):
    closed = meter.close(HOUR, wall_ms)
    meter.values_so_far = meter.values_so_far + closed.values
    return closed.mass_mg


def test_a_restart_in_the_middle_of_an_hour_changes_nothing():
    for family in ("hj75", "eu-mrr", "part75-quadrants"):
        plain, broken = StackMeter(stack(), family, 5000), StackMeter(stack(), family, 5000)
        plain.values_so_far = broken.values_so_far = []
        total = [0, 0]
        for at in range(2880):
            flag = "C" if 900 < at < 1500 else "N"
            if at % 181 == 0:  # at the border of a minute and inside
                total[0] += close(plain)
                total[1] += close(broken)
                broken = restarted(broken, family)
            for number, to in enumerate((plain, broken)):
                mono_ms = at * 5000 if number == 0 else at % 181 * 5000
                to.observe(gas(100 + at % 30), flag, at // 181, mono_ms, T0 + at * 5000)
        total[0] += close(plain, T0 + 4 * HOUR)
        total[1] += close(broken, T0 + 4 * HOUR)
        assert total[0] == total[1] > 2 * rate(100), family
        assert plain.ledger.book.filled_mg == broken.ledger.book.filled_mg


def test_the_look_back_comes_from_what_the_closes_said():
    made = StackMeter(stack(), "hj75", 5000)
    hours(made, 0, 3, co2=110)
    hours(made, 3, 1, "D")
    hours(made, 4, 4)
    closed = made.close(HOUR, T0 + 8 * HOUR)
    low, high = tens(rate(110)), tens(rate())
    assert closed.values == [[low, 3], [-1, 1], [high, 4]]
    again = StackMeter(stack(), "hj75", 5000)
    again.remember(closed.values)
    for book in (made.ledger.book, again.ledger.book):
        assert book.ring.last(99) == [high] * 4 + [low] * 3
        assert (book.availability.valid, book.availability.count) == (7, 8)


def test_without_a_clock_hours_wait_and_hold_goes_on():
    hourly, held = StackMeter(stack(), "hj75", 5000), StackMeter(stack(), "hold", 5000)
    for to in (hourly, held):
        for at in range(720):
            to.observe(gas(), "N", 1, at * 5000, None)
    assert hourly.close(HOUR).mass_mg == 0
    assert held.total_mg == rate() * 719 * 5000 // HOUR


def test_hold_lets_a_sample_stand_for_three_periods_at_most():
    made = StackMeter(stack(), "hold", 1000)
    total = 0
    for mono_ms, flag, boot, counted_ms in (
        (0, "N", 1, 0),
        (1000, "N", 1, 1000),
        (4000, "N", 1, 3000),  # three periods
        (7001, "N", 1, 0),  # one millisecond more
        (8001, "C", 1, 0),
        (9001, "N", 1, 0),  # the first after calibration stands for nothing before it
        (10001, "N", 1, 1000),
        (10001, "N", 1, 0),
        (10500, "N", 2, 0),  # another boot
        (11000, "N", 2, 500),
    ):
        made.observe(gas(), flag, boot, mono_ms, None)
        total += rate() * counted_ms
        assert (made.total_mg, made.rest) == (total // HOUR, total % HOUR), mono_ms
    closed = made.close(11000)
    assert (closed.good, closed.expected, closed.mass_mg) == (9, 11, (total + HOUR // 2) // HOUR)
    assert closed.counts[flags.position("C")] == 1


def test_hold_telescopes_over_closes_and_restarts():
    made = StackMeter(stack(), "hold", 1000)
    parts = 0
    for at in range(1000):
        made.observe(gas(100 + at % 7), "N", 1, at * 1000, None)
        if at % 13 == 0:
            parts += made.close(13000).mass_mg
            state = pack.decode(pack.encode(made.snapshot()))
            made = StackMeter(stack(), "hold", 1000)
            made.restore(state)
    parts += made.close(1000).mass_mg
    assert parts == made.cumulative_mg() > 0


def test_the_count_begins_with_the_first_measurement():
    for family, mass in (("hold", rate()), ("hj75", 0)):
        made = StackMeter(stack(), family, HOUR)
        made.observe(gas(), "C", 1, 0, T0)
        assert made.count() is None
        made.observe(gas(), "N", 1, 1, T0 + 1)
        assert made.count() == (0, 0)
        made.observe(gas(), "N", 1, 1 + HOUR, T0 + 1 + HOUR)
        assert made.count() == (mass, 0) and made.cumulative_mg() == mass


def test_the_method_names_family_and_constants():
    assert StackMeter(stack(), "hold", 1000).method == HELD
    assert StackMeter(stack(), "hj75", 1000).method == HELD + "+hj75"
    try:
        StackMeter(stack(), "guess", 1000)
    except KeyError:
        return
    raise AssertionError
