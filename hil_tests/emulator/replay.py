"""A bus that answers from a trace: every recorded request gets its recorded replies again."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.app.trace import Heard, read_trace
from edge.core.errors import BusError, ConfigError
from edge.core.field.trace import REQUEST
from hil_tests.emulator.frame import checksum, decode_request
from hil_tests.emulator.ledger import Ledger, ServedReply, Unanswered
from hil_tests.emulator.line import Line
from hil_tests.emulator.port import PtyPort
from hil_tests.emulator.summary import summarise
from hil_tests.emulator.timing import UNPACED, Timing, plan_timing
from hil_tests.emulator.wire import Sending

BUS = "replay"


@dataclass
class Answers:
    """What one request got each time it was asked, as (us from its begin, bytes), in turns."""

    turns: list[list[tuple[int, bytes]]] = field(default_factory=list)
    asked: int = 0

    def next(self) -> list[tuple[int, bytes]]:
        """The next turn's; after the last one the first again."""
        self.asked += 1
        return self.turns[(self.asked - 1) % len(self.turns)]


def plan_answers(frames: Sequence[Heard]) -> dict[bytes, Answers]:
    """The answers to each request of a trace; replies before the first request are left out."""
    answers: dict[bytes, Answers] = {}
    turn: list[tuple[int, bytes]] = []
    begin_us = 0
    for heard in frames:
        if heard.direction == REQUEST:
            turn, begin_us = [], heard.t_us
            answers.setdefault(heard.data, Answers()).turns.append(turn)
        else:
            turn.append((heard.t_us - begin_us, heard.data))
    return answers


class TraceResponder:
    """Answers as the trace did; a request that is not in it gets nothing.

    recorded: the timing of the trace's line. counts: as of BusResponder.
    """

    def __init__(
        self,
        answers: dict[bytes, Answers],
        recorded: Timing,
        is_paced: bool,
        ledger: Ledger | None,
    ) -> None:
        self._answers = answers
        self._recorded = recorded
        self._is_paced = is_paced
        self._ledger = ledger
        self.counts: Counter[tuple[object, ...]] = Counter()

    def answer(self, frame: bytes, now_s: float) -> Sequence[Sending]:
        if frame not in self._answers:
            self.ignore(frame, "no_record")
            return ()
        replies = self._answers[frame].next()
        if not replies:
            self.ignore(frame, "silent")
        # now_s is the end of the silence after the request; the trace counts from its begin.
        request_s = len(frame) * self._recorded.character_s + self._recorded.silence_s
        delays = [max(0.0, t_us / 1e6 - request_s) for t_us, _ in replies]
        return [
            Sending(data, now_s + (delay_s if self._is_paced else 0.0), self._sent(frame), BUS)
            for delay_s, (_, data) in zip(delays, replies, strict=True)
        ]

    def _sent(self, frame: bytes) -> Any:
        def note(sending: Sending, wall_ms: int) -> None:
            row = describe(frame, sending.data, wall_ms, sending.spoilt_by)
            self.counts["reply", row.station, row.fault] += 1
            if self._ledger is not None:
                self._ledger.reply(row)

        return note

    def ignore(self, frame: bytes, reason: str) -> None:
        self.counts["unanswered", reason] += 1
        if self._ledger is not None:
            self._ledger.unanswered(Unanswered(_wall_ms(), BUS, reason, frame))

    def is_echoed(self, station: int, now_s: float) -> bool:
        return False

    def speak(self, now_s: float) -> Sequence[Sending]:
        return ()

    def note(self, name: str) -> None:
        raise AssertionError(f"{name} happens to no replay")

    def idle(self, now_s: float) -> None:
        """A trace needs no work ahead."""


def describe(frame: bytes, reply: bytes, wall_ms: int, fault: str | None) -> ServedReply:
    """The row of a recorded reply; `fault` is "crc" for one that is damaged in the trace."""
    request = decode_request(frame)
    is_whole = len(reply) >= 5 and checksum(reply[:-2]) == reply[-2:]
    is_exception = is_whole and bool(reply[1] & 0x80)
    return ServedReply(
        wall_ms=wall_ms,
        factory_s=0,
        bus=BUS,
        station=frame[0],
        function=frame[1] if len(frame) > 1 else 0,
        address=None if request is None else request.address,
        count=None if request is None else request.count,
        registers=reply[3:-2] if is_whole and not is_exception else None,
        exception=reply[2] if is_exception else None,
        fault=fault or (None if is_whole else "crc"),
    )


class Replay:
    """Play the trace `path` from start() to stop(), with the surface of `Emulator`.

    baud: to play at instead of that of the trace; what its stations took to answer stays.
    Raises ConfigError for a trace that holds no request or cannot be read.
    """

    def __init__(
        self,
        path: Path,
        baud: int | None = None,
        ledger_path: Path | None = None,
        link_dir: Path | None = None,
        strict: bool = False,
        is_paced: bool = True,
    ) -> None:
        recorded, frames = read_trace(path)
        answers = plan_answers(frames)
        if not answers:
            raise ConfigError(
                "config.value", file=str(path), key="dir", found="no request", expected="one"
            )
        played = recorded if baud is None else recorded._replace(baud=baud)
        port = PtyPort(None if link_dir is None else link_dir / BUS)
        self._ledger: Ledger | None = None
        try:
            if ledger_path is not None:
                pacing = "wire" if is_paced else "none"
                facts = {"replay": str(path), "pacing": pacing, "started_ms": str(_wall_ms())}
                self._ledger = Ledger(ledger_path, facts)
        except Exception:
            port.close()
            raise
        timing = plan_timing(*played) if is_paced else UNPACED
        self._responder = TraceResponder(answers, plan_timing(*recorded), is_paced, self._ledger)
        self._line = Line(port, timing, self._responder, strict)
        self.ports = {BUS: port.name}

    def __enter__(self) -> "Replay":
        self._line.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._line.stop()
        if self._ledger is not None:
            self._ledger.close()

    def check(self) -> None:
        """Raise BusError bus.port if the line has ended by itself."""
        if self._line.failure is not None:
            reason = str(self._line.failure)
            raise BusError("bus.port", port=self.ports[BUS], reason=reason)

    def summary(self) -> dict[str, dict[str, Any]]:
        """What happened; see emulator.summary."""
        return {BUS: summarise(self._responder.counts, self._line)}


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
