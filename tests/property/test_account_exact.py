"""The account against fractions: R(C_end f) - R(C_start f), however the time is cut."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.core.carbon.account import Accountant
from edge.core.carbon.cems import METHODS, Sample, Stack, mass_rate_ratio
from edge.core.carbon.resume import restore
from edge.core.carbon.stack_meter import HOLD_PERIODS
from edge.core.carbon.streams import KINDS, Source, stack_stream
from tests.property.metered import INTERVALS, MINUTE, POLL_MS, SECONDS, T0, parks, run


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
        scope1, scope2, electricity, consumption, intensity = totals[:5]
        meanings = [KINDS[meter.kind] for meter in park]

        def add(values):
            values = list(values)
            return None if None in values else sum(values)

        pairs = list(zip(meanings, entries, strict=True))
        assert scope1 == add(e[4] for m, e in pairs if m.scope == 1)
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
            for number, _, _, activity, emission, *_ in entries:
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
                restore(account, body, {})
        account.observe(device, 1, 1000 * second, wall_ms, [register], {})
    last = account.close(T0 + 1000 * SECONDS)
    bodies += [] if last is None else [last]
    assert [body[2:] for body in bodies] == [body[2:] for body in whole]


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
