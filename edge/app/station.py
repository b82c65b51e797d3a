"""One device on its bus: what to read, what has come of the poll under way, what it has taught."""

from collections import namedtuple

from edge.app.config import Bus, Device
from edge.core.bus.confirm import Confirm
from edge.core.bus.holes import Learned, merge_learned
from edge.core.bus.patience import Patience
from edge.core.bus.plain import plan_rule, read_plain
from edge.core.bus.plan import Block, Timing, line_timing, plan_blocks
from edge.core.bus.profile import Point, width
from edge.core.errors import TallyError
from edge.core.numbers.quality import Quality, of_error

NOTHING_LEARNED = Learned((), (), 0)

#: One look at a device: values in table order, qualities of those not good, raw registers of those
#: marked evidence; the latter two by point index.
Look = namedtuple("Look", ("values", "qualities", "evidence"))


class Station:
    """A device while it is polled.

    conflict: polls that are still not believed because two devices answered as this station.
    learned: what it refused so far; taught: something new is in there. answered: the station said
    anything at all in the poll under way; error: the first of that poll.
    """

    def __init__(
        self,
        number: int,
        device: Device,
        timing: Timing,
        patience: Patience,
        learned: Learned = NOTHING_LEARNED,
        blocks: tuple[Block, ...] = (),
    ) -> None:
        """blocks: those of a station that has taught nothing, where they are known already."""
        self.number = number
        self.device = device
        self.patience = patience
        self.confirm = Confirm(device.points)
        self.learned = learned
        self.taught = False
        self.conflict = 0
        #: Per point: where it is, and how it is read where it is plain.
        self._places, self._rules = _read_plan(device)
        self._evidence = tuple([at for at, p in enumerate(device.points) if p.evidence])
        self.remembered: tuple[Learned, int] | None = None
        self.polls = 0
        self.failures = 0
        self.answered = False
        self.error: TallyError | None = None
        self._timing = timing
        #: What the poll under way has read, the newest last.
        self._reads: list[tuple[Block, tuple[int, ...]]] = []
        self._failed: list[tuple[Block, TallyError]] = []
        self.blocks = blocks
        if not blocks or learned != NOTHING_LEARNED:
            self._plan()

    def _plan(self) -> None:
        points = tuple(p for p in self.device.points if p.name not in self.learned.missing)
        # A station that refuses everything is asked for everything: it may be another day's fault.
        points = points or tuple(self.device.points)
        self.blocks = plan_blocks(
            points, self.device.profile, self._timing, self.learned.holes, self.learned.limit
        )

    def learn(self, found: Learned) -> None:
        """Take in what a hunt found; the next poll is planned with it."""
        self.learned = merge_learned(self.learned, found)
        self.taught = True
        self._plan()

    def begin(self) -> None:
        """A poll begins."""
        self.answered = False
        self.error = None
        self.forget()

    def forget(self) -> None:
        """What was read and what failed is not needed any more."""
        self._reads = []
        self._failed = []

    def take(self, block: Block, registers: tuple[int, ...]) -> None:
        """A block was read."""
        self.answered = True
        self._reads.append((block, registers))

    def fail(self, block: Block, error: TallyError) -> None:
        """A block was not read."""
        if error.code.startswith("device."):
            self.answered = True
        if self.error is None:
            self.error = error
        self._failed.append((block, error))

    def blocks_of(self, indices: list[int]) -> list[Block]:
        """The blocks that bring these points; what was read of them is forgotten."""
        wanted = [self._places[index] for index in indices]
        blocks = [block for block in self.blocks if any(_brings(block, place) for place in wanted)]
        self._reads = [
            read for read in self._reads if not any(_meet(read[0], block) for block in blocks)
        ]
        return blocks

    def _read_of(self, place: int, span: int) -> tuple[int, tuple[int, ...]]:
        """The newest read that has so many registers from a place on: (its place, registers).

        It has no registers where there is none.
        """
        for at in range(len(self._reads) - 1, -1, -1):
            block, registers = self._reads[at]
            first = place_of(block)
            if first <= place <= first + len(registers) - span:
                return first, registers
        return 0, ()

    def decode(self) -> Look:
        """What was read, point by point."""
        values: list[int | None] = [None] * len(self._rules)
        qualities: dict[int, int] = {}
        first = 0
        registers: tuple[int, ...] = ()
        for index in range(len(values)):
            rule = self._rules[index]
            at = self._places[index] - first
            if rule is None or at < 0 or at + rule[0] > len(registers):
                span = self.device.points[index].span if rule is None else rule[0]
                first, registers = self._read_of(self._places[index], span)
                at = self._places[index] - first
            if not registers:
                qualities[index] = self._why_not(index)
                continue
            value = None if rule is None else read_plain(rule, registers, at)
            if value is None:
                value = self._by_profile(index, registers, at, qualities)
            values[index] = value
        return Look(values, qualities, self._raw())

    def _by_profile(
        self, index: int, registers: tuple[int, ...], at: int, qualities: dict[int, int]
    ) -> int | None:
        """The value of a point by the rules for all of them; its quality goes to `qualities`."""
        point = self.device.points[index]
        part = registers[at : at + width(point)]
        value: int | None
        value, quality = self.device.profile.decode(point, part)
        if quality != Quality.GOOD:
            qualities[index] = quality
        return value

    def _raw(self) -> dict[int, bytes]:
        """The raw registers of those marked evidence, where they were read."""
        evidence: dict[int, bytes] = {}
        for index in self._evidence:
            span = width(self.device.points[index])
            first, registers = self._read_of(self._places[index], span)
            if registers:
                at = self._places[index] - first
                part = registers[at : at + span]
                evidence[index] = b"".join([bytes((r >> 8, r & 0xFF)) for r in part])
        return evidence

    def _why_not(self, index: int) -> int:
        """Why a point was not read: the error of its own block, else what ended the poll."""
        missing = self.learned.missing
        if missing and self.device.points[index].name in missing:
            return Quality.EXCEPTION
        for block, error in self._failed:
            if _brings(block, self._places[index]):
                return of_error(error.code)
        # The first error is told; the last one is what kept the rest from being asked.
        return of_error(self._failed[-1][1].code) if self._failed else Quality.TIMEOUT


