"""`carbontally doctor`: what is wrong on a bus, on what evidence, and what to do about it.

On a bus it listens, then asks stations for short and long reads and looks at every byte that comes
back. Nothing is ever written to a station. With `-c` it is `carbontally check`.
"""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.app.cli.bus import (
    BaudOption,
    FormatOption,
    JsonOption,
    TimeoutOption,
    check_format,
    language,
    parse_numbers,
    say,
)
from edge.app.cli.bus_causes import cause_text
from edge.app.cli.check import check
from edge.core.bus.rtu import READ_HOLDING, READ_INPUT, encode_read, read_reply_bytes
from edge.core.errors import BusError, UsageError
from edge.core.field.diagnose import (
    EXCEPTION,
    FOREIGN,
    GOOD,
    MILD,
    SILENT,
    Evidence,
    classify,
    examination_reads,
    find_causes,
)
from edge.core.field.sniff import Splitter
from edge.ports.linux.serial_probe import (
    PAUSE_S,
    Answer,
    ProbeLine,
    is_mini_uart,
    latency_timer,
    read_latency_ms,
)

EXIT_UNHEALTHY = 75

#: How long reads may get; the longest one that a station takes is used.
_LONG = (40, 20, 10, 4, 2)

TROUBLES = {
    "missing": "port_missing",
    "denied": "port_denied",
    "busy": "port_busy",
    "failed": "port_failed",
}


