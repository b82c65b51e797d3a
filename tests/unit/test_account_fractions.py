"""The digest of the 10,000-poll run, derived from its readings with fractions alone."""

import hashlib
from fractions import Fraction
from itertools import pairwise

import msgpack

from tests.core.test_account_digest import FIGURES, METERS, MODULUS, QUARTER, T0, readings

#: Unit -> canonical units in it.
CANONICAL = {"kW.h": 10**3, "MW.h": 10**6, "W.h": 1, "GJ": 10**6, "m3": 10**3, "t": 10**6}
MINUTES = QUARTER // 60_000


def true_counts() -> list[list[int]]:
    """Per meter, its count after each poll: what it gained, odd readings left out."""
    found = []
    for column in zip(*readings(), strict=True):
        counts: list[int] = []
        last = count = column[0]
        is_rolling = False  # a register beyond its modulus counts with the next one that agrees
        for value in column:
            if value:
                if value < last and not is_rolling:
                    is_rolling = True
                else:
                    count += value - last + (MODULUS if is_rolling else 0)
                    last, is_rolling = value, False
            counts.append(count)
        found.append(counts)
    return found


def figures(counts: list[list[int]]) -> bytes:
    digest = hashlib.sha256()
    polls = len(counts[0])
    for end in range(MINUTES, polls, MINUTES):
        rows = []
        for (kind, unit, places, *rates), column in zip(METERS, counts, strict=True):
            first = column[0] if end == MINUTES else column[end - MINUTES - 1]
            last = column[end - 1]
            scale = Fraction(CANONICAL[unit], 10**places)
            sign = -1 if kind == "grid_export" else 1
            row = [last, round(last * scale) - round(first * scale)]
            for rate in rates:
                mg = scale * (Fraction(*rate) if isinstance(rate, tuple) else rate) / 1000
                row.append(sign * (round(last * mg) - round(first * mg)))
            rows.append(row)
        span = [T0 + (end - MINUTES) * 60_000, T0 + end * 60_000]
        digest.update(msgpack.packb([*span, rows]))
    return digest.digest()


def test_the_run_has_what_it_is_for():
    columns = list(zip(*readings(), strict=True))
    assert sum(column.count(None) for column in columns) > 100
    assert sum(column.count(0) for column in columns) > 50
    assert any(later < sooner for sooner, later in pairwise(columns[0]) if sooner and later)


def test_the_figures_are_those_of_fractions():
    assert figures(true_counts()).hex() == FIGURES
