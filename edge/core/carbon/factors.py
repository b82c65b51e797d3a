"""Factor sets: published numbers as exact integers, named by their digest.

A set never changes. A correction or a newer publication is another set with another id, and a
figure keeps the digest of the set it was made with: old results stay what they were, new ones are
made beside them. Conflicting sources are different sets, keyed by (standard, edition, sector).

The digest is SHA-256 over the MessagePack of what the set says, not of how it is written:
[id, factors], then fuels and equivalents if there are any, then overrides if there are any.
"""

import hashlib
from collections import namedtuple

from edge.core.carbon.coal import COAL_UNITS, Equivalent
from edge.core.carbon.fuels import Fuel, range_fault, to_ratio
from edge.core.carbon.streams import Factor
from edge.core.errors import ConfigError
from edge.core.numbers import pack
from edge.core.numbers.fixed import parse_decimal, power_of_ten
from edge.core.numbers.units import reduce_ratio
from edge.core.schema import nearest

#: What a file says, in the order of the file. factors: tuple of `streams.Factor`; fuels: of
#: `fuels.Fuel`; equivalents: of `coal.Equivalent`.
FactorSet = namedtuple("FactorSet", ("id", "digest", "factors", "fuels", "equivalents"))

#: unit -> (dimension, power of ten towards micrograms per canonical unit)
#: kg/kW.h = 10^9 ug per 10^3 W.h; t/GJ = 10^12 ug per 10^6 kJ; t/t = 10^12 ug per 10^6 g.
_UNITS = {
    "kg/kW.h": ("energy", 6),
    "g/kW.h": ("energy", 3),
    "t/MW.h": ("energy", 6),
    "t/GJ": ("heat", 6),
    "kg/GJ": ("heat", 3),
    "kg/TJ": ("heat", 0),
    "t/t": ("mass", 6),
    "kg/kg": ("mass", 6),
    "kg/t": ("mass", 3),
    "kg/m3": ("volume", 6),
    "t/10*4.m3": ("volume", 5),
}


def parse_set(document: dict[str, object], file: str) -> FactorSet:
    """Read a factor set whose shape the schema has checked.

    Raises ConfigError "config.value" for a factor finer than 1 ug per canonical unit, a fuel
    parameter out of its range or a validity that ends before it begins, "config.duplicate",
    "config.missing_key" for a set of nothing and for a site's set without evidence.
    """
    check_evidence(document, file)
    set_id = str(document["id"])
    factors = _parse_factor_rows(_rows(document, "factors"), file)
    fuels = tuple(_parse_fuel(item, file) for item in _rows(document, "fuels"))
    _unique([row[0] for row in factors] + [fuel.id for fuel in fuels], file, "fuels.id")
    equivalents = tuple(_parse_equivalent(item) for item in _rows(document, "coal"))
    _unique([item.id + " " + item.accounting for item in equivalents], file, "coal.id")
    if not factors and not fuels and not equivalents:
        raise ConfigError(
            "config.missing_key", file=file, key="factors", expected="factors, fuels or coal"
        )
    begin, end = document.get("valid_from"), document.get("valid_to")
    if begin is not None and end is not None and str(end) < str(begin):
        expected = "a day from " + str(begin) + " on"
        raise ConfigError("config.value", file=file, key="valid_to", found=end, expected=expected)
    return _seal(set_id, factors, fuels, equivalents, [])


def check_evidence(document: dict[str, object], file: str) -> None:
    """A site's own numbers name the report or contract behind them: "config.missing_key"."""
    if document.get("confidence") == "S" and not str(document.get("evidence", "")).strip():
        expected = "the id of the report or contract behind the numbers"
        raise ConfigError("config.missing_key", file=file, key="evidence", expected=expected)


def parse_factors(document: dict[str, object], file: str) -> tuple[Factor, ...]:
    """The factors of a set, ascending by id; raises as `parse_set` does."""
    found: tuple[Factor, ...] = parse_set(document, file).factors
    return found


def apply_overrides(base: FactorSet, items: list[dict[str, object]], file: str) -> FactorSet:
    """The set with a site's own measured numbers in place of published ones.

    items: each {factor, value, unit} or {fuel, and any of ncv, carbon, oxidation_percent}, with
    reason and evidence (the id of the laboratory report or contract). The result is another set,
    "<id>+site", whose digest covers the numbers, the reasons and the evidence.
    Raises ConfigError "config.reference" for an id the set does not have, "config.missing_key",
    "config.duplicate", "config.value".
    """
    if not items:
        return base
    rows = [(f.id, f.dimension, f.ug_per_unit) for f in base.factors]
    fuels = list(base.fuels)
    said: list[object] = []
    named: list[str] = []
    for index, item in enumerate(items):
        where = "override[%d]" % index
        for key in ("reason", "evidence"):
            if not str(item.get(key, "")).strip():
                expected = "why the published number is replaced, and by what document"
                raise ConfigError(
                    "config.missing_key", file=file, key=where + "." + key, expected=expected
                )
        kind = "fuel" if "fuel" in item else "factor"
        named.append(kind + " " + str(item.get(kind)))
        if kind == "fuel":
            at = _find([fuel.id for fuel in fuels], item, kind, file, where)
            fuels[at] = _measured_fuel(fuels[at], item, file, where)
        else:
            at = _find([row[0] for row in rows], item, kind, file, where)
            rows[at] = _measured_factor(rows[at], item, file, where)
        said.append([kind, str(item[kind]), str(item["reason"]), str(item["evidence"])])
    _unique(named, file, "override")
    return _seal(base.id + "+site", rows, tuple(fuels), base.equivalents, said)


