"""Cumulative registers to true deltas: what flowed is counted, everything else is told apart.

A move of the register counts when it could have flowed: at most the rated power (x 1.1) times the
time since the register last moved. What cannot be true is held, named by an event with both
readings, and not counted; the invariant is

    sum of accepted deltas = last register - first register

exactly, across glitches, with the modulus added at each rollover and the operator's figures at
each swap. Held readings lose nothing: once the truth is known, the count goes on from it.

Events: data.backwards, data.jump (held, first sight), data.glitch (it came back), data.rollover
(two readings beyond the modulus agree), data.surge (faster than ever, three readings agree:
counted), data.reset, data.ratio, data.level (three readings agree: held until an operator
confirms), data.gap (not read for a while).
"""

from collections import namedtuple

from edge.core.carbon.moments import elapsed_between, ratio_of
from edge.core.errors import DataError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: How a register may move. modulus: where it rolls over, a mantissa, or None; most_per_h: what can
#: flow in an hour, as a mantissa; is_rated: that limit was configured, not assumed; step: what the
#: register moves by at least.
Limits = namedtuple("Limits", ("modulus", "most_per_h", "is_rated", "step"))

#: So many readings that agree make a new level; fewer are a glitch.
AGREE = 3

#: Without a rating, a register may move so many times faster than it ever did, once it has moved
#: LEARNED times.
SURGE_FACTOR = 20
LEARNED = 10

#: A rating may be exceeded by a tenth (11/10 below).
_OVER = 11
_HOUR_TENTHS_MS = 36_000_000

#: A rollover may not be guessed from a move above a tenth of the modulus.
_ROLLOVER_PART = 10

GAP_PERIODS = 3
GAP_MIN_MS = 60_000


class Flag:
    """What happened to a stream in an interval; bits of an interval's entry."""

    GAP = 1  # a part of the time was not read; the count caught up
    LATE = 2  # a reading of an earlier interval by its time is counted in this one
    HELD = 4  # the register shows what cannot be true: it is not counted
    STEP = 8  # a rollover, a swap or a surge was counted
    SUBSTITUTED = 16  # a part is substituted, not measured


