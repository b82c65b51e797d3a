"""Emissions by a factor that changes with time: exact, whole after any gap, the same when cut."""

from edge.core.carbon import streams
from edge.core.carbon.account import Accountant
from edge.core.carbon.counter import Limits
from edge.core.carbon.interval import ACTIVITY, EMISSION, FIGURES, OTHERS, TIMES
from edge.core.carbon.resume import restore
from edge.core.carbon.tariff import Tariff
from edge.core.errors import ConfigError

#: A Thursday, 08:00 UTC.
T0 = 1_800_000_000_000 // 86_400_000 * 86_400_000 + 8 * 3_600_000
MINUTE = 60_000
HOUR = 3_600_000


def tariff():
    """0.4 kg/kW.h, and 0.8 from 09:00 UTC on, each day."""
    times = []
    for day in range(7):
        times += [(day * 1440, 400_000), (day * 1440 + 540, 800_000)]
    return Tariff("by_hour", (), tuple(times), 0, 500_000)


def meter(number, made, place=0, bases=("hourly",)):
    factor = streams.Factor("f", "energy", 500_000, "set", b"d")
    by_time = streams.Factor("tariff:by_hour", "energy", 1, "by_hour", made.digest)
    rates = tuple([(basis, by_time) for basis in bases])
    setup = streams.Setup("park", rates, "", (), ())
    limits = Limits(None, 10**12, True, 1)
    return streams.counter_stream(
        number, "m", "grid_import", factor, "kW.h", 0, MINUTE, (place, 0), b"", setup, limits
    )


def read(account, device, at_ms, register, quality=0):
    value = None if quality else register
    bad = {0: quality} if quality else {}
    account.observe(device, 1, at_ms - T0, at_ms, [value], bad)


def test_what_moved_over_a_change_is_split_at_it():
    made = tariff()
    account = Accountant((meter(0, made),), 2 * HOUR, (made,))
    read(account, 0, T0, 1000)
    read(account, 0, T0 + 90 * MINUTE, 1090)
    (entry,) = account.close(T0 + 2 * HOUR)[2]
    assert entry[ACTIVITY] == 90_000
    assert entry[OTHERS] == [60 * 400_000 + 30 * 800_000]
    assert entry[FIGURES] == []


def test_what_was_not_read_for_a_while_is_spread_over_all_of_it():
    made = tariff()
    account = Accountant((meter(0, made),), 2 * HOUR, (made,))
    read(account, 0, T0, 1000)
    for minute in range(1, 90):
        read(account, 0, T0 + minute * MINUTE, 0, 3)
    read(account, 0, T0 + 90 * MINUTE, 1090)
    (entry,) = account.close(T0 + 2 * HOUR)[2]
    assert entry[OTHERS] == [60 * 400_000 + 30 * 800_000]


def test_a_virtual_meter_spreads_each_of_its_parts():
    made = tariff()
    one, other = meter(0, made, 0), meter(1, made, 1)
    by_time = streams.Factor("tariff:by_hour", "energy", 1, "by_hour", made.digest)
    parts = (streams.Summand(0, 3), streams.Summand(1, -1))
    both = streams.virtual_stream(
        2, "v", "grid_import", by_time, "energy", 1, MINUTE, parts, b"", streams.PLAIN
    )
    # 3 x one - other, a thousandth of it: registers are in kW.h, the sum is taken as W.h.
    account = Accountant((one, other, both), 2 * HOUR, (made,))
    read(account, 0, T0, 10)
    read(account, 0, T0 + 10 * MINUTE, 40)  # the other has no count yet: not the sum's
    read(account, 1, T0 + 20 * MINUTE, 7)
    read(account, 0, T0 + 50 * MINUTE, 80)
    read(account, 1, T0 + 80 * MINUTE, 67)  # 40 minutes before the change, 20 behind it
    entry = account.close(T0 + 2 * HOUR)[2][2]
    assert entry[ACTIVITY] == 3 * 40 - 60
    wanted_ug = 3 * 40 * 400_000 - (40 * 400_000 + 20 * 800_000)
    assert entry[EMISSION] == wanted_ug // 1000
    assert len(entry[TIMES]) == 1


def run(boundaries, restarts):
    """Emission over four hours, closed and restarted so; polls of 7 minutes."""
    made = tariff()
    stream = meter(0, made)
    account = Accountant((stream,), MINUTE, (made,))
    total, register, last = 0, 1000, None
    for poll in range(40):
        at_ms = T0 + poll * 7 * MINUTE
        if poll in boundaries:
            last = account.close(at_ms)
            total += last[2][0][OTHERS][0]
            if poll in restarts:
                account = Accountant((stream,), MINUTE, (made,))
                restore(account, last, {})
        read(account, 0, at_ms, register)
        register += 13 + poll % 5
    return total + account.close(T0 + 5 * HOUR)[2][0][OTHERS][0]


def test_intervals_add_up_however_they_are_cut_and_restarts_change_nothing():
    whole = run((), ())
    assert run(range(1, 40), ()) == whole
    assert run((3, 8, 9, 21), (8, 21)) == whole
    assert run(range(2, 40, 3), range(2, 40, 3)) == whole


def test_a_factor_that_begins_to_change_with_time_begins_at_the_interval():
    made = tariff()
    fixed = meter(0, made, 0, ())
    account = Accountant((fixed,), HOUR)
    read(account, 0, T0, 1000)
    read(account, 0, T0 + 30 * MINUTE, 1030)
    body = account.close(T0 + HOUR)
    account = Accountant((meter(4, made),), HOUR, (made,))
    restore(account, body, {4: [4, 0]})
    read(account, 0, T0 + 90 * MINUTE, 1060)
    (entry,) = account.close(T0 + 2 * HOUR)[2]
    assert entry[ACTIVITY] == 30_000 and entry[OTHERS] == [30 * 800_000]


def test_a_fallback_is_told_with_its_activity():
    series = ((T0, HOUR, (600_000, None)),)
    made = Tariff("by_hour", series, (), 0, 500_000)
    account = Accountant((meter(0, made),), 2 * HOUR, (made,))
    read(account, 0, T0, 1000)
    read(account, 0, T0 + 2 * HOUR - 1000, 1000 + 7199)
    (entry,) = account.close(T0 + 2 * HOUR)[2]
    assert entry[OTHERS] == [3600 * 600_000 + 3599 * 500_000]
    assert entry[FIGURES] == [["fallback", "by_hour", "hourly", 3_599_000, 0, "W.h"]]


def test_time_that_is_unknown_at_first_has_the_factor_of_when_it_is_known():
    made = tariff()
    account = Accountant((meter(0, made),), 2 * HOUR, (made,))
    account.observe(0, 1, 0, None, [1000], {})
    account.observe(0, 1, MINUTE, None, [1005], {})
    account.observe(0, 1, 2 * MINUTE, T0 + 2 * MINUTE, [1010], {})
    (entry,) = account.close(T0 + 2 * HOUR)[2]
    assert entry[OTHERS] == [10 * 400_000]


def test_a_tariff_that_is_not_there_is_refused():
    try:
        Accountant((meter(0, tariff()),), HOUR)
    except ConfigError as error:
        assert error.code == "config.reference"
        return
    raise AssertionError("not refused")
