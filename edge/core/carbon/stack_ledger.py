"""A stack's samples in time: which minute and hour each belongs to, and when these are closed.

Minutes and hours are those of the wall clock. The monotonic clock tells a gap in the data from a
wall clock that was set: only time that both have seen can be missing.
"""

from edge.core.carbon import cems, flags, ratio, stack_hours
from edge.core.carbon.stack_book import Book
from edge.core.carbon.stack_family import EuMrr, Hj75, Part75
from edge.core.carbon.stack_hours import HOUR_MS, MINUTE_MS
from edge.core.errors import DataError

#: The wall clock was set when it differs by more from the monotonic one between two samples.
STEP_MS = MINUTE_MS

#: The boot of a sample from before a restart.
_NO_BOOT = -1


class Ledger:
    """Samples in, cumulative mass out; time is an argument and never goes back."""

    def __init__(
        self, stack: cems.Stack, family: Hj75 | EuMrr | Part75, poll_ms: int, potential: int | None
    ) -> None:
        self.stack = stack
        self.family = family
        self.expected = HOUR_MS // poll_ms
        self.book = Book(stack, family, potential)
        self.late = 0
        #: Decimals of the five fields, -1 until a first value.
        self.places = [-1, -1, -1, -1, -1]
        self.at: int | None = None
        self.minute = stack_hours.Minute()
        self.hour = stack_hours.HourSums(0)
        #: (boot, mono_ms, wall_ms) of the last sample, and of the last one with a valid CO2.
        self.last_seen: tuple[int, int, int] | None = None
        self.last_good: tuple[int, int, int] | None = None

    def observe(
        self, sample: cems.Sample | None, flag: str, boot: int, mono_ms: int, wall_ms: int
    ) -> str:
        """Take a sample in; return the flag it was counted with.

        sample: None when nothing was read; a field may be None. A sample of the time before the
        running minute is counted as late and left out.
        """
        self._follow(boot, mono_ms, wall_ms)
        if wall_ms // MINUTE_MS != self.at:
            self.late += 1
            return flag
        gas, flow, flag = self._usable(sample, flag)
        gap_ms = wall_ms % MINUTE_MS  # a minute's first sample: only its own time counts
        if self.minute.gas[0] and self.last_good is not None:
            same = self.last_good[0] == boot
            gap_ms = mono_ms - self.last_good[1] if same else wall_ms - self.last_good[2]
        self.minute.take(flag, gas, flow, gap_ms)
        if gas is not None:
            self.last_good = (boot, mono_ms, wall_ms)
        return flag

    def _usable(
        self, sample: cems.Sample | None, flag: str
    ) -> tuple[int | None, list[int] | None, str]:
        """(CO2, the four flow fields, flag); None for what does not count."""
        if sample is None or flag == flags.OFF:
            return None, None, "B" if flag == flags.NORMAL else flag
        nothing = (0, 0)
        gas = flow = None
        if flag == flags.NORMAL:
            if sample[0] is None:
                flag = flags.FAULT
            elif self._possible([sample[0], nothing, nothing, nothing, nothing]):
                gas = self._scaled(0, sample[0])
            else:
                flag = "T"
        rest = [field for field in sample[1:] if field is not None]
        if len(rest) == 4 and self._possible([nothing] + rest):
            flow = [self._scaled(at + 1, field) for at, field in enumerate(rest)]
        if self.family.regime.apart:
            return gas, flow, flag
        if gas is None or flow is None:
            return None, None, flags.FAULT if flag == flags.NORMAL else flag
        return gas, flow, flag

    def _possible(self, fields: list[tuple[int, int]]) -> bool:
        try:
            cems.check_gas(self.stack, [ratio.of(field) for field in fields])
        except DataError:
            return False
        return True

    def _scaled(self, at: int, field: tuple[int, int]) -> int:
        """The mantissa of a field, whose places have to stay what they were."""
        if self.places[at] < 0:
            self.places[at] = field[1]
        if self.places[at] != field[1]:
            raise DataError("data.range", what="places of " + str(at), value=field[1])
        return field[0]

    def _follow(self, boot: int, mono_ms: int, wall_ms: int) -> None:
        """Bring the running minute and hour to a sample's time."""
        now = wall_ms // MINUTE_MS
        last, self.last_seen = self.last_seen, (boot, mono_ms, wall_ms)
        if self.at is None:
            self._begin(now, now % 60)
        elif last is not None and last[0] == boot and _stepped(last, mono_ms, wall_ms):
            # Time that the monotonic clock has not seen is no gap in the data.
            if not self._is_empty():
                self.hour.off += 59 - self.at % 60
                self._close_hour()
            self._begin(now, now % 60)
        elif now > self.at:
            self._pass(now)

    def _pass(self, now: int) -> None:
        """Close the running minute, and the hours up to the minute `now`."""
        hours = now // 60 - int(self.at or 0) // 60
        if hours == 0:
            self._close_minute()
            self.at = now
            return
        self._close_hour()
        if hours > 1:
            self.book.take_unseen(hours - 1)
        self._begin(now, 0)

    def _begin(self, minute: int, first_minute: int) -> None:
        self.at = minute
        self.minute = stack_hours.Minute()
        self.hour = stack_hours.HourSums(first_minute)

    def _is_empty(self) -> bool:
        return sum(self.hour.counts) + sum(self.minute.counts) == 0

    def _close_minute(self) -> None:
        at = int(self.at or 0)
        last_gap_ms = MINUTE_MS
        if self.last_good is not None:
            last_gap_ms = (at + 1) * MINUTE_MS - self.last_good[2]
        self.hour.take(self.minute, self.family.regime, at % 60, last_gap_ms)
        self.minute = stack_hours.Minute()

    def _close_hour(self) -> None:
        self._close_minute()
        start_ms = int(self.at or 0) // 60 * HOUR_MS
        self.book.take(self.hour.hour(start_ms, self.places, self.family.regime, self.expected))

    def advance(self, wall_ms: int) -> None:
        """Close the running hour if it ended by `wall_ms`.

        An hour without any sample waits for the next one, which tells whether time has passed
        or the clock was set.
        """
        if self.at is None or self._is_empty():
            return
        following = self.at // 60 + 1
        if wall_ms >= following * HOUR_MS:
            self._close_hour()
            self._begin(following * 60, 0)

    def snapshot(self) -> list:
        """What a restart needs besides the ring: integers that fit 64 bits, in nested lists."""
        minute, hour = self.minute, self.hour
        return [
            [
                self.book.total_mg,
                self.book.filled_mg,
                -1 if self.at is None else self.at,
                -1 if self.last_good is None else self.last_good[2],
            ],
            list(self.places),
            [minute.widest_ms, list(minute.counts), list(minute.gas), list(minute.flow)],
            hour.snapshot(),
            [list(run) for run in self.book.gap],
        ]

    def restore(self, state: list) -> None:
        """Continue from a snapshot, in another boot: its monotonic clock says nothing here."""
        totals, places, minute, hour, gap = state
        self.book.total_mg, self.book.filled_mg, at, last_ms = totals
        self.at = None if at < 0 else at
        self.places = list(places)
        self.minute = stack_hours.Minute()
        self.minute.widest_ms = minute[0]
        self.minute.counts = list(minute[1])
        self.minute.gas = list(minute[2])
        self.minute.flow = list(minute[3])
        self.hour = stack_hours.HourSums(0)
        self.hour.restore(hour)
        self.book.gap = [list(run) for run in gap]
        self.last_seen = None
        self.last_good = None if last_ms < 0 else (_NO_BOOT, 0, last_ms)


def _stepped(last: tuple[int, int, int], mono_ms: int, wall_ms: int) -> bool:
    return abs((wall_ms - last[2]) - (mono_ms - last[1])) > STEP_MS