class Counter:
    """One register's count.

    total: first register + accepted deltas, None before a reading. events: what is told since
    whoever takes them has put an empty tuple there.
    """

    def __init__(self, limits: Limits, poll_ms: int) -> None:
        self.limits = limits
        self.gap_ms = max(GAP_PERIODS * poll_ms, GAP_MIN_MS)
        self.total: int | None = None
        self.register = 0
        self.flags = 0
        self.events: Sequence[DataError] = ()
        self._moved: tuple[int, int, int | None] = (0, 0, None)  # boot, mono_ms, wall_ms
        self._seen: tuple[int, int, int | None] = (0, 0, None)
        self._moves = 0
        self._fastest_per_h = 0
        self._is_proven = False  # a second reading agreed with the first
        #: (first, last, boot, mono_ms, wall_ms, readings, told) of a level that is held; told:
        #: the code of the event that names it
        self._held: tuple | None = None

    def take(self, register: int, boot: int, mono_ms: int, wall_ms: int | None) -> bool:
        """Take a reading in; False when it is held and not counted. Fills `events`."""
        now = (boot, mono_ms, wall_ms)
        seen, self._seen = self._seen, now
        if self.total is None:
            self.total = self.register = register
            self._moved = now
            return True
        gap_ms = mono_ms - seen[1] if boot == seen[0] else elapsed_between(seen, now)
        if gap_ms is None or gap_ms > self.gap_ms:
            self._tell_gap(register, gap_ms)
        delta = register - self.register
        if self._held is None:
            if delta == 0:
                self._is_proven = True
                return True
            if delta > 0 and boot == self._moved[0] and self._moves >= LEARNED:
                fastest_per_h = self._fastest_per_h
                if fastest_per_h <= self.limits.most_per_h:
                    if delta * 3_600_000 < fastest_per_h * (mono_ms - self._moved[1]):
                        # What the general case below comes to, for nearly every reading.
                        self.total += delta
                        self.register = register
                        self._moved = now
                        return True
        if delta >= 0 and self._could_flow(delta, self._moved, now):
            if self._held is not None:
                self._release(register)
            self._count(delta, register, now)
            return True
        return self._odd(register, now)

    def _could_flow(
        self, delta: int, since: tuple[int, int, int | None], now: tuple[int, int, int | None]
    ) -> bool:
        """True when `delta` fits the limit, and what was learned, for the time since `since`."""
        elapsed_ms = now[1] - since[1] if now[0] == since[0] else elapsed_between(since, now)
        if elapsed_ms is None:
            return True  # nobody knows how long: a gap, and it is told as one
        spare = self._tenths(delta)
        if spare > self.limits.most_per_h * elapsed_ms * _OVER:
            return False
        if self.limits.is_rated or self._moves < LEARNED:
            return True
        return spare <= SURGE_FACTOR * 10 * self._fastest_per_h * (elapsed_ms + 1000)

    def _tenths(self, delta: int) -> int:
        """What must have flowed for `delta`, resolution aside; over 10 x ms per hour."""
        # Two steps, and two units in the last place of a register held as a 32-bit float.
        slack = 2 * self.limits.step + (abs(self.register) >> 22)
        return int((delta - slack) * _HOUR_TENTHS_MS)

    def _count(self, delta: int, register: int, now: tuple[int, int, int | None]) -> None:
        if delta:
            elapsed_ms = elapsed_between(self._moved, now)
            if elapsed_ms:
                speed = delta * 3_600_000 // elapsed_ms + 1
                if speed > self._fastest_per_h:
                    self._fastest_per_h = speed
            self._moves = min(self._moves + 1, LEARNED)
            self._moved = now
        if self.total is not None:
            self.total += delta
        self.register = register
        self._is_proven = True

    def _odd(self, register: int, now: tuple[int, int, int | None]) -> bool:
        """A reading that cannot simply have flowed: a rollover, or a level that is held."""
        held = self._held
        if held is not None and register >= held[1]:
            since = (held[2], held[3], held[4])
            if self._could_flow(register - held[1], since, now):
                if self._is_rollover(register, now):
                    self._roll_over(register, now)
                    return True
                self._held = (held[0], register) + now + (held[5] + 1, held[6])
                return held[5] + 1 >= AGREE and self._settle(register, now)
        told = "" if held is None else held[6]
        self._held = (register, register) + now + (1, told)
        # Near the modulus a momentary zero looks like a rollover: the next reading tells.
        if not told and not self._is_rollover(register, now):
            self._once("data.backwards" if register < self.register else "data.jump", register)
        return False

    def _is_rollover(self, register: int, now: tuple[int, int, int | None]) -> bool:
        """True when the register may have passed its modulus on the way to this reading."""
        modulus = self.limits.modulus
        if modulus is None or not 0 <= register < self.register < modulus:
            return False
        delta = register + modulus - self.register
        return delta * _ROLLOVER_PART <= modulus and self._could_flow(delta, self._moved, now)

    def _roll_over(self, register: int, now: tuple[int, int, int | None]) -> None:
        modulus = self.limits.modulus
        self._tell("data.rollover", register, modulus=modulus)
        self.flags |= Flag.STEP
        self._held = None
        self._count(register + modulus - self.register, register, now)

    def _settle(self, register: int, now: tuple[int, int, int | None]) -> bool:
        """A level has held: count it when it may be counted unasked, else name it once."""
        first = 0 if self._held is None else self._held[0]
        if not self._is_proven:
            # One odd reading against three that agree: the first one was the glitch.
            self._tell("data.glitch", first, after=register)
            self.register = first
            self._held = None
            self._count(register - first, register, now)
            return True
        if register > self.register and not self.limits.is_rated:
            elapsed_ms = elapsed_between(self._moved, now)
            spare = self._tenths(register - self.register)
            if elapsed_ms and spare <= self.limits.most_per_h * elapsed_ms * _OVER:
                self._tell("data.surge", register)
                self.flags |= Flag.STEP
                self._held = None
                self._count(register - self.register, register, now)
                return True
        ratio = ratio_of(first, self.register)
        if ratio is not None:
            self._once("data.ratio", first, ratio="%d/%d" % ratio)
        elif first < self.register and self._could_flow(first, self._moved, now):
            self._once("data.reset", first)
        else:
            self._once("data.level", first)
        return False

    def swap(self, old: int | None, new: int) -> None:
        """An operator confirms that the register went from `old` to `new` without a flow.

        old: the last register before the change, None when it is the last one read.
        Raises DataError "data.range" when `old` is below what was counted already.
        """
        if self.total is None:
            return
        if old is not None and old < self.register:
            raise DataError("data.range", what="old register of a swap", value=old)
        if old is not None:
            self.total += old - self.register
        self.register = new
        self.flags |= Flag.STEP
        self._is_proven = True
        self._held = None

    @property
    def is_held(self) -> bool:
        """True while the register shows a level that is not counted."""
        return self._held is not None

    @property
    def held_from(self) -> int | None:
        """The first register of the level that is held, None when none is."""
        return None if self._held is None else int(self._held[0])

    def _release(self, register: int) -> None:
        held = self._held
        if held is not None:
            self._tell("data.glitch", held[0], after=register)
        self._held = None

    def _once(self, code: str, register: int, **fields: object) -> None:
        """Tell what is held, unless it was the last that was told of it."""
        held = self._held
        if held is not None and held[6] != code:
            self._held = held[:6] + (code,)
            self._tell(code, register, **fields)

    def _tell_gap(self, register: int, gap_ms: int | None) -> None:
        self.flags |= Flag.GAP
        self._tell("data.gap", register, elapsed_ms=gap_ms)

    def _tell(self, code: str, register: int, **fields: object) -> None:
        event = DataError(code, before=self.register, value=register, **fields)
        self.events = list(self.events) + [event]

    def state(self) -> list[object]:
        """Everything but the total, as a record keeps it; `restore` takes it back.

        [register, moves, fastest_per_h, proven, moved, seen, held, told], moments as [boot,
        mono_ms, wall_ms]; seen is None when it is moved.
        """
        held = self._held
        return [
            self.register,
            self._moves,
            self._fastest_per_h,
            1 if self._is_proven else 0,
            self._moved,
            None if self._seen == self._moved else self._seen,
            None if held is None else held[:6],
            "" if held is None else held[6],
        ]

    def restore(self, total: int, state: list) -> None:
        """Go on as the counter that gave `state`; an empty one knows only its total."""
        self.total = total
        self.register = total
        if not state:
            self._is_proven = True
            return
        self.register, self._moves, self._fastest_per_h, proven, moved, seen, held, told = state
        self._is_proven = proven == 1
        self._moved = (moved[0], moved[1], moved[2])
        self._seen = self._moved if seen is None else (seen[0], seen[1], seen[2])
        self._held = None if held is None else tuple(held) + (told,)
