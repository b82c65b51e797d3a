"""A stack judged: HJ 212-2017 Annex D.2 (20), (30), (31), (33) in fractions, wet analyzer.

Each sample stands for the time since the last, at most three poll periods; a status that does not
mean measuring interrupts.
"""

import sqlite3
from fractions import Fraction
from typing import Any

from hil_tests.demo.samples import read_samples

_HOLD_PERIODS = 3
_POLL_MS = 1000
_INPUTS = ("co2", "velocity", "temperature", "pressure", "moisture")


def judge_stack(db: sqlite3.Connection, rows: list[Any], stack: dict[str, Any]) -> int:
    """Intervals of a stack whose mass is not what its samples make.

    rows: (seq, cumulative, rest, activity, emission_mg) in order.
    """
    series = [read_samples(db, stack[key]) for key in _INPUTS]
    states = read_samples(db, stack["status"])
    area = Fraction(stack["area_m2"])
    mass = Fraction(0)
    last_ms: int | None = None
    wrong = at = start = 0
    for seq, cumulative, rest, _, emission in rows:
        while at < len(series[0]) and series[0][at][0] < seq:
            mono_ms = series[0][at][1]
            state = [value for when, _, value in states if when < series[0][at][0]]
            if not state or state[-1] not in stack["status_ok"]:
                last_ms = None
            else:
                sample = [points[at][2] for points in series]
                if last_ms is not None and mono_ms - last_ms <= _HOLD_PERIODS * _POLL_MS:
                    mass += _rate_mg_h(sample, area, stack["ambient_pa"]) * (mono_ms - last_ms)
                last_ms = mono_ms
            at += 1
        recorded = Fraction(cumulative or 0) + Fraction(rest, 3_600_000)
        wrong += recorded != mass / 3_600_000
        if emission is not None:
            wrong += emission != round(recorded) - start
            start = round(recorded)
    return wrong


def _rate_mg_h(sample: list[Fraction], area: Fraction, ambient_pa: int) -> int:
    """(20), (30), (31) without moisture, (33); rounded to 1 mg/h as the method says."""
    co2, velocity, celsius, pressure, _ = sample
    concentration = Fraction(440, 224) * co2 * 10_000
    flow = 3600 * area * velocity
    standard = flow * 273 / (273 + celsius) * (ambient_pa + pressure) / 101_325
    return round(concentration * standard)
