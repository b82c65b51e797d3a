"""`carbontally factors`: the factor sets that ship, and the check of a site's own."""

import json as json_module
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from edge.core.carbon.factors import FactorSet, parse_set
from edge.core.carbon.fuels import Fuel, emission_ratio
from edge.core.carbon.streams import Factor
from edge.core.carbon.tariff import Tariff, parse_tariff
from edge.core.errors import ConfigError, UsageError
from edge.core.numbers.fixed import div_round, format_decimal, power_of_ten
from edge.core.numbers.units import CANONICAL
from edge.core.schema import check_document, nearest
from edge.ports.linux.files import FACTORS, parse_toml, read_bytes

ACTIONS = ("list", "show", "check")

#: What no electricity and no heat is above, in ug/W.h and ug/kJ: a power of ten was lost there.
#: 1.3 kg/kW.h is beyond any grid, 0.275 t/GJ is a fuel of 75 tC/TJ.
PLAUSIBLE = {"energy": 1_300_000, "heat": 275_000}

#: Digits of a digest that a list shows.
SHORT = 12


class Shipped(NamedTuple):
    """A set as its file says it and as it is computed with."""

    document: dict[str, Any]
    parsed: FactorSet


def factors(
    action: Annotated[str, typer.Argument(help="list, show or check")],
    names: Annotated[
        list[str] | None,
        typer.Argument(help="show: names of sets; check: files", show_default=False),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> int:
    """List and show the factor sets that ship; check a site's own set or tariff."""
    wanted = list(names or ())
    if action == "list":
        _list(read_shipped(), json)
    elif action == "show":
        _show([_find(name) for name in _some(wanted, "show NAME")], json)
    elif action == "check":
        _check([Path(name) for name in _some(wanted, "check FILE")], json)
    else:
        expected = nearest(action, list(ACTIONS)) or "one of " + ", ".join(ACTIONS)
        raise UsageError("usage.value", option="ACTION", found=action, expected=expected)
    return 0


def read_set(path: Path) -> Shipped:
    """The set in a file, checked against its schema and by the core."""
    document = _read(path, "factors.schema.json")
    return Shipped(document, parse_set(document, str(path)))


def read_shipped() -> list[Shipped]:
    """Every set that ships, by name."""
    return [read_set(path) for path in sorted(FACTORS.glob("*.toml"))]


def _read(path: Path, schema: str) -> dict[str, Any]:
    document = parse_toml(read_bytes(path), str(path))
    check_document(document, json_module.loads((FACTORS / schema).read_text("utf-8")), str(path))
    return document


def _some(names: list[str], option: str) -> list[str]:
    if not names:
        expected = "at least one; carbontally factors list has the sets"
        raise UsageError("usage.value", option=option, found="missing", expected=expected)
    return names


def _find(name: str) -> Shipped:
    known = sorted(path.stem for path in FACTORS.glob("*.toml"))
    if name not in known:
        expected = nearest(name, known) or "a name that carbontally factors list shows"
        raise UsageError("usage.value", option="NAME", found=name, expected=expected)
    return read_set(FACTORS / f"{name}.toml")


def summary(shipped: Shipped) -> dict[str, Any]:
    """What a list says of a set: the `--json` contract of `list` and `check`."""
    document, parsed = shipped
    return {
        "id": parsed.id,
        "publisher": document["publisher"],
        "document": document["document"],
        "standard": document["standard"],
        "edition": document["edition"],
        "sector": document["sector"],
        "data_year": document.get("data_year"),
        "confidence": document["confidence"],
        "factors": len(parsed.factors),
        "fuels": len(parsed.fuels),
        "coal": len(parsed.equivalents),
        "digest": parsed.digest.hex(),
    }


def _list(sets: list[Shipped], json: bool) -> None:
    rows = [summary(shipped) for shipped in sets]
    if json:
        for row in rows:
            _print_json(row)
        return
    width = max(len(row["id"]) for row in rows)
    for row in rows:
        year = row["data_year"] or ""
        short = row["digest"][:SHORT]
        print(f"{row['id']:{width}}  {year:4}  confidence {row['confidence']}  digest {short}")
        print(f"    {row['publisher']}: {row['document']}")
    print(f"{len(rows)} sets")


def describe(shipped: Shipped) -> dict[str, Any]:
    """The document with its digest and, beside each row, the number that is computed with."""
    document, parsed = shipped
    found = {**document, "digest": parsed.digest.hex()}
    exact = {factor.id: factor for factor in parsed.factors}
    if "factors" in document:
        found["factors"] = [
            {**row, "ug_per_unit": exact[row["id"]].ug_per_unit, "per": _per(exact[row["id"]])}
            for row in document["factors"]
        ]
    if "fuels" in document:
        pairs = zip(document["fuels"], parsed.fuels, strict=True)
        found["fuels"] = [{**row, "t_co2_per_unit": tonnes(fuel)} for row, fuel in pairs]
    return found


def _per(factor: Factor) -> str:
    return CANONICAL[factor.dimension]


def tonnes(fuel: Fuel) -> str | None:
    """t of CO2 per the fuel's own unit to six places; None for a fuel without oxidation."""
    if fuel.oxidation is None:
        return None
    numerator, denominator = emission_ratio(fuel, fuel.per)  # mg, 10^9 in a t
    return format_decimal(div_round(numerator, denominator * power_of_ten(3)), 6)


def _show(sets: list[Shipped], json: bool) -> None:
    console = Console(highlight=False)
    for shipped in sets:
        if json:
            _print_json(describe(shipped))
        else:
            _show_set(console, describe(shipped))


def _show_set(console: Console, found: dict[str, Any]) -> None:
    console.print(f"[bold]{found['id']}[/bold]  {escape(found['document'])}")
    for key in (
        *("publisher", "address", "standard", "edition", "sector", "data_year", "valid_from"),
        *("valid_to", "gas", "boundary", "confidence", "source", "evidence", "digest", "note"),
    ):
        if key in found:
            console.print(f"{key.replace('_', ' ')}: {found[key]}", markup=False)
    if "factors" in found:
        _show_rows(console, found["factors"], ("id", "value", "unit", "data_year", "note"))
    if "fuels" in found:
        names = ("id", "name", "per", "ncv", "carbon", "oxidation_percent", "t_co2_per_unit")
        _show_rows(console, found["fuels"], (*names, "note"))
    if "coal" in found:
        _show_rows(console, found["coal"], ("id", "value", "unit", "accounting", "note"))


def _show_rows(console: Console, rows: list[dict[str, Any]], names: tuple[str, ...]) -> None:
    used = [name for name in names if any(row.get(name) for row in rows)]
    table = Table(*[name.replace("_", " ") for name in used], box=None)
    for row in rows:
        table.add_row(*[escape(str(row.get(name) or "")) for name in used])
    console.print(table)


def _check(paths: list[Path], json: bool) -> None:
    for path in paths:
        report = check_file(path)
        if json:
            _print_json(report)
            continue
        for line in report["warnings"]:
            print(f"warning {path}: {line}")
        print(f"{path}: good, digest {report['digest']}")


def check_file(path: Path) -> dict[str, Any]:
    """A site's set or tariff, good; ConfigError says what is wrong.

    A file with the key `annual` is a tariff. Warnings are about values that no grid and no fuel
    has: the file can be used.
    """
    if "annual" in parse_toml(read_bytes(path), str(path)):
        document = _read(path, "tariff.schema.json")
        tariff = parse_tariff(document, str(path))
        _check_id(tariff.id, path)
        warnings = _warn_tariff(tariff)
        found = {"id": tariff.id, "digest": tariff.digest.hex(), "kind": "tariff"}
        return {"file": str(path), **found, "warnings": warnings}
    shipped = read_set(path)
    _check_id(shipped.parsed.id, path)
    warnings = _warn_factors(shipped.parsed.factors)
    return {"file": str(path), **summary(shipped), "kind": "set", "warnings": warnings}


def _check_id(found: str, path: Path) -> None:
    """A set is named like its file and unlike any that ships: a name means one thing."""
    if found != path.stem:
        raise ConfigError("config.value", file=path, key="id", found=found, expected=path.stem)
    if (FACTORS / path.name).exists() and path.resolve() != (FACTORS / path.name).resolve():
        expected = "a name that no shipped set has"
        raise ConfigError("config.value", file=path, key="id", found=found, expected=expected)


def _warn_factors(rows: tuple[Factor, ...]) -> list[str]:
    return [
        f"{row.id}: {row.ug_per_unit} ug/{_per(row)} is more than any {row.dimension} has"
        for row in rows
        if row.ug_per_unit > PLAUSIBLE.get(row.dimension, row.ug_per_unit)
    ]


def _warn_tariff(tariff: Tariff) -> list[str]:
    values = [tariff.annual, *(value for _, value in tariff.pattern)]
    values += [value for _, _, block in tariff.series for value in block if value is not None]
    most = max(values)
    if most <= PLAUSIBLE["energy"]:
        return []
    return [f"{most} ug/W.h is more than any energy has"]


def _print_json(row: dict[str, Any]) -> None:
    print(json_module.dumps(row, ensure_ascii=False))
