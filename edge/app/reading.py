"""What a poll under way has brought of one device, and what its points are by that."""

from collections import namedtuple

from edge.app.station import place_of
from edge.core.bus.plain import NOT_PLAIN, read_plain, why_none
from edge.core.numbers.quality import Quality

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.app.station import Station
    from edge.core.bus.block import Block
    from edge.core.errors import TallyError

#: One look at a device: values in table order, qualities of those not good, raw registers of those
#: marked evidence; the latter two by point index.
Look = namedtuple("Look", ("values", "qualities", "evidence"))


class Reading:
    """One poll after the other, of one station each.

    station: whose poll is under way, None between two. answered: it said anything at all; error:
    the first one. reads: what was read, the newest last; failed: what was not.
    """

    def __init__(self) -> None:
        self.station: Station | None = None
        self.answered = False
        self.error: TallyError | None = None
        self.reads: list[tuple[Block, tuple[int, ...]]] = []
        self.failed: list[tuple[Block, TallyError]] = []

    def begin(self, station: "Station | None") -> None:
        """A poll of this station begins, or none; what was read of the last one is forgotten."""
        self.station = station
        self.answered = False
        self.error = None
        self.reads.clear()
        self.failed.clear()

    def take(self, block: "Block", registers: tuple[int, ...]) -> None:
        """A block was read."""
        self.answered = True
        self.reads.append((block, registers))

    def fail(self, block: "Block", error: "TallyError") -> None:
        """A block was not read."""
        if error.code.startswith("device."):
            self.answered = True
        if self.error is None:
            self.error = error
        self.failed.append((block, error))

    def _read_of(self, place: int, span: int) -> tuple[int, tuple[int, ...]]:
        """The newest read that has so many registers from a place on: (its place, registers).

        It has no registers where there is none.
        """
        for at in range(len(self.reads) - 1, -1, -1):
            block, registers = self.reads[at]
            first = place_of(block)
            if first <= place <= first + len(registers) - span:
                return first, registers
        return 0, ()

    def decode(self, station: "Station") -> Look:
        """What was read, point by point."""
        places, rules, evidence, _ = station.layout
        values: list[int | None] = [None] * len(places)
        qualities: dict[int, int] = {}
        first = 0
        registers: tuple[int, ...] = ()
        is_whole = True
        for index in range(len(values)):
            rule = rules[index]
            at = places[index] - first
            if at < 0 or at + rule[0] > len(registers):
                first, registers = self._read_of(places[index], rule[0])
                at = places[index] - first
            if not registers:
                is_whole = False
                continue
            if rule[1] == NOT_PLAIN:
                part = registers[at : at + rule[0]]
                values[index] = _by_profile(station, index, part, qualities)
                continue
            value = values[index] = read_plain(rule, registers, at)
            if value is None:
                qualities[index] = why_none(rule, registers, at)
        if not is_whole:
            from edge.app.doubt import tell_why

            tell_why(self, station, values, qualities)
        raw = self._raw(places, evidence) if evidence else {}
        return Look(values, qualities, raw)

    def _raw(self, places: tuple[int, ...], evidence: tuple) -> dict[int, bytes]:
        """The raw registers of those marked evidence, where they were read."""
        found: dict[int, bytes] = {}
        for index, span in evidence:
            first, registers = self._read_of(places[index], span)
            if registers:
                at = places[index] - first
                part = registers[at : at + span]
                found[index] = b"".join([bytes((r >> 8, r & 0xFF)) for r in part])
        return found


def _by_profile(
    station: "Station", index: int, registers: tuple[int, ...], qualities: dict[int, int]
) -> int | None:
    """The value of a point by the rules for all of them; its quality goes to `qualities`."""
    from edge.core.bus.decode import decode_point

    device = station.device
    value, quality = decode_point(device.profile, device.points[index], registers)
    if quality != Quality.GOOD:
        qualities[index] = quality
    return value
