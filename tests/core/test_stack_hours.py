"""Minutes, hours and days of a stack by count of samples, through the meter as the account has it.

The gas is always the worked chain of HJ 212-2017, 196 921 725 924 mg/h, unless a test changes it.
"""

from edge.core.carbon import cems, flags, ratio, stack_hours
from edge.core.carbon.stack_meter import StackMeter

HOUR = 3600000
MINUTE = 60000
T0 = 1800000000000  # on an hour
RATE = 196921725924
GAS = ((125, 1), (125, 1), (120, 0), (-800, 0), (85, 1))
SAMPLE = cems.Sample(*GAS)


def stack(method="hj212-2017/273/22.4", basis="dry"):
    return cems.Stack(cems.METHODS[method], (2827, 2), 101300, basis)


def meter(family="hj75", poll_ms=5000, **options):
    return StackMeter(stack(), family, poll_ms, **options)


def feed(to, start_ms, end_ms, flag="N", sample=SAMPLE, every_ms=5000):
    """Samples from start on, before end; the monotonic clock runs with the wall clock."""
    at = start_ms
    while at < end_ms:  # a range of such numbers overflows on MicroPython
        to.observe(sample, flag, 1, at - T0, at)
        at += every_ms


def minutes(to, hour, flags_of_minutes, **options):
    """One hour, minute by minute, each with one flag; "-" is a minute without samples."""
    for at, flag in enumerate(flags_of_minutes):
        start_ms = T0 + hour * HOUR + at * MINUTE
        if flag != "-":
            feed(to, start_ms, start_ms + MINUTE, flag, **options)


def test_a_full_hour_is_its_rate():
    made = meter()
    feed(made, T0, T0 + HOUR)
    assert made.close(HOUR, T0 + HOUR - 1).mass_mg == 0  # the hour has not ended
    closed = made.close(HOUR, T0 + HOUR)
    assert (closed.mass_mg, closed.valid, closed.pending) == (RATE, 1, 0)
    assert closed.substituted_mg == 0 and closed.missing == 0


def test_45_valid_minutes_are_an_hour_and_44_are_none():
    for lost in "DMCTSFB-":
        made = meter()
        minutes(made, 0, "N" * 45 + lost * 15)
        closed = made.close(HOUR, T0 + HOUR)
        assert (closed.valid, closed.mass_mg) == (1, RATE), lost
        made = meter()
        minutes(made, 0, "N" * 44 + lost * 16)
        closed = made.close(HOUR, T0 + HOUR)
        assert (closed.valid, closed.mass_mg, closed.pending) == (0, 0, 1), lost


def test_12_samples_are_a_minute_and_11_are_none():
    for full, valid in ((45, 1), (44, 0)):
        made = meter()
        for minute in range(60):
            start = T0 + minute * MINUTE
            # 11 samples 5454 ms apart: none is missed by distance, one by count
            feed(made, start, start + 59990, every_ms=5000 if minute < full else 5454)
        closed = made.close(HOUR, T0 + HOUR)
        assert closed.valid == valid
        assert closed.good == full * 12 + (60 - full) * 11


def test_a_minute_that_begins_or_ends_without_samples_is_none():
    for first_ms, last_ms, valid in ((0, MINUTE, 1), (7000, MINUTE, 0), (0, 54000, 0)):
        made = meter(poll_ms=2000)
        for minute in range(60):
            start = T0 + minute * MINUTE
            feed(made, start + first_ms, start + last_ms, every_ms=2000)
        assert made.close(HOUR, T0 + HOUR).valid == valid, first_ms


def test_a_burst_is_no_minute():
    made = meter()
    for minute in range(60):
        start = T0 + minute * MINUTE
        feed(made, start, start + 24000, every_ms=1000)  # 24 samples, then 36 s without
    assert made.close(HOUR, T0 + HOUR).valid == 0


