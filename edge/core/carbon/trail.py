"""One figure of an interval as a chain that anybody can follow, from its records alone.

Registers -> moves that counted and moves that did not -> C at both ends -> product on each basis
-> rounding -> the figure, and whether the record says the same. Texts are the caller's.
"""

from collections import namedtuple

from edge.core.carbon.counter import Counter, Limits
from edge.core.carbon.interval import (
    ACTIVITY,
    CUMULATIVE,
    EMISSION,
    NUMBER,
    OTHERS,
    REST,
    STATE,
    TIMES,
)
from edge.core.carbon.streams import KINDS, TARIFF
from edge.core.errors import DataError
from edge.core.journal.clock import ClockQuality
from edge.core.journal.record import Kind, Part, Record
from edge.core.numbers.fixed import div_round
from edge.core.numbers.quality import Quality

MS_PER_HOUR = 3_600_000

#: One reading of the stream's register. move: what it added to C, None when it was not counted;
#: told: codes of the events it caused, or counter.swap for an operator's step.
Step = namedtuple("Step", ("seq", "wall_ms", "register", "move", "told"))

#: The product on one basis: R(end x numerator / denominator) - R(start x ...), times sign.
Product = namedtuple(
    "Product",
    (
        "basis",
        "factor",
        "factor_digest",
        "numerator",
        "denominator",
        "sign",
        "start_mg",
        "end_mg",
        "emission_mg",
        "recorded_mg",
    ),
)


class Trail:
    """The chain of one stream in one interval.

    start, end: C as (whole, rest); steps: of a counter; parts: of a virtual meter, as (name,
    weight, C at the start, C at the end); unit, places: of the register; products: one for each
    basis, the main one first. is_same: everything recomputed is what is recorded.
    """

    def __init__(self, definition: list, entry: list) -> None:
        self.definition = definition
        self.entry = entry
        self.name: str = definition[2]
        self.unit = ""
        self.places = 0
        self.start: tuple[int, int] | None = None
        self.end: tuple[int, int] = (entry[CUMULATIVE] or 0, entry[REST])
        self.steps: list[Step] = []
        self.parts: list[tuple[str, int, int, int]] = []
        self.products: list[Product] = []
        self.recomputed: int | None = None
        #: State of the sums by tariff at both ends, see `timed`.
        self.times: tuple[list, list] = ([], [])

    @property
    def is_same(self) -> bool:
        """True when the count and every emission come out as recorded."""
        if self.recomputed is not None and self.recomputed != self.end[0]:
            return False
        return all(product.emission_mg == product.recorded_mg for product in self.products)


class Book:
    """The definitions of a journal: what its numbers mean."""

    def __init__(self, parts: list[list]) -> None:
        """parts: of all TABLE records, in order."""
        self.streams = {part[1]: part for part in parts if part[0] == Part.STREAM}
        self._devices = [part for part in parts if part[0] == Part.DEVICE]

    def readings_of(self, owner: str, point: str) -> dict[int, tuple[int, str, int]]:
        """Device number -> (point index, unit, places) of every device that brings the point."""
        found: dict[int, tuple[int, str, int]] = {}
        for is_exact in (True, False):
            for part in self._devices:
                is_own = part[2] == owner if is_exact else part[2].startswith(owner + "-")
                names = [item[0] for item in part[8]]
                if is_own and point in names:
                    at = names.index(point)
                    found[part[1]] = (at, part[8][at][1], part[8][at][2])
            if found:
                break
        return found

    def device(self, number: int) -> list:
        """The definition of a device."""
        found: list = [part for part in self._devices if part[1] == number][0]
        return found

    def places_of(self, owner: str, point: str) -> list[tuple[int, int, list]]:
        """(device number, point index, definition) of devices with the point, the newest first."""
        known = self.readings_of(owner, point)
        numbers = sorted(known, key=lambda number: -number)
        return [(number, known[number][0], self.device(number)) for number in numbers]

    def ancestors(self, definition: list) -> list[int]:
        """Numbers that counted the same source under the same name, the newest first."""
        same = [
            number
            for number in self.streams
            if self.streams[number][2] == definition[2]
            and self.streams[number][11] == definition[11]
        ]
        return sorted(same, key=lambda number: -number)

    def number_of(self, name: str, numbers: list[int]) -> int:
        """Which of an interval's stream numbers is `name`; DataError when none is."""
        for number in numbers:
            if number in self.streams and self.streams[number][2] == name:
                return number
        raise DataError("data.range", what="stream of this interval", value=name)


def follow(
    book: Book, name: str, before: Record | None, polls: list[Record], interval: Record
) -> Trail:
    """The chain of stream `name` in `interval`.

    before: the interval record before, None for the first one. polls: every record between the
    two, TABLE records included, in order.
    Raises DataError "data.range" for a stream that is not in the interval.
    """
    entries = {entry[NUMBER]: entry for entry in interval.body[2]}
    number = book.number_of(name, sorted(entries, key=int))
    trail = Trail(book.streams[number], entries[number])
    earlier = {} if before is None else {entry[NUMBER]: entry for entry in before.body[2]}
    definition = trail.definition
    trail.times = (_times(_ancestor(book, definition, earlier)), _times(trail.entry))
    if len(definition) > 17 and definition[17]:
        _follow_sum(book, trail, entries, earlier)
    elif len(definition) > 15 and definition[15] is not None:
        _follow_counter(book, trail, _ancestor(book, definition, earlier), polls)
    else:
        old = _ancestor(book, definition, earlier)
        trail.start = (0, 0) if old is None else (old[CUMULATIVE], old[REST])
        trail.unit = "mg"
    _multiply(trail)
    return trail


