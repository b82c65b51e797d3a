"""Readings to carbon by interval, exact and telescoping.

Each stream keeps one cumulative quantity C. The emission of an interval is R(C_end x f) -
R(C_start x f) with R half-even to 1 mg, so that intervals sum exactly to any longer period. What
was not read in an interval is caught up by the next: nothing is guessed, coverage says how much
was seen.

INTERVAL body [start_ms, end_ms, streams, totals]
streams: per stream [number, cumulative, rest, activity, emission_mg, good polls, expected polls];
         cumulative is in the reading's own mantissa (mg for a stack), rest is what a stack has
         beyond whole mg in mg.ms/h; activity is in the stream's unit; None before a first reading
totals:  [scope1_mg, scope2_mg, electricity_mg, consumption_wh, intensity_mg_per_kwh], each None
         when a stream it needs was never read; intensity also when nothing was consumed
"""

from edge.core.carbon import cems
from edge.core.carbon.streams import KINDS, Stream
from edge.core.errors import DataError, TallyError
from edge.core.numbers.fixed import div_round
from edge.core.numbers.quality import Quality

MS_PER_HOUR = 3_600_000

#: A stack sample stands for the time since the one before it, at most this many poll periods.
HOLD_PERIODS = 3


class Tally:
    """One stream's cumulative quantity and its share of the running interval."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.total: int | None = None
        self.rest = 0
        self.start: tuple[int, int] | None = None
        self.good = 0
        self.backwards = False
        self.last_sample: tuple[int, int] | None = None

    def count(self, register: int) -> bool:
        """Take a cumulative register in; False when it went back and is not counted."""
        if self.total is not None and register < self.total:
            return False
        if self.total is None:
            self.start = (register, 0)
        self.total = register
        self.backwards = False
        self.good += 1
        return True

    def went_back(self, register: int) -> list[TallyError]:
        """The error for a register that was not counted, the first time only."""
        if self.backwards:
            return []
        self.backwards = True
        name, before = self.stream.name, self.total
        return [DataError("data.backwards", point=name, before=before, value=register)]

    def flow(self, rate_mg_per_h: int, boot: int, mono_ms: int) -> None:
        """Take a mass rate in; it stands for the time since the sample before it."""
        if self.total is None:
            self.total = 0
            self.start = (0, 0)
        if self.last_sample is not None and self.last_sample[0] == boot:
            elapsed_ms = mono_ms - self.last_sample[1]
            if 0 < elapsed_ms <= HOLD_PERIODS * self.stream.poll_ms:
                exact = self.rest + rate_mg_per_h * elapsed_ms
                self.total += exact // MS_PER_HOUR
                self.rest = exact % MS_PER_HOUR
        self.last_sample = (boot, mono_ms)
        self.good += 1

    def interrupt(self) -> None:
        """The instrument is not measuring: the time until its next sample is not counted."""
        self.last_sample = None

    def _scaled(self, quantity: tuple[int, int], up: int, down: int) -> int:
        whole, rest = quantity
        return div_round((whole * MS_PER_HOUR + rest) * up, MS_PER_HOUR * down)

    def close(self, span_ms: int) -> list[object]:
        """The stream's entry in the interval record; a new interval begins."""
        stream = self.stream
        expected = max(1, div_round(span_ms, stream.poll_ms))
        good, self.good = min(self.good, expected), 0
        if self.total is None or self.start is None:
            return [stream.number, None, 0, None, None, good, expected]
        end = (self.total, self.rest)
        up, down = stream.activity
        activity = self._scaled(end, up, down) - self._scaled(self.start, up, down)
        sign = KINDS[stream.kind].emission
        up, down = stream.numerator, stream.denominator
        emission = sign * (self._scaled(end, up, down) - self._scaled(self.start, up, down))
        self.start = end
        return [stream.number, end[0], end[1], activity, emission, good, expected]


