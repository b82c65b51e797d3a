"""Named results of other factors over a period, beside what was recorded of the same intervals."""

from typing import Any

from cloud_sync.reading.calendar import Period
from cloud_sync.reading.database import Database

_SETS = """
    SELECT gateway, epoch, result, factor_set, factor_digest FROM v_results
    WHERE tenant = :tenant"""
_SPAN = "WHERE tenant = :tenant AND basis = :basis AND start_ms >= :start AND start_ms < :end"
_RECORDED = f"SELECT gateway, epoch, seq, scope1_mg, scope2_mg FROM v_bases {_SPAN}"
_REVISED = f"""
    SELECT gateway, epoch, result, seq, scope1_mg, scope2_mg FROM v_result_totals {_SPAN}"""

#: What a result is named by, and what is summed of its intervals.
NAMED = ("result", "factor_set", "factor_digest")
SUMMED = ("scope1_mg", "scope2_mg", "recorded_scope1_mg", "recorded_scope2_mg")


def read_results(
    database: Database, tenant: str, period: Period, basis: str
) -> list[dict[str, Any]]:
    """The sums of each result that has intervals of the period, by name and set.

    unknown: intervals without a figure in the result or the records, which enter no sum.
    """
    sets = {row[:3]: row[2:] for row in database.rows(_SETS, tenant=tenant)}
    if not sets:
        return []
    span = {"tenant": tenant, "basis": basis, "start": period.start_ms, "end": period.end_ms}
    recorded = {row[:3]: row[3:] for row in database.stream(_RECORDED, **span)}
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for gateway, epoch, result, seq, *revised in database.stream(_REVISED, **span):
        name = sets[gateway, epoch, result]
        sums = found.setdefault(
            name,
            {**dict(zip(NAMED, name, strict=True)), "intervals": 0, "unknown": 0}
            | dict.fromkeys(SUMMED, 0),
        )
        figures = [*revised, *recorded.get((gateway, epoch, seq), (None, None))]
        sums["intervals"] += 1
        if None in figures:
            sums["unknown"] += 1
            continue
        for key, value in zip(SUMMED, figures, strict=True):
            sums[key] += value
    return [found[name] for name in sorted(found)]
