from edge.core.carbon import cems, streams
from edge.core.carbon.account import Accountant
from edge.core.carbon.counter import Flag
from edge.core.carbon.interval import FLAGS
from edge.core.carbon.resume import restore
from edge.core.errors import TallyError
from edge.core.numbers.quality import Quality

GRID = streams.Factor("grid", "energy", 832500, "test", bytes(32))  # 0.8325 kg/kW.h
GREEN = streams.Factor("green", "energy", 0, "test", bytes(32))
HEAT = streams.Factor("heat", "heat", 110000, "test", bytes(32))  # 0.11 t/GJ = 110 mg/kJ

MINUTE = 60_000
T0 = 1_800_000_000_000  # a whole minute


def grid(number=0, device=0):
    return streams.counter_stream(
        number, "grid", "grid_import", GRID, "kW.h", 3, 1000, (device, 0), b""
    )


def stack(number=0, status=None):
    inputs = tuple((5, point, places) for point, places in enumerate((1, 1, 0, 0, 1)))
    method = cems.METHODS["hj212-2017/273/22.4"]
    source = streams.Source(inputs, status, cems.Stack(method, (2827, 2), 101300, "dry"))
    return streams.stack_stream(number, "stack", 1000, source, b"")


def feed(accountant, device, second, values, qualities=None):
    return accountant.observe(
        device,
        1,
        second * 1000,
        T0 + second * 1000,
        values,
        {} if qualities is None else qualities,
    )


def test_energy_times_factor_is_exact():
    account = Accountant((grid(),), MINUTE)
    feed(account, 0, 0, [1_000_000])
    feed(account, 0, 59, [1_012_345])  # 12.345 kW.h
    start, end, entries, totals = account.close(T0 + MINUTE)
    assert (start, end) == (T0, T0 + MINUTE)
    # 12.345 kW.h x 0.8325 kg/kW.h = 10.2772125 kg; R(C_end f) - R(C_start f), half-even
    assert entries[0][:7] == [0, 1_012_345, 0, 12_345, 842777212 - 832500000, 2, 60]
    assert entries[0][7:10] == [0, 0, []]
    assert totals == [0, 10_277_212, 10_277_212, 12_345, 832500 - 0, 0, 0, []]


def test_nothing_is_due_before_a_reading_or_a_boundary():
    account = Accountant((grid(),), MINUTE)
    assert account.due_ms() is None
    assert account.close(T0 + MINUTE) is None
    feed(account, 0, 0, [1])
    assert account.due_ms() == T0 + MINUTE
    assert account.close(T0 + MINUTE - 1) is None


def test_any_split_sums_to_the_whole():
    registers = [1_000_000 + 7 * i * i % 997 + 13 * i for i in range(600)]
    registers = sorted(registers, key=int)
    sums = []
    for interval in (MINUTE, 5 * MINUTE, 10 * MINUTE):
        account = Accountant((grid(),), interval)
        total = 0
        for second, register in enumerate(registers):
            body = account.close(T0 + second * 1000)
            if body is not None:
                total += body[2][0][4]
            feed(account, 0, second, [register])
        total += account.close(T0 + 600_000)[2][0][4]
        sums.append(total)
    assert sums[0] == sums[1] == sums[2] > 0


def test_a_gap_is_caught_up_and_shows_in_the_coverage():
    account = Accountant((grid(),), MINUTE)
    feed(account, 0, 0, [1000])
    assert account.close(T0 + MINUTE)[2][0][3:8] == [0, 0, 1, 60, 0]
    body = account.close(T0 + 2 * MINUTE)
    assert body[2][0][3:8] == [0, 0, 0, 60, 0]
    events = feed(account, 0, 130, [4000])
    assert [(e.code, e.fields["before"], e.fields["value"]) for e in events] == [
        ("data.gap", 1000, 4000)
    ]
    body = account.close(T0 + 3 * MINUTE)
    assert body[2][0][3] == 3000
    assert body[2][0][FLAGS] == Flag.GAP


def test_a_counter_that_goes_back_is_reported_once_and_not_counted():
    account = Accountant((grid(),), MINUTE)
    feed(account, 0, 0, [13_423_700])
    qualities = {}
    errors = feed(account, 0, 1, [0], qualities)
    assert [error.code for error in errors] == ["data.backwards"]
    assert qualities == {0: Quality.BACKWARDS}
    assert feed(account, 0, 2, [0]) == []
    events = feed(account, 0, 3, [13_423_800])
    assert [error.code for error in events] == ["data.glitch"]
    assert account.close(T0 + MINUTE)[2][0][3] == 100  # 0.1 kW.h, not 13 MW.h