def test_a_late_poll_inside_a_second_is_no_loss():
    made = meter(poll_ms=4000)
    for at in range(900):
        late = 900 if at % 7 == 0 else 0
        made.observe(SAMPLE, "N", 1, at * 4000 + late, T0 + at * 4000 + late)
    assert made.close(HOUR, T0 + HOUR).valid == 1


def test_what_is_not_normal_never_enters_a_total():
    # wild values under every other flag: an hour of them between good ones changes no milligram
    wild = cems.Sample((999, 1), (599, 1), (20, 0), (0, 0), (0, 1))
    for flag in "DMCTSFBO":
        made = meter(poll_ms=1000)
        for minute in range(60):
            start = T0 + minute * MINUTE
            bad = minute % 5 == 0
            what = wild if bad else SAMPLE
            feed(made, start, start + MINUTE, flag if bad else "N", what, 1000)
        closed = made.close(HOUR, T0 + HOUR)
        minutes_counted = 48 if flag == "O" else 60  # the source stood still in 12 of them
        assert closed.mass_mg == (RATE * minutes_counted + 30) // 60, flag
        assert closed.counts[flags.position(flag)] == 720 and closed.good == 2880


def test_three_quarters_of_a_minute_make_it_normal():
    # wild samples every 4th second: 75 % are normal, but no more than 2 s apart
    wild = cems.Sample((999, 1), (599, 1), (20, 0), (0, 0), (0, 1))
    for every, valid in ((4, 1), (3, 0)):
        made = meter(poll_ms=1000)
        for at in range(3600):
            bad = at % every == 0
            made.observe(
                wild if bad else SAMPLE, "C" if bad else "N", 1, at * 1000, T0 + at * 1000
            )
        closed = made.close(HOUR, T0 + HOUR)
        assert closed.valid == valid and closed.mass_mg == RATE * valid


def test_impossible_or_partial_samples_are_flagged_and_left_out():
    made = meter()
    over = cems.Sample((1001, 1), (125, 1), (120, 0), (-800, 0), (85, 1))
    half = cems.Sample((125, 1), None, (120, 0), (-800, 0), (85, 1))
    blind = cems.Sample(None, (125, 1), (120, 0), (-800, 0), (85, 1))
    assert made.observe(over, "N", 1, 0, T0) == "T"
    assert made.observe(half, "N", 1, 1, T0 + 1) == "D"
    assert made.observe(blind, "N", 1, 2, T0 + 2) == "D"
    assert made.observe(None, "N", 1, 3, T0 + 3) == "B"
    assert made.observe(None, "M", 1, 4, T0 + 4) == "M"
    assert made.observe(over, "C", 1, 5, T0 + 5) == "C"
    assert made.close(HOUR).counts == [0, 0, 1, 0, 2, 1, 1, 1, 0]


def test_an_hour_in_which_the_source_stood_still_is_not_missing():
    made = meter()
    feed(made, T0, T0 + HOUR, "O", None)
    feed(made, T0 + HOUR, T0 + 2 * HOUR)
    closed = made.close(2 * HOUR, T0 + 2 * HOUR)
    assert (closed.mass_mg, closed.valid, closed.missing, closed.pending) == (RATE, 1, 0, 0)


def test_a_sample_of_a_closed_minute_is_late():
    made = meter()
    feed(made, T0, T0 + HOUR)
    made.observe(SAMPLE, "N", 1, HOUR, T0 + HOUR)
    made.observe(SAMPLE, "N", 1, HOUR + 1, T0 + HOUR - 1)
    closed = made.close(HOUR, T0 + HOUR)
    assert (closed.mass_mg, closed.late) == (RATE, 1)


