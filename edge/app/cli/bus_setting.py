"""One change of a meter's configuration as a transaction: it ends at the new setting or the old.

Read before, write once, look where the meter answers now and what it holds, and take the change
back when that is not what was asked. Whatever fails, the result says where the meter was last
heard.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from edge.app.line_session import LineSession
from edge.core.errors import BusError, DeviceError, TallyError
from edge.core.field.presence import encode_probe, hear
from edge.core.field.settings import (
    READ_FUNCTION,
    Setting,
    decode_setting,
    encode_setting,
    width,
)
from edge.ports.linux.serial_probe import ProbeLine

#: A meter that restarts with its new setting is looked for this long.
SETTLE_S = 4.0

Note = Callable[[str, dict[str, Any]], None]


class Place(NamedTuple):
    """Where a meter answers."""

    station: int
    baud: int
    format: str


class Result(NamedTuple):
    """How a change ended.

    outcome: "changed"; "already" so before; "pending" until the meter restarts; "unchanged": the
    meter refused or ignored it; "taken": another station has the number, nothing was written;
    "undone": it came out wrong and was taken back; "lost": the meter answers nowhere.
    place: where the meter answers now, where it answered last when "lost".
    reason: the code of the error behind it, "" for none.
    """

    outcome: str
    before: str
    place: Place
    reason: str = ""


GOOD_OUTCOMES = ("changed", "already", "pending")


class Change:
    """A change of `setting` to `wanted` on the meter at `place`."""

    def __init__(
        self,
        line: ProbeLine,
        session: LineSession,
        setting: Setting,
        place: Place,
        wanted: str,
        note: Note,
        settle_s: float = SETTLE_S,
    ) -> None:
        """note: called with the name of each step and what it brought.

        Raises DataError for a value that the profile does not allow.
        """
        self._line = line
        self._session = session
        self._setting = setting
        self._place = place
        self._wanted = wanted
        self._note = note
        self._settle_s = settle_s
        self._registers = encode_setting(setting, wanted)
        self._before: tuple[int, ...] = ()
        self.target = self._plan_target()

    def _plan_target(self) -> Place:
        """Where the meter answers once the change is in force."""
        if self._setting.name == "station":
            return self._place._replace(station=int(self._wanted))
        if self._setting.name == "baud":
            return self._place._replace(baud=int(self._wanted))
        if self._setting.name == "format":
            return self._place._replace(format=self._wanted)
        return self._place

    def read_before(self) -> str:
        """What the meter has now, in a person's words; its error when it cannot be read."""
        self._before = self._read(self._place)
        return self._shown(self._before)

    def run(self) -> Result:
        """Carry the change out; `read_before` has been called."""
        if self._before == self._registers:
            return self._result("already", self._place)
        if self.target.station != self._place.station and self._answers(self.target):
            return self._result("taken", self._place)
        refusal = self._write(self._place, self._registers)
        if isinstance(refusal, DeviceError):
            return self._result("unchanged", self._place, refusal.code)
        return self._settle(refusal)

    def _settle(self, doubt: TallyError | None) -> Result:
        """Look where the meter is and what it holds, until it is clear."""
        reason = doubt.code if doubt else ""
        found = self._find()
        if found is None:
            return self._undo(reason or "bus.timeout")
        place, registers = found
        self._note("read_back", {"value": self._shown(registers), **place._asdict()})
        if registers == self._registers:
            moved = place == self.target
            return self._result("changed" if moved else "pending", place, reason)
        if registers == self._before and place == self._place:
            return self._result("unchanged", place, reason)
        return self._undo(reason or "device.failure")

    def _undo(self, reason: str) -> Result:
        """Write the old value wherever the meter may be, and look for it at the old setting."""
        self._note("undo", {"value": self._shown(self._before)})
        for place in dict.fromkeys((self.target, self._place)):
            self._write(place, self._before)
        found = self._find()
        if found is None:
            return self._result("lost", self._place, reason)
        place, registers = found
        outcome = "undone" if registers == self._before and place == self._place else "lost"
        return self._result(outcome, place, reason)

    def _find(self) -> tuple[Place, tuple[int, ...]] | None:
        """Where the meter answers, the new setting first, and what it holds."""
        end_s = time.monotonic() + self._settle_s
        while True:
            for place in dict.fromkeys((self.target, self._place)):
                try:
                    return place, self._read(place)
                except (BusError, DeviceError):
                    continue
            if time.monotonic() > end_s:
                return None

    def _read(self, place: Place) -> tuple[int, ...]:
        self._go(place)
        setting = self._setting
        return self._session.read(place.station, READ_FUNCTION, setting.address, width(setting))

    def _write(self, place: Place, registers: tuple[int, ...]) -> TallyError | None:
        """Write once; the error if it was not confirmed."""
        self._go(place)
        setting = self._setting
        try:
            self._session.write(place.station, setting.function, setting.address, registers)
        except (BusError, DeviceError) as error:
            self._note("write", {"error": error.code, **place._asdict()})
            return error
        self._note("write", {"value": self._shown(registers), **place._asdict()})
        return None

    def _answers(self, place: Place) -> bool:
        self._go(place)
        request = encode_probe(place.station)
        answer = self._line.exchange(request, self._session.timeout_ms)
        return place.station in hear(request, answer.data).stations

    def _go(self, place: Place) -> None:
        if (self._line.baud, self._line.format) != (place.baud, place.format):
            self._line.configure(place.baud, place.format)

    def _shown(self, registers: tuple[int, ...]) -> str:
        known = decode_setting(self._setting, registers)
        return known or " ".join(f"0x{register:04X}" for register in registers)

    def _result(self, outcome: str, place: Place, reason: str = "") -> Result:
        return Result(outcome, self._shown(self._before), place, reason)
