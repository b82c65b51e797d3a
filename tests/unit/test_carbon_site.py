"""Families of hours, tariffs, coal, facts and serial numbers, from registers to records."""

import copy
from fractions import Fraction

import pytest

from cloud_sync.raw import find_journals
from cloud_sync.recompute import EQUAL, Recomputer
from edge.core.carbon.cems import METHODS, Sample, Stack, mass_rate_ratio
from edge.core.carbon.counter import Flag
from edge.core.carbon.interval import FIGURES, FLAGS, SUBSTITUTED
from edge.core.carbon.tariff import parse_tariff
from edge.core.errors import ConfigError
from edge.core.journal.record import Kind, Part

from .carbon_site import DOCUMENT, MINUTE_MS, TARIFF, Works, eleven_hours, rows
from .port_doubles import T0
from .recorded_site import cloud_of, records_of
from .virtual_site import HOUR_MS

#: The mass of an hour at what the stack shows while it runs, by fractions.
GAS = Sample((125, 1), (125, 1), (120, 0), (-800, 0), (85, 1))
PLACE = Stack(METHODS["hj212-2017/273/22.4"], (2827, 2), 101_300, "dry")
AN_HOUR_MG = round(Fraction(*mass_rate_ratio(PLACE, GAS)))


@pytest.fixture(scope="module")
def works() -> Works:
    return eleven_hours()


def figures(works: Works, stream: str, name: str) -> list[dict]:
    found = []
    for at in range(len(works.intervals())):
        entry = works.entry(stream, at)
        found.append(rows(entry[FIGURES], name) if len(entry) > FIGURES else {})
    return found


def test_a_whole_hour_of_a_stack_is_its_mass_by_fractions(works: Works):
    hours = [one[("valid", "")] for one in figures(works, "boiler", "hours")]
    assert hours[1:5] == [1, 1, 1, 1] and hours[5:7] == [0, 0]
    for at in (1, 2, 3, 4):
        assert works.entry("boiler", at)[4] == AN_HOUR_MG
        assert works.entry("boiler", at)[SUBSTITUTED] == 0


def test_a_gap_waits_and_is_filled_by_its_rule_when_it_ends(works: Works):
    hours = figures(works, "boiler", "hours")
    assert [one[("pending", "")] for one in hours[5:8]] == [1, 2, 0]
    assert hours[5][("filled", "")] == 0 and hours[7][("missing", "")] == 2
    assert all(works.entry("boiler", at)[3] == 0 for at in (5, 6)), "no mass is made up"
    samples = figures(works, "boiler", "samples")
    assert samples[5] == {("N", ""): 2, ("D", ""): 718}, "two were read before the fault"