def test_the_hour_mean_is_the_mean_of_minute_means():
    # 30 minutes of 10 % in 12 samples, 30 of 14 % in 60 samples: 12 % by (24), not 13.33 %
    made = meter(poll_ms=1000)
    feed(made, T0, T0 + HOUR // 2, "N", cems.Sample((100, 1), *GAS[1:]))
    feed(made, T0 + HOUR // 2, T0 + HOUR, "N", cems.Sample((140, 1), *GAS[1:]), 1000)
    closed = made.close(HOUR, T0 + HOUR)
    twelve = cems.Sample((120, 1), *GAS[1:])
    assert closed.mass_mg == cems.mass_rate_mg_per_h(stack(), twelve)


def test_sums_by_weight_are_exact_means_of_means():
    sums = stack_hours.Sums(1)
    sums.add(3, 1, [10])
    sums.add(7, 1, [5])
    sums.add(3, 2, [20])
    found = sums.mean(0, 10)
    # (10/3 + 5/7 + 20/3) / 4 tenths = 15/56
    assert found[0] * 560 == found[1] * 15 * 10
    assert sums.count() == 4 and len(sums.groups) == 2


def closed_hour(valid, flag="N"):
    counts = [0] * len(flags.ORDER)
    return stack_hours.Hour(T0, 1, valid, None, None, 60, 60 if valid else 0, counts, flag)


def test_a_day_needs_20_valid_hours():
    day = stack_hours.Day()
    for hour in range(24):
        good = hour < 19
        day.take(closed_hour(good, "N" if good else "D"), 10)
    assert not day.is_valid() and day.flag() == "N" and day.mass_mg == 240
    day.take(closed_hour(True), 10)
    assert day.is_valid()
    day = stack_hours.Day()
    for hour in range(24):
        day.take(closed_hour(True, "N" if hour < 17 else "D"), 1)
    assert day.is_valid() and day.flag() == "D"  # 17 of 24 are 70.8 %


def test_80_percent_of_the_readings_are_an_hour_in_the_eu():
    for many, valid in ((2880, 1), (2879, 0)):
        made = meter("eu-mrr", 1000)
        for at in range(3600):
            flag = "N" if at < many else "C"
            made.observe(SAMPLE, flag, 1, at * 1000, T0 + at * 1000)
        closed = made.close(HOUR, T0 + HOUR)
        assert closed.valid == valid and closed.mass_mg == RATE * valid


def test_quadrants_of_part_75_have_to_be_asked_for():
    one_each = "NMMMMMMMMMMMMMM" * 4
    two = "N" + "-" * 29 + "N" + "-" * 29
    for family, hours, valid in (
        ("part75-quadrants", "N" + "-" * 14 + "N" + "-" * 14 + "N" + "-" * 14 + "N", 1),
        ("part75-quadrants", "N" + "-" * 14 + "N" + "-" * 14 + "N", 0),
        ("part75-quadrants", two, 0),
        ("part75-quadrants", two[:-1] + "C", 1),  # with calibration two are enough
        ("part75-quadrants", "N" + "-" * 58 + "C", 0),
        ("part75-quadrants", one_each, 1),
        ("part75", one_each, 0),
        ("part75", "N" * 45 + "-" * 15, 0),  # an empty quadrant
        ("part75", "N" * 46, 1),
    ):
        made = meter(family)
        minutes(made, 0, hours)
        assert made.close(HOUR, T0 + HOUR).valid == valid, (family, hours)


def test_scales_of_the_hour_are_those_of_the_sample():
    hour = stack_hours.HourSums(0)
    minute = stack_hours.Minute()
    for _ in range(12):
        minute.take("N", 125, [125, 120, -800, 85], 5000)
    for at in range(60):
        hour.take(minute, stack_hours.HJ75, at, 5000)
    made = hour.hour(T0, [1, 1, 0, 0, 1], stack_hours.HJ75, 720)
    means = [made.gas]
    means.extend(made.flow)
    for at, mean in enumerate(means):
        wanted = ratio.of(GAS[at])
        assert mean[0] * wanted[1] == wanted[0] * mean[1]
    assert made.flag == "N" and made.valid_minutes == 60 and made.counts[0] == 720