def _ancestor(book: Book, definition: list, earlier: dict[int, list]) -> list | None:
    """The stream's entry in the interval before, under its number or that of a predecessor."""
    if definition[1] in earlier and earlier[definition[1]][CUMULATIVE] is not None:
        return earlier[definition[1]]
    for number in sorted(earlier, key=int):
        other = book.streams.get(number)
        if other is None or earlier[number][CUMULATIVE] is None:
            continue
        if other[2] == definition[2] and other[11] == definition[11]:
            return earlier[number]
    return None


def _follow_counter(book: Book, trail: Trail, old: list | None, polls: list[Record]) -> None:
    limits = trail.definition[15]
    counter = Counter(Limits(limits[0], limits[1], limits[2] == 1, limits[3]), 0)
    if old is not None:
        counter.restore(old[CUMULATIVE], old[STATE] if len(old) > STATE else [])
        trail.start = (old[CUMULATIVE], 0)
    owner, point = trail.definition[16][0]
    places = book.readings_of(owner, point)
    for record in polls:
        if record.kind == Kind.TABLE:
            for part in record.body:
                if part[0] == Part.SWAP and part[1] == owner and part[2] == point:
                    _swap(trail, counter, record, part)
        elif record.kind == Kind.POLL and record.body[0] in places:
            at, trail.unit, trail.places = places[record.body[0]]
            _take(trail, counter, record, at)
    trail.recomputed = counter.total


def _swap(trail: Trail, counter: Counter, record: Record, part: list) -> None:
    before = counter.total
    counter.swap(part[3], part[4])
    move = None if before is None or counter.total is None else counter.total - before
    trail.steps.append(Step(record.seq, record.wall_ms, part[4], move, ["counter.swap"]))


def _take(trail: Trail, counter: Counter, record: Record, at: int) -> None:
    _, values, flat, _ = record.body
    qualities = {flat[i]: flat[i + 1] for i in range(0, len(flat), 2)}
    value = values[at]
    quality = qualities.get(at, Quality.GOOD)
    if value is None or quality not in (Quality.GOOD, Quality.BACKWARDS, Quality.UNCONFIRMED):
        return
    before = counter.total
    wall_ms = None if record.clock == ClockQuality.UNSET else record.wall_ms
    counted = counter.take(value, record.boot, record.mono_ms, wall_ms)
    if before is None:
        trail.start = (value, 0)
        before = value
    told = [event.code for event in counter.events if event.code != "data.gap"]
    counter.events = []
    total = before if counter.total is None else counter.total
    move = total - before if counted else None
    trail.steps.append(Step(record.seq, record.wall_ms, value, move, told))


def _follow_sum(
    book: Book, trail: Trail, entries: dict[int, list], earlier: dict[int, list]
) -> None:
    """A virtual meter: the counts of its parts at both ends, each with its weight."""
    start = end = 0
    for number, weight in trail.definition[17]:
        part = book.streams[number]
        old = _ancestor(book, part, earlier)
        last = entries[number][CUMULATIVE] or 0
        first = last if old is None else old[CUMULATIVE]
        trail.parts.append((part[2], weight, first, last))
        start += weight * first
        end += weight * last
    old = _ancestor(book, trail.definition, earlier)
    trail.start = (start, 0) if old is not None else None
    trail.unit = trail.definition[5]
    trail.recomputed = end


def _multiply(trail: Trail) -> None:
    """The product on every basis, from C at both ends."""
    definition, entry = trail.definition, trail.entry
    if entry[CUMULATIVE] is None or trail.start is None:
        return
    sign = KINDS[definition[3]].emission
    rates: list[list] = [["" if len(definition) < 13 else definition[12]] + definition[6:10]]
    recorded = [entry[EMISSION]]
    if len(definition) > 13:
        rates += definition[13]
        recorded += entry[OTHERS] if len(entry) > OTHERS else []
    timed = 0
    for (basis, up, down, factor, digest), figure in zip(rates, recorded):
        if factor.startswith(TARIFF):
            start_mg, end_mg = [_summed(times, timed, down) for times in trail.times]
            timed += 1
        else:
            start_mg = _rounded(trail.start, up, down)
            end_mg = _rounded(trail.end, up, down)
        emission_mg = sign * (end_mg - start_mg)
        head = (basis, factor, digest, up, down, sign, start_mg, end_mg)
        trail.products.append(Product(*head, emission_mg, figure))


def _times(entry: list | None) -> list:
    return entry[TIMES] if entry is not None and len(entry) > TIMES else []


def _summed(times: list, place: int, down: int) -> int:
    """R(sum) in mg by a tariff; 0 where no interval before had one."""
    if place >= len(times):
        return 0
    whole, rest = times[place][:2]
    return div_round(whole * down + rest, down)


def _rounded(count: tuple[int, int], up: int, down: int) -> int:
    return div_round((count[0] * MS_PER_HOUR + count[1]) * up, down * MS_PER_HOUR)


def activity_of(trail: Trail) -> int | None:
    """The recorded activity, in the stream's unit."""
    found: int | None = trail.entry[ACTIVITY]
    return found
