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
from edge.core.carbon.tally import HOLD_PERIODS, CounterTally, StackTally, VirtualTally, make_tally
from edge.core.errors import DataError, TallyError
from edge.core.numbers.quality import Quality

#: A register with one of these is looked at: the marks are ours, set when it was held.
_COUNTED = (Quality.GOOD, Quality.BACKWARDS, Quality.UNCONFIRMED)


class Accountant:
    """All streams of a gateway and the interval they are in."""

    def __init__(self, streams: tuple[Stream, ...], interval_ms: int) -> None:
        """streams: a virtual meter's summands name others of them by number."""
        self.streams = streams
        self.bases = bases_of(streams)
        self.tallies = [make_tally(stream) for stream in streams]
        self.interval_ms = interval_ms
        self.start_ms: int | None = None
        #: (device, point) of a stack's input -> its latest (value, quality, boot, mono_ms)
        self.latest: dict[tuple[int, int], tuple[int | None, int, int, int]] = {}
        self._virtual: list[VirtualTally] = []
        #: virtual meters some part of which has no count yet
        self._waiting: list[VirtualTally] = []
        #: device -> its counters as (point, tally, counter); device -> stacks that it leads
        self._counters: dict[int, list[tuple[int, CounterTally, Counter]]] = {}
        self._stacks: dict[int, list[StackTally]] = {}
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
                continue
            inputs = tally.stream.source.inputs
            if isinstance(tally, CounterTally):
                place = (inputs[0][1], tally, tally.counter)
                self._counters.setdefault(inputs[0][0], []).append(place)
                continue
            self._stacks.setdefault(inputs[0][0], []).append(tally)
            status = tally.stream.source.status
            places = [(item[0], item[1]) for item in inputs]
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
                    tally.restore(counted[number])
                    break

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
                if qualities and point in qualities:
                    del qualities[point]
            else:
                is_low = value < counter.register
                qualities[point] = Quality.BACKWARDS if is_low else Quality.UNCONFIRMED
            if counter.events:
                errors.extend(_named(tally))
        for stack in self._stacks.get(device, ()):
            stack.sample(self._sample(stack, boot, mono_ms), boot, mono_ms)
        if wall_ms is not None and self.start_ms is not None and wall_ms < self.start_ms:
            self._mark_late(device)
        if self._waiting:
            self._waiting = [meter for meter in self._waiting if not meter.begin()]
        return errors

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

    def _fresh(self, key: tuple[int, int], boot: int, mono_ms: int, hold_ms: int) -> int | None:
        """The latest good value of an input, or None when it is missing, bad or too old."""
        if key not in self.latest:
            return None
        value, quality, then, at_ms = self.latest[key]
        if quality != Quality.GOOD or then != boot or mono_ms - at_ms > hold_ms:
            return None
        return value

    def _sample(self, tally: StackTally, boot: int, mono_ms: int) -> list | None:
        """The fields of a sample, None while the instrument is not measuring."""
        source = tally.stream.source
        hold_ms = HOLD_PERIODS * tally.stream.poll_ms
        if source.status is not None:
            device, point, accepted = source.status
            state = self._fresh((device, point), boot, mono_ms, hold_ms)
            if state is None or state not in accepted:
                return None
        quantities = []
        for device, point, places in source.inputs:
            value = self._fresh((device, point), boot, mono_ms, hold_ms)
            if value is None:
                return None
            quantities.append((value, places))
        return quantities

    def swap(self, device: int, point: int, old: int | None, new: int) -> list[str]:
        """An operator confirms a register's step; see `Counter.swap`. Returns stream names."""
        names = []
        for at, tally, counter in self._counters.get(device, ()):
            if at == point:
                counter.swap(old, new)
                names.append(tally.stream.name)
        return names

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
        virtual = {tally.stream.number: tally.close(span_ms) for tally in self._virtual}
        entries = []
        for tally in self.tallies:
            number = tally.stream.number
            entries.append(virtual[number] if number in virtual else tally.close(span_ms))
        return [start_ms, end_ms, entries, totals_of(self.streams, entries, self.bases)]


def _named(tally: CounterTally) -> list[DataError]:
    """The counter's events with the name of its stream; none waits any more."""
    events, tally.counter.events = tally.counter.events, []
    for event in events:
        event.fields["point"] = tally.stream.name
    return events
