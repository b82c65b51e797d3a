"""One profile for people: its points with wire and label addresses, sources and quirks."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from edge.app.cli.profiles_files import Source

#: What manuals call wire address 0 where a profile does not say otherwise (V1.1b3, 4.4).
_LABEL_BASES = {1: 1, 2: 10001, 3: 40001, 4: 30001}
_SIX_DIGITS = {1: 1, 2: 100001, 3: 400001, 4: 300001}
_FIVE_DIGITS_MAX = 9998

_PIPE_WIDTH = 200


def label_address(document: dict[str, Any], function: int, address: int) -> int:
    """The number that a manual prints for a wire address."""
    if "label_base" in document:
        return int(document["label_base"]) + address
    return (_LABEL_BASES if address <= _FIVE_DIGITS_MAX else _SIX_DIGITS)[function] + address


def describe(source: Source) -> dict[str, Any]:
    """The document, each address with its label beside it."""
    document = dict(source.profile_document)
    document["points"] = [_labelled(document, point) for point in document["points"]]
    return document


def _labelled(document: dict[str, Any], point: dict[str, Any]) -> dict[str, Any]:
    if "address" not in point:
        return point
    function = point.get("function", document["function"])
    return {**point, "label_address": label_address(document, function, point["address"])}


def wide_console() -> Console:
    """A console that does not cut names short where nobody looks, as in a pipe."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PIPE_WIDTH)


def show_profile(console: Console, source: Source) -> None:
    """Print a profile."""
    document = source.profile_document
    provenance = document["provenance"]
    name = f"{document.get('vendor', 'SunSpec')} {document['model']}"
    console.print(f"[bold]{escape(source.name)}[/bold]  {escape(name)}, {document['class']}")
    console.print(
        f"function {document['function']}, word order {document['word_order']}, byte order "
        f"{document['byte_order']}, at most {document['max_block_registers']} registers at once"
    )
    for key in ("gap_ms", "forbidden", "sentinels", "serial", "identification"):
        if document.get(key):
            found = document[key]
            text = _pairs(found) if isinstance(found, dict) else str(found)
            console.print(f"{key.replace('_', ' ')}: {text}", markup=False)
    console.print(_points(document))
    for title, lines in (
        ("quirks", document.get("quirks", [])),
        ("sources", provenance["sources"]),
        ("disagreements", provenance.get("disagreements", [])),
    ):
        if lines:
            console.print(f"\n{title}")
        for line in lines:
            console.print(f"- {line}", markup=False)
    text = f"\nconfidence {provenance['confidence']}: {provenance['basis']}"
    console.print(text, markup=False)


def _pairs(table: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in table.items())


def _points(document: dict[str, Any]) -> Table:
    table = Table(box=None)
    table.add_column("point", no_wrap=True)
    for title in ("fn", "wire", "label", "type", "scale", "unit", "class"):
        table.add_column(title)
    for point in document["points"]:
        function = point.get("function", document["function"])
        parts = point.get("terms", [point])
        addresses = [part["address"] for part in parts]
        labels = [label_address(document, function, address) for address in addresses]
        table.add_row(
            escape(point["name"]),
            str(function),
            "+".join(str(address) for address in addresses),
            "+".join(str(label) for label in labels),
            "+".join(part["type"] for part in parts),
            escape(_scale(point, parts)),
            escape(point.get("unit", "")),
            point["class"],
        )
    return table


def _scale(point: dict[str, Any], parts: list[dict[str, Any]]) -> str:
    text = "+".join(part.get("scale", "") for part in parts)
    if "scale_register" in point:
        text += f" x 10^[{point['scale_register']['address']}]"
    if "offset" in point:
        text += f" {'' if point['offset'].startswith('-') else '+'}{point['offset']}"
    return text
