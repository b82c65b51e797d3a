"""A plausible factory: what every machine draws and makes, second by second, in integers.

Powers are whole watts that hold for one second; counters are their exact sums in W.s, so that
import - export + pv + discharge - charge = load holds for every second and for every sum.
Second 0 is midnight of the first day.
"""

import threading
from typing import NamedTuple

from hil_tests.emulator.noise import pick, wander

DAY_S = 86_400

#: (second of the day, percent of full production), joined by straight lines.
_SHIFTS = (
    (0, 35),
    (20_700, 35),
    (21_900, 100),
    (32_400, 100),
    (32_700, 60),
    (33_300, 100),
    (43_200, 100),
    (43_500, 55),
    (45_000, 55),
    (45_300, 100),
    (64_800, 100),
    (65_100, 60),
    (66_600, 60),
    (66_900, 100),
    (78_600, 100),
    (79_800, 35),
    (DAY_S, 35),
)

#: (second within a press cycle, watts from there on)
_PRESS_CYCLE = ((0, 38_000), (12, 22_000), (40, 11_000), (80, 5_000))
_PRESS_CYCLE_S = 96
_PRESSES = 4

_SUNRISE_S = 19_800
_SUNSET_S = 70_200
_PV_PEAK_W = 400_000

BATTERY_WH = 250_000
_BATTERY_MAX_W = 100_000
#: The store counts hundredths of a W.s, so that its losses stay whole numbers.
_BATTERY_FULL = BATTERY_WH * 3_600 * 100
_STORED_PER_CHARGED = 96
_TAKEN_PER_DISCHARGED = 104

_STEAM_W_PER_KG_H = 767

#: Counters of a plant that has run for some time: kWh, kvarh, kVAh; t of steam. The load's own
#: follows from the balance.
_BASE = (
    ("grid_import", 48_211),
    ("grid_export", 6_874),
    ("grid_reactive", 15_903),
    ("grid_apparent", 57_420),
    ("line1", 31_377),
    ("line1_reactive", 10_354),
    ("line1_apparent", 33_041),
    ("pv", 52_649),
    ("charge", 9_120),
    ("discharge", 8_362),
    ("heat", 2_204_518),
    ("steam", 2_871),
)
_PHASED = ("grid_import", "grid_export", "grid_reactive", "line1", "line1_reactive", "pv")


class Powers(NamedTuple):
    """What flows during one second: W, var and VA, and kg/h of steam."""

    load: int
    line1: int
    pv: int
    charge: int
    discharge: int
    grid_import: int
    grid_export: int
    steam: int
    heat: int
    grid_reactive: int
    line1_reactive: int


class State(NamedTuple):
    """The factory at the beginning of `second`.

    counters: name -> W.s (var.s, VA.s; kg/h x s for steam); "NAME_l1".. for each phase.
    soc_permille: the battery's charge, 0..1000.
    quarter_import: W.s imported since the last full quarter of an hour.
    """

    second: int
    powers: Powers
    counters: dict[str, int]
    soc_permille: int
    quarter_import: int


def split_phases(total: int) -> tuple[int, int, int]:
    """Three parts of a total >= 0 that are >= 0 and sum to it."""
    first = total * 34 // 100
    second = total * 33 // 100
    return first, second, total - first - second


