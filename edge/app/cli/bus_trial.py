"""Trial decode for people: what raw registers may mean, and why."""

from fractions import Fraction
from typing import Any

from rich.table import Table

from edge.app.cli import bus
from edge.app.cli.bus import say
from edge.core.bus.rtu import READ_HOLDING
from edge.core.errors.table import printable
from edge.core.field.labels import format_label
from edge.core.field.trial import Trial, rank

REASONS = {
    "voltage": "mains voltage",
    "frequency": "mains frequency",
    "power_factor": "a power factor",
    "power": "voltage x current x power factor gives the power",
    "ordinary": "of ordinary size",
    "round": "a round number",
    "small": "a small integer",
    "counter": "a counter's size",
    "large": "large",
    "tiny": "tiny",
    "negative": "slightly negative",
    "decimal": "decimal digits only",
    "text": "printable text",
    "zeros": "all zero: any type",
    "denormal": "a denormal float",
    "absurd": "absurdly large or small",
    "not_a_number": "not a number",
    "not_decimal": "no decimal digits",
    "": "nothing speaks for it",
}
_SHOWN = 8


def _show_head(
    registers: tuple[int, ...], station: int, place: tuple[int, int], json: bool
) -> None:
    """The raw registers, and their address as the wire and as manuals have it."""
    function, address = place
    label = format_label(function, address)
    head = {
        "event": "registers",
        "station": station,
        "function": function,
        "address": address,
        "label_address": label,
        "registers": list(registers),
    }
    words = " ".join(f"{register:04X}" for register in registers)
    kind = "holding" if function == READ_HOLDING else "input"
    text = (
        f"station {station}, function {function}: wire address {address} is {kind} register "
        f"{label} in a manual that counts from 1 (wire = label - {label[0]}"
        f"{'0' * (len(label) - 2)}1)\n{words}"
    )
    say(json, head, text)


def show_trials(
    registers: tuple[int, ...],
    station: int,
    place: tuple[int, int],
    kinds: tuple[str, ...],
    json: bool,
) -> None:
    """The raw registers, then every reading of them, the plausible ones first."""
    _show_head(registers, station, place, json)
    table = Table("score", "type", "words", "bytes", "values", "why", box=None)
    trials = rank(registers, kinds)
    for trial in trials if json else trials[:_SHOWN]:
        values = list(map(show_ratio, trial.values)) or [printable(trial.text)]
        say(json, {"event": "trial", **_fact(trial, values)}, "")
        shown = "  ".join(values[:6]) + (" ..." if len(values) > 6 else "")
        also = "".join(f" = {kind}" for kind, _, _ in trial.also[:3] if kind != trial.kind)
        table.add_row(
            str(trial.score),
            trial.kind + also,
            trial.word_order,
            trial.byte_order,
            shown,
            REASONS[trial.reason],
        )
    if not json:
        bus.console().print(table)


def _fact(trial: Trial, values: list[str]) -> dict[str, Any]:
    return {
        "score": trial.score,
        "type": trial.kind,
        "word_order": trial.word_order,
        "byte_order": trial.byte_order,
        "reason": trial.reason,
        "values": values,
        "also": [list(reading) for reading in trial.also],
    }


def show_ratio(ratio: tuple[int, int] | None) -> str:
    """An exact ratio for people: integers whole, others to seven significant digits."""
    if ratio is None:
        return "-"
    value = Fraction(*ratio)
    if value.denominator == 1 and abs(value) < 10**12:
        return str(value.numerator)
    return f"{float(value):.7g}"