def place_of(read: "Point | Block") -> int:
    """Where a point or a read begins: one number, far apart for different functions."""
    return int(read.function << 17 | read.address)


def _brings(block: Block, place: int) -> bool:
    """True when a block has the place of a point."""
    return bool(0 <= place - place_of(block) < block.count)


def _read_plan(device: Device) -> tuple[tuple[int, ...], tuple[tuple | None, ...]]:
    """(place, rule) of each point; equal rules are one object."""
    known: dict[object, tuple | None] = {}
    places, rules = [], []
    for point in device.points:
        rule = plan_rule(point, device.profile)
        places.append(place_of(point))
        rules.append(known.setdefault(rule, rule))
    return tuple(places), tuple(rules)


def _meet(one: Block, other: Block) -> bool:
    """True when two blocks have a register in common."""
    shared = min(one.address + one.count, other.address + other.count)
    shared -= max(one.address, other.address)
    return bool(one.function == other.function and shared > 0)


def plan_station(
    number: int,
    device: Device,
    bus: Bus,
    bits: int,
    learned: Learned = NOTHING_LEARNED,
    remembered_ms: int | None = None,
    blocks: tuple[Block, ...] = (),
) -> Station:
    """A station with its reads planned for the bus; bits: per character on the wire.

    blocks: see `Station`.
    """
    patience = Patience(bus.reply_timeout_ms, remembered_ms)
    station = Station(number, device, line_timing(bus.baud, bits), patience, learned, blocks)
    if remembered_ms is not None:
        station.remembered = (learned, remembered_ms)
    return station
