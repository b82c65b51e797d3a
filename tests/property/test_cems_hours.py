"""Whole hours of random samples against the definitions, written down again with fractions.

The bound that is stated for a measured hour, half a milligram, is checked end to end: from
samples to the booked mass, minute means and hour means included.
"""

import random
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.core.carbon.cems import METHODS, Sample, Stack
from edge.core.carbon.eu_mrr import METHOD as EU_METHOD
from edge.core.carbon.stack_meter import StackMeter
from tests.property.test_cems_exact import constants, value

HOUR = 3_600_000
MINUTE = 60_000
T0 = 1_800_000_000_000
PLACES = (2, 1, 1, 0, 2)

STACKS = st.builds(
    Stack,
    st.sampled_from([*METHODS.values(), EU_METHOD]),
    st.tuples(st.integers(100, 20_000), st.just(2)),
    st.integers(50_000, 110_000),
    st.sampled_from(["dry", "wet"]),
)
SEEDS = st.integers(0, 10**9)

#: (ms in the hour, flag, mantissas)
Series = list[tuple[int, str, tuple[int, ...]]]


def series(seed: int, period_ms: int, bad: float) -> Series:
    """An hour of samples; a run of minutes is flagged or silent with probability `bad`."""
    chance = random.Random(seed)
    found = []
    for minute in range(60):
        flag = chance.choice("DMCTSFB") if chance.random() < bad else "N"
        for at in range(minute * MINUTE, (minute + 1) * MINUTE, period_ms):
            low, high = (0, 2500), (-5000, 5000)
            mantissas = (
                chance.randint(*low),
                chance.randint(0, 600),
                chance.randint(-400, 4000),
                chance.randint(*high),
                chance.randint(0, 6000),
            )
            found.append((at, flag, mantissas))
    return found


def sample_of(mantissas: tuple[int, ...]) -> Sample:
    return Sample(*zip(mantissas, PLACES, strict=True))


def observe(meter: StackMeter, found: Series, start_ms: int = T0) -> None:
    for at, flag, mantissas in found:
        meter.observe(sample_of(mantissas), flag, 1, at, start_ms + at)


def rate_of_means(stack: Stack, means: list[Fraction]) -> Fraction:
    """(19), (20), (30), (31), (33) in mg/h."""
    kelvin, volume, mass = constants(stack.method.id)
    co2, speed, celsius, pressure, moisture = means
    dry_part = 1 - moisture / 100
    dry_co2 = co2 / dry_part if stack.basis == "wet" else co2
    flow = 3600 * value(stack.area_m2) * speed * kelvin / (kelvin + celsius)
    flow = flow * (stack.ambient_pa + pressure) / 101_325 * dry_part
    return mass / volume * dry_co2 * 10_000 * flow


def mean(columns: list[list[Fraction]]) -> list[Fraction]:
    return [sum(column, Fraction(0)) / len(column) for column in zip(*columns, strict=True)]


def scaled(mantissas: tuple[int, ...]) -> list[Fraction]:
    return [Fraction(m, 10**p) for m, p in zip(mantissas, PLACES, strict=True)]


