"""What is done about a poll that is not whole, or brings what is odd."""

from edge.app.station import place_of
from edge.core.bus.second_look import settle
from edge.core.numbers.quality import Quality, of_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.app.reading import Look, Reading
    from edge.app.station import Station
    from edge.core.bus.block import Block


def tell_why(
    reading: "Reading", station: "Station", values: list[int | None], qualities: dict[int, int]
) -> None:
    """The qualities of points that were not read."""
    for index, value in enumerate(values):
        if value is None and index not in qualities:
            qualities[index] = _why_not(reading, station, index)


def _why_not(reading: "Reading", station: "Station", index: int) -> int:
    """Why a point was not read: the error of its own block, else what ended the poll."""
    missing = station.learned.missing
    if missing and station.device.points[index].name in missing:
        return Quality.EXCEPTION
    failed = reading.failed
    for block, error in failed:
        if _brings(block, station.layout.places[index]):
            return of_error(error.code)
    # The first error is told; the last one is what kept the rest from being asked.
    return of_error(failed[-1][1].code) if failed else Quality.TIMEOUT


def read_again(reading: "Reading", station: "Station", indices: list[int]) -> "list[Block]":
    """The blocks that bring these points; what was read of them is forgotten."""
    wanted = [station.layout.places[index] for index in indices]
    blocks = [block for block in station.blocks if any(_brings(block, at) for at in wanted)]
    reading.reads = [
        read for read in reading.reads if not any(_meet(read[0], block) for block in blocks)
    ]
    return blocks


def settled(first: "Look", second: "Look", suspects: list[int]) -> "Look":
    """The first look, with what the second says about the suspects."""
    settle(first.values, second.values, suspects, first.qualities)
    for index in suspects:
        if index in second.evidence:
            first.evidence[index] = second.evidence[index]
    return first


def points_of(station: "Station", block: "Block") -> int:
    """How many points of a station have their place in a block."""
    return sum([_brings(block, place) for place in station.layout.places])


def _brings(block: "Block", place: int) -> bool:
    """True when a block has the place of a point."""
    return bool(0 <= place - place_of(block) < block.count)


def _meet(one: "Block", other: "Block") -> bool:
    """True when two blocks have a register in common."""
    shared = min(one.address + one.count, other.address + other.count)
    shared -= max(one.address, other.address)
    return bool(one.function == other.function and shared > 0)
