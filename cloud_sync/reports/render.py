"""A report's object as a page that needs nothing else, and as CSV tables."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cloud_sync.csv_cell import as_cell
from cloud_sync.reports.labels import kinds, words
from cloud_sync.reports.park_method import ENERGY
from cloud_sync.reports.register import STATED
from cloud_sync.reports.results import NAMED, SUMMED
from edge.core.numbers.fixed import div_round, format_decimal

_T_PLACES = 3
_CHART_HEIGHT = 120

#: unit of a stream -> (shown unit, its units in one shown unit, places)
_SHOWN = {
    "W.h": ("kWh", 1_000, 3),
    "kJ": ("GJ", 1_000_000, 6),
    "L": ("m³", 1_000, 3),
    "g": ("t", 1_000_000, 6),
    "mg": ("t", 1_000_000_000, 6),
}


def write_page(document: dict[str, Any], language: str) -> str:
    """The page, self-contained: styles within, no script, nothing fetched."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"t": tonnes, "kg": kilograms, "percent": percent, "minute": minute}
    environment.filters |= {"seconds": seconds, "short": short}
    template = environment.get_template("page.html")
    return template.render(
        doc=document,
        w=words(language),
        kinds=kinds(language),
        language=language,
        activity=activity,
        anchor=anchor,
        flags=flag_bits,
        wan=wan_tonnes,
        bars=bars(document),
        energy_terms=ENERGY,
    )


def tonnes(mg: int | None) -> str:
    """mg as t with three decimals, half-even; what has no figure is a dash, never 0."""
    if mg is None:
        return "–"
    return _grouped(format_decimal(div_round(mg, 10 ** (9 - _T_PLACES)), _T_PLACES))


def wan_tonnes(mg: int) -> str:
    """mg as 10,000 t with six decimals, half-even: the unit of the park method."""
    return format_decimal(div_round(mg, 10**7), 6)


def kilograms(mg: int | None) -> str:
    """mg as kg, exact."""
    return "–" if mg is None else format_decimal(mg, 6)


def percent(part: int, whole: int) -> str:
    """A share with two decimals, rounded down: 99.999 % is not all of it."""
    if whole <= 0:
        return "–"
    return format_decimal(part * 10_000 // whole, 2) + " %"


def minute(instant: str) -> str:
    """2026-11-20T08:00:00.123+08:00 as people write it, to the minute."""
    return f"{instant[:10]} {instant[11:16]}"


def short(part: str) -> str:
    """The two digits of a month, day or hour that tell it from its neighbours."""
    return part[:2] if ":" in part else part[-2:]


def seconds(span_ms: int) -> str:
    """ms as s, exact."""
    return format_decimal(span_ms, 3).rstrip("0").rstrip(".") + " s"


def activity(value: int, unit: str) -> str:
    """An activity in the unit that people use, exact."""
    name, ratio, places = _SHOWN.get(unit, (unit, 1, 0))
    return f"{_grouped(format_decimal(value * 10**places // ratio, places))} {name}"


def anchor(stream: dict[str, Any], at: int) -> str:
    """The id of a figure's explanation within the page."""
    return f"x-{stream['gateway']}-{stream['stream']}-{at}"


def flag_bits(flags: int) -> list[int]:
    """The single flags of a union."""
    return [1 << bit for bit in range(5) if flags >> bit & 1]


def bars(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Rectangles of the chart: heights of scope 1 and 2 for each part, what is negative as 0."""
    cells = [[mg or 0 for mg in cell] for cell in document["places"][0]["cells"]]
    top = max([max(0, first) + max(0, second) for first, second in cells] + [1])
    return [
        {
            "name": part["name"],
            "scope1": max(0, first) * _CHART_HEIGHT // top,
            "scope2": max(0, second) * _CHART_HEIGHT // top,
            "mg": (first, second),
            "is_there": any(stream["cells"][at]["explanation"] for stream in document["streams"]),
        }
        for at, (part, (first, second)) in enumerate(zip(document["parts"], cells, strict=True))
    ]


def _grouped(text: str) -> str:
    whole, dot, fraction = text.partition(".")
    sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    return f"{sign}{int(digits):,}{dot}{fraction}"


def figure_rows(document: dict[str, Any]) -> Iterator[list[Any]]:
    """figures.csv: one line for each stream and part that has an interval; exact integers."""
    yield [
        *("gateway", "stream", "kind", "scope", "place", "part", "start", "end", "basis"),
        *("activity", "unit", "emission_mg", "allocated_mg", "good", "expected", "intervals"),
        *("unknown", "flags", "same", "explanation"),
    ]
    for stream in document["streams"]:
        for at, (part, cell) in enumerate(zip(document["parts"], stream["cells"], strict=True)):
            told = cell["explanation"]
            if told is None:
                continue
            yield [
                *(stream[key] for key in ("gateway", "stream", "kind", "scope", "place")),
                *(part["name"], part["start"], part["end"], document["basis"]),
                *(told["activity"], told["unit"], told["emission_mg"], cell["allocated_mg"]),
                *(told["polls"]["good"], told["polls"]["expected"], told["intervals"]),
                *(told["unknown"], told["flags"], told["same"]),
                f"report.html#{anchor(stream, at)}",
            ]


def place_rows(document: dict[str, Any]) -> Iterator[list[Any]]:
    """places.csv: the tree, by part; nothing where no figure is."""
    yield ["place", "part", "scope1_mg", "scope2_mg"]
    for place in document["places"]:
        for part, (first, second) in zip(document["parts"], place["cells"], strict=True):
            yield [place["path"], part["name"], first, second]


def indicator_rows(document: dict[str, Any]) -> Iterator[list[Any]]:
    """indicators.csv, with the exact ratio beside the rounded one."""
    names = ("number", "key", "value", "exact", "unit", "near", "meets_near", "long", "meets_long")
    yield [*names, "needs"]
    for item in document["indicators"]:
        yield [item[name] for name in (*names, "needs")]


def register_rows(document: dict[str, Any]) -> Iterator[list[Any]]:
    """register.csv."""
    yield ["gateway", "instrument", "profile", "address", "poll_ms", *STATED, "file", "record"]
    for row in document["register"]:
        proof = row["proof"]
        yield [
            *(row[key] for key in ("gateway", "instrument", "profile", "address", "poll_ms")),
            *(row[key] for key in (*STATED, "file")),
            None if proof is None else proof["record"],
        ]


def result_rows(document: dict[str, Any]) -> Iterator[list[Any]]:
    """results.csv: results of other factors beside what was recorded of the same intervals."""
    names = (*NAMED, "basis", "intervals", "unknown", *SUMMED)
    yield [*names]
    for row in document["results"]:
        yield [{**row, "basis": document["basis"]}[name] for name in names]


TABLES = {
    "figures.csv": figure_rows,
    "places.csv": place_rows,
    "indicators.csv": indicator_rows,
    "register.csv": register_rows,
    "results.csv": result_rows,
}


def write_table(rows: Iterator[list[Any]]) -> str:
    """CSV with a byte order mark, so that a spreadsheet reads Chinese; formulas are made text."""
    buffer = io.StringIO()
    buffer.write("\ufeff")
    writer = csv.writer(buffer)
    for row in rows:
        writer.writerow(as_cell(cell) for cell in row)
    return buffer.getvalue()