class Examination:
    """One bus under examination; `seen`: station -> outcome -> times."""

    def __init__(self, line: ProbeLine, timeout_ms: int) -> None:
        self.line = line
        self.timeout_ms = timeout_ms
        self.evidence = Evidence()
        self.seen: dict[int, dict[str, int]] = {}
        self.late_ms = 0
        self._unanswered = b""
        self._last_us = 0
        # A late reply is listened for this long after the time it was waited for.
        self._late_s = 2 * timeout_ms / 1000

    def listen(self, seconds: float) -> None:
        """What is on the line while nobody of ours asks."""
        character_us = int(self.line.character_s * 1e6)
        splitter = Splitter(character_us, int((self.line.silence_s + PAUSE_S) * 1e6))
        frames = []
        for at_us, data in self.line.listen(seconds):
            self.evidence.add("idle_bytes", len(data))
            frames += splitter.feed(at_us, data)
        self.evidence.add("idle_frames", sum(frame.is_whole for frame in frames))
        self.evidence.add("idle_ms", int(seconds * 1000))

    def examine(self, stations: tuple[int, ...], rounds: int) -> None:
        """Ask every station in turn, `rounds` times, for a short and a long read."""
        self.evidence.add("stations", len(stations))
        reads = {}
        for _ in range(rounds):
            for station in stations:
                if station not in reads:
                    reads[station] = self._find_reads(station)
                for size, request in reads[station]:
                    self._ask(station, request, size)
        for station in stations:
            seen = self.seen.get(station, {})
            total = sum(seen.values())
            silent, fine = seen.get(SILENT, 0), seen.get(GOOD, 0) + seen.get(EXCEPTION, 0)
            self.evidence.add("silent_stations", silent == total)
            self.evidence.add("bad_stations", silent + fine < total)

    def _find_reads(self, station: int) -> tuple[tuple[str, bytes], ...]:
        """The short read and the longest one that the station takes, tried without counting."""
        for function in (READ_INPUT, READ_HOLDING):
            for count in _LONG:
                request = encode_read(station, function, 0, count)
                answer = self.line.exchange(request, self.timeout_ms)
                outcome = classify(request, answer.data).outcome
                if outcome == SILENT:
                    if not self.line.pending(self._late_s):
                        self._unanswered, self._last_us = request, answer.sent_us
                    return examination_reads(station, READ_HOLDING, 1)
                if outcome != EXCEPTION:
                    return examination_reads(station, function, count)
        return examination_reads(station, READ_HOLDING, 1)

    def _ask(self, station: int, request: bytes, size: str) -> None:
        answer = self.line.exchange(request, self.timeout_ms)
        exchange = classify(request, answer.data)
        if exchange.outcome == FOREIGN and self._answers_the_last(answer.data):
            self.evidence.add("late")
            self.late_ms = max(self.late_ms, (answer.begin_us - self._last_us) // 1000)
            exchange = exchange._replace(outcome=SILENT)
        elif exchange.outcome == SILENT and self._came_late(request, answer):
            self.evidence.add("late")
        own = exchange.outcome != SILENT
        self._unanswered, self._last_us = (b"" if own else request), answer.sent_us
        self.evidence.take(exchange, size)
        outcomes = self.seen.setdefault(station, {})
        outcomes[exchange.outcome] = outcomes.get(exchange.outcome, 0) + 1

    def _answers_the_last(self, data: bytes) -> bool:
        """True for the whole reply to the request before, which had none in its time."""
        if not self._unanswered:
            return False
        return classify(self._unanswered, data).outcome in (GOOD, EXCEPTION)

    def _came_late(self, request: bytes, answer: Answer) -> bool:
        """Listen on after silence; note when the reply came after all."""
        data = self.line.pending(self._late_s)
        if not data:
            return False
        taken_ms = int(time.monotonic_ns() // 1_000_000 - answer.sent_us // 1000)
        end_s = time.monotonic() + read_reply_bytes(request) * self.line.character_s + PAUSE_S
        while (left_s := end_s - time.monotonic()) > 0:
            data += self.line.pending(left_s)
        if classify(request, data).outcome in (GOOD, EXCEPTION):
            self.late_ms = max(self.late_ms, taken_ms)
            return True
        return False


def doctor(
    port: Annotated[
        str | None, typer.Argument(help="serial port of the bus, such as /dev/ttyUSB0")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("-c", "--config", help="gateway.toml: look at everything else instead"),
    ] = None,
    stations: Annotated[str, typer.Option(help="stations to ask, such as 1-4,7")] = "1-4",
    baud: BaudOption = 9600,
    format: FormatOption = "8N1",
    rounds: Annotated[int, typer.Option(min=1, max=1000, help="reads of each station")] = 10,
    listen_s: Annotated[
        float, typer.Option(min=0, max=600, help="listen this long before asking")
    ] = 1.0,
    timeout_ms: TimeoutOption = 200,
    json: JsonOption = False,
) -> int:
    """Find out what is wrong on a bus or around a gateway, and what to do next; reads only."""
    if (port is None) == (config is None):
        expected = "a serial port, or -c with gateway.toml"
        raise UsageError("usage.value", option="PORT", found=port or "nothing", expected=expected)
    if config is not None:
        return check(config, json)
    assert port is not None
    numbers = parse_numbers(stations, "--stations", 1, 247)
    settings = (baud, check_format(format), timeout_ms)
    return _diagnose(port, settings, numbers, rounds, listen_s, json)


def _diagnose(
    port: str,
    settings: tuple[int, str, int],
    stations: tuple[int, ...],
    rounds: int,
    listen_s: float,
    json: bool,
) -> int:
    baud, shape, timeout_ms = settings
    evidence = Evidence()
    seen: dict[int, dict[str, int]] = {}
    late_ms = 0
    try:
        with ProbeLine(port, baud, shape) as line:
            examination = Examination(line, timeout_ms)
            evidence, seen = examination.evidence, examination.seen
            _look_at_host(port, evidence)
            examination.listen(listen_s)
            if "babble" not in find_causes(evidence):  # no request would be heard
                examination.examine(stations, rounds)
            late_ms = examination.late_ms
    except BusError as error:
        if error.code != "bus.port":
            raise
        evidence.add(TROUBLES[str(error.fields.get("trouble", "failed"))])
    causes = find_causes(evidence)
    _report(port, causes, evidence, seen, late_ms, json)
    return EXIT_UNHEALTHY if any(cause not in MILD for cause in causes) else 0


def _look_at_host(port: str, evidence: Evidence) -> None:
    evidence.add("latency_ms", read_latency_ms(port) or 0)
    evidence.add("mini_uart", is_mini_uart(port))


def _report(
    port: str,
    causes: tuple[str, ...],
    evidence: Evidence,
    seen: dict[int, dict[str, int]],
    late_ms: int,
    json: bool,
) -> None:
    counts = {name: number for name, number in evidence.counts.items() if number}
    healthy = all(cause in MILD for cause in causes)
    tongue = language()
    for cause in (*causes, *(["healthy"] if healthy else [])):
        what, following = cause_text(cause, tongue)
        shown = show_evidence(cause, port, counts, seen, late_ms)
        fact = {"event": "cause", "cause": cause, "text": what, "next": following}
        seen_as, then = ("依据：", "下一步：") if tongue == "zh" else ("evidence: ", "next: ")
        lines = [f"{cause}: {what}"] + ([f"  {seen_as}{shown}"] if shown else [])
        say(json, {**fact, "evidence": shown}, "\n".join([*lines, f"  {then}{following}"]))
    done: dict[str, Any] = {
        "event": "done",
        "healthy": healthy,
        "causes": list(causes),
        "counts": counts,
    }
    say(json, {**done, "stations": {str(k): v for k, v in seen.items()}}, "")


def show_evidence(
    cause: str,
    port: str,
    counts: dict[str, int],
    seen: dict[int, dict[str, int]],
    late_ms: int,
) -> str:
    """The figures that led to a cause."""
    asked = counts.get("asked", 0)
    if cause == "usb_latency":
        return f"{counts['latency_ms']} ms in {latency_timer(port)}"
    if cause in ("babble", "foreign_master"):
        idle = counts.get("idle_bytes", 0), counts.get("idle_frames", 0)
        return f"{idle[0]} bytes, {idle[1]} whole frames in {counts.get('idle_ms', 0)} ms"
    if cause == "late":
        return f"{counts['late']} of {asked}, up to {late_ms} ms after the request"
    if cause == "noise_grows":
        short = f"{counts.get('short_bad', 0)} of {counts.get('short_asked', 0)} short"
        return f"{short}, {counts['long_bad']} of {counts['long_asked']} long replies damaged"
    if cause in ("all_silent", "one_silent"):
        silent = [str(s) for s, outcomes in seen.items() if set(outcomes) == {SILENT}]
        return "silent: station " + ", ".join(silent)
    if cause in ("one_damaged", "double", "damaged", "wrong_settings", "strangers"):
        return "; ".join(_outcomes(station, outcomes) for station, outcomes in seen.items())
    if cause == "unsteady":
        return f"{counts['silent']} of {asked} requests without an answer"
    return f"{counts[cause]} of {asked}" if cause in counts and asked else port


def _outcomes(station: int, outcomes: dict[str, Any]) -> str:
    told = ", ".join(f"{times} {outcome}" for outcome, times in sorted(outcomes.items()))
    return f"station {station}: {told}"
