"""A report as one object: what the command prints with --json, and the page and tables show."""

from dataclasses import asdict
from fractions import Fraction
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from cloud_sync.reading.calendar import Period, instant, split
from cloud_sync.reading.database import Database
from cloud_sync.reading.factor_sets import FactorSets
from cloud_sync.reading.health import read_journals
from cloud_sync.reports.energy import COAL_SET, read_coal, read_flows
from cloud_sync.reports.explanations import explain_cell, rate_of
from cloud_sync.reports.figures import StreamFigures, allocate, read_figures
from cloud_sync.reports.indicators import Indicator, Inputs, facts_of, indicators, meets
from cloud_sync.reports.park_method import account
from cloud_sync.reports.places import sum_places
from cloud_sync.reports.register import SiteFile, read_register
from cloud_sync.reports.results import read_results
from edge.core.errors import UsageError
from edge.core.numbers.fixed import div_round, format_decimal

_POINTS = """
    SELECT gateway, epoch, device, point, unit, places FROM v_points WHERE tenant = :tenant"""
_FACTS = """
    SELECT gateway, name, kind, value, places, unit, period, vintage, source FROM v_facts
    WHERE tenant = :tenant ORDER BY vintage, gateway, name"""
_DAY_MS = 86_400_000

#: Places of an indicator as it is shown; it is compared unrounded.
_SHOWN_PLACES = 4


class Request(NamedTuple):
    """What a report is asked for. basis: "" for the main one of each stream."""

    tenant: str
    period: Period
    zone: ZoneInfo
    basis: str = ""
    files: tuple[SiteFile, ...] = ()


def build_document(database: Database, request: Request, made_ms: int) -> dict[str, Any]:
    """The whole report; UsageError "usage.value" for a period or basis without any interval."""
    sets, tenant, period = FactorSets(), request.tenant, request.period
    parts = split(period, request.zone)
    streams = read_figures(database, tenant, parts, request.basis)
    if not streams:
        expected = "a period and a tenant with closed intervals in this store"
        raise UsageError("usage.value", option="--of", found=period.name, expected=expected)
    basis = _basis(streams, request.basis)
    allocate(database, tenant, parts, basis, streams)
    flows = read_flows(database, tenant, period)
    coal = read_coal(streams, flows, sets)
    facts = _facts(database, tenant)
    method = account(streams, request.basis, sets)
    days = Fraction(period.end_ms - period.start_ms, _DAY_MS)
    is_whole = not (flows.unknown or method["unknown"])
    given = Inputs(method["park_mg"], coal, flows, *facts_of(facts, period.name), days, is_whole)
    covered_ms = min(f.total("covered_ms") for f in streams)
    # Targets are of a year, and a year with holes is none.
    is_judged = len(period.name) == 4 and covered_ms >= period.end_ms - period.start_ms
    points = {tuple(row[:4]): tuple(row[4:]) for row in database.rows(_POINTS, tenant=tenant)}
    return {
        "tenant": tenant,
        "period": _period(period, request.zone),
        "zone": request.zone.key,
        "basis": basis,
        "made": instant(made_ms, request.zone),
        "parts": [_period(part, request.zone) for part in parts],
        "streams": [_stream(f, parts, request.basis, sets, points) for f in streams],
        **_sums(streams),
        "method": method,
        "indicators": [_indicator(item, is_judged) for item in indicators(given)],
        "electricity": {k: v for k, v in asdict(flows).items() if k != "peak_w"},
        "coal_set": COAL_SET,
        "covered_ms": covered_ms,
        "is_judged": is_judged,
        "facts": facts,
        **_beside(database, request, basis),
    }


def _beside(database: Database, request: Request, basis: str) -> dict[str, Any]:
    """What stands beside the figures: results of other factors, journals, instruments."""
    return {
        "results": read_results(database, request.tenant, request.period, basis),
        "journals": read_journals(database, request.tenant),
        "register": read_register(database, request.tenant, list(request.files)),
    }


