"""`carbontally tap`: the frames that pass on a bus, timed and decoded, without sending a byte.

The adapter only listens while another master polls. What is heard can be saved as a trace that
`carbontally emulate` plays back.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from edge.app.cli.bus import (
    BaudOption,
    FormatOption,
    JsonOption,
    PortArgument,
    check_format,
    check_seconds,
    say,
)
from edge.core.errors import UsageError
from edge.core.field.sniff import Decoded, Splitter, decode_frame
from edge.core.field.trace import REPLY, Frame, encode_head, encode_row
from edge.ports.linux.serial_probe import PAUSE_S, ProbeLine, now_us

#: Looks at the clock this often while nothing is heard.
_TURN_S = 0.05


class Tap:
    """Frames of one line, as they come; `save`: where the trace goes, None for nowhere."""

    def __init__(self, line: ProbeLine, save: TextIO | None, json: bool) -> None:
        self._line = line
        self._save = save
        self._json = json
        self._asked: Frame | None = None
        self._origin_us: int | None = None
        self.frames = self.damaged = 0
        character_us = int(line.character_s * 1e6)
        self._splitter = Splitter(character_us, int((line.silence_s + PAUSE_S) * 1e6))

    def turn(self) -> None:
        """Hear for a moment and show what has become whole."""
        for at_us, data in self._line.listen(_TURN_S):
            self._take(self._splitter.feed(at_us, data))
        self._take(self._splitter.rest(now_us()))

    def _take(self, frames: list[Frame]) -> None:
        for frame in frames:
            if self._origin_us is None:
                self._origin_us = frame.t_us
                if self._save is not None:
                    print(encode_head(self._line.baud, self._line.format), file=self._save)
            if self._save is not None:
                print(encode_row(frame, self._origin_us), file=self._save, flush=True)
            self.frames += 1
            self.damaged += not frame.is_whole
            decoded = decode_frame(frame, self._asked) if frame.is_whole else None
            self._show(frame, decoded)
            if frame.direction != REPLY:
                self._asked = frame if frame.is_whole else None

    def _show(self, frame: Frame, decoded: Decoded | None) -> None:
        t_us = frame.t_us - (self._origin_us or 0)
        fact: dict[str, Any] = {"event": "frame", "t_us": t_us, "dir": frame.direction}
        fact |= {"hex": frame.data.hex(), "crc": "good" if decoded else "bad"}
        if decoded is not None:
            fact |= {
                "station": decoded.station,
                "function": decoded.function,
                "address": decoded.address,
                "count": decoded.count,
                "words": list(decoded.words),
                "exception": decoded.exception,
                "turnaround_ms": _milliseconds(decoded.turnaround_us),
            }
        say(self._json, fact, frame_line(fact))


def frame_line(fact: dict[str, Any]) -> str:
    """One frame for people."""
    arrow = ">" if fact["dir"] == "request" else "<"
    head = f"{fact['t_us'] / 1e6:10.4f} {arrow}"
    if fact["crc"] == "bad":
        return f"{head} CRC wrong  {fact['hex']}"
    what = f"station {fact['station']:3} function {fact['function']:2}"
    if fact["exception"] is not None:
        what += f" exception {fact['exception']}"
    elif fact["address"] is not None:
        what += f" address {fact['address']} count {fact['count']}"
    if fact["words"]:
        what += "  " + " ".join(f"{word:04X}" for word in fact["words"])
    if fact["turnaround_ms"] is not None:
        what += f"  after {fact['turnaround_ms']} ms"
    return f"{head} {what}"


def _milliseconds(value_us: int | None) -> float | None:
    return None if value_us is None else round(value_us / 1000, 1)


def tap(
    port: PortArgument,
    baud: BaudOption = 9600,
    format: FormatOption = "8N1",
    save: Annotated[Path | None, typer.Option(help="write a trace that emulate plays")] = None,
    seconds: Annotated[float | None, typer.Option(help="stop by itself after this time")] = None,
    json: JsonOption = False,
) -> int:
    """Listen to a bus that another master polls, and show every frame; sends nothing."""
    check_seconds(seconds)
    end_s = float("inf") if seconds is None else time.monotonic() + seconds
    with ProbeLine(port, baud, check_format(format)) as line, _trace_file(save) as file:
        running = Tap(line, file, json)
        with _stopping() as stopped:
            while time.monotonic() < end_s and not stopped.is_set():
                running.turn()
    fact = {"event": "done", "frames": running.frames, "damaged": running.damaged}
    say(json, fact, f"{running.frames} frames, {running.damaged} with a wrong CRC")
    return 0


@contextmanager
def _trace_file(save: Path | None) -> Iterator[TextIO | None]:
    if save is None:
        yield None
        return
    try:
        file = save.open("x", encoding="utf-8")
    except OSError as error:
        expected = f"a file that can be created; this one cannot: {error.strerror or error}"
        raise UsageError("usage.value", option="--save", found=save, expected=expected) from error
    with file:
        yield file


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set."""
    stopped = threading.Event()
    kinds = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(kind, lambda *_: stopped.set()) for kind in kinds]
    try:
        yield stopped
    finally:
        for kind, handler in zip(kinds, before):
            signal.signal(kind, handler)
