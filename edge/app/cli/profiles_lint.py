"""What is wrong, or looks wrong, in a profile: findings with a rule and a level.

An error keeps a profile from being trusted; a warning is something that its author must have
meant. Shipped profiles have no errors.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from edge.app.cli.profiles_files import Source
from edge.app.cli.profiles_vectors import run_vectors, unproven
from edge.core.bus.profile import Profile, parse_profile
from edge.core.errors import TallyError
from edge.core.errors.table import describe
from edge.core.numbers.fixed import format_decimal
from edge.core.numbers.words import WIDTHS

ERROR = "error"
WARNING = "warning"

#: The significand of a binary32: above this many steps of its last place a counter stands still.
_FLOAT_STEPS = 1 << 24

#: Beginning or end of a name -> the units that such a value may have, by their first letters.
_UNITS = (
    (r"^voltage_(l\d|ln|ll|n)", ("V", "mV")),
    (r"^(battery|cell|dc|pv\d)_voltage", ("V", "mV", "1")),
    (r"^current_(l\d|n|total|sum|avg)", ("A", "mA")),
    (r"^active_power", ("W", "kW", "MW")),
    (r"^reactive_power", ("V.A{reactive}", "kV.A{reactive}")),
    (r"^apparent_power", ("V.A", "kV.A")),
    (r"^active_energy", ("W.h", "kW.h", "MW.h")),
    (r"^reactive_energy", ("V.A.h{reactive}", "kV.A.h{reactive}")),
    (r"^apparent_energy", ("V.A.h", "kV.A.h")),
    (r"^power_factor", ("1", "%")),
    (r"^frequency", ("Hz",)),
    (r"^thd_", ("%",)),
    (r"^so[ch]$", ("%",)),
    (r"(?<!code)(?<!warning)_temperature$", ("Cel", "K", "1")),
    (r"_concentration(_(wet|dry|range2))?$", ("%{vol}", "mg/m3", "g/m3", "[ppm]", "[ppb]", "1")),
    (r"^mass_flow", ("kg/s", "kg/h", "t/h", "1")),
    (r"^volume_flow(_corrected|_actual|_base)?$", ("m3/s", "m3/h", "L/h", "1")),
)


class Finding(NamedTuple):
    """One finding; point "" means the whole file."""

    level: str
    rule: str
    point: str
    text: str


def lint_source(source: Source) -> list[Finding]:
    """Everything there is to say about one file, errors first."""
    if source.fault is not None:
        return [Finding(ERROR, "schema", "", describe(source.fault, "en")[0])]
    try:
        profile = parse_profile(source.profile_document)
    except TallyError as error:
        return [Finding(ERROR, "meaning", "", describe(error, "en")[0])]
    found = [*_lint_vectors(source), *_lint_names(source), *_lint_identity(source.document)]
    found += [*_lint_addresses(source, profile), *_lint_floats(profile)]
    found += _lint_trust(source.document)
    return sorted(found, key=lambda finding: finding.level != ERROR)


def _lint_vectors(source: Source) -> Iterator[Finding]:
    for result in run_vectors(source):
        if result.found != result.wanted:
            text = f"the vector reads as {result.found}, not {result.wanted}"
            yield Finding(ERROR, "vector", result.point, text)
    for text in unproven(source):
        yield Finding(ERROR, "unproven", "", text)


def _lint_names(source: Source) -> Iterator[Finding]:
    if source.path.stem not in (source.name, source.name.replace("sunspec", "model")):
        yield Finding(ERROR, "id", "", f"the file is called {source.path.name}")
    for row in source.document["points"]:
        unit = row.get("unit", "1")
        for pattern, units in _UNITS:
            if re.search(pattern, row["name"]) and row["class"] != "status" and unit not in units:
                text = f"the unit is {unit}; by its name one of {', '.join(units)}"
                yield Finding(ERROR, "unit", row["name"], text)
        if row["class"] == "counter" and row.get("type") in ("u8_high", "u8_low", "bit"):
            yield Finding(ERROR, "class", row["name"], f"a {row['type']} cannot count")
        yield from _lint_meanings(row)


def _lint_meanings(row: dict[str, Any]) -> Iterator[Finding]:
    if row["class"] != "status" and ("values" in row or "bits" in row):
        yield Finding(ERROR, "values", row["name"], "values and bits belong to class status")
    for key in row.get("values", {}):
        if not re.fullmatch(r"-?\d+", key):
            yield Finding(ERROR, "values", row["name"], f"{key} is no number")
    most = 8 if row.get("type", "")[:3] == "u8_" else 16 * WIDTHS.get(row.get("type", ""), 0)
    for key in row.get("bits", {}):
        if not key.isdigit() or int(key) >= most:
            yield Finding(ERROR, "bits", row["name"], f"{key} is no bit of {row.get('type')}")


def _lint_identity(document: dict[str, Any]) -> Iterator[Finding]:
    marker = document.get("identification", {})
    if marker.get("method") == "register" and not {"address", "count", "type"} <= set(marker):
        yield Finding(ERROR, "identification", "", "a register needs address, count and type")
        return
    is_text = marker.get("type") == "str"
    width = marker.get("count", 0) if is_text else WIDTHS.get(marker.get("type", ""), 0)
    if width > marker.get("count", 0):
        yield Finding(ERROR, "identification", "", f"a {marker['type']} takes {width} registers")
    for expected in marker.get("expect", ()):
        fits = isinstance(expected, str) and len(expected) <= 2 * width
        if not is_text:
            fits = isinstance(expected, int) and 0 <= expected < 1 << 16 * width
        if not fits:
            yield Finding(ERROR, "identification", "", f"{expected} is no {marker.get('type')}")


def _lint_addresses(source: Source, profile: Profile) -> Iterator[Finding]:
    if source.is_sunspec or "label_base" in source.document:
        return
    for function, low in ((3, 40001), (4, 30001)):
        found = [p.address for p in profile.points if p.function == function]
        if found and low <= min(found) and max(found) < low + 9999:
            text = f"every address is {low} or more: are these the numbers that the manual prints?"
            yield Finding(WARNING, "base", "", text + " label_base says that they are not")
        wide = [p.address for p in profile.points if p.function == function and p.span == 2]
        if wide and min(found) == 1 and all(address % 2 for address in wide):
            text = "every pair of registers begins at an odd address: is the manual's base 1?"
            yield Finding(WARNING, "base", "", text + " label_base says that it is not")


def _lint_floats(profile: Profile) -> Iterator[Finding]:
    """One warning for all: such a meter often has nothing better."""
    counters = [p for p in profile.points if p.point_class == "counter" and p.kind == "f32"]
    if not counters:
        return
    point = counters[0]
    steps = _FLOAT_STEPS * point.scale[0] * 10**point.places // 10 ** point.scale[1]
    last = format_decimal(min(steps, _FLOAT_STEPS), point.places)
    text = f"a float of 32 bits counts every last place only up to {last} {point.unit}"
    others = f"; {len(counters) - 1} more counters are such floats" if len(counters) > 1 else ""
    yield Finding(WARNING, "float", point.name, text + others)


def _lint_trust(document: dict[str, Any]) -> Iterator[Finding]:
    provenance = document["provenance"]
    if any(not source.strip() for source in provenance["sources"]):
        yield Finding(ERROR, "sources", "", "a source without a text")
    if provenance["confidence"] == "low":
        text = f"low confidence: {provenance['basis']}"
        yield Finding(WARNING, "confidence", "", text)