def _sums(streams: list[StreamFigures]) -> dict[str, Any]:
    """The tree of places, and the scopes of the whole, which is its root."""
    places = sum_places(streams)
    return {
        "scope1_mg": places[0].scope1_mg,
        "scope2_mg": places[0].scope2_mg,
        "places": [place._asdict() for place in places],
    }


def _basis(streams: list[StreamFigures], wanted: str) -> str:
    """The name of the basis; it has to be one that a stream has."""
    known = {f.definition.basis for f in streams if f.definition.basis}
    if not wanted:
        return sorted(known)[0] if known else ""
    for figures in streams:
        main = (figures.definition.factor, figures.definition.factor_digest)
        if figures.definition.basis == wanted or rate_of(figures.definition, wanted)[2:] != main:
            return wanted
    expected = "one of accounting.basis and accounting.bases"
    raise UsageError("usage.value", option="--basis", found=wanted, expected=expected)


def _period(period: Period, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "name": period.name,
        "start": instant(period.start_ms, zone),
        "end": instant(period.end_ms, zone),
        "start_ms": period.start_ms,
        "end_ms": period.end_ms,
    }


def _facts(database: Database, tenant: str) -> list[dict[str, Any]]:
    """The facts that hold: of one name and period the one that was stated last."""
    names = ("gateway", "name", "kind", "value", "places", "unit", "period", "vintage", "source")
    latest: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in database.rows(_FACTS, tenant=tenant):
        fact = dict(zip(names, row, strict=True))
        fact["shown"] = format_decimal(fact["value"], fact["places"])
        latest[fact["gateway"], fact["name"], fact["period"]] = fact
    return [latest[key] for key in sorted(latest)]


def _stream(
    figures: StreamFigures, parts: list[Period], basis: str, sets: FactorSets, points: Any
) -> dict[str, Any]:
    definition = figures.definition
    whole_ms = sum(part.end_ms - part.start_ms for part in parts)
    cells: list[dict[str, Any]] = []
    for at, (cell, part) in enumerate(zip(figures.cells, parts, strict=True)):
        told = explain_cell(figures, cell, part, basis, points, sets) if cell.intervals else None
        cells.append({"at": at, "allocated_mg": cell.allocated_mg, "explanation": told})
    names = ("intervals", "covered_ms", "activity", "emission_mg", "good", "expected", "unknown")
    shares = [c.allocated_mg for c in figures.cells if c.allocated_mg is not None]
    return {
        "gateway": figures.gateway,
        "stream": figures.stream,
        "kind": definition.kind,
        "scope": definition.scope,
        "unit": definition.unit,
        "place": definition.place or "",
        "factor": sets.tell(*rate_of(definition, basis)[2:]),
        **{name: figures.total(name) for name in (*names, "straddling", "substituted")},
        "allocated_mg": sum(shares) if shares else None,
        "whole_ms": whole_ms,
        "flags": _union(figures),
        "same": all(c["explanation"] is None or c["explanation"]["same"] for c in cells),
        "cells": cells,
    }


def _union(figures: StreamFigures) -> int:
    flags = 0
    for cell in figures.cells:
        flags |= cell.flags
    return flags


def _indicator(item: Indicator, is_judged: bool) -> dict[str, Any]:
    return {
        "number": item.number,
        "key": item.key,
        "unit": item.unit,
        "value": shown(item.value),
        "exact": None if item.value is None else str(item.value),
        "near": _target(item.near),
        "long": _target(item.long),
        "meets_near": meets(item.value, item.near) if is_judged else None,
        "meets_long": meets(item.value, item.long) if is_judged else None,
        "of": [{"key": key, "value": shown(value), "unit": unit} for key, value, unit in item.of],
        "needs": item.needs,
    }


def _target(target: tuple[str, Fraction] | None) -> str | None:
    if target is None:
        return None
    return ("≤ " if target[0] == "<=" else "≥ ") + format(float(target[1]), "g")


def shown(value: Fraction | None) -> str | None:
    """An exact ratio as decimal text, half-even."""
    if value is None:
        return None
    scaled = div_round(value.numerator * 10**_SHOWN_PLACES, value.denominator)
    return format_decimal(scaled, _SHOWN_PLACES)
