from edge.core.carbon import streams
from edge.core.carbon.account import Accountant
from edge.core.carbon.counter import Flag
from edge.core.carbon.interval import FLAGS, OTHERS, STATE
from edge.core.carbon.resume import restore
from edge.core.carbon.totals import bases_of

GRID = streams.Factor("grid", "energy", 832500, "test", bytes(32))  # 0.8325 kg/kW.h
GREEN = streams.Factor("green", "energy", 0, "test", bytes(32))
HEAT = streams.Factor("heat", "heat", 110000, "test", bytes(32))  # 0.11 t/GJ = 110 mg/kJ

MINUTE = 60_000
T0 = 1_800_000_000_000  # a whole minute


def grid(number=0, device=0):
    return streams.counter_stream(
        number, "grid", "grid_import", GRID, "kW.h", 3, 1000, (device, 0), b""
    )


def feed(accountant, device, second, values):
    at_ms = second * 1000
    return accountant.observe(device, 1, at_ms, T0 + at_ms, values, {})


def test_bases_are_results_from_the_same_quantities():
    national = streams.Factor("national", "energy", 530600, "mee", bytes(32))
    setup = streams.Setup("park", (("national", national),), "works", (), ())
    bought = streams.counter_stream(
        0, "grid", "grid_import", GRID, "kW.h", 3, 1000, (0, 0), b"", setup
    )
    steam = streams.counter_stream(1, "steam", "heat_import", HEAT, "MJ", 0, 1000, (0, 1), b"")
    account = Accountant((bought, steam), MINUTE)
    assert bases_of(account.tallies) == ["national"]
    feed(account, 0, 0, [0, 0])
    feed(account, 0, 10, [10_000, 5])
    _, _, entries, totals = account.close(T0 + MINUTE)
    assert entries[0][4] == 8_325_000 and entries[0][OTHERS] == [5_306_000]
    assert entries[1][OTHERS] == []
    # heat has no rate of its own there: its one emission stands on every basis
    assert totals[1] == 8_325_000 + 550_000
    assert totals[7] == [["national", 0, 5_306_000 + 550_000, 5_306_000, 530600]]


def test_a_factor_may_be_a_ratio_that_is_divided_once():
    # natural gas: 389.31 GJ/10^4 m3 x 15.3 tC/TJ x 0.99 x 11/3
    gas = streams.Factor("gas", "volume", (389_31 * 153 * 99 * 11 * 1000, 3 * 10**6), "x", b"")
    stream = streams.counter_stream(0, "gas", "fuel", gas, "m3", 2, 1000, (0, 0), b"")
    account = Accountant((stream,), MINUTE)
    feed(account, 0, 0, [0])
    feed(account, 0, 59, [2_000])  # 20 m3
    _, _, entries, totals = account.close(T0 + MINUTE)
    assert entries[0][3] == 20_000
    assert entries[0][4] == 43_243_776  # 2.162188777 kg/m3
    assert totals[0] == entries[0][4]


def test_a_virtual_meter_is_the_sum_of_its_parts():
    whole = grid(0, 0)
    part = streams.counter_stream(1, "hall", "memo", None, "W.h", 0, 1000, (1, 0), b"")
    summands = (streams.Summand(0, 1), streams.Summand(1, -1))
    rest = streams.virtual_stream(2, "rest", "memo", None, "energy", 1, 1000, summands, b"")
    half = streams.virtual_stream(
        3, "half", "memo", None, "energy", 2, 1000, (streams.Summand(0, 1),), b""
    )
    account = Accountant((whole, part, rest, half), MINUTE)
    feed(account, 0, 0, [1000])
    feed(account, 1, 0, [500])
    feed(account, 0, 30, [1101])
    feed(account, 1, 30, [541])
    _, _, entries, _ = account.close(T0 + MINUTE)
    assert [entry[3] for entry in entries] == [101, 41, 60, 550 - 500]
    assert entries[2][5:7] == [4, 120]


def test_green_supply_and_the_store_are_shown():
    kinds = (("grid_import", GRID), ("pv", GREEN), ("battery_charge", None))
    kinds += (("battery_discharge", None),)
    made = [
        streams.counter_stream(n, kind, kind, factor, "W.h", 0, 1000, (0, n), b"")
        for n, (kind, factor) in enumerate(kinds)
    ]
    account = Accountant(tuple(made), MINUTE)
    feed(account, 0, 0, [0, 0, 0, 0])
    feed(account, 0, 30, [500, 400, 200, 150])
    totals = account.close(T0 + MINUTE)[3]
    # used inside: 500 + 400 - 200 + 150; the store took 50 more than it gave back
    assert totals[3] == 850
    assert totals[5:7] == [400, 50]


def test_a_late_reading_goes_into_the_running_interval_and_says_so():
    account = Accountant((grid(),), MINUTE)
    feed(account, 0, 0, [1000])
    account.close(T0 + MINUTE)
    account.observe(0, 1, 50_000, T0 + 30_000, [1500], {})
    entry = account.close(T0 + 2 * MINUTE)[2][0]
    assert entry[3] == 500 and entry[FLAGS] == Flag.LATE


def test_a_restart_at_any_reading_changes_no_record():
    shown = [1000, 1010, 1020, 0, 0, 1030, 1040, 5, 5, 6, 7, 1050, 1100, 1110]

    def bodies(restart_at):
        account = Accountant((grid(),), MINUTE)
        journal, found = [], []
        for at, register in enumerate(shown):
            if at == restart_at:
                account = Accountant((grid(),), MINUTE)
                if found:
                    restore(account, found[-1], {})
                for second, value in journal:
                    feed(account, 0, second, [value])
            body = account.close(T0 + at * 20_000)
            if body is not None:
                found.append(body)
                journal = []
            feed(account, 0, at * 20, [register])
            journal.append((at * 20, register))
        return found + [account.close(T0 + 10 * MINUTE)]

    whole = bodies(-1)
    assert sum(body[2][0][3] for body in whole) == 110
    for restart_at in range(1, len(shown)):
        assert bodies(restart_at) == whole
    assert len(whole[0][2][0][STATE]) == 8


def test_a_confirmed_swap_counts_on_from_the_new_register():
    account = Accountant((grid(),), MINUTE)
    feed(account, 0, 0, [13_423_700])
    feed(account, 0, 10, [13_423_900])
    for second in (20, 21, 22):
        feed(account, 0, second, [40 + second])
    assert account.swap(0, 0, 13_424_000, 50) == ["grid"]
    feed(account, 0, 30, [90])
    entry = account.close(T0 + MINUTE)[2][0]
    assert entry[3] == 200 + 100 + 40
    assert entry[FLAGS] == Flag.STEP