def _seal(
    set_id: str,
    rows: list[tuple[str, str, int]],
    fuels: tuple[Fuel, ...],
    equivalents: tuple[Equivalent, ...],
    overrides: list[object],
) -> FactorSet:
    """The set under its digest."""
    rows = sorted(rows, key=lambda row: row[0])
    says: list[object] = [set_id, [list(row) for row in rows]]
    if fuels or equivalents or overrides:
        says.append(sorted([_fuel_says(fuel) for fuel in fuels], key=lambda row: str(row[0])))
        says.append(
            sorted([list(item) for item in equivalents], key=lambda row: row[0] + " " + row[2])
        )
    if overrides:
        says.append(overrides)
    digest = hashlib.sha256(pack.encode(says)).digest()
    factors = tuple(Factor(row[0], row[1], row[2], set_id, digest) for row in rows)
    return FactorSet(set_id, digest, factors, fuels, equivalents)


def _fuel_says(fuel: Fuel) -> list[object]:
    """A fuel by its values: "26.70" says what "26.7" says."""
    parts: list[object] = [fuel.id, fuel.per]
    for decimal in (fuel.ncv, fuel.carbon, fuel.oxidation):
        parts.append(None if decimal is None else list(to_ratio(decimal)))
    return parts + [fuel.biogenic]


def _rows(document: dict[str, object], key: str) -> list[dict[str, object]]:
    items = document.get(key, [])
    return items if isinstance(items, list) else []


def _unique(names: list[str], file: str, key: str) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ConfigError("config.duplicate", file=file, key=key, found=name)


def _parse_factor_rows(items: list[dict[str, object]], file: str) -> list[tuple[str, str, int]]:
    _unique([str(item["id"]) for item in items], file, "factors.id")
    return [_parse_factor(str(item["id"]), item, file, str(item["id"])) for item in items]


def _parse_factor(name: str, item: dict[str, object], file: str, key: str) -> tuple[str, str, int]:
    """(id, dimension, ug per canonical unit)."""
    dimension, power = _UNITS[str(item["unit"])]
    mantissa, places = parse_decimal(str(item["value"]))
    if places > power:
        expected = "at most %d decimal places" % power
        raise ConfigError(
            "config.value", file=file, key=key, found=item["value"], expected=expected
        )
    return name, dimension, mantissa * power_of_ten(power - places)


def _parse_fuel(item: dict[str, object], file: str) -> Fuel:
    oxidation = item.get("oxidation_percent")
    fuel = Fuel(
        str(item["id"]),
        str(item["per"]),
        parse_decimal(str(item["ncv"])),
        parse_decimal(str(item["carbon"])),
        None if oxidation is None else parse_decimal(str(oxidation)),
        item.get("biogenic") == "yes",
    )
    return _in_range(fuel, file, fuel.id)


def _in_range(fuel: Fuel, file: str, key: str) -> Fuel:
    fault = range_fault(fuel)
    if fault is not None:
        raise ConfigError(
            "config.value",
            file=file,
            key=key + "." + fault[0],
            found=fault[1],
            expected=fault[2],
        )
    return fuel


def _parse_equivalent(item: dict[str, object]) -> Equivalent:
    dimension, up, down = COAL_UNITS[str(item["unit"])]
    mantissa, places = parse_decimal(str(item["value"]))
    up, down = reduce_ratio(mantissa * up, power_of_ten(places) * down)
    return Equivalent(str(item["id"]), dimension, str(item["accounting"]), up, down)


def _find(known: list[str], item: dict[str, object], kind: str, file: str, where: str) -> int:
    name = str(item.get(kind, ""))
    if name in known:
        return known.index(name)
    guess = nearest(name, known) or "one of " + ", ".join(known)
    raise ConfigError(
        "config.reference", file=file, key=where + "." + kind, found=name, nearest=guess
    )


def _measured_factor(
    row: tuple[str, str, int], item: dict[str, object], file: str, where: str
) -> tuple[str, str, int]:
    for key in ("value", "unit"):
        if key not in item:
            expected = "the measured factor, like 0.1043 and t/GJ"
            raise ConfigError(
                "config.missing_key", file=file, key=where + "." + key, expected=expected
            )
    unit = str(item["unit"])
    if unit not in _UNITS or _UNITS[unit][0] != row[1]:
        raise ConfigError(
            "config.value",
            file=file,
            key=where + ".unit",
            found=unit,
            expected="a unit of mass per " + row[1],
        )
    return _parse_factor(row[0], item, file, where + ".value")


def _measured_fuel(fuel: Fuel, item: dict[str, object], file: str, where: str) -> Fuel:
    parts = [fuel.ncv, fuel.carbon, fuel.oxidation]
    keys = ("ncv", "carbon", "oxidation_percent")
    if not [key for key in keys if key in item]:
        expected = "one or more of " + ", ".join(keys)
        raise ConfigError("config.missing_key", file=file, key=where, expected=expected)
    for index, key in enumerate(keys):
        if key in item:
            parts[index] = parse_decimal(str(item[key]))
    ncv, carbon, oxidation = parts
    measured = Fuel(fuel.id, fuel.per, ncv, carbon, oxidation, fuel.biogenic)
    return _in_range(measured, file, where)
