"""The samples that a stack's mass was made of, as `explain` shows them."""

from datetime import UTC, datetime
from typing import Any

from edge.core.carbon.trail import Book, Trail
from edge.core.journal.record import Kind, Record
from edge.core.numbers.fixed import format_decimal
from edge.core.numbers.quality import NAMES, Quality


def samples_of(book: Book, trail: Trail, polls: list[Record]) -> list[dict[str, Any]]:
    """Every reading of the stack's inputs and its status between two intervals, in order.

    Empty for any other stream.
    """
    definition = trail.definition
    if definition[3] != "stack_co2" or len(definition) <= 16:
        return []
    inputs: dict[int, list[tuple[str, int, str, int]]] = {}
    for owner, point in definition[16]:
        for number, (at, unit, places) in book.readings_of(owner, point).items():
            inputs.setdefault(number, []).append((f"{owner}.{point}", at, unit, places))
    return [
        {
            "record": record.seq,
            "time": instant(record.wall_ms),
            "values": [_value(record.body, entry) for entry in inputs[record.body[0]]],
        }
        for record in polls
        if record.kind == Kind.POLL and record.body[0] in inputs
    ]


def _value(body: list[Any], entry: tuple[str, int, str, int]) -> dict[str, Any]:
    name, at, unit, places = entry
    _, values, flat, _ = body
    qualities = dict(zip(flat[::2], flat[1::2], strict=True))
    value = values[at]
    code = qualities.get(at, Quality.GOOD)
    return {
        "point": name,
        "value": None if value is None else format_decimal(value, places),
        "unit": unit,
        "quality": NAMES[code] if code < len(NAMES) else "unknown",
    }


def sample_lines(samples: list[dict[str, Any]]) -> list[str]:
    """The same for a person: a line for each record."""
    lines = []
    for sample in samples:
        shown = "  ".join(_shown(value) for value in sample["values"])
        lines.append(f"sample     record {sample['record']}  {sample['time']}  {shown}")
    return lines


def figure_lines(story: dict[str, Any]) -> list[str]:
    """What else the interval tells of a stream, and whether a stack's mass was computed again."""
    lines = []
    for figure in story["figures"]:
        subject = " ".join(part for part in (figure["subject"], figure["basis"]) if part)
        value = "no value" if figure["value"] is None else f"{figure['value']} {figure['unit']}"
        lines.append(f"told       {figure['name']} {subject}: {value}")
    if story["kind"] == "stack_co2" and story["count_end"] is not None:
        again = "the mass is computed again from the samples"
        if story["count_recomputed"] is None:
            again = "shown as read: the records do not say what the mass is made with"
        lines.append("           " + again)
    return lines


def _shown(value: dict[str, Any]) -> str:
    unit = "" if value["unit"] == "1" else " " + value["unit"]
    figure = "nothing" if value["value"] is None else value["value"] + unit
    name = value["point"].partition(".")[2]
    told = "" if value["quality"] == "good" else f" ({value['quality']})"
    return f"{name} {figure}{told}"


def instant(wall_ms: int) -> str:
    """Milliseconds of the wall clock as UTC."""
    try:
        moment = datetime.fromtimestamp(wall_ms // 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return f"{wall_ms} ms"  # a clock was broken
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + f".{wall_ms % 1000:03d}Z"
