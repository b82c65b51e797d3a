"""Carbon judged: every interval computed anew from the cloud's readings, by another arithmetic.

Fractions instead of scaled integers, formulas written again from the definitions, factors read
from their files: emission of an interval = R(C_end x factor) - R(C_start x factor) on each basis;
stack mass as in `stack`; a virtual meter is the sum of its parts; totals are sums of streams.
"""

import sqlite3
import tomllib
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from hil_tests.demo.samples import read_samples
from hil_tests.demo.stack import judge_stack

FACTORS = Path(__file__).resolve().parents[2] / "edge" / "factors"

#: Kinds whose emission is subtracted, and whose emission does not count.
_NEGATIVE = ("grid_export", "heat_export", "conversion_output", "certificate")
_SILENT = ("memo", "battery_charge", "battery_discharge")

#: Unit of a reading -> W.h or kJ in it, written again from the tables.
_UNITS = {"W.h": 1, "kW.h": 1000, "MW.h": 10**6, "kJ": 1, "MJ": 1000, "GJ": 10**6}

#: kJ in a W.h: a heat meter may total in kW.h.
_KJ_PER_WH = Fraction(36, 10)

#: Unit of a factor -> mg per W.h or kJ.
_PER = {"kg/kW.h": Fraction(1000), "t/GJ": Fraction(1000)}


#: An interval in which one poll was due may have begun after it: that is not missing.
_DOUBTS = """
    SELECT count(*) FILTER (WHERE flags & 4),
        count(*) FILTER (WHERE good = 0 AND expected > 1 AND coalesce(flags, 0) & 4 = 0)
    FROM interval_streams WHERE stream = ?"""


@dataclass
class StreamSum:
    """One stream over the whole run.

    bases: emission_mg by further basis. held, missing: closed intervals in which the register
    showed what could not be true, and in which nothing of it was read: no wrong figure, but one
    that does not say what flowed.
    """

    name: str
    kind: str
    scope: int
    unit: str
    activity: int
    emission_mg: int
    intervals: int
    wrong: int = 0
    held: int = 0
    missing: int = 0
    bases: dict[str, int] = field(default_factory=dict)


@dataclass
class _Judge:
    db: sqlite3.Connection
    settings: dict[str, Any]
    #: stream name -> [(seq, activity in its unit as a fraction)]
    counts: dict[str, list[tuple[int, Fraction | None]]] = field(default_factory=dict)


def judge_streams(cloud: Path, config: Path) -> list[StreamSum]:
    """Sum every stream and count the figures that cannot be recomputed.

    A configured stream that the cloud does not know is wrong once.
    """
    settings = tomllib.loads(config.read_text("utf-8"))
    with sqlite3.connect(f"file:{cloud}?mode=ro", uri=True) as db:
        judge = _Judge(db, settings)
        sums = [_judge_stream(judge, wanted) for wanted in settings["stream"]]
        if sums:
            sums[0].wrong += _judge_totals(judge)
    db.close()
    return sums


def _judge_stream(judge: _Judge, wanted: dict[str, Any]) -> StreamSum:
    name, kind = wanted["name"], wanted["kind"]
    found = judge.db.execute("SELECT number, scope, unit FROM streams WHERE name = ?", (name,))
    rows = found.fetchall()
    if len(rows) != 1:
        return StreamSum(name, kind, 0, "", 0, 0, 0, wrong=1)
    number, scope, unit = rows[0]
    entries = judge.db.execute(
        "SELECT seq, cumulative, rest, activity, emission_mg FROM interval_streams"
        " WHERE stream = ? ORDER BY seq",
        (number,),
    ).fetchall()
    activity = sum(row[3] or 0 for row in entries)
    total = StreamSum(name, kind, scope, unit, activity, 0, len(entries))
    total.emission_mg = sum(row[4] or 0 for row in entries)
    total.held, total.missing = judge.db.execute(_DOUBTS, (number,)).fetchone()
    if kind == "stack_co2":
        total.wrong = judge_stack(judge.db, entries, wanted["stack"])
        return total
    counts, start = _count(judge, wanted, entries)
    judge.counts[name] = counts
    sign = 0 if kind in _SILENT else -1 if kind in _NEGATIVE else 1
    stored = [(row[0], row[3], row[4]) for row in entries]
    total.wrong = _differences(counts, start, _factor(judge.settings, wanted) * sign, stored)
    _judge_bases(judge, wanted, number, (counts, start, sign), total)
    return total


def _count(judge: _Judge, wanted: dict[str, Any], entries: list[Any]) -> tuple[Any, Fraction]:
    """([(seq, C at the end of each interval)], C at the start), in the canonical unit."""
    if "point" not in wanted:
        return _sum_parts(judge, wanted, entries)
    samples = read_samples(judge.db, wanted["point"])
    unit = judge.db.execute(
        "SELECT p.unit FROM points p JOIN devices d ON d.number = p.device"
        " WHERE d.name = ? AND p.name = ?",
        tuple(wanted["point"].split(".")),
    ).fetchone()[0]
    scale = Fraction(_UNITS[unit])
    if wanted["kind"].startswith("heat") and unit.endswith("W.h"):
        scale *= _KJ_PER_WH
    counts: list[tuple[int, Fraction | None]] = []
    for row in entries:
        before = [value for seq, _, value in samples if seq < row[0]]
        counts.append((row[0], max(before) * scale if before else None))
    return counts, samples[0][2] * scale if samples else Fraction(0)


