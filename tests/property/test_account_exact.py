"""The account against fractions: R(C_end f) - R(C_start f), however the time is cut."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.core.carbon.account import HOLD_PERIODS, Accountant
from edge.core.carbon.cems import METHODS, Sample, Stack, mass_rate_ratio
from edge.core.carbon.streams import KINDS, Factor, Source, counter_stream, stack_stream

T0 = 1_800_000_000_000  # a multiple of every interval below
MINUTE = 60_000
POLL_MS = 1000

#: unit -> canonical units in it, as fractions
UNITS = {
    "energy": {"W.h": Fraction(1), "kW.h": Fraction(10**3), "MW.h": Fraction(10**6)},
    "heat": {
        "kJ": Fraction(1),
        "MJ": Fraction(10**3),
        "GJ": Fraction(10**6),
        "W.h": Fraction(36, 10),
        "kW.h": Fraction(3600),
    },
}
COUNTER_KINDS = sorted(kind for kind in KINDS if kind != "stack_co2")


class Metered:
    """One counter stream: what it is, and the registers it showed at which second."""

    def __init__(self, number, kind, unit, places, ug_per_unit, readings):
        self.number, self.kind, self.unit, self.places = number, kind, unit, places
        self.dimension = KINDS[kind].dimension
        self.ug_per_unit = ug_per_unit
        self.readings = readings  # list of (second, register or None)

    def stream(self):
        factor = Factor("f", self.dimension, self.ug_per_unit, "set", bytes(32))
        emits = KINDS[self.kind].emission != 0
        place = (self.number, 0)
        args = (self.unit, self.places, POLL_MS, place, b"")
        return counter_stream(self.number, "s", self.kind, factor if emits else None, *args)

    def counted(self, until_second: int) -> int | None:
        """The cumulative register: never goes back, whatever was shown."""
        shown = [r for s, r in self.readings if s < until_second and r is not None]
        highest = None
        for register in shown:
            highest = register if highest is None else max(highest, register)
        return highest

    def activity(self, register: int) -> Fraction:
        return Fraction(register, 10**self.places) * UNITS[self.dimension][self.unit]

    def emission_mg(self, register: int) -> int:
        if KINDS[self.kind].emission == 0:
            return 0
        return round(self.activity(register) * self.ug_per_unit / 1000)

    def first(self) -> int | None:
        shown = [r for _, r in self.readings if r is not None]
        return shown[0] if shown else None


SECONDS = 600


@st.composite
def meters(draw, number: int = 0, kinds=COUNTER_KINDS) -> Metered:
    kind = draw(st.sampled_from(kinds))
    unit = draw(st.sampled_from(sorted(UNITS[KINDS[kind].dimension])))
    factor = draw(st.one_of(st.sampled_from([0, 1, 832_500, 110_000]), st.integers(0, 10**7)))
    register = draw(st.one_of(st.integers(0, 10**4), st.integers(0, 10**13)))
    seconds = draw(st.sets(st.integers(0, SECONDS - 1), max_size=25))
    readings = []
    for second in sorted(seconds):
        step = draw(st.one_of(st.integers(0, 9), st.integers(0, 10**6), st.integers(-9, -1)))
        register = max(0, register + step)
        readings.append((second, None if draw(st.integers(0, 5)) == 0 else register))
    return Metered(number, kind, unit, draw(st.integers(0, 4)), factor, readings)


@st.composite
def parks(draw) -> list[Metered]:
    count = draw(st.integers(1, 5))
    return [draw(meters(number)) for number in range(count)]


def run(park: list[Metered], interval_ms: int, order: list[int] | None = None):
    """Interval bodies of the whole time, closed whenever one is due, as the gateway does."""
    chosen = order if order is not None else list(range(len(park)))
    account = Accountant(tuple(park[i].stream() for i in chosen), interval_ms)
    events = sorted((s, m.number, r) for m in park for s, r in m.readings)
    bodies = []
    for second, device, register in events:
        wall_ms = T0 + 1000 * second
        body = account.close(wall_ms)
        if body is not None:
            bodies.append(body)
        qualities = {0: 3} if register is None else {}
        account.observe(device, 1, 1000 * second, wall_ms, [register], qualities)
    last = account.close(T0 + 1000 * SECONDS)
    return bodies + ([] if last is None else [last])


INTERVALS = st.sampled_from([MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE])


@settings(max_examples=80)
@given(parks(), INTERVALS)
def test_each_figure_is_the_formula_in_fractions(park, interval_ms):
    for start, end, entries, _ in run(park, interval_ms):
        for meter, entry in zip(park, entries, strict=True):
            before = meter.counted((start - T0) // 1000)
            after = meter.counted((end - T0) // 1000)
            if after is None:
                assert entry[:5] == [meter.number, None, 0, None, None]
                continue
            before = meter.first() if before is None else before
            activity = round(meter.activity(after)) - round(meter.activity(before))
            emission = meter.emission_mg(after) - meter.emission_mg(before)
            sign = KINDS[meter.kind].emission
            assert entry[:5] == [meter.number, after, 0, activity, sign * emission]


@settings(max_examples=80)
@given(parks(), INTERVALS)
def test_totals_are_the_sums_of_their_streams(park, interval_ms):
    for _, _, entries, totals in run(park, interval_ms):
        scope1, scope2, electricity, consumption, intensity = totals
        meanings = [KINDS[meter.kind] for meter in park]

        def add(values):
            values = list(values)
            return None if None in values else sum(values)

        assert scope1 == 0  # no stack in these parks
        pairs = list(zip(meanings, entries, strict=True))
        assert scope2 == add(e[4] for m, e in pairs if m.scope == 2)
        bought = [e[4] for m, e in pairs if m.scope == 2 and m.dimension == "energy"]
        assert electricity == add(bought)
        used = [(m.consumption, e[3]) for m, e in pairs if m.consumption]
        assert consumption == add(None if a is None else sign * a for sign, a in used)
        if electricity is None or consumption is None or consumption <= 0:
            assert intensity is None
        else:
            assert intensity == round(Fraction(electricity * 1000, consumption))


@settings(max_examples=80)
@given(parks(), INTERVALS, INTERVALS)
def test_however_the_time_is_cut_the_sums_are_equal(park, one_ms, other_ms):
    def sums(interval_ms):
        found = {}
        for _, _, entries, _ in run(park, interval_ms):
            for number, _, _, activity, emission, _, _ in entries:
                if emission is not None:
                    a, e = found.get(number, (0, 0))
                    found[number] = (a + activity, e + emission)
        return found

    assert sums(one_ms) == sums(other_ms)


@settings(max_examples=80)
@given(parks(), st.lists(st.integers(1, SECONDS // 60), max_size=4))
def test_restarts_at_any_boundary_change_no_sum(park, minutes):
    """At each of the minutes the gateway forgets everything but its last interval record."""
    whole = run(park, MINUTE)
    streams = tuple(meter.stream() for meter in park)
    account, bodies = Accountant(streams, MINUTE), []
    events = sorted((s, m.number, r) for m in park for s, r in m.readings)
    for second, device, register in events:
        wall_ms = T0 + 1000 * second
        body = account.close(wall_ms)
        if body is not None:
            bodies.append(body)
            if (body[1] - T0) // MINUTE in minutes:
                account = Accountant(streams, MINUTE)
                account.restore(body, {})
        account.observe(device, 1, 1000 * second, wall_ms, [register], {})
    last = account.close(T0 + 1000 * SECONDS)
    bodies += [] if last is None else [last]
    assert [body[2:] for body in bodies] == [body[2:] for body in whole]


@settings(max_examples=80)
@given(parks(), st.randoms(use_true_random=False))
def test_the_order_of_streams_changes_no_figure(park, random):
    order = list(range(len(park)))
    random.shuffle(order)
    for one, other in zip(run(park, MINUTE), run(park, MINUTE, order), strict=True):
        assert one[3] == other[3]
        assert sorted(map(str, one[2])) == sorted(map(str, other[2]))


@given(meters(kinds=["grid_import", "pv", "heat_import", "heat_export"]))
def test_the_same_quantity_in_another_unit_gives_the_same_figures(meter):
    """kW.h at p places are W.h at p - 3: same registers, same meaning."""
    if meter.unit in ("W.h", "kJ"):
        return
    power = {"kW.h": 3, "MJ": 3, "MW.h": 6, "GJ": 6}[meter.unit]
    small = "kJ" if meter.unit in ("MJ", "GJ") else "W.h"
    shift = max(0, power - meter.places)
    other = Metered(
        meter.number,
        meter.kind,
        small,
        max(0, meter.places - power),
        meter.ug_per_unit,
        [(s, None if r is None else r * 10**shift) for s, r in meter.readings],
    )
    for one, two in zip(run([meter], MINUTE), run([other], MINUTE), strict=True):
        assert one[2][0][3:] == two[2][0][3:]
        assert one[3] == two[3]


@settings(max_examples=80)
@given(parks())
def test_a_stream_without_a_factor_changes_no_emission(park):
    readings = park[0].readings
    more = park + [Metered(len(park), "memo", "kW.h", 2, 0, readings)]
    for one, other in zip(run(park, MINUTE), run(more, MINUTE), strict=True):
        assert one[3] == other[3]
        assert one[2] == other[2][:-1]


METHOD = METHODS["hj212-2017/273/22.4"]
STACK = Stack(METHOD, (2827, 2), 101_300, "dry")
GAS = st.tuples(
    st.integers(0, 250),
    st.integers(0, 300),
    st.integers(0, 2500),
    st.integers(-9, 9),
    st.integers(0, 200),
)
ELAPSED_MS = st.one_of(st.integers(1, HOLD_PERIODS * POLL_MS), st.integers(1, 20_000))


@given(st.lists(st.tuples(ELAPSED_MS, st.one_of(st.none(), GAS)), min_size=1, max_size=40))
def test_a_stack_integrates_its_rates_exactly(samples):
    """samples: (time since the one before, readings or None for a bad one)."""
    inputs = tuple((0, point, 1) for point in range(5))
    stream = stack_stream(0, "s", POLL_MS, Source(inputs, None, STACK), b"")
    account = Accountant((stream,), 10 * MINUTE)
    now, before, exact = 0, None, None
    for elapsed_ms, gas in samples:
        now += elapsed_ms
        values = [None] * 5 if gas is None else list(gas)
        qualities = dict.fromkeys(range(5), 3) if gas is None else {}
        account.observe(0, 1, now, T0 + now, values, qualities)
        if gas is None:
            before = None
            continue
        exact = Fraction(0) if exact is None else exact
        if before is not None and now - before <= HOLD_PERIODS * POLL_MS:
            rate = round(Fraction(*mass_rate_ratio(STACK, Sample(*[(v, 1) for v in gas]))))
            exact += Fraction(rate * (now - before), 3_600_000)
        before = now
    end = (T0 + now) // (10 * MINUTE) * 10 * MINUTE + 10 * MINUTE
    entry = account.close(end)[2][0]
    if exact is None:
        assert entry[1:5] == [None, 0, None, None]
        return
    assert entry[1] + Fraction(entry[2], 3_600_000) == exact
    assert 0 <= entry[2] < 3_600_000
    assert entry[4] == entry[3] == round(exact)
