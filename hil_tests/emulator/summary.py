"""What a bus did in a run, in numbers."""

from collections.abc import Mapping
from typing import Any

from hil_tests.emulator.line import Line

#: counts of a responder, first part of the key -> table of the summary
_TABLES = {"unanswered": "unanswered", "incident": "incidents"}


def summarise(counts: Mapping[tuple[object, ...], int], line: Line) -> dict[str, Any]:
    """The summary of the bus on `line`.

    stations: replies and spoilt replies by station; unanswered: by reason; incidents: by name;
    silence: how the master keeps the 3.5 characters before its requests.
    """
    bus: dict[str, Any] = {"stations": {}, "unanswered": {}, "incidents": {}}
    # The line's thread goes on counting: dict() copies in one step.
    for key, number in sorted(dict(counts).items(), key=str):
        if key[0] == "reply":
            station = bus["stations"].setdefault(str(key[1]), {})
            station[key[2] or "clean"] = number
        else:
            bus[_TABLES[str(key[0])]][key[1]] = number
    bus["silence"] = _describe_silence(line)
    return bus


def _describe_silence(line: Line) -> dict[str, Any]:
    shortest_s = line.silences.shortest_s
    return {
        "strict": line.strict,
        "requests": line.silences.requests,
        "early": line.silences.early,
        "shortest_us": None if shortest_s is None else round(shortest_s * 1e6),
        "needed_us": round(line.timing.silence_s * 1e6),
    }


def describe_lines(bus: str, summary: Mapping[str, Any]) -> list[str]:
    """The same for people."""
    lines = [f"{bus}:"]
    for station, outcomes in summary["stations"].items():
        served = ", ".join(f"{number} {outcome}" for outcome, number in outcomes.items())
        lines.append(f"  station {station}: {served}")
    for reason, number in summary["unanswered"].items():
        lines.append(f"  unanswered, {reason}: {number}")
    for name, number in summary["incidents"].items():
        lines.append(f"  {name}: {number}")
    silence = summary["silence"]
    if silence["shortest_us"] is not None and silence["needed_us"]:
        lines.append(
            f"  silence before a request: {silence['early']} of {silence['requests']} too short, "
            f"shortest {silence['shortest_us']} us, needed {silence['needed_us']} us"
        )
    return lines