def _sum_parts(judge: _Judge, wanted: dict[str, Any], entries: list[Any]) -> tuple[Any, Fraction]:
    """A virtual meter from its parts; its start is what makes the first interval come out."""
    signs = dict.fromkeys(wanted.get("plus", []), 1) | dict.fromkeys(wanted.get("minus", []), -1)
    share = Fraction(wanted.get("share", "1"))
    counts: list[tuple[int, Fraction | None]] = []
    for at, row in enumerate(entries):
        values = [(sign, judge.counts[name][at][1]) for name, sign in signs.items()]
        known = [sign * value for sign, value in values if value is not None]
        counts.append((row[0], share * sum(known) if len(known) == len(values) else None))
    first = next(((c, row[3]) for (_, c), row in zip(counts, entries, strict=True) if c), None)
    # Between the first readings of its parts a virtual meter has nothing to subtract from.
    return counts, Fraction(0) if first is None else first[0] - first[1]


def _factor(settings: dict[str, Any], table: dict[str, Any]) -> Fraction:
    """mg CO2 per W.h or kJ of what a stream or one of its bases names."""
    if "factor" not in table:
        return Fraction(0)
    name, dot, rest = table["factor"].partition(".")
    file, factor = (name, rest) if dot else (settings["accounting"]["factors"], name)
    document = tomllib.loads((FACTORS / f"{file}.toml").read_text("utf-8"))
    row = next(row for row in document["factors"] if row["id"] == factor)
    return Fraction(row["value"]) * _PER[row["unit"]]


def _differences(
    counts: list[tuple[int, Fraction | None]],
    start: Fraction,
    rate: Fraction,
    stored: list[tuple[int, int | None, int | None]],
) -> int:
    """Stored (seq, activity, emission) that are not R(end) - R(start)."""
    wrong = 0
    for (seq, end), (stored_seq, activity, emission) in zip(counts, stored, strict=True):
        wrong += seq != stored_seq
        if end is None:
            wrong += emission is not None
            continue
        sign = -1 if rate < 0 else 1
        exact = round(end * abs(rate)) - round(start * abs(rate))
        wrong += emission != sign * exact
        wrong += activity is not None and activity != round(end) - round(start)
        start = end
    return wrong


def _judge_bases(
    judge: _Judge, wanted: dict[str, Any], number: int, figures: Any, total: StreamSum
) -> None:
    """The same on every further basis; adds to `total`."""
    counts, start, sign = figures
    tables = {table["name"]: table for table in wanted.get("basis", [])}
    rates = judge.db.execute(
        "SELECT position, basis FROM stream_rates WHERE stream = ? ORDER BY position", (number,)
    ).fetchall()
    total.wrong += [basis for _, basis in rates] != list(tables)
    for position, basis in rates:
        rows = judge.db.execute(
            "SELECT seq, NULL, emission_mg FROM interval_emissions"
            " WHERE stream = ? AND position = ? ORDER BY seq",
            (number, position),
        ).fetchall()
        rate = _factor(judge.settings, tables[basis]) * sign
        total.wrong += _differences(counts, start, rate, rows)
        total.bases[basis] = sum(row[2] or 0 for row in rows)


def _judge_totals(judge: _Judge) -> int:
    """Totals of intervals, on every basis, that are not the sums of their streams."""
    query = """
        SELECT e.basis, e.seq, e.scope, sum(e.emission_mg), count(*) - count(e.emission_mg)
        FROM v_emissions e GROUP BY e.basis, e.seq, e.scope"""
    sums = {(row[0], row[1], row[2]): row[3:] for row in judge.db.execute(query)}
    main = judge.settings["accounting"]["basis"]
    heat = """SELECT t.seq, sum(t.emission_mg) FROM interval_streams t JOIN streams s
              ON s.number = t.stream WHERE s.scope = 2 AND s.kind LIKE 'heat%' GROUP BY t.seq"""
    inherited = dict(judge.db.execute(heat).fetchall())
    wrong = 0
    for basis, seq, scope1, scope2, _, intensity, consumption in judge.db.execute(
        "SELECT basis, seq, scope1_mg, scope2_mg, start_ms, intensity_mg_per_kwh, consumption_wh"
        " FROM v_bases"
    ):
        direct, missing = sums.get((main, seq, 1), (0, 0))
        wrong += scope1 != (None if missing else direct)
        bought, missing = sums.get((basis, seq, 2), (0, 0))
        if bought is None or missing or scope2 is None:
            wrong += scope2 is not None
            continue
        # Heat has no further basis here: its one emission stands on all of them.
        electricity = bought - (inherited.get(seq) or 0) if basis == main else bought
        wrong += scope2 != electricity + (inherited.get(seq) or 0)
        if consumption and consumption > 0:
            wrong += intensity != round(Fraction(electricity * 1000, consumption))
    return wrong
