"""A report as Prometheus text (exposition format 0.0.4): names with units, one family each."""

from collections import namedtuple

from edge.core.journal.clock import NAMES as CLOCKS
from edge.core.numbers.fixed import format_decimal

MEDIA = "text/plain; version=0.0.4; charset=utf-8"

#: value: integer or decimal text, None for nothing known now; labels: tuple of (name, text).
Sample = namedtuple("Sample", ("labels", "value"))

Family = namedtuple("Family", ("name", "kind", "what", "samples"))

_STATES = ("offline", "connecting", "online")


def encode_metrics(report: dict) -> str:
    """The text of a report that `report.Reporter` made."""
    lines: list[str] = []
    for family in _families(report):
        known = [sample for sample in family.samples if sample.value is not None]
        if known:
            name = "carbontally_" + family.name
            lines += [f"# HELP {name} {family.what}", f"# TYPE {name} {family.kind}"]
            lines += [f"{name}{_labels(sample.labels)} {sample.value}" for sample in known]
    return "\n".join(lines) + "\n"


def _labels(labels: tuple[tuple[str, str], ...]) -> str:
    if not labels:
        return ""
    pairs = [f'{name}="{_escaped(str(text))}"' for name, text in labels]
    return "{" + ",".join(pairs) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _seconds(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else format_decimal(milliseconds, 3)


def _one(name: str, kind: str, what: str, value: object) -> Family:
    return Family(name, kind, what, [Sample((), value)])


def _families(report: dict) -> list[Family]:
    identity = (("gateway", report["gateway"]), ("version", report["version"]))
    families = [
        Family("info", "gauge", "Always 1; says who this is.", [Sample(identity, 1)]),
        _one("up_seconds", "gauge", "Since this start.", _seconds(report["mono_ms"])),
        _one("boot_total", "counter", "Starts on this journal.", report["boot"]),
    ]
    families += _clock(report)
    families += _buffer(report["buffer"], report["journal"])
    families += _sync(report["uplink"], report["journal"], report["buffer"])
    families += _stations(report)
    families += _account(report["account"])
    return families


def _clock(report: dict) -> list[Family]:
    quality = CLOCKS.index(report["clock"])
    return [
        _one("clock_quality", "gauge", "0 unset, 1 held, 2 synced.", quality),
        _one("clock_seconds", "gauge", "Unix time of the gateway.", _seconds(report["wall_ms"])),
    ]


def _buffer(buffer: dict, journal: dict) -> list[Family]:
    losses = [
        Sample((("how", how),), buffer.get(how + "_records"))
        for how in ("lost", "thinned", "released")
    ]
    return [
        _one("buffer_records", "gauge", "Records the cloud does not have.", journal["depth"]),
        _one(
            "buffer_oldest_seconds",
            "gauge",
            "Age of the oldest of them, 0 when there is none.",
            0 if buffer["records"] == 0 else _seconds(buffer["oldest_age_ms"]),
        ),
        _one("buffer_uncommitted_records", "gauge", "In memory only.", journal["uncommitted"]),
        _one(
            "buffer_dropped_polls",
            "gauge",
            "Lost while the store fails.",
            journal["dropped_polls"],
        ),
        _one("journal_bytes", "gauge", "Pages in use.", buffer.get("journal_bytes")),
        _one("journal_free_bytes", "gauge", "Left on the disk.", buffer.get("free_bytes")),
        _one("journal_growth_bytes_per_hour", "gauge", "Now.", buffer.get("bytes_per_hour")),
        _one("journal_left_hours", "gauge", "Until unsent records go.", buffer.get("hours_left")),
        Family("journal_gone_records", "gauge", "Records removed, by how.", losses),
    ]


def _sync(uplink: dict, journal: dict, buffer: dict) -> list[Family]:
    states = [Sample((("state", name),), int(uplink["state"] == name)) for name in _STATES]
    return [
        _one("sync_head_seq", "gauge", "Last committed record.", journal["head_seq"]),
        _one("sync_acked_seq", "gauge", "Last record the cloud has.", journal["acked_seq"]),
        _one(
            "sync_last_ack_seconds",
            "gauge",
            "Since the last acknowledgement of this start.",
            _seconds(buffer["last_ack_age_ms"]),
        ),
        _one("sync_batches_total", "counter", "Batches sent.", uplink["batches_sent"]),
        Family("sync_state", "gauge", "1 for the state the uplink is in.", states),
    ]


def _stations(report: dict) -> list[Family]:
    devices = report["devices"]
    named = [((("device", d["name"]), ("station", d["station"])), d) for d in devices]
    requests = [
        Sample((("bus", r["bus"]), ("station", r["station"]), ("result", r["result"])), r["count"])
        for r in report["requests"]
    ]
    return [
        Family("bus_requests_total", "counter", "Requests by how they ended.", requests),
        Family("polls_total", "counter", "Polls.", [Sample(n, d["polls"]) for n, d in named]),
        Family(
            "poll_failures_total",
            "counter",
            "Polls with an error.",
            [Sample(n, d["failures"]) for n, d in named],
        ),
        Family(
            "poll_good_age_seconds",
            "gauge",
            "Since the last poll without an error.",
            [Sample(n, _seconds(d["age_ms"])) for n, d in named],
        ),
        Family(
            "station_dead",
            "gauge",
            "1 while it is only probed.",
            [Sample(n, int(d["dead"])) for n, d in named],
        ),
    ]


def _account(account: dict) -> list[Family]:
    emission = [
        Sample((("scope", str(scope)),), account[f"scope{scope}_mg"] / 1_000_000)
        for scope in (1, 2)
    ]
    return [
        _one("intervals_total", "counter", "Intervals closed.", account["intervals"]),
        Family("emission_kilograms", "gauge", "CO2 of the intervals closed.", emission),
    ]
