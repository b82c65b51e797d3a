"""A trail as one JSON object, and that object as lines for a person."""

import tomllib
from typing import Any

from edge.app.cli.explain_stack import figure_lines, instant, sample_lines
from edge.core.carbon.factors import parse_set
from edge.core.carbon.interval import FIGURES, FLAGS, SUBSTITUTED
from edge.core.carbon.streams import TARIFF
from edge.core.carbon.trail import Product, Trail, activity_of
from edge.core.carbon.trail_told import tell_figure, tell_product
from edge.core.errors import TallyError
from edge.core.journal.record import Record
from edge.core.numbers.fixed import format_decimal
from edge.ports.linux.files import FACTORS

_MG_PLACES = 6


#: What a story without a figure says: a zero in its place would look measured.
_NEVER = "no reading that counts up to the end of the interval: no count, no figure"
_SILENT = "no reading in the interval: the count stands where it was"


def object_of(
    trail: Trail,
    owner: str,
    interval: Record,
    digest: bytes,
    unread: set[str],
    samples: list[dict[str, Any]],
) -> dict[str, Any]:
    """The `--json` contract of `explain`: every number that enters the figure, as exact text.

    unread: names of the interval's streams that have no count. samples: of a stack, as
    `explain_stack` gives them.
    """
    start, end = trail.start, trail.end
    is_unread = _is_unread(trail, unread)
    return {
        "gateway": owner,
        **tell_figure(trail, interval, digest, instant),
        "samples": samples,
        "parts": [_part(part, unread) for part in trail.parts],
        "note": _NEVER if is_unread else _SILENT if _is_silent(trail) else None,
        "count_start": None if is_unread or start is None else _count(trail, start),
        "count_end": None if is_unread else _count(trail, end),
        "count_recomputed": None if is_unread else trail.recomputed,
        "activity": activity_of(trail),
        **_told(trail.entry),
        "products": [_product(product) for product in trail.products],
        "same": None if is_unread else trail.is_same,
    }


def _told(entry: list[Any]) -> dict[str, Any]:
    """What records of later forms tell beside count and emission."""
    return {
        "flags": entry[FLAGS] if len(entry) > FLAGS else 0,
        "substituted": entry[SUBSTITUTED] if len(entry) > SUBSTITUTED else 0,
        "figures": [_figure(row) for rows in entry[FIGURES : FIGURES + 1] for row in rows],
    }


def _figure(row: list[Any]) -> dict[str, Any]:
    name, subject, basis, value, places, unit = row
    shown = None if value is None else format_decimal(value, places)
    return {"name": name, "subject": subject, "basis": basis, "value": shown, "unit": unit}


def _part(part: tuple[str, int, int, int], unread: set[str]) -> dict[str, Any]:
    name, weight, first, last = part
    if name in unread:
        return {"stream": name, "weight": weight, "start": None, "end": None}
    return {"stream": name, "weight": weight, "start": first, "end": last}


def _is_unread(trail: Trail, unread: set[str]) -> bool:
    """True when the record has no count because there was nothing to count."""
    if trail.name not in unread or trail.steps:
        return False
    return not trail.parts or any(part[0] in unread for part in trail.parts)


def _is_silent(trail: Trail) -> bool:
    """True for a counter with a count from before, and not one reading in the interval."""
    return trail.recomputed is not None and not trail.parts and not trail.steps


def _count(trail: Trail, count: tuple[int, int]) -> dict[str, Any]:
    """C in the register's mantissa, and as the register would show it."""
    shown = format_decimal(count[0], trail.places)
    exact = str(count[0])
    if count[1]:
        shown = exact = f"({count[0]} + {count[1]}/3600000)"
    return {"mantissa": count[0], "rest_mg_ms_per_h": count[1], "shown": shown, "exact": exact}


def _product(product: Product) -> dict[str, Any]:
    told = tell_product(product, _factor(product.factor, product.factor_digest))
    return {**told, "by_time": product.factor.startswith(TARIFF)}


def _factor(name: str, digest: bytes) -> dict[str, Any] | None:
    """What the factor is and where it was published, if the set of this digest is here."""
    if not name:
        return None
    if name.startswith(TARIFF):
        return {"id": name, "set_digest": digest.hex(), "set": None}
    found: dict[str, Any] = {"id": name, "set_digest": digest.hex(), "set": None}
    for path in sorted(FACTORS.glob("*.toml")):
        document = tomllib.loads(path.read_text("utf-8"))
        try:
            if parse_set(document, path.name).digest != digest:
                continue
        except (TallyError, KeyError):
            continue
        rows = [*document.get("factors", []), *document.get("fuels", [])]
        row: dict[str, Any] = next((row for row in rows if row["id"] == name), {})
        found["set"] = document["id"]
        found["document"] = document["document"]
        found["publisher"] = document["publisher"]
        found["data_year"] = row.get("data_year", document.get("data_year"))
        for key in ("value", "unit", "ncv", "carbon", "oxidation_percent", "per", "note"):
            if key in row:
                found[key] = row[key]
        break
    return found


