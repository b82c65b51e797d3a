"""Carbon judged: every interval computed anew from the cloud's readings, by another arithmetic.

Fractions instead of scaled integers, formulas written again from the definitions: emission of an
interval = R(C_end x factor) - R(C_start x factor); stack mass from HJ 212-2017 Annex D.2
(20), (30), (31), (33) for a wet analyzer, each sample standing for the time since the last.
"""

import sqlite3
import tomllib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

#: Kinds whose emission is subtracted, and whose emission does not count.
_NEGATIVE = ("grid_export", "heat_export")
_SILENT = ("memo", "battery_charge", "battery_discharge")

_HOLD_PERIODS = 3


@dataclass
class StreamSum:
    """One stream over the whole run."""

    name: str
    kind: str
    scope: int
    unit: str
    activity: int
    emission_mg: int
    intervals: int
    wrong: int = 0


def judge_streams(cloud: Path, config: Path) -> list[StreamSum]:
    """Sum every stream and count the intervals whose figures cannot be recomputed."""
    settings = tomllib.loads(config.read_text("utf-8"))
    wanted = {stream["name"]: stream for stream in settings["stream"]}
    sums = []
    with sqlite3.connect(f"file:{cloud}?mode=ro", uri=True) as db:
        streams = db.execute(
            "SELECT number, name, kind, scope, unit, numerator, denominator FROM streams"
        ).fetchall()
        for number, name, kind, scope, unit, up, down in streams:
            rows = db.execute(
                """SELECT seq, cumulative, rest, activity, emission_mg FROM interval_streams
                   WHERE stream = ? ORDER BY seq""",
                (number,),
            ).fetchall()
            total = StreamSum(
                name,
                kind,
                scope,
                unit,
                sum(row[3] or 0 for row in rows),
                sum(row[4] or 0 for row in rows),
                len(rows),
            )
            if kind == "stack_co2":
                total.wrong = _judge_stack(db, rows, wanted[name]["stack"])
            else:
                rate = Fraction(up, down) * _sign(kind)
                total.wrong = _judge_counter(db, rows, wanted[name]["point"], rate)
            sums.append(total)
    return sums


def _sign(kind: str) -> int:
    return 0 if kind in _SILENT else -1 if kind in _NEGATIVE else 1


def _samples(db: sqlite3.Connection, reference: str) -> list[tuple[int, int, Fraction]]:
    """(seq, mono_ms, value) of all good readings of "device.point"."""
    device, _, point = reference.partition(".")
    rows = db.execute(
        """SELECT r.seq, x.mono_ms, r.value, p.places FROM readings r
           JOIN records x ON x.journal = r.journal AND x.seq = r.seq
           JOIN devices d ON d.journal = r.journal AND d.number = r.device
           JOIN points p ON p.journal = r.journal AND p.device = r.device AND p.number = r.point
           WHERE d.name = ? AND p.name = ? AND r.quality = 0 ORDER BY r.seq""",
        (device, point),
    )
    return [(seq, mono, Fraction(value, 10**places)) for seq, mono, value, places in rows]


def _judge_counter(db: sqlite3.Connection, rows: list[Any], reference: str, rate: Fraction) -> int:
    """Intervals of a counter that are wrong; rate: mg per unit of its mantissa."""
    places = db.execute(
        "SELECT p.places FROM points p JOIN devices d ON d.number = p.device"
        " WHERE d.name = ? AND p.name = ?",
        tuple(reference.split(".")),
    ).fetchone()[0]
    samples = [(seq, int(value * 10**places)) for seq, _, value in _samples(db, reference)]
    start = samples[0][1] if samples else 0
    wrong = 0
    for seq, cumulative, _, _, emission in rows:
        before = [value for at, value in samples if at < seq]
        end = max(before) if before else None
        if end is None:
            wrong += emission is not None
            continue
        expected = round(end * abs(rate)) - round(start * abs(rate))
        signed = -expected if rate < 0 else expected
        wrong += cumulative != end or emission != signed
        start = end
    return wrong


def _judge_stack(db: sqlite3.Connection, rows: list[Any], stack: dict[str, Any]) -> int:
    """Intervals of a stack whose cumulative mass is not what its samples make."""
    inputs = [stack[key] for key in ("co2", "velocity", "temperature", "pressure", "moisture")]
    series = [_samples(db, reference) for reference in inputs]
    states = _samples(db, stack["status"])
    area = Fraction(stack["area_m2"])
    mass = Fraction(0)
    last_ms: int | None = None
    wrong = 0
    at = 0
    for seq, cumulative, rest, _, _ in rows:
        while at < len(series[0]) and series[0][at][0] < seq:
            mono_ms = series[0][at][1]
            state = [value for when, _, value in states if when < series[0][at][0]]
            if not state or state[-1] not in stack["status_ok"]:
                last_ms = None
            else:
                sample = [points[at][2] for points in series]
                if last_ms is not None and mono_ms - last_ms <= _HOLD_PERIODS * 1000:
                    mass += _rate_mg_h(sample, area, stack["ambient_pa"]) * (mono_ms - last_ms)
                last_ms = mono_ms
            at += 1
        recorded = Fraction(cumulative or 0) + Fraction(rest, 3_600_000)
        wrong += recorded != mass / 3_600_000
    return wrong


def _rate_mg_h(sample: list[Fraction], area: Fraction, ambient_pa: int) -> int:
    """(20), (30), (31) without moisture, (33); rounded to 1 mg/h as the method says."""
    co2, velocity, celsius, pressure, _ = sample
    concentration = Fraction(440, 224) * co2 * 10_000
    flow = 3600 * area * velocity
    standard = flow * 273 / (273 + celsius) * (ambient_pa + pressure) / 101_325
    return round(concentration * standard)
