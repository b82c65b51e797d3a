"""Readings to carbon by interval, exact and telescoping.

Each stream keeps one cumulative quantity; an interval is what it gained between two boundaries of
the UTC clock. What the records look like is in `interval`, how registers become a count in
`counter`, how a count becomes an entry in `tally`.

A reading belongs to the interval in which it is taken in. One whose time lies before the running
interval (a clock that was set back, a record that came late) is counted there all the same, and
the flag LATE says so.
"""

from edge.core.carbon.counter import Counter, Flag
from edge.core.carbon.interval import CUMULATIVE, NUMBER, bases_of, totals_of
from edge.core.carbon.streams import Stream
from edge.core.carbon.tally import CounterTally, VirtualTally
from edge.core.errors import DataError, TallyError
from edge.core.numbers.quality import Quality

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.core.carbon.stack_tally import StackTally
    from edge.core.carbon.tariff import Tariff

#: A register with one of these is looked at: the marks are ours, set when it was held.
_COUNTED = (Quality.GOOD, Quality.BACKWARDS, Quality.UNCONFIRMED)


class Accountant:
    """All streams of a gateway and the interval they are in."""

    def __init__(
        self,
        streams: tuple[Stream, ...],
        interval_ms: int,
        tariffs: "tuple[Tariff, ...]" = (),
    ) -> None:
        """streams: a virtual meter's summands name others of them by number.

        tariffs: every one that a stream's rates name. Raises ConfigError when one is missing.
        """
        self.streams = streams
        self.bases = bases_of(streams)
        self.tallies = [make_tally(stream, tariffs) for stream in streams]
        #: FACT parts of all TABLE records, in order: what intensities are divided by.
        self.facts: list[list] = []
        self.interval_ms = interval_ms
        self.start_ms: int | None = None
        #: (device, point) of a stack's input -> its latest (value, quality, boot, mono_ms)
        self.latest: dict[tuple[int, int], tuple[int | None, int, int, int]] = {}
        self._virtual: list[VirtualTally] = []
        #: virtual meters some part of which has no count yet
        self._waiting: list[VirtualTally] = []
        #: device -> its counters as (point, tally, counter); device -> stacks that it leads
        self._counters: dict[int, list[tuple[int, CounterTally, Counter]]] = {}
        self._stacks: "dict[int, list[StackTally]]" = {}
        #: device -> points that stacks take in
        self._watched: dict[int, list[int]] = {}
        self._wire()

    def _wire(self) -> None:
        by_number = {tally.stream.number: tally for tally in self.tallies}
        for tally in self.tallies:
            if isinstance(tally, VirtualTally):
                parts = tally.stream.summands
                tally.parts = [(by_number[part.stream], part.weight) for part in parts]
                self._virtual.append(tally)
                self._waiting.append(tally)
            elif isinstance(tally, CounterTally):
                device, point, _ = tally.stream.source.inputs[0]
                place = (point, tally, tally.counter)
                self._counters.setdefault(device, []).append(place)
            else:
                self._wire_stack(tally)
        for tally in self.tallies:
            if tally.timed:
                parts = tally.parts if isinstance(tally, VirtualTally) else [(tally, 1)]
                for register, (part, _) in enumerate(parts):
                    part.followers.append((tally, register))

    def _wire_stack(self, tally: "StackTally") -> None:
        source = tally.stream.source
        self._stacks.setdefault(source.inputs[0][0], []).append(tally)
        places = [(item[0], item[1]) for item in source.inputs]
        status = source.status
        for device, point in places + ([] if status is None else [(status[0], status[1])]):
            self._watched.setdefault(device, []).append(point)

    def restore(self, body: list, ancestors: dict[int, list[int]]) -> None:
        """Continue after the interval record `body`: same cumulatives, next interval.

        ancestors: stream number -> numbers that counted the same source, the newest first.
        """
        self.start_ms = body[1]
        counted = {entry[NUMBER]: entry for entry in body[2] if entry[CUMULATIVE] is not None}
        for tally in self.tallies:
            for number in ancestors.get(tally.stream.number, [tally.stream.number]):
                if number in counted:
                    tally.take_up(counted[number])
                    break
        for tally in self.tallies:
            tally.go_on(body[1])

    def recall(self, body: list, ancestors: dict[int, list[int]]) -> None:
        """Take in what an earlier interval record says of hours that stacks look back to.

        The oldest first, up to and with the one given to `restore`. ancestors: as there.
        """
        entries = {entry[NUMBER]: entry for entry in body[2]}
        for stacks in self._stacks.values():
            for stack in stacks:
                number = stack.stream.number
                for at in ancestors.get(number, [number]):
                    if at in entries:
                        stack.recall(entries[at])
                        break

    def looks_back(self) -> bool:
        """True when a stack needs `recall` after a restart."""
        stacks = [stack for group in self._stacks.values() for stack in group]
        return any([stack.meter.ledger is not None for stack in stacks])

    def declare(self, windows: list[list]) -> None:
        """Take the declared windows in force: [stream name, start_ms, end_ms, flag, ...]."""
        for stacks in self._stacks.values():
            for stack in stacks:
                named = [item for item in windows if item[0] == stack.stream.name]
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
        if device in self._watched:
            self.remember(device, boot, mono_ms, values, qualities)
        errors: list[TallyError] = []
        for point, tally, counter in self._counters.get(device, ()):
            value = values[point]
            if value is None or (qualities and qualities.get(point, 0) not in _COUNTED):
                continue
            if counter.take(value, boot, mono_ms, wall_ms):
                tally.good += 1
                for follower, register in tally.followers:
                    follower.clock(register, counter.total or 0, wall_ms)
                if qualities and point in qualities:
                    del qualities[point]
            else:
                is_low = value < counter.register
                qualities[point] = Quality.BACKWARDS if is_low else Quality.UNCONFIRMED
            if counter.events:
                errors.extend(_named(tally))
        if wall_ms is not None and self.start_ms is not None and wall_ms < self.start_ms:
            self._mark_late(device)
        self._follow(device, boot, mono_ms, wall_ms)
        return errors

    def _follow(self, device: int, boot: int, mono_ms: int, wall_ms: int | None) -> None:
        """Let all that hangs on other streams or on the time take a poll in."""
        for stack in self._stacks.get(device, ()):
            stack.look(self.latest, boot, mono_ms, wall_ms)
        if self._waiting:
            self._waiting = [meter for meter in self._waiting if not meter.begin()]

    def _mark_late(self, device: int) -> None:
        for _, tally, _ in self._counters.get(device, ()):
            tally.flags |= Flag.LATE
        for stack in self._stacks.get(device, ()):
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
        for point in self._watched.get(device, ()):
            self.latest[(device, point)] = (values[point], qualities.get(point, 0), boot, mono_ms)

    def swap(self, device: int, point: int, old: int | None, new: int) -> list[str]:
        """An operator confirms a register's step; see `Counter.swap`. Returns stream names."""
        names = []
        for at, tally, counter in self._counters.get(device, ()):
            if at == point:
                counter.swap(old, new)
                names.append(tally.stream.name)
        return names

    def counters(self) -> list[tuple[int, int]]:
        """(device, point) of every register that is counted."""
        return [(device, at[0]) for device in self._counters for at in self._counters[device]]

    def held(self, device: int, point: int) -> int | None:
        """The first register of the level that a counter holds; None when it holds none."""
        for at, _, counter in self._counters.get(device, ()):
            if at == point and counter.is_held:
                return counter.held_from
        return None

    def due_ms(self) -> int | None:
        """Wall time at which the running interval ends; None before a first reading."""
        if self.start_ms is None:
            return None
        return (self.start_ms // self.interval_ms + 1) * self.interval_ms

    def close(self, wall_ms: int) -> list[object] | None:
        """Close the interval at the last boundary up to `wall_ms`; None when none has passed."""
        due_ms = self.due_ms()
        if due_ms is None or self.start_ms is None or wall_ms < due_ms:
            return None
        end_ms = wall_ms // self.interval_ms * self.interval_ms
        start_ms, self.start_ms = self.start_ms, end_ms
        span_ms = end_ms - start_ms
        # A virtual meter reads its parts' polls and flags before they begin anew.
        virtual = {tally.stream.number: tally.close(span_ms, end_ms) for tally in self._virtual}
        entries = []
        for tally in self.tallies:
            number = tally.stream.number
            entries.append(virtual[number] if number in virtual else tally.close(span_ms, end_ms))
        totals = totals_of(self.streams, entries, self.bases)
        return [start_ms, end_ms, entries, self._with_figures(start_ms, entries, totals)]

    def _with_figures(self, start_ms: int, entries: list, totals: list) -> list[object]:
        """The totals, with what they are divided by where the site has stated anything."""
        if not self.facts and not any([stream.coal for stream in self.streams]):
            return totals
        from edge.core.carbon.figures import facts_at, figures_of

        facts = facts_at(self.facts, start_ms)
        figures = figures_of(self.streams, entries, totals, facts)
        return totals + [figures] if figures else totals


def _named(tally: CounterTally) -> list[DataError]:
    """The counter's events with the name of its stream; none waits any more."""
    events, tally.counter.events = tally.counter.events, []
    for event in events:
        event.fields["point"] = tally.stream.name
    return events


def make_tally(
    stream: Stream, tariffs: "tuple[Tariff, ...]"
) -> "CounterTally | StackTally | VirtualTally":
    """The tally that fits the stream's source; tariffs: those that its rates name by digest."""
    if stream.source.stack is not None:
        from edge.core.carbon.stack_tally import StackTally

        return StackTally(stream)
    tally = VirtualTally(stream) if stream.summands else CounterTally(stream)
    tally.wire(tariffs)
    return tally
