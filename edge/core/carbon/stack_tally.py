"""A stream over a stack's CEMS: readings become samples with flags, a meter makes them mass."""

from edge.core.carbon import flags
from edge.core.carbon.cems import Sample
from edge.core.carbon.counter import Flag
from edge.core.carbon.interval import CUMULATIVE, REST, STATE
from edge.core.carbon.stack_meter import HOLD, HOLD_PERIODS, MS_PER_HOUR, Closed, StackMeter
from edge.core.carbon.tally import Tally
from edge.core.numbers import pack
from edge.core.numbers.fixed import ONE
from edge.core.numbers.quality import Quality

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.core.carbon.streams import Stream
    from edge.core.carbon.tally import Shut


class StackTally(Tally):
    """One stack in the account; its count is in mg.ms/h."""

    SCALE = MS_PER_HOUR

    def __init__(self, stream: "Stream", ratios: tuple[int, ...]) -> None:
        super().__init__(stream, ratios)
        self.stream = stream
        rules = stream.rules
        self.meter = StackMeter(stream.source.stack, rules.family, stream.poll_ms, rules.potential)
        self._holds = rules.family == HOLD
        #: (first ms, ms after the last, flag) as an operator declared them.
        self.windows: list[tuple[int, int, str]] = []

    def look(
        self,
        latest: dict[tuple[int, int], tuple[int | None, int, int, int]],
        boot: int,
        mono_ms: int,
        wall_ms: int | None,
    ) -> None:
        """Take a sample of what is known now; latest: see `Accountant.latest`."""
        oldest_ms = mono_ms - HOLD_PERIODS * self.stream.poll_ms
        fields: list[tuple[int, int] | None] = []
        found = ""
        for at, (device, point, places) in enumerate(self.stream.source.inputs):
            value, flag = _fresh(latest, (device, point), boot, oldest_ms)
            fields.append(None if value is None else (value, places))
            # Where gas and flow are valid on their own, a flag is the gas analyzer's.
            if at == 0 or not self._is_apart():
                found += flag
        found += self._state(latest, boot, oldest_ms)
        if wall_ms is not None and self.windows:
            found += flags.declared(self.windows, wall_ms)
        unread = all([field is None for field in fields])
        sample = None if unread else self._gas(fields)
        self.meter.observe(sample, flags.strongest(found), boot, mono_ms, wall_ms)

    def _gas(self, fields: list[tuple[int, int] | None]) -> Sample:
        """The sample that the instruments' readings stand for."""
        rules = self.stream.rules
        velocity = fields[1]
        if velocity is not None and rules.coefficient != ONE:
            # (29) Vs = Kv x Vp, exactly: decimals multiply to decimals.
            mantissa, places = rules.coefficient
            fields[1] = (velocity[0] * mantissa, velocity[1] + places)
        if rules.fuel is not None:
            from edge.core.carbon.part75 import co2_of_o2

            wet = self.stream.source.stack.basis == "wet"
            fields[0] = co2_of_o2(fields[0], fields[4] if wet else (0, 0), wet, rules.fuel)
        return Sample(*fields)

    def _is_apart(self) -> bool:
        ledger = self.meter.ledger
        return ledger is not None and bool(ledger.family.regime.apart)

    def _state(self, latest: dict, boot: int, oldest_ms: int) -> str:
        """The flag that the analyzer's status stands for; "N" where it has none."""
        status = self.stream.source.status
        if status is None:
            return flags.NORMAL
        device, point, accepted = status
        state, flag = _fresh(latest, (device, point), boot, oldest_ms)
        if state is None:
            return flag
        for value, known in self.stream.rules.states:
            if value == state:
                return str(known)
        return flags.NORMAL if state in accepted else flags.FAULT

    def count(self) -> int | None:
        found = self.meter.count()
        return None if found is None else found[0] * MS_PER_HOUR + found[1]

    def shut(self, span_ms: int, end_ms: int) -> "Shut | tuple":
        closed = self.meter.close(span_ms, end_ms)
        has_begun = self.count() is not None
        if self.start is None and has_begun:
            self.start = 0
        found, self.flags = self.flags, 0
        if closed.late:
            found |= Flag.LATE
        filled_mg = int(closed.substituted_mg)
        if filled_mg:
            found |= Flag.SUBSTITUTED
        state = self._state_after(closed) if has_begun else []
        return closed.good, closed.expected, found, filled_mg, self._figures(closed), state

    def _figures(self, closed: Closed) -> list[list[object]]:
        """Hours by what became of them, samples by flag, mass and hours by rule of filling."""
        if self._holds:
            return []
        rows: list[list[object]] = []
        for name in ("valid", "filled", "missing", "pending"):
            rows.append(["hours", name, "", getattr(closed, name), 0, "h"])
        for at, count in enumerate(closed.counts):
            if count:
                rows.append(["samples", flags.ORDER[at], "", count, 0, "1"])
        for rule, hours, mass_mg in closed.fills:
            rows.append(["filled_hours", rule, "", hours, 0, "h"])
            rows.append(["filled", rule, "", mass_mg, 0, "mg"])
        return rows

    def _state_after(self, closed: Closed) -> list[object]:
        if self._holds:
            last: list[object] = self.meter.snapshot()[2]
            return last
        return [pack.encode(self.meter.snapshot()), closed.values]

    def restore(self, entry: list) -> None:
        self.start = entry[CUMULATIVE] * MS_PER_HOUR + entry[REST]
        state = entry[STATE] if len(entry) > STATE else []
        if self._holds:
            self.meter.restore([entry[CUMULATIVE], entry[REST], state])
        elif state:
            snapshot = pack.decode(state[0])
            if isinstance(snapshot, list):
                self.meter.restore(snapshot)
        else:
            self.meter.carry(entry[CUMULATIVE])

    def recall(self, entry: list) -> None:
        """Refill the look-back with the hours that an earlier interval's entry tells of."""
        if not self._holds and len(entry) > STATE and len(entry[STATE]) == 2:
            self.meter.remember(entry[STATE][1])


def _fresh(
    latest: dict, key: tuple[int, int], boot: int, oldest_ms: int
) -> tuple[int | None, str]:
    """(the latest good value of an input or None, its flag); too old is as good as not read."""
    if key not in latest:
        return None, "B"
    value, quality, then, at_ms = latest[key]
    if then != boot or at_ms < oldest_ms:
        return None, "B"
    if quality != Quality.GOOD or value is None:
        return None, flags.of_quality(quality) if quality != Quality.GOOD else "B"
    return value, flags.NORMAL
