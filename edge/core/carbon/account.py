"""Readings to carbon by interval, exact and telescoping.

Each stream keeps one cumulative quantity; an interval is what it gained between two boundaries of
the UTC clock. What the records look like is in `interval`, how registers become a count in
`counter`, how a count becomes an entry in `tally`.

A reading belongs to the interval in which it is taken in. One whose time lies before the running
interval (a clock that was set back, a record that came late) is counted there all the same, and
the flag LATE says so. One that lies more than BACK_MS before it begins the interval anew at its
own time: the clock had been wrong, and no interval would close until it is that late again.
"""

from edge.core.carbon.counter import Flag
from edge.core.errors import TallyError
from edge.core.numbers.quality import Quality

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.core.carbon.stack_tally import StackTally
    from edge.core.carbon.streams import Stream
    from edge.core.carbon.tally import CounterTally, Tally
    from edge.core.carbon.tariff import Tariff
    from edge.core.carbon.virtual import VirtualTally

#: A clock that is set back by more has been wrong by that.
BACK_MS = 86_400_000

#: A register with one of these is looked at: the marks are ours, set when it was held.
_COUNTED = (Quality.GOOD, Quality.BACKWARDS, Quality.UNCONFIRMED)


class Accountant:
    """All streams of a gateway and the interval they are in."""

    def __init__(
        self,
        streams: "tuple[Stream, ...]",
        interval_ms: int,
        tariffs: "tuple[Tariff, ...]" = (),
    ) -> None:
        """streams: a virtual meter's summands name others of them by number.

        tariffs: every one that a stream's rates name. Raises ConfigError when one is missing.
        """
        from edge.core.carbon.wiring import wire

        self.interval_ms = interval_ms
        self.start_ms: int | None = None
        self._due_ms: int | None = None
        #: What the running interval began at when `_due_ms` was worked out.
        self._due_of: int | None = None
        #: One per stream, in their order.
        self.tallies: list[Tally] = []
        #: FACT parts of all TABLE records, in order: what intensities are divided by.
        self.facts: list[list] = []
        #: (device, point) of a stack's input -> its latest (value, quality, boot, mono_ms)
        self.latest: dict[tuple[int, int], tuple[int | None, int, int, int]] = {}
        #: Virtual meters some part of which has no count yet.
        self.waiting: list[VirtualTally] = []
        #: device -> the streams over its registers; device -> stacks that it leads; device ->
        #: points that stacks take in
        self.counters: dict[int, list[CounterTally]] = {}
        self.stacks: dict[int, list[StackTally]] = {}
        self.watched: dict[int, list[int]] = {}
        wire(self, streams, tariffs)

    def declare(self, windows: list[list]) -> None:
        """Take the declared windows in force: [stream name, start_ms, end_ms, flag, ...]."""
        for stacks in self.stacks.values():
            for stack in stacks:
                named = [item for item in windows if item[0] == stack.name]
                stack.windows = [(item[1], item[2], item[3]) for item in named]

    def observe(
        self,
        device: int,
        boot: int,
        mono_ms: int,
        wall_ms: int | None,
        values: list[int | None],
        qualities: dict[int, int],
    ) -> list[TallyError]:
        """Take one poll of a device in.

        wall_ms: None while no clock has been set: that counts in the first interval with a time.
        qualities: point index -> code of values that are not good; a held one is marked here,
        BACKWARDS or UNCONFIRMED. Returns what is worth an event, each once until it clears.
        """
        if self.start_ms is None:
            self.start_ms = wall_ms
        if device in self.watched:
            self.remember(device, boot, mono_ms, values, qualities)
        errors: list[TallyError] = []
        for tally in self.counters.get(device, ()):
            counter, point = tally.counter, tally.point
            value = values[point]
            if value is None or (qualities and qualities.get(point, 0) not in _COUNTED):
                continue
            if counter.take(value, boot, mono_ms, wall_ms):
                tally.took(wall_ms)
                if qualities and point in qualities:
                    del qualities[point]
            else:
                is_low = value < counter.register
                qualities[point] = Quality.BACKWARDS if is_low else Quality.UNCONFIRMED
            for event in counter.events:
                event.fields["point"] = tally.name
                errors.append(event)
            counter.events = ()
        if wall_ms is not None and self.start_ms is not None and wall_ms < self.start_ms:
            self._take_late(device, wall_ms)
        self._follow(device, boot, mono_ms, wall_ms)
        return errors

    def _follow(self, device: int, boot: int, mono_ms: int, wall_ms: int | None) -> None:
        """Let all that hangs on other streams or on the time take a poll in."""
        for stack in self.stacks.get(device, ()):
            stack.look(self.latest, boot, mono_ms, wall_ms)
        if self.waiting:
            self.waiting = [meter for meter in self.waiting if not meter.begin()]

    def _take_late(self, device: int, wall_ms: int) -> None:
        """A reading of before the running interval: marked; too far before, it begins anew."""
        if self.start_ms is not None and wall_ms < self.start_ms - BACK_MS:
            self.start_ms = wall_ms
        for tally in self.counters.get(device, ()):
            tally.flags |= Flag.LATE
        for stack in self.stacks.get(device, ()):
            stack.flags |= Flag.LATE

    def remember(
        self,
        device: int,
        boot: int,
        mono_ms: int,
        values: list[int | None],
        qualities: dict[int, int],
    ) -> None:
        """Note the latest values that stacks take in, without counting anything."""
        for point in self.watched.get(device, ()):
            self.latest[(device, point)] = (values[point], qualities.get(point, 0), boot, mono_ms)

    def swap(self, device: int, point: int, old: int | None, new: int) -> list[str]:
        """An operator confirms a register's step; see `Counter.swap`. Returns stream names."""
        names = []
        for tally in self.counters.get(device, ()):
            if tally.point == point:
                tally.counter.swap(old, new)
                names.append(tally.name)
        return names

    def held(self, device: int, point: int) -> int | None:
        """The first register of the level that a counter holds; None when it holds none."""
        for tally in self.counters.get(device, ()):
            if tally.point == point and tally.counter.is_held:
                return tally.counter.held_from
        return None

    def due_ms(self) -> int | None:
        """Wall time at which the running interval ends; None before a first reading."""
        start_ms = self.start_ms
        if start_ms is not self._due_of:
            # Asked at each step of a gateway, and made once an interval.
            self._due_of, self._due_ms = start_ms, None
            if start_ms is not None:
                self._due_ms = (start_ms // self.interval_ms + 1) * self.interval_ms
        return self._due_ms

    def close(self, wall_ms: int) -> list[object] | None:
        """Close the interval at the last boundary up to `wall_ms`; None when none has passed."""
        due_ms, start_ms = self.due_ms(), self.start_ms
        if due_ms is None or start_ms is None or wall_ms < due_ms:
            return None
        from edge.core.carbon.closing import close_interval

        self.start_ms = wall_ms // self.interval_ms * self.interval_ms
        return close_interval(self, start_ms, self.start_ms)
