"""The [[bus.fault]] and [[bus.foreign]] tables of a scenario."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

from hil_tests.emulator import rules
from hil_tests.emulator.effects import ADAPTER, KINDS
from hil_tests.emulator.faults import Fault
from hil_tests.emulator.rules import Rule, Source, check_table
from hil_tests.emulator.talkers import ForeignSpec

_MOST = 10_000_000
_MOST_MS = 3_600_000

_WINDOW_RULES = {"from_s": rules.number(0, _MOST), "to_s": rules.number(0, _MOST)}
_FAULT_RULES: dict[str, Rule] = {
    "station": rules.integer(1, 247),
    **{name: kind.rule for name, kind in KINDS.items()},
    "on": rules.choice(("request", "reply")),
    "every": rules.integer(1, _MOST),
    "probability": rules.number(0, 1),
    "times": rules.integer(1, _MOST),
    "counters": rules.choice(("continue", "restart")),
    **_WINDOW_RULES,
}
_FOREIGN_RULES: dict[str, Rule] = {
    "station": rules.integer(1, 247, True),
    "function": rules.choice((3, 4), True),
    "address": rules.integer(0, 0xFFFF, True),
    "count": rules.integer(1, 125, True),
    "every_ms": rules.integer(10, _MOST_MS, True),
    **_WINDOW_RULES,
}


def read_fault(row: dict[str, Any], source: Source, stations: set[int], port: str | None) -> Fault:
    """One fault of a bus with these `stations` on `port`; raises ConfigError."""
    check_table(row, _FAULT_RULES, source)
    kinds = [kind for kind in KINDS if kind in row]
    if len(kinds) != 1:
        found = " and ".join(kinds) or "none"
        raise source.refuse("fault", found, "exactly one of " + ", ".join(KINDS))
    if "every" in row and "probability" in row:
        raise source.refuse("probability", row["probability"], "either every or probability")
    if "station" in row and row["station"] not in stations:
        raise source.unknown("station", str(row["station"]), map(str, stations))
    _check_fit(kinds[0], row, source, port)
    from_s, to_s = _read_window(row, source)
    probability = row.get("probability")
    return Fault(
        station=row.get("station"),
        kind=kinds[0],
        value=_exact(row[kinds[0]]),
        every=row.get("every"),
        probability=None if probability is None else Fraction(probability),
        from_s=from_s,
        to_s=to_s,
        works_on=row.get("on", KINDS[kinds[0]].works_on[0]),
        times=row.get("times"),
        restarts=row.get("counters") == "restart",
    )


def _check_fit(kind: str, row: dict[str, Any], source: Source, port: str | None) -> None:
    """What the kind of fault cannot have."""
    if "on" in row and row["on"] not in KINDS[kind].works_on:
        places = [place for place in KINDS[kind].works_on if place != ADAPTER]
        raise source.refuse("on", row["on"], " or ".join(places) or f"no `on` with {kind}")
    if "counters" in row and kind != "reboot_s":
        raise source.refuse("counters", row["counters"], "counters only with reboot_s")
    if kind == "unplug_s" and port is not None:
        raise source.refuse(kind, row[kind], "a bus without a port: no program can pull a plug")


def read_foreign(row: dict[str, Any], source: Source) -> ForeignSpec:
    """One read of another master; raises ConfigError."""
    check_table(row, _FOREIGN_RULES, source)
    from_s, to_s = _read_window(row, source)
    return ForeignSpec(
        station=row["station"],
        function=row["function"],
        address=row["address"],
        count=row["count"],
        every_ms=row["every_ms"],
        from_s=from_s,
        to_s=to_s,
    )


def _read_window(row: dict[str, Any], source: Source) -> tuple[Fraction, Fraction | None]:
    begin, end = row.get("from_s", 0), row.get("to_s")
    if end is not None and end <= begin:
        raise source.refuse("to_s", end, f"more than from_s, {begin}")
    return Fraction(begin), None if end is None else Fraction(end)


def _exact(value: Any) -> Any:
    if isinstance(value, Decimal):
        return Fraction(value)
    return tuple(value) if isinstance(value, list) else value