def square_root(value: int) -> int:
    """The integer square root, rounded down."""
    guess = value
    better = (value + 1) // 2
    while better < guess:
        guess = better
        better = (guess + value // guess) // 2
    return guess


def production_percent(second: int) -> int:
    """How much of full production the shift plan has at `second`."""
    time_of_day = second % DAY_S
    for (begin, low), (end, high) in zip(_SHIFTS, _SHIFTS[1:], strict=False):
        if time_of_day < end:
            return low + (high - low) * (time_of_day - begin) // (end - begin)
    return _SHIFTS[-1][1]


class Factory:
    """The factory from `start_s` on; the same for the same seed and start.

    Safe to use from several lines at once. It only moves forward: asked for an earlier second it
    gives the latest state, whose `second` says so.
    """

    def __init__(self, seed: int, start_s: int) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self._second = start_s
        self._stored = _BATTERY_FULL * pick(seed, "soc", 0, 45, 65) // 100
        self._counters: dict[str, int] = {}
        for name, base in _BASE:
            self._counters[name] = (base * 1000 + pick(seed, name, 0, 0, 999)) * 3_600
            if name in _PHASED:
                self._set_phases(name)
        self._counters["load"] = self._balance()
        # A quarter that the start cuts is counted from the start.
        self._quarter_base = self._counters["grid_import"]
        self._powers = self._plan_powers(start_s)

    def _set_phases(self, name: str) -> None:
        for phase, part in zip("123", split_phases(self._counters[name]), strict=True):
            self._counters[f"{name}_l{phase}"] = part

    def _balance(self) -> int:
        counters = self._counters
        bought = counters["grid_import"] - counters["grid_export"]
        return bought + counters["pv"] + counters["discharge"] - counters["charge"]

    def at(self, second: int) -> State:
        """The state at `second`, counting every second up to it."""
        with self._lock:
            while self._second < second:
                self._step()
            return State(
                self._second,
                self._powers,
                dict(self._counters),
                self._stored * 1000 // _BATTERY_FULL,
                self._counters["grid_import"] - self._quarter_base,
            )

    def _step(self) -> None:
        powers = self._powers
        counters = self._counters
        for name in ("load", "charge", "discharge", "heat", "steam"):
            counters[name] += getattr(powers, name)
        for name in _PHASED:
            total = getattr(powers, name)
            counters[name] += total
            for phase, part in zip("123", split_phases(total), strict=True):
                counters[f"{name}_l{phase}"] += part
        net = powers.grid_import + powers.grid_export
        counters["grid_apparent"] += square_root(net**2 + powers.grid_reactive**2)
        counters["line1_apparent"] += square_root(powers.line1**2 + powers.line1_reactive**2)
        self._stored += powers.charge * _STORED_PER_CHARGED
        self._stored -= powers.discharge * _TAKEN_PER_DISCHARGED
        self._second += 1
        if self._second % 900 == 0:
            self._quarter_base = counters["grid_import"]
        self._powers = self._plan_powers(self._second)

    def _plan_powers(self, second: int) -> Powers:
        seed = self._seed
        percent = production_percent(second)
        line1 = self._plan_presses(second, percent)
        others = 120_000 * percent // 100 + wander(seed, "others", second, 300, -15_000, 15_000)
        building = 60_000 + wander(seed, "building", second, 600, -5_000, 5_000)
        load = line1 + others + building
        pv = self._plan_pv(second)
        charge, discharge = self._plan_battery(second % DAY_S, load - pv)
        net = load - pv + charge - discharge
        steam = 700 + 9 * percent + wander(seed, "steam", second, 240, -120, 120)
        return Powers(
            load=load,
            line1=line1,
            pv=pv,
            charge=charge,
            discharge=discharge,
            grid_import=max(net, 0),
            grid_export=max(-net, 0),
            steam=steam,
            heat=steam * _STEAM_W_PER_KG_H,
            grid_reactive=load * 33 // 100,
            line1_reactive=line1 * 33 // 100,
        )

    def _plan_presses(self, second: int, percent: int) -> int:
        total = 0
        for press in range(_PRESSES):
            shift = pick(self._seed, f"press{press}", 0, 0, _PRESS_CYCLE_S - 1)
            part = (second + shift) % _PRESS_CYCLE_S
            total += next(watts for begin, watts in reversed(_PRESS_CYCLE) if begin <= part)
        return total * percent // 100 + wander(self._seed, "line1", second, 7, 0, 800)

    def _plan_pv(self, second: int) -> int:
        time_of_day = second % DAY_S
        if not _SUNRISE_S < time_of_day < _SUNSET_S:
            return 0
        since, left = time_of_day - _SUNRISE_S, _SUNSET_S - time_of_day
        clear = _PV_PEAK_W * 4 * since * left // (_SUNSET_S - _SUNRISE_S) ** 2
        sky = wander(self._seed, "sky", second, 1_800, 55, 100)
        cloud = wander(self._seed, "cloud", second, 45, 700, 1_000)
        return clear * sky * cloud // 100_000

    def _plan_battery(self, time_of_day: int, net: int) -> tuple[int, int]:
        """(charge, discharge) in W: store what the sun leaves, cover the evening peak."""
        if net < -2_000 and self._stored < _BATTERY_FULL * 95 // 100:
            return min(-net, _BATTERY_MAX_W), 0
        if 61_200 <= time_of_day < 75_600 and net > 0 and self._stored > _BATTERY_FULL * 15 // 100:
            return 0, min(net, _BATTERY_MAX_W)
        if time_of_day < _SUNRISE_S and self._stored < _BATTERY_FULL * 60 // 100:
            return 40_000, 0
        return 0, 0