def test_a_stream_never_read_makes_no_total():
    account = Accountant((grid(0, 0), grid(1, 1)), MINUTE)
    feed(account, 0, 0, [1000])
    body = account.close(T0 + MINUTE)
    assert body[2][1] == [1, None, 0, None, None, 0, 60, 0, 0, [], []]
    assert body[3] == [0, None, None, None, None, 0, 0, []]


def test_export_green_and_heat():
    export = streams.counter_stream(0, "export", "grid_export", GRID, "kW.h", 0, 1000, (0, 0), b"")
    pv = streams.counter_stream(1, "pv", "pv", GREEN, "kW.h", 1, 1000, (0, 1), b"")
    heat = streams.counter_stream(2, "steam", "heat_import", HEAT, "kW.h", 0, 1000, (0, 2), b"")
    account = Accountant((export, pv, heat), MINUTE)
    feed(account, 0, 0, [10, 100, 1000])
    feed(account, 0, 1, [12, 180, 1010])
    _, _, entries, totals = account.close(T0 + MINUTE)
    assert entries[0][3:5] == [2000, -1_665_000]  # never clamped
    assert entries[1][3:5] == [8000, 0]
    assert entries[2][3:5] == [36000, 3_960_000]  # 36 MJ x 110 mg/kJ
    assert totals == [0, 3_960_000 - 1_665_000, -1_665_000, 6000, -277_500, 8000, 0, []]


def test_a_stack_integrates_what_it_saw_and_nothing_else():
    account = Accountant((stack(),), MINUTE)
    gas = [125, 125, 120, -800, 85]
    for second in (0, 1, 2):
        feed(account, 5, second, gas)
    feed(account, 5, 20, gas)  # 18 s unseen: not filled
    feed(account, 5, 21, gas)
    entry = account.close(T0 + MINUTE)[2][0]
    exact = 196921725924 * 3000
    assert entry[1] == exact // 3_600_000
    assert entry[2] == exact % 3_600_000
    assert entry[4] == (exact + 1_800_000) // 3_600_000
    assert entry[5:7] == [5, 60]


def test_a_stack_in_calibration_is_not_counted():
    account = Accountant((stack(status=(6, 0, (1,))),), MINUTE)
    gas = [125, 125, 120, -800, 85]
    for second, state in enumerate((1, 1, 3, 3, 1, 1)):
        feed(account, 6, second, [state])
        feed(account, 5, second, gas)
    entry = account.close(T0 + MINUTE)[2][0]
    assert entry[1] == 196921725924 * 2000 // 3_600_000
    assert entry[5] == 4


def test_a_restart_continues_where_the_last_interval_ended():
    before = Accountant((grid(),), MINUTE)
    feed(before, 0, 0, [1000])
    body = before.close(T0 + MINUTE)
    after = Accountant((grid(),), MINUTE)
    restore(after, body, {})
    feed(after, 0, 200, [5000])
    start, end, entries, _ = after.close(T0 + 4 * MINUTE)
    assert (start, end) == (T0 + MINUTE, T0 + 4 * MINUTE)
    assert entries[0][3] == 4000


def test_a_new_factor_counts_on_from_where_the_old_one_ended():
    before = Accountant((grid(),), MINUTE)
    feed(before, 0, 0, [1000])
    body = before.close(T0 + MINUTE)
    after = Accountant((grid(4),), MINUTE)
    restore(after, body, {4: [4, 0]})
    feed(after, 0, 70, [1500])
    assert after.close(T0 + 2 * MINUTE)[2][0][:4] == [4, 1500, 0, 500]


def test_units_kinds_and_factors_must_fit():
    for kind, factor, unit in (
        ("grid_import", HEAT, "kW.h"),
        ("grid_import", None, "kW.h"),
        ("grid_import", GRID, "m3"),
    ):
        try:
            streams.counter_stream(0, "x", kind, factor, unit, 0, 1000, (0, 0), b"")
        except TallyError as error:
            assert error.code in ("config.value", "config.missing_key", "data.range")
        else:
            raise AssertionError("accepted")


def test_another_wiring_is_another_source():
    place = ["grid", bytes(32), "active_energy_import"]
    one = streams.source_digest([place], [], None)
    assert one == streams.source_digest([list(place)], [], None)
    assert one != streams.source_digest([["line1"] + place[1:]], [], None)
    assert one != streams.source_digest([place], [1], None)
    assert one != streams.source_digest([place], [], stack().source.stack)
