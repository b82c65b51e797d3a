"""Interval records summed into the parts of a period, by stream. Integers; nothing is rounded.

An interval belongs to the part in which it starts. The sum of the parts is the sum of the
intervals, whatever they are cut into.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cloud_sync.reading.calendar import Period
from cloud_sync.reading.covered import Covered, read_reaching
from cloud_sync.reading.database import Database
from edge.core.numbers.fixed import div_round

#: What orders interval rows, and names one stream's share of one interval.
_KEY = "start_ms, gateway, epoch, seq, stream"

_SHARES = f"""
    SELECT {_KEY}, number, end_ms, activity, emission_mg, good, expected, flags, substituted,
           cumulative, rest, basis
    FROM v_streams WHERE tenant = :tenant AND start_ms >= :start AND start_ms < :end
    ORDER BY {_KEY}"""
_OTHERS = f"""
    SELECT {_KEY}, emission_mg FROM v_emissions
    WHERE tenant = :tenant AND basis = :basis AND start_ms >= :start AND start_ms < :end
    ORDER BY {_KEY}"""
_TOTALS = """
    SELECT gateway, epoch, seq, start_ms, electricity_mg, consumption_wh FROM v_bases
    WHERE tenant = :tenant AND basis = :basis AND start_ms >= :start AND start_ms < :end"""
_DEFINITIONS = """
    SELECT gateway, epoch, number, stream, kind, scope, unit, numerator, denominator, factor,
           factor_digest, method, basis, place, details
    FROM v_definitions WHERE tenant = :tenant ORDER BY gateway, epoch, number"""
_BEFORE = """
    SELECT seq, cumulative, rest FROM v_streams
    WHERE tenant = :tenant AND gateway = :gateway AND epoch = :epoch AND stream = :stream
          AND seq < :seq AND cumulative IS NOT NULL
    ORDER BY seq DESC LIMIT 1"""


class Definition(NamedTuple):
    """What a stream's number means in a journal; `details` as the store's schema says."""

    gateway: str
    epoch: str
    number: int
    stream: str
    kind: str
    scope: int
    unit: str
    numerator: int
    denominator: int
    factor: str
    factor_digest: str
    method: str
    basis: str | None
    place: str | None
    details: bytes | None


class Mark(NamedTuple):
    """A count as an interval record has it: C in the register's mantissa, and a stack's rest."""

    seq: int
    cumulative: int
    rest: int


@dataclass
class Run:
    """Intervals of one definition, one after the other.

    start: the mark before the first of them, None where counting begins within it; first_seq,
    first_mg, first_end: of that first interval, whose emission has no start to be made from.
    """

    definition: Definition
    first_seq: int
    first_mg: int | None
    start: Mark | None
    first_end: Mark | None = None
    end: Mark | None = None
    emission_mg: int = 0
    intervals: int = 0


@dataclass
class Cell:
    """One stream in one part of the period. unknown: intervals that have no figure."""

    intervals: int = 0
    covered_ms: int = 0
    activity: int = 0
    emission_mg: int = 0
    allocated_mg: int | None = None
    good: int = 0
    expected: int = 0
    unknown: int = 0
    flags: int = 0
    substituted: int = 0
    straddling: int = 0
    runs: list[Run] = field(default_factory=list)


@dataclass
class StreamFigures:
    """One stream over the period; cells as the parts."""

    gateway: str
    stream: str
    definition: Definition
    cells: list[Cell]
    covered: Covered | None = None

    def cover(self, start_ms: int, end_ms: int) -> None:
        """Note the time of an interval, in each cell that it reaches into."""
        assert self.covered is not None
        for number, covered_ms in self.covered.take(start_ms, end_ms):
            self.cells[number].covered_ms += covered_ms

    def total(self, name: str) -> int:
        """The sum of an integer field over the cells."""
        return sum(getattr(cell, name) or 0 for cell in self.cells)


def read_figures(
    database: Database, tenant: str, parts: list[Period], basis: str = ""
) -> list[StreamFigures]:
    """Every stream that has an interval in the parts, by gateway and name.

    basis: "" for each stream's main one. A stream without a rate for the basis enters with its
    main emission, as the gateway's totals do.
    """
    span = {"tenant": tenant, "start": parts[0].start_ms, "end": parts[-1].end_ms}
    definitions = read_definitions(database, tenant)
    others = _Emissions(database, {**span, "basis": basis}) if basis else None
    found: dict[tuple[str, str], StreamFigures] = {}
    last: dict[tuple[str, str, str], Mark] = {}
    reaching = read_reaching(database, tenant, parts[0].start_ms)
    at = 0
    for row in database.stream(_SHARES, **span):
        start_ms, gateway, epoch, _, stream, number = row[:6]
        while start_ms >= parts[at].end_ms:
            at += 1
        definition = definitions[gateway, epoch, number]
        figures = found.get((gateway, stream))
        if figures is None:
            cells = [Cell() for _ in parts]
            figures = found[gateway, stream] = StreamFigures(gateway, stream, definition, cells)
            figures.covered = Covered(parts)
            figures.cover(parts[0].start_ms, reaching.get((gateway, stream), 0))
        figures.definition = definition
        figures.cover(start_ms, row[6])
        emission_mg = row[8]
        if others is not None and row[15] != basis:
            emission_mg = others.find(row[:5], emission_mg)
        _add(figures.cells[at], definition, row, emission_mg, last, parts[at].end_ms)
    streams = [found[key] for key in sorted(found)]
    _find_starts(database, tenant, streams)
    return streams


def read_definitions(database: Database, tenant: str) -> dict[tuple[str, str, int], Definition]:
    """(gateway, epoch, number) -> what it means."""
    rows = [Definition(*row) for row in database.rows(_DEFINITIONS, tenant=tenant)]
    return {(row.gateway, row.epoch, row.number): row for row in rows}


class _Emissions:
    """Emissions on a further basis, asked for in the order of the shares."""

    def __init__(self, database: Database, values: dict[str, Any]) -> None:
        # A row is looked for while the shares are streamed: on one connection they may not
        # interleave everywhere, so this one is read ahead.
        self._found = {row[:5]: row[5] for row in database.stream(_OTHERS, **values)}

    def find(self, key: tuple[Any, ...], main_mg: int | None) -> int | None:
        return self._found.get(key, main_mg)


def _add(
    cell: Cell,
    definition: Definition,
    row: tuple[Any, ...],
    emission_mg: int | None,
    last: dict[tuple[str, str, str], Mark],
    part_end_ms: int,
) -> None:
    start_ms, gateway, epoch, seq, stream, _, end_ms, activity = row[:8]
    good, expected, flags, substituted, cumulative, rest = row[9:15]
    cell.intervals += 1
    cell.straddling += end_ms > part_end_ms
    cell.good += good
    cell.expected += expected
    cell.flags |= flags or 0
    cell.substituted += substituted or 0
    if activity is None or (emission_mg is None and definition.scope):
        cell.unknown += 1
    cell.activity += activity or 0
    cell.emission_mg += emission_mg or 0
    run = cell.runs[-1] if cell.runs else None
    if run is None or run.definition != definition:
        start = last.get((gateway, epoch, stream))
        run = Run(definition, seq, emission_mg, start)
        cell.runs.append(run)
    run.intervals += 1
    run.emission_mg += emission_mg or 0
    if cumulative is not None:
        run.end = last[gateway, epoch, stream] = Mark(seq, cumulative, rest)
        if run.first_end is None:
            run.first_end, run.first_mg = run.end, emission_mg


def _find_starts(database: Database, tenant: str, streams: list[StreamFigures]) -> None:
    """The marks before the period, from the interval records before it."""
    for figures in streams:
        runs = [run for cell in figures.cells for run in cell.runs]
        for run in (run for run in runs if run.start is None):
            head = run.definition
            where = {"gateway": head.gateway, "epoch": head.epoch, "stream": head.stream}
            found = database.rows(_BEFORE, tenant=tenant, seq=run.first_seq, **where)
            run.start = Mark(*found[0]) if found else None


def allocate(
    database: Database,
    tenant: str,
    parts: list[Period],
    basis: str,
    streams: list[StreamFigures],
) -> None:
    """Give sub-meters of electricity their share of what their gateway's electricity emitted.

    In each interval: activity x electricity's emission / electricity consumed, half-even to 1 mg.
    It is no emission of its own and enters no total. A gateway without a grid meter gives none.
    """
    wanted = {
        (f.gateway, f.stream): f
        for f in streams
        if f.definition.kind == "memo" and f.definition.unit == "W.h"
    }
    if not wanted:
        return
    span = {"tenant": tenant, "start": parts[0].start_ms, "end": parts[-1].end_ms}
    mixes = {row[:3]: row[4:] for row in database.stream(_TOTALS, **span, basis=basis)}
    at = 0
    for row in database.stream(_SHARES, **span):
        while row[0] >= parts[at].end_ms:
            at += 1
        figures = wanted.get((row[1], row[4]))
        electricity_mg, consumption_wh = mixes.get(row[1:4], (None, None))
        if figures is None or row[7] is None or electricity_mg is None or not consumption_wh:
            continue
        share_mg = div_round(row[7] * electricity_mg, consumption_wh)
        cell = figures.cells[at]
        cell.allocated_mg = (cell.allocated_mg or 0) + share_mg