class Accountant:
    """All streams of a gateway and the interval they are in."""

    def __init__(self, streams: tuple[Stream, ...], interval_ms: int) -> None:
        self.tallies = [Tally(stream) for stream in streams]
        self.interval_ms = interval_ms
        self.start_ms: int | None = None
        self.latest: dict[tuple[int, int], tuple[int | None, int, int, int]] = {}

    def restore(self, body: list, ancestors: dict[int, list[int]]) -> None:
        """Continue after the interval record `body`: same cumulatives, next interval.

        ancestors: stream number -> numbers that counted the same source, the newest first.
        """
        _, self.start_ms, entries, _ = body
        counted = {entry[0]: (entry[1], entry[2]) for entry in entries if entry[1] is not None}
        for tally in self.tallies:
            for number in ancestors.get(tally.stream.number, [tally.stream.number]):
                if number in counted:
                    tally.total, tally.rest = counted[number]
                    tally.start = counted[number]
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

        wall_ms: None while no clock has been set; what is counted until then belongs to the first
        interval that starts with a known time.
        qualities: point index -> code, for values that are not good; marked BACKWARDS here when
        a counter went back. Returns the errors worth an event, each once until it clears.
        """
        if self.start_ms is None:
            self.start_ms = wall_ms
        for point, value in enumerate(values):
            self.latest[(device, point)] = (value, qualities.get(point, 0), boot, mono_ms)
        errors: list[TallyError] = []
        for tally in self.tallies:
            inputs = tally.stream.source.inputs
            if inputs[0][0] != device:
                continue
            if tally.stream.source.stack is not None:
                self._stack(tally, boot, mono_ms)
                continue
            point = inputs[0][1]
            value = values[point]
            if value is None or qualities.get(point, 0) != Quality.GOOD:
                continue
            if not tally.count(value):
                qualities[point] = Quality.BACKWARDS
                errors.extend(tally.went_back(value))
        return errors

    def _fresh(self, key: tuple[int, int], boot: int, mono_ms: int, hold_ms: int) -> int | None:
        """The latest good value of an input, or None when it is missing, bad or too old."""
        if key not in self.latest:
            return None
        value, quality, then, at_ms = self.latest[key]
        if quality != Quality.GOOD or then != boot or mono_ms - at_ms > hold_ms:
            return None
        return value

    def _stack(self, tally: Tally, boot: int, mono_ms: int) -> None:
        stream = tally.stream
        hold_ms = HOLD_PERIODS * stream.poll_ms
        status = stream.source.status
        if status is not None:
            state = self._fresh((status[0], status[1]), boot, mono_ms, hold_ms)
            if state is None or state not in status[2]:
                tally.interrupt()
                return
        quantities = []
        for device, point, places in stream.source.inputs:
            value = self._fresh((device, point), boot, mono_ms, hold_ms)
            if value is None:
                tally.interrupt()
                return
            quantities.append((value, places))
        try:
            rate = cems.mass_rate_mg_per_h(stream.source.stack, cems.Sample(*quantities))
        except DataError:
            tally.interrupt()
            return
        tally.flow(rate, boot, mono_ms)

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
        entries = [tally.close(end_ms - start_ms) for tally in self.tallies]
        return [start_ms, end_ms, entries, self._totals(entries)]

    def _totals(self, entries: list[list[object]]) -> list[int | None]:
        scope1: int | None = 0
        scope2: int | None = 0
        electricity: int | None = 0
        consumption: int | None = 0
        for tally, entry in zip(self.tallies, entries):
            meaning = KINDS[tally.stream.kind]
            activity, emission = entry[3], entry[4]
            if meaning.scope == 1:
                scope1 = _add(scope1, emission, 1)
            if meaning.scope == 2:
                scope2 = _add(scope2, emission, 1)
                if meaning.dimension == "energy":
                    electricity = _add(electricity, emission, 1)
            if meaning.consumption:
                consumption = _add(consumption, activity, meaning.consumption)
        intensity = None
        if electricity is not None and consumption is not None and consumption > 0:
            intensity = div_round(electricity * 1000, consumption)
        return [scope1, scope2, electricity, consumption, intensity]


def _add(total: int | None, value: object, sign: int) -> int | None:
    if total is None or not isinstance(value, int):
        return None
    return total + sign * value