def remembered(works: Works, hours: int) -> None:
    """As many hours before, all alike: what the gateway would have after a month."""
    for stacks in works.gateway.accountant.stacks.values():
        stacks[0].meter.remember([[(AN_HOUR_MG + 5000) // 10000, hours]])


def test_with_a_month_behind_it_a_gap_has_a_mass_that_is_marked():
    works = Works()
    remembered(works, 720)
    works.hours(2)
    works.gas = (0, 0, 0, 0, 0, 9)
    works.hours(2)
    works.gas = (125, 125, 120, -800, 85, 1)
    works.hours(1)
    entry = works.entry("boiler")
    filled = 2 * ((AN_HOUR_MG + 5000) // 10000 * 10000)
    assert entry[SUBSTITUTED] == filled and entry[FLAGS] & Flag.SUBSTITUTED
    assert entry[4] == AN_HOUR_MG + filled
    assert rows(entry[FIGURES], "filled") == {("HJ75/max180", ""): filled}
    assert rows(entry[FIGURES], "filled_hours") == {("HJ75/max180", ""): 2}


def test_a_restart_takes_the_look_back_from_the_interval_records():
    works = Works()
    works.hours(10)
    works.start()
    works.gas = (0, 0, 0, 0, 0, 9)
    works.hours(1)
    works.gas = (125, 125, 120, -800, 85, 1)
    works.hours(1)
    entry = works.entry("boiler")
    assert rows(entry[FIGURES], "filled_hours") == {("HJ75/max180", ""): 1}
    assert entry[SUBSTITUTED] == (AN_HOUR_MG + 5000) // 10000 * 10000


def test_a_declared_window_keeps_samples_out_of_the_mass():
    document = copy.deepcopy(DOCUMENT)
    begin = T0 // HOUR_MS * HOUR_MS + HOUR_MS
    assert begin % 86_400_000 < 80_000_000
    at = [f"2027-01-15T{(begin + n * HOUR_MS) // HOUR_MS % 24:02d}:00Z" for n in (0, 1)]
    assert T0 // 86_400_000 == 20_833, "2027-01-15"
    document["window"] = [{"stream": "boiler", "from": at[0], "to": at[1], "flag": "M"}]
    works = Works(document)
    works.hours(3)
    samples = figures(works, "boiler", "samples")
    assert samples[1] == {("M", ""): 720} and samples[2] == {("N", ""): 720}
    works.document = DOCUMENT  # the operator takes it back
    works.start()
    works.stop()
    parts = [part for body in works.store.bodies(Kind.TABLE) for part in body]
    windows = [part[1] for part in parts if part[0] == Part.WINDOWS]
    assert len(windows) == 2 and windows[0][0][0] == "boiler" and windows[1] == []


def test_emissions_by_tariff_are_the_moves_times_their_hours(works: Works):
    tariff = parse_tariff(TARIFF, "t")
    moves = []
    seen = None
    for record in records_of(works):
        if record.kind == Kind.POLL and record.body[0] == 0 and record.body[1][0] is not None:
            if seen is not None and record.body[1][0] > seen[1]:
                moves.append((seen[0], record.wall_ms, record.body[1][0] - seen[1]))
            seen = (record.wall_ms, record.body[1][0])
    total = Fraction(0)
    for start, end, moved in moves:
        for ug, _, part in tariff.spread(start, end, moved):
            total += Fraction(part * 10 * ug, 1000)
    last = works.entry("grid")
    emitted = sum(works.entry("grid", at)[9][0] for at in range(len(works.intervals())))
    # Polls after the last close are in no interval yet.
    behind = [m for m in moves if m[1] > works.intervals()[-1][1]]
    for start, end, moved in behind:
        for ug, _, part in tariff.spread(start, end, moved):
            total -= Fraction(part * 10 * ug, 1000)
    assert emitted == round(total) and last[12]
    fixed = sum(works.entry("grid", at)[4] for at in range(len(works.intervals())))
    assert fixed != emitted > 0


def test_coal_and_facts_divide_the_emissions(works: Works):
    start, end, entries, totals = works.intervals()[3]
    grid, boiler = entries[0], entries[1]
    coal = rows(totals[8], "coal")
    assert coal[("equivalent", "")] == round(Fraction(grid[3]) * Fraction(1229, 10_000))
    assert coal[("equal_value", "")] == round(Fraction(grid[3]) * Fraction(31, 100))
    per = rows(totals[8], "per_coal")
    grams = Fraction(grid[3]) * Fraction(1229, 10_000)
    assert per[("equivalent", "cn_park_910_2025")] == round(
        Fraction(grid[4] + boiler[4]) * 10**6 / (grams * 1000)
    )
    assert per[("equivalent", "hourly")] == round(
        Fraction(grid[9][0] + boiler[4]) * 10**6 / (grams * 1000)
    )
    facts = rows(totals[8], "per_fact")
    bases = ("cn_park_910_2025", "hourly")
    assert set(facts) == {(name, basis) for name in ("floor", "lamps") for basis in bases}
    emission = Fraction(grid[4] + boiler[4], 10**6)
    assert facts[("floor", "cn_park_910_2025")] == round(emission / 12_500 * 10**9)
    assert facts[("lamps", "cn_park_910_2025")] == round(emission / Fraction(425, 100) * 10**9)
    assert (start, end) == (end - HOUR_MS, end)


def test_the_cloud_computes_the_same_bit_for_bit(works: Works, tmp_path):
    store, journal = cloud_of(tmp_path / "cloud.db", records_of(works))
    tariff = parse_tariff(TARIFF, "t")
    found = list(Recomputer(store, journal, tariffs=[tariff]).run())
    assert len(found) == len(works.intervals())
    wrong = [(one.status, one.reason, one.differences) for one in found if one.status != EQUAL]
    assert not wrong and not any(one.given for one in found)
    # Without the tariff its stream cannot be computed, and what hangs on it is taken as given.
    without = list(Recomputer(store, journal).run())
    assert {one.status for one in without} == {EQUAL}
    assert {one.given for one in without} == {("grid", "half")}
    assert store.query("SELECT count(*) FROM v_figures WHERE name = 'per_fact'")[0][0] > 20
    (shown,) = store.query(
        "SELECT value, unit FROM v_figures WHERE stream = 'boiler' AND name = 'samples'"
        " AND subject = 'D' ORDER BY seq LIMIT 1"
    )
    assert shown == ("718", "1")
    assert store.query("SELECT device, serial FROM v_serials") == [("main", 4711)]
    assert find_journals(store)
    store.close()


def test_another_serial_number_confirms_an_exchange():
    works = Works()
    works.run(HOUR_MS // 2)
    first = works.registers_recorded(0)[0]
    old = works.registers_recorded(0)[-1]
    works.serial = 4712
    works.shift_register = 777 - works.register(1)
    works.hours(1)
    works.start()
    works.hours(1)
    works.stop()
    (event,) = works.events("counter.swap")
    assert (event["why"], event["note"], event["streams"]) == ("serial", "4711 -> 4712", "grid")
    shown = [register for register in works.registers_recorded(0) if register < 1_000_000]
    assert event["new"] == shown[0]
    counted = works.gateway.accountant.tallies[0].count()
    assert counted == old + shown[-1] - shown[0] > first
    parts = [part for body in works.store.bodies(Kind.TABLE) for part in body]
    assert [part[2] for part in parts if part[0] == Part.SERIAL] == [4711, 4712]


def test_a_serial_number_misread_confirms_nothing():
    works = Works()
    works.run(HOUR_MS // 2)
    works.serial = 4712
    works.run(HOUR_MS // 2 + 2 * MINUTE_MS)  # two readings, one less than is believed
    works.serial = 4711
    works.shift_register = 777 - works.register(1)
    works.hours(2)
    assert not works.events("counter.swap")
    assert works.entry("grid")[FLAGS] & Flag.HELD


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda d: d["accounting"].update(interval_s=900), "stream[1].stack.family"),
        (lambda d: d["stream"][1]["stack"].update(family="eu-mrr"), "stream[1].stack.method"),
        (
            lambda d: d["stream"][1]["stack"].update(potential_percent="15"),
            "stream[1].stack.potential_percent",
        ),
        (lambda d: d["stream"][1]["stack"].pop("status"), "stream[1].stack.status"),
        (lambda d: d["stream"][0].pop("coal"), "stream[0].coal.equivalent"),
        (lambda d: d["accounting"].update(coal=["equivalent"]), "stream[0].coal"),
        (
            lambda d: d["stream"][0]["coal"].update(equal_value="cn_coal_2589_2020.electricity"),
            "stream[0].coal.equal_value",
        ),
        (
            lambda d: d["stream"][0]["coal"].update(equivalent="cn_coal_fuels.raw_coal"),
            "stream[0].coal.equivalent",
        ),
        (lambda d: d["stream"][1].update(coal={}), None),
        (lambda d: d["stream"][0]["basis"][0].update(tariff="by_hour"), "stream[0].basis.tariff"),
        (lambda d: d["device"][0].update(serial_point="serials"), "device[0].serial_point"),
        (lambda d: d["fact"][1].update(period="2027-13"), "fact.period"),
        (
            lambda d: d.update(
                window=[
                    {
                        "stream": "boiler",
                        "from": "2027-01-15T10:00Z",
                        "to": "2027-01-15T09:00Z",
                        "flag": "M",
                    }
                ]
            ),
            "window[0].to",
        ),
        (
            lambda d: d.update(window=[{"stream": "grid", "from": "x", "to": "y", "flag": "M"}]),
            "window[0].stream",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_its_key(change, key):
    document = copy.deepcopy(DOCUMENT)
    change(document)
    if key is None:
        Works(document)
        return
    with pytest.raises(ConfigError) as caught:
        Works(document)
    assert caught.value.fields["key"] == key