def hj_hour(stack: Stack, found: Series) -> Fraction | None:
    """The exact mass of an hour by (23), (24), (33); None with fewer than 45 good minutes."""
    minutes = []
    for minute in range(60):
        inside = [entry for entry in found if entry[0] // MINUTE == minute]
        good = [scaled(mantissas) for _, flag, mantissas in inside if flag == "N"]
        if len(good) >= 12 and 4 * len(good) >= 3 * len(inside):
            minutes.append(mean(good))
    return rate_of_means(stack, mean(minutes)) if len(minutes) >= 45 else None


@settings(max_examples=40)
@given(STACKS, SEEDS, st.sampled_from([1000, 2000, 3000, 4000, 5000]), st.sampled_from([0, 0.2]))
def test_an_hour_is_half_a_milligram_from_the_annex(
    stack: Stack, seed: int, period_ms: int, bad: float
):
    found = series(seed, period_ms, bad)
    meter = StackMeter(stack, "hj75", period_ms)
    observe(meter, found)
    closed = meter.close(HOUR, T0 + HOUR)
    exact = hj_hour(stack, found)
    assert closed.valid == (exact is not None)
    if exact is None:
        assert closed.mass_mg == 0
    else:
        assert abs(closed.mass_mg - exact) <= Fraction(1, 2)
        assert closed.mass_mg == round(exact)


@settings(max_examples=30)
@given(STACKS, SEEDS, st.sampled_from([2000, 5000, 30_000]), st.sampled_from([0, 0.15]))
def test_an_eu_hour_is_the_mean_of_all_its_readings(
    stack: Stack, seed: int, period_ms: int, bad: float
):
    found = series(seed, period_ms, bad)
    meter = StackMeter(stack, "eu-mrr", period_ms)
    observe(meter, found)
    closed = meter.close(HOUR, T0 + HOUR)
    gas = [scaled(mantissas)[:1] for _, flag, mantissas in found if flag == "N"]
    flow = [scaled(mantissas)[1:] for _, _, mantissas in found]
    assert closed.valid == (100 * len(gas) >= 80 * (HOUR // period_ms))
    if closed.valid:
        exact = rate_of_means(stack, mean(gas) + mean(flow))
        assert abs(closed.mass_mg - exact) <= Fraction(1, 2)


@settings(max_examples=30)
@given(STACKS, SEEDS, st.sampled_from(["hj75", "eu-mrr", "part75"]))
def test_the_order_of_samples_in_their_minute_changes_nothing(
    stack: Stack, seed: int, family: str
):
    found = series(seed, 5000, 0.1)
    chance = random.Random(seed)
    mixed: Series = []
    for minute in range(60):
        inside = found[minute * 12 : minute * 12 + 12]
        times = [entry[0] for entry in inside]
        chance.shuffle(inside)
        mixed += [(at, *entry[1:]) for at, entry in zip(times, inside, strict=True)]
    masses = []
    for version in (found, mixed):
        meter = StackMeter(stack, family, 5000)
        observe(meter, version)
        masses.append(meter.close(HOUR, T0 + HOUR))
    assert masses[0] == masses[1]


@settings(max_examples=25)
@given(SEEDS, st.sampled_from(["hold", "hj75", "eu-mrr", "part75"]))
def test_splitting_a_day_into_intervals_changes_no_total(seed: int, family: str):
    """Closes at any moment add up to one close at the end, the gaps that they cut included."""
    chance = random.Random(seed)
    stack = Stack(METHODS["hj212-2017/273/22.4"], (2827, 2), 101_300, "wet")
    whole, cut = StackMeter(stack, family, 5000), StackMeter(stack, family, 5000)
    for meter in (whole, cut):
        meter.remember([[100_000, 300]])
    parts = []
    for hour in range(5):
        bad = chance.choice([0, 0.1, 0.6])
        start_ms = T0 + hour * HOUR
        for at, flag, mantissas in series(seed + hour, 5000, bad):
            for meter in (whole, cut):
                meter.observe(sample_of(mantissas), flag, 1, hour * HOUR + at, start_ms + at)
            if chance.random() < 0.01:
                parts.append(cut.close(HOUR, start_ms + at))
    end = T0 + 5 * HOUR
    part, all_of_it = cut.close(HOUR, end), whole.close(HOUR, end)
    parts.append(part)
    for field in ("mass_mg", "substituted_mg", "valid", "filled", "missing"):
        assert sum(getattr(one, field) for one in parts) == getattr(all_of_it, field), field
    assert part.pending == all_of_it.pending


@settings(max_examples=25)
@given(STACKS, SEEDS, st.integers(1, 3))
def test_trailing_zeros_of_the_readings_change_no_hour(stack: Stack, seed: int, zeros: int):
    found = series(seed, 5000, 0.1)
    plain, longer = StackMeter(stack, "hj75", 5000), StackMeter(stack, "hj75", 5000)
    observe(plain, found)
    for at, flag, mantissas in found:
        fields = [(m * 10**zeros, p + zeros) for m, p in zip(mantissas, PLACES, strict=True)]
        longer.observe(Sample(*fields), flag, 1, at, T0 + at)
    assert plain.close(HOUR, T0 + HOUR) == longer.close(HOUR, T0 + HOUR)


@settings(max_examples=40)
@given(STACKS, SEEDS, st.lists(st.integers(1, 4000), min_size=2, max_size=60))
def test_hold_is_the_sum_of_what_each_sample_stands_for(
    stack: Stack, seed: int, steps_ms: list[int]
):
    chance = random.Random(seed)
    meter = StackMeter(stack, "hold", 1000)
    exact, mono_ms, held = Fraction(0), 0, False
    for step_ms in steps_ms:
        mono_ms += step_ms
        flag = chance.choice("NNNNC")
        mantissas = series(seed + mono_ms, MINUTE, 0)[0][2]
        if flag == "N" and held and step_ms <= 3000:
            exact += round(rate_of_means(stack, scaled(mantissas))) * Fraction(step_ms, HOUR)
        held = flag == "N"
        meter.observe(sample_of(mantissas), flag, 1, mono_ms, None)
    assert Fraction(meter.total_mg) + Fraction(meter.rest, HOUR) == exact
    assert meter.close(HOUR).mass_mg == round(exact)
