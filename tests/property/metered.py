"""Meters with what they showed, and the account of a park of them, for the properties."""

from fractions import Fraction

from hypothesis import strategies as st

from edge.core.carbon.account import Accountant
from edge.core.carbon.counter import Limits
from edge.core.carbon.streams import KINDS, Factor, counter_stream

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
    "volume": {"L": Fraction(1), "m3": Fraction(10**3), "10*4.m3": Fraction(10**7)},
    "mass": {"g": Fraction(1), "kg": Fraction(10**3), "t": Fraction(10**6)},
}

#: What these registers do could flow: judging that is tested with the counter.
ANYTHING = Limits(None, 10**30, True, 1)
COUNTER_KINDS = sorted(kind for kind in KINDS if kind != "stack_co2")


class Metered:
    """One counter stream: what it is, and the registers it showed at which second."""

    def __init__(self, number, kind, dimension, unit, places, ug_per_unit, readings):
        self.number, self.kind, self.unit, self.places = number, kind, unit, places
        self.dimension = dimension
        self.ug_per_unit = ug_per_unit
        self.readings = readings  # list of (second, register or None)

    def stream(self):
        factor = Factor("f", self.dimension, self.ug_per_unit, "set", bytes(32))
        emits = KINDS[self.kind].emission != 0
        place = (self.number, 0)
        args = (self.unit, self.places, POLL_MS, place, b"")
        chosen = factor if emits else None
        return counter_stream(self.number, "s", self.kind, chosen, *args, limits=ANYTHING)

    def counted(self, until_second: int) -> int | None:
        """The cumulative register: never goes back, whatever was shown."""
        found = [r for s, r in self.readings if s < until_second and r is not None]
        highest = None
        for register in found:
            highest = register if highest is None else max(highest, register)
        return highest

    def activity(self, register: int) -> Fraction:
        return Fraction(register, 10**self.places) * UNITS[self.dimension][self.unit]

    def emission_mg(self, register: int) -> int:
        if KINDS[self.kind].emission == 0:
            return 0
        return round(self.activity(register) * self.ug_per_unit / 1000)

    def first(self) -> int | None:
        found = [r for _, r in self.readings if r is not None]
        return found[0] if found else None


SECONDS = 600


@st.composite
def meters(draw, number: int = 0, kinds=COUNTER_KINDS) -> Metered:
    kind = draw(st.sampled_from(kinds))
    dimension = KINDS[kind].dimension
    if dimension == "any":
        silent = KINDS[kind].emission == 0  # without a factor its own unit decides
        dimension = draw(st.sampled_from(["energy", "mass", "volume"] + ["heat"] * (not silent)))
    unit = draw(st.sampled_from(sorted(UNITS[dimension])))
    factor = draw(st.one_of(st.sampled_from([0, 1, 832_500, 110_000]), st.integers(0, 10**7)))
    register = draw(st.one_of(st.integers(0, 10**4), st.integers(0, 10**13)))
    seconds = draw(st.sets(st.integers(0, SECONDS - 1), max_size=25))
    readings = []
    for second in sorted(seconds):
        register += draw(st.one_of(st.integers(0, 9), st.integers(0, 10**6)))
        was_odd = bool(readings) and readings[-1][1] not in (None, max(shown(readings)))
        what = draw(st.integers(0, 9))
        if what == 0:
            readings.append((second, None))
        elif what == 1 and readings and not was_odd:
            readings.append((second, draw(st.integers(0, register))))  # a glitch downwards
        else:
            readings.append((second, register))
    return Metered(number, kind, dimension, unit, draw(st.integers(0, 4)), factor, readings)


def shown(readings) -> list[int]:
    return [register for _, register in readings if register is not None] or [0]


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
