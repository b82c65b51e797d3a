"""How each gateway of a tenant is, as its records and the receiver's notes say."""

from typing import Any

from cloud_sync.reading.calendar import instant
from cloud_sync.reading.database import Database

_JOURNALS = """
    SELECT gateway, epoch, state, head_seq, head_hash, last_seen_ms FROM v_gateways
    WHERE tenant = :tenant ORDER BY gateway, last_seen_ms, epoch"""
_TENANTS = "SELECT DISTINCT tenant FROM v_gateways ORDER BY tenant"
_MISSING = """
    SELECT gateway, epoch, CAST(sum(last_missing - first_missing + 1) AS BIGINT) FROM v_gaps
    WHERE tenant = :tenant GROUP BY gateway, epoch"""
_RESULTS = """
    SELECT gateway, epoch, result, factor_set, factor_digest, made_ms FROM v_results
    WHERE tenant = :tenant ORDER BY result, gateway, epoch"""
_ALARMS = """
    SELECT gateway, what, count(*) FROM v_alarms WHERE tenant = :tenant GROUP BY gateway, what"""
_LAST = """
    SELECT gateway, max(end_ms) FROM v_intervals WHERE tenant = :tenant GROUP BY gateway"""


def read_tenants(database: Database) -> list[str]:
    """Who has a gateway in the store, as far as this reader sees."""
    return [row[0] for row in database.rows(_TENANTS)]


def read_journals(database: Database, tenant: str) -> list[dict[str, Any]]:
    """Every epoch of every gateway with its proven head, by gateway, the newest epoch last."""
    missing = {row[:2]: row[2] for row in database.rows(_MISSING, tenant=tenant)}
    return [
        {
            "gateway": gateway,
            "epoch": epoch,
            "state": state,
            "head_seq": head_seq,
            "head_hash": head_hash,
            "missing": missing.get((gateway, epoch), 0),
            "last_seen": instant(last_seen_ms),
            "last_seen_ms": last_seen_ms,
        }
        for gateway, epoch, state, head_seq, head_hash, last_seen_ms in database.rows(
            _JOURNALS, tenant=tenant
        )
    ]


def read_results(database: Database, tenant: str) -> list[dict[str, Any]]:
    """Every named result of other factors, with the set that it was made with."""
    names = ("gateway", "epoch", "result", "factor_set", "factor_digest", "made_ms")
    return [
        {**dict(zip(names, row, strict=True)), "made": instant(row[5])}
        for row in database.rows(_RESULTS, tenant=tenant)
    ]


def read_health(database: Database, tenant: str, now_ms: int) -> list[dict[str, Any]]:
    """One object a gateway. silent_ms: since it was heard of; interval_end_ms: of its newest."""
    alarms = {row[:2]: row[2] for row in database.rows(_ALARMS, tenant=tenant)}
    last: dict[str, int] = dict(database.rows(_LAST, tenant=tenant))
    found: dict[str, dict[str, Any]] = {}
    for journal in read_journals(database, tenant):
        name = journal["gateway"]
        before = found.get(name, {"missing": 0, "epochs": 0})
        found[name] = {
            "gateway": name,
            "state": journal["state"],
            "last_seen": journal["last_seen"],
            "silent_ms": max(0, now_ms - journal["last_seen_ms"]),
            "interval_end_ms": last.get(name),
            "epochs": before["epochs"] + 1,
            "head_seq": journal["head_seq"],
            "missing": before["missing"] + journal["missing"],
            "alarms": alarms.get((name, "alarm"), 0),
            "refusals": alarms.get((name, "refusal"), 0),
        }
    return list(found.values())