def lines_of(story: dict[str, Any]) -> list[str]:
    """The same for a person."""
    lines = [
        f"{story['stream']} ({story['kind']}) of {story['gateway']}",
        f"interval   {story['start']} to {story['end']}",
        f"record     {story['record']}, hash {story['record_hash']}",
        f"method     {story['method']}",
        f"polls      {story['polls']['good']} of {story['polls']['expected']} counted",
    ]
    lines += _reading_lines(story)
    lines += sample_lines(story["samples"])
    lines += figure_lines(story)
    lines += [_part_line(part) for part in story["parts"]]
    if story["note"] is not None:
        lines.append(f"reading    {story['note']}")
    if story["count_end"] is None:
        lines.append("verdict    NO FIGURE")
        return lines
    start = story["count_start"]
    shown = "nothing before" if start is None else start["shown"]
    lines.append(f"count      {shown} -> {story['count_end']['shown']} {story['unit']}")
    if story["count_recomputed"] not in (None, story["count_end"]["mantissa"]):
        lines.append(f"           RECOMPUTED as {story['count_recomputed']}: it differs")
    told = f", of which {story['substituted']} substituted" if story["substituted"] else ""
    lines.append(f"activity   {story['activity']} {story['activity_unit']}{told}")
    for product in story["products"]:
        lines += _product_lines(story, product)
    lines.append("verdict    " + ("the same" if story["same"] else "IT DIFFERS"))
    return lines


def _part_line(part: dict[str, Any]) -> str:
    told = "never read"
    if part["end"] is not None:
        told = f"{part['start']} -> {part['end']}, {part['end'] - part['start']}"
    return f"part       {part['weight']:+d} x {part['stream']}: {told}"


def _reading_lines(story: dict[str, Any]) -> list[str]:
    lines = []
    for reading in story["readings"]:
        move = reading["move"]
        outcome = "not counted" if move is None else f"+{move}" if move[0] != "-" else move
        told = ("  " + " ".join(reading["events"])) if reading["events"] else ""
        register = f"{reading['register']} {story['unit']}"
        when = f"record {reading['record']}  {reading['time']}"
        lines.append(f"reading    {when}  {register}  {outcome}{told}")
    return lines


def _product_lines(story: dict[str, Any], product: dict[str, Any]) -> list[str]:
    factor = product["factor"]
    lines = [f"basis      {product['basis'] or 'main'}"]
    if factor is not None:
        value = f"{factor['value']} {factor['unit']}" if "value" in factor else "see its set"
        if "ncv" in factor:
            value = f"{factor['ncv']} GJ/{factor['per']} x {factor['carbon']} tC/TJ x"
            value += f" {factor.get('oxidation_percent', '100')} % x 44/12"
        lines.append(f"  factor   {factor['id']} = {value}")
        if product["by_time"]:
            told = "recompute --config computes them again"
            lines.append(f"           changes with time, digest {factor['set_digest']}; {told}")
        elif factor["set"] is None:
            lines.append(f"           its set is not here; digest {factor['set_digest']}")
        else:
            year = f", data year {factor['data_year']}" if factor["data_year"] else ""
            year = "" if "data year" in factor["document"] else year
            lines.append(f"           {factor['document']}{year} ({factor['set']})")
    start = story["count_start"]
    for label, count, mg in (
        ("end", story["count_end"], product["end_mg"]),
        ("start", start, product["start_mg"]),
    ):
        if count is not None and product["by_time"]:
            what = "all that moved times the factor of its time"
            lines.append(f"  product  {label}: {what} = {mg} mg, {product['rounding']}")
        elif count is not None:
            exact = f"{count['exact']} x {product['mg_per_count']}"
            lines.append(f"  product  {label}: {exact} = {mg} mg, {product['rounding']}")
    emission = product["emission_mg"]
    kilograms = format_decimal(emission, _MG_PLACES)
    sign = {1: "", -1: "-", 0: "0 x "}[product["sign"]]
    lines.append(
        f"  figure   {sign}({product['end_mg']} - {product['start_mg']}) = {emission} mg"
        f" = {kilograms} kg CO2; recorded {product['recorded_mg']} mg"
    )
    return lines
