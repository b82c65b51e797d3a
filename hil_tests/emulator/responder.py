"""All stations of one bus behind one line: who answers, what, and what the ledger hears of it."""

import time
from collections import Counter
from collections.abc import Callable, Sequence

from hil_tests.emulator.factory import Factory
from hil_tests.emulator.faults import Fault, FaultPlan, damage
from hil_tests.emulator.frame import Request, decode_request, encode_exception, encode_reply
from hil_tests.emulator.ledger import Ledger, ServedReply, Unanswered
from hil_tests.emulator.line import Reply
from hil_tests.emulator.signals import plan_signals
from hil_tests.emulator.station import Signals, Station


class FactoryView:
    """The factory's signals at a moment of real time.

    start_s: factory second at `begin()`; speed: factory seconds per real second.
    """

    def __init__(self, seed: int, start_s: int, speed: int) -> None:
        self._seed = seed
        self._start_s = start_s
        self._speed = speed
        self._origin_s = 0.0
        self._factory = Factory(seed, start_s)

    def begin(self) -> None:
        """Let the factory's time run from now."""
        self._origin_s = time.monotonic()

    def elapsed_s(self, now_s: float) -> float:
        """Real seconds since begin()."""
        return max(0.0, now_s - self._origin_s)

    def advance(self, now_s: float) -> None:
        """Do the sums up to `now_s` ahead of a request."""
        self._factory.at(self._second(now_s))

    def look(self, now_s: float) -> tuple[int, Signals]:
        """(factory second, signals) at monotonic `now_s`."""
        state = self._factory.at(self._second(now_s))
        return state.second, plan_signals(self._seed, state)

    def _second(self, now_s: float) -> int:
        return self._start_s + int(self.elapsed_s(now_s) * self._speed)


class BusResponder:
    """The stations of the bus `name`; `ledger` may be None.

    turnaround_s: station number -> time it takes to begin its reply.
    counts: what happened, by ("reply", station, fault or exception or None) and
    ("unanswered", reason).
    """

    def __init__(
        self,
        name: str,
        stations: Sequence[tuple[Station, float]],
        view: FactoryView,
        faults: FaultPlan,
        seed: int,
        ledger: Ledger | None,
    ) -> None:
        self._name = name
        self._stations = {station.number: (station, delay_s) for station, delay_s in stations}
        self._view = view
        self._faults = faults
        self._seed = seed
        self._ledger = ledger
        self._number = 0
        self.counts: Counter[tuple[object, ...]] = Counter()

    def idle(self, now_s: float) -> None:
        self._view.advance(now_s)

    def ignore(self, frame: bytes) -> None:
        self._leave(frame, "early")

    def answer(self, frame: bytes, now_s: float) -> Reply | None:
        request = decode_request(frame)
        if request is None:
            self._leave(frame, "crc")
        elif request.station == 0:
            self._leave(frame, "broadcast")
        elif request.station not in self._stations:
            self._leave(frame, "no_station")
        else:
            fault = self._faults.next(request.station, self._view.elapsed_s(now_s))
            if fault is None or fault.kind != "silent":
                return self._reply(request, fault, now_s)
            self._leave(frame, "silent")
        return None

    def _leave(self, frame: bytes, reason: str) -> None:
        self.counts["unanswered", reason] += 1
        if self._ledger is not None:
            wall_ms = time.time_ns() // 1_000_000
            self._ledger.unanswered(Unanswered(wall_ms, self._name, reason, frame))

    def _reply(self, request: Request, fault: Fault | None, now_s: float) -> Reply:
        station, delay_s = self._stations[request.station]
        second, signals = self._view.look(now_s)
        exception = station.check(request)
        if fault is not None and fault.kind == "exception":
            exception = int(fault.value)
        registers = None
        if exception is not None:
            frame = encode_exception(request.station, request.function, exception)
        else:
            registers = station.read(request, second, signals)
            frame = encode_reply(request.station, request.function, registers)
        if fault is not None:
            self._number += 1
            frame = damage(frame, fault, self._seed, self._number)
            delay_s += int(fault.value) / 1000 if fault.kind == "late_ms" else 0
        label = None if fault is None else fault.label
        sent = self._sent(request, second, registers, exception, label)
        return Reply(frame, delay_s, sent)

    def _sent(
        self,
        request: Request,
        second: int,
        registers: bytes | None,
        exception: int | None,
        fault: str | None,
    ) -> Callable[[int], None]:
        def note(wall_ms: int) -> None:
            outcome = fault or (None if exception is None else "exception")
            self.counts["reply", request.station, outcome] += 1
            if self._ledger is not None:
                row = ServedReply(
                    wall_ms=wall_ms,
                    factory_s=second,
                    bus=self._name,
                    station=request.station,
                    function=request.function,
                    address=request.address,
                    count=request.count,
                    registers=registers,
                    exception=exception,
                    fault=fault,
                )
                self._ledger.reply(row)

        return note
