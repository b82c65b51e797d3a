"""What may change without changing a total: order, splits, units, streams that emit nothing."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.core.carbon.account import Accountant
from edge.core.carbon.interval import STATE
from edge.core.carbon.streams import Factor, Summand, virtual_stream
from tests.property.metered import MINUTE, SECONDS, T0, Metered, meters, parks, run, shown


@settings(max_examples=80)
@given(parks(), st.randoms(use_true_random=False))
def test_the_order_of_streams_changes_no_figure(park, random):
    order = list(range(len(park)))
    random.shuffle(order)
    for one, other in zip(run(park, MINUTE), run(park, MINUTE, order), strict=True):
        assert one[3] == other[3]
        assert sorted(map(str, one[2])) == sorted(map(str, other[2]))


#: unit -> (smaller unit, power of ten between them)
SMALLER = {
    "kW.h": ("W.h", 3),
    "MW.h": ("W.h", 6),
    "MJ": ("kJ", 3),
    "GJ": ("kJ", 6),
    "t": ("kg", 3),
    "10*4.m3": ("m3", 4),
}


@settings(max_examples=200)
@given(meters())
def test_the_same_quantity_in_another_unit_gives_the_same_figures(meter):
    """kW.h at p places are W.h at p - 3: same registers, same meaning."""
    if meter.unit not in SMALLER or (meter.unit == "kW.h" and meter.dimension == "heat"):
        return
    small, power = SMALLER[meter.unit]
    shift = max(0, power - meter.places)
    other = Metered(
        meter.number,
        meter.kind,
        meter.dimension,
        small,
        max(0, meter.places - power),
        meter.ug_per_unit,
        [(s, None if r is None else r * 10**shift) for s, r in meter.readings],
    )
    for one, two in zip(run([meter], MINUTE), run([other], MINUTE), strict=True):
        assert one[2][0][3:STATE] == two[2][0][3:STATE]
        assert one[3] == two[3]


@settings(max_examples=80)
@given(parks())
def test_a_stream_without_a_factor_changes_no_emission(park):
    readings = park[0].readings
    more = [*park, Metered(len(park), "memo", "energy", "kW.h", 2, 0, readings)]
    for one, other in zip(run(park, MINUTE), run(more, MINUTE), strict=True):
        assert one[3] == other[3]
        assert one[2] == other[2][:-1]


@settings(max_examples=80)
@given(parks(), st.randoms(use_true_random=False))
def test_the_order_of_devices_within_a_second_changes_no_record(park, random):
    streams = tuple(meter.stream() for meter in park)
    events = sorted((s, m.number, r) for m in park for s, r in m.readings)
    if not events:
        return
    found = []
    for _ in range(2):
        account, bodies = Accountant(streams, MINUTE), []
        for second, device, register in events:
            bodies.append(account.close(T0 + 1000 * second))
            account.observe(device, 1, 1000 * second, T0 + 1000 * second, [register], {})
        bodies.append(account.close(T0 + 1000 * SECONDS))
        found.append([body for body in bodies if body is not None])
        random.shuffle(events)
        events.sort(key=lambda event: event[0])
    assert found[0] == found[1]


@settings(max_examples=60)
@given(st.lists(st.integers(0, 10**6), min_size=8, max_size=40), st.data())
def test_day_month_and_year_telescope_over_any_split(steps, data):
    """Quarters of an hour, closed at random ones of their boundaries, over a year."""
    quarter = 15 * MINUTE
    registers = [sum(steps[: at + 1]) for at in range(len(steps))]
    meter = Metered(0, "grid_import", "energy", "kW.h", 2, 832_500, [])
    year_ms = 365 * 96 * quarter
    moments = [year_ms * at // len(steps) for at in range(len(steps))]
    sums = []
    for _ in range(2):
        closings = data.draw(st.sets(st.integers(1, 365 * 96), max_size=40))
        account, total = Accountant((meter.stream(),), quarter), [0, 0]
        events = [(at, register) for at, register in zip(moments, registers, strict=True)]
        events += [(quarter * at, None) for at in closings] + [(year_ms, None)]
        for at, register in sorted(events, key=lambda event: (event[0], event[1] is None)):
            if register is not None:
                account.observe(0, 1, at, T0 + at, [register], {})
                continue
            body = account.close(T0 + at)
            if body is not None:
                total[0] += body[2][0][3]
                total[1] += body[2][0][4]
        sums.append(total)
    assert sums[0] == sums[1]
    assert sums[0][0] == 10 * (registers[-1] - registers[0])
    exact = [
        round(Fraction(register * 832_500, 100)) for register in (registers[-1], registers[0])
    ]
    assert sums[0][1] == exact[0] - exact[1]


@settings(max_examples=60)
@given(meters(0, ["grid_import"]), meters(1, ["grid_import"]), st.integers(0, 10**7))
def test_the_emission_of_a_sum_is_the_sum_of_emissions(one, other, ug_per_unit):
    """E(a) + E(b) = E(a + b) before rounding; each of the three is rounded once at either end."""
    one.ug_per_unit = other.ug_per_unit = ug_per_unit
    factor = Factor("f", "energy", ug_per_unit, "set", bytes(32))
    down = 10 ** max(one.places, other.places)
    if any(max(shown(m.readings)) > 10**6 for m in (one, other)):
        return  # a sum has one denominator, and its count 64 bits
    parts = []
    for meter in (one, other):
        up, divisor = meter.stream().activity
        parts.append(Summand(meter.number, up * (down // divisor)))
    both = virtual_stream(2, "v", "grid_import", factor, "energy", down, 1000, tuple(parts), b"")
    account = Accountant((one.stream(), other.stream(), both), MINUTE)
    for second, number, register in sorted(
        [(0, 0, 0), (0, 1, 0)]
        + [(s + 1, m.number, r) for m in (one, other) for s, r in m.readings],
        key=lambda event: event[:2],
    ):
        if register is not None:
            at_ms = 1000 * second
            account.observe(number, 1, at_ms, T0 + at_ms, [register], {})
    entries = account.close(T0 + 1000 * (SECONDS + 60))[2]
    assert abs(entries[0][4] + entries[1][4] - entries[2][4]) <= 3
    exact = sum(
        Fraction(e[1]) * meter.stream().activity[0] / meter.stream().activity[1]
        for e, meter in zip(entries, (one, other), strict=False)
    )
    assert Fraction(entries[2][1], down) == exact
