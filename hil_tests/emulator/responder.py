"""All stations of one bus behind one line: who answers, what, and what the ledger hears of it."""

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from hil_tests.emulator.device import Device
from hil_tests.emulator.effects import ADAPTER, REPLY, REQUEST, Draft
from hil_tests.emulator.factory import Factory
from hil_tests.emulator.faults import Fault, FaultPlan, Strike
from hil_tests.emulator.frame import (
    Request,
    decode_request,
    encode_exception,
    encode_reply,
    seal,
)
from hil_tests.emulator.ledger import Incident, Ledger, ServedReply, Unanswered
from hil_tests.emulator.signals import plan_signals
from hil_tests.emulator.station import Signals
from hil_tests.emulator.talkers import Babbler, ForeignMaster, ForeignSpec
from hil_tests.emulator.timing import Timing
from hil_tests.emulator.wire import Sending


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


class Exchange(NamedTuple):
    """One reply on its way: who answers what, with which registers, under which fault."""

    device: Device
    request: Request
    second: int
    registers: bytes | None
    draft: Draft
    label: str | None
    strike: Strike | None


class BusResponder:
    """The stations of the bus `name`, and whoever else talks there; `ledger` may be None.

    gap_characters: a request with a longer pause inside is no frame.
    counts: what happened, by ("reply", station, fault or exception or None),
    ("unanswered", reason) and ("incident", name).
    """

    def __init__(
        self,
        name: str,
        devices: Sequence[Device],
        view: FactoryView,
        faults: tuple[Fault, ...],
        foreign: tuple[ForeignSpec, ...],
        seed: int,
        timing: Timing,
        gap_characters: float,
        ledger: Ledger | None,
    ) -> None:
        self._name = name
        self._devices: defaultdict[int, list[Device]] = defaultdict(list)
        for device in devices:
            self._devices[device.spec.station].append(device)
        self._view = view
        self._faults = {
            works_on: FaultPlan(faults, seed, works_on) for works_on in (REQUEST, REPLY, ADAPTER)
        }
        self._timing = timing
        self._gap_characters = gap_characters
        self._ledger = ledger
        self._pending: list[Sending] = []
        self._babblers: list[Babbler] = []
        self._foreign = [self._make_foreign(spec, seed) for spec in foreign]
        self.counts: Counter[tuple[object, ...]] = Counter()

    def _make_foreign(self, spec: ForeignSpec, seed: int) -> ForeignMaster:
        request = bytes((spec.station, spec.function))
        request += spec.address.to_bytes(2, "big") + spec.count.to_bytes(2, "big")
        return ForeignMaster(spec, seal(request), seed, self._hear_foreign)

    def idle(self, now_s: float) -> None:
        self._view.advance(now_s)

    def ignore(self, frame: bytes, reason: str) -> None:
        self._leave(frame, reason)

    def is_echoed(self, station: int, now_s: float) -> bool:
        strike = self._faults[ADAPTER].next(station, self._view.elapsed_s(now_s))
        if strike is not None:
            self.note(strike.fault.label, station)
        return strike is not None

    def speak(self, now_s: float) -> Sequence[Sending]:
        said, self._pending = self._pending, []
        for babbler in tuple(self._babblers):
            said += babbler.speak(now_s)
        for master in self._foreign:
            said += master.speak(now_s, self._view.elapsed_s(now_s))
        return said

    def note(self, name: str, station: int | None = None, frame: bytes = b"") -> None:
        """An incident: something on the line that is neither a reply nor a silence."""
        self.counts["incident", name] += 1
        if self._ledger is not None:
            wall_ms = time.time_ns() // 1_000_000
            self._ledger.incident(Incident(wall_ms, self._name, station, name, frame))

    def answer(self, frame: bytes, now_s: float) -> Sequence[Sending]:
        station, elapsed_s = frame[0], self._view.elapsed_s(now_s)
        heard, label = Draft(frame), None
        on_request = self._faults[REQUEST].next(station, elapsed_s)
        if on_request is not None:
            label = on_request.apply(heard)
        request = decode_request(heard.data)
        if heard.pause[1] > self._gap_characters or request is None:
            self._leave(heard.data, label or "crc")
            return []
        if label is not None:
            self.note(label, station, frame)
        now_s += heard.pause[1] * self._timing.character_s
        if request.station == 0:
            self._leave(heard.data, "broadcast")
        elif request.station not in self._devices:
            self._leave(heard.data, "no_station")
        else:
            on_reply = self._faults[REPLY].next(request.station, elapsed_s)
            first, *twins = self._devices[request.station]
            said = [self._reply(first, request, heard.data, now_s, on_reply)]
            said += [self._reply(t, request, heard.data, now_s, None, "twin") for t in twins]
            return [sending for sending in said if sending is not None]
        return []

    def _hear_foreign(self, frame: bytes, end_s: float) -> None:
        """The stations hear another master's request as any other, but no fault strikes."""
        self.note("foreign", frame[0], frame)
        request = decode_request(frame)
        assert request is not None
        now_s = end_s + self._timing.silence_s
        for device in self._devices.get(request.station, ()):
            sending = self._reply(device, request, frame, now_s, None, "foreign")
            self._pending += [] if sending is None else [sending]

    def _leave(self, frame: bytes, reason: str) -> None:
        self.counts["unanswered", reason] += 1
        if self._ledger is not None:
            wall_ms = time.time_ns() // 1_000_000
            self._ledger.unanswered(Unanswered(wall_ms, self._name, reason, frame))

    def _reply(
        self,
        device: Device,
        request: Request,
        frame: bytes,
        now_s: float,
        strike: Strike | None,
        label: str | None = None,
    ) -> Sending | None:
        """What `device` sends; None if it keeps silent."""
        if device.is_down(now_s):
            self._leave(frame, "reboot")
            return None
        second, signals = self._view.look(now_s)
        draft, registers = self._draft(device, request, second, signals)
        if strike is not None:
            label = strike.apply(draft)
            registers = registers if draft.exception is None else None
        if not draft.data:
            self._leave(frame, label or "silent")
            return None
        exchange = Exchange(device, request, second, registers, draft, label, strike)
        return Sending(
            draft.data,
            now_s + device.next_turnaround_s() + draft.delay_s,
            lambda sending, wall_ms: self._sent(exchange, sending, wall_ms),
            device,
            draft.pause,
            after_next_s=draft.after_next_s,
            unplug_s=draft.unplug_s,
        )

    def _draft(
        self, device: Device, request: Request, second: int, signals: Signals
    ) -> tuple[Draft, bytes | None]:
        """The reply that `request` deserves, and the registers in it."""
        exception = device.station.check(request)
        if exception is not None:
            frame = encode_exception(request.station, request.function, exception)
            return Draft(frame, exception), None
        registers = device.station.read(request, second, device.see(signals))
        return Draft(encode_reply(request.station, request.function, registers)), registers

    def _sent(self, exchange: Exchange, sending: Sending, wall_ms: int) -> None:
        draft, request = exchange.draft, exchange.request
        fault = sending.spoilt_by or exchange.label
        outcome = fault or (None if draft.exception is None else "exception")
        self.counts["reply", request.station, outcome] += 1
        if self._ledger is not None:
            row = ServedReply(
                wall_ms=wall_ms,
                factory_s=exchange.second,
                bus=self._name,
                station=request.station,
                function=request.function,
                address=request.address,
                count=request.count,
                registers=exchange.registers,
                exception=draft.exception,
                fault=fault,
            )
            self._ledger.reply(row)
        if draft.reboot_s:
            self._reboot(exchange, sending.end_s)
        if draft.babble_s:
            self._babble(exchange, sending.end_s)

    def _reboot(self, exchange: Exchange, now_s: float) -> None:
        device, strike = exchange.device, exchange.strike
        assert strike is not None
        _, signals = self._view.look(now_s)
        device.reboot(now_s + exchange.draft.reboot_s, strike.fault.restarts, signals)
        self.note("reboot", device.spec.station)

    def _babble(self, exchange: Exchange, now_s: float) -> None:
        device, strike = exchange.device, exchange.strike
        assert strike is not None
        station = device.spec.station

        def end() -> None:
            self._babblers.remove(babbler)
            self.note("babble_end", station)

        is_paced = self._timing.character_s > 0
        until_s = now_s + exchange.draft.babble_s
        babbler = Babbler(strike.noise, device, until_s, is_paced, end)
        self._babblers.append(babbler)
        self.note("babble", station)
