"""Interval records judged with fractions: every figure from the counts at its two ends."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

from hil_tests.witness import Entry

TABLE, INTERVAL = 0, 2

_STREAM = 3


def table_parts(entries: Sequence[Entry]) -> list[Any]:
    """All definitions in order, as lists."""
    return [part for entry in entries if entry.kind == TABLE for part in entry.body]


def intervals(entries: Sequence[Entry]) -> list[Any]:
    """The bodies of all interval records, in order."""
    return [entry.body for entry in entries if entry.kind == INTERVAL]


def check_telescoping(entries: Sequence[Entry]) -> int:
    """Each interval begins where the one before ended, in time and count; how many there are.

    Streams are counters whose definition does not change, none of them of scope 1.
    """
    streams = {part[1]: part[2:] for part in table_parts(entries) if part[0] == _STREAM}
    bodies = intervals(entries)
    for before, body in pairwise(bodies):
        assert body[0] == before[1] < body[1]
        scope2: int | None = 0
        for start, entry in zip(before[2], body[2], strict=True):
            emission = _check_stream(start, entry, streams[entry[0]])
            scope2 = None if scope2 is None or emission is None else scope2 + emission
        assert body[3][1] == scope2
    return len(bodies)


def _check_stream(before: Any, entry: Any, stream: Any) -> int | None:
    number, cumulative, _, _, emission = entry[:5]
    _, kind, _, _, up, down = stream[:6]
    assert number == before[0]
    if before[1] is not None:
        exact = round(Fraction(cumulative * up, down)) - round(Fraction(before[1] * up, down))
        assert emission == (-exact if kind == "grid_export" else exact)
    assert emission is None or isinstance(emission, int)
    return emission
