"""Finding out which registers a station refuses to have read along with others.

Merged reads run over gaps between points. Some stations answer such a read with exception 2 or 3
because of one register that does not exist. A hunt asks small questions about the refused block
until it knows the holes one by one, so that every other merge stays.
"""

from edge.core.bus.block import Block, Learned
from edge.core.bus.points import Point, width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Hunt:
    """Questions about one refused block: ask `question`, tell `answer`, until it is None."""

    def __init__(self, block: Block, points: "Sequence[Point]") -> None:
        """points: that the block was to bring, ascending."""
        self._count = block.count
        self._runs = _runs_of(points)
        self._good: list[tuple[Point, ...]] = []
        self._missing: list[str] = []
        self._holes: list[tuple[int, int, int]] = []
        self._gap = 0

    def question(self) -> tuple[int, int, int] | None:
        """The next read to try, as (function, address, count); None when all is known.

        First each run of touching points by itself, then each gap with its two neighbours.
        """
        if self._runs:
            return _span(self._runs[0])
        if self._gap + 1 < len(self._good):
            return _span((self._good[self._gap][-1], self._good[self._gap + 1][0]))
        return None

    def answer(self, accepted: bool) -> None:
        """The station took (True) or refused (False) the read that was asked."""
        if self._runs:
            run = self._runs.pop(0)
            if accepted:
                self._good.append(run)
            elif len(run) == 1:
                self._missing.append(run[0].name)
            else:
                half = len(run) // 2
                self._runs = [run[:half], run[half:]] + self._runs
            return
        if not accepted:
            before, after = self._good[self._gap][-1], self._good[self._gap + 1][0]
            first, last = before.address + width(before), after.address - 1
            # No gap: both are there, but not in one read. The seam is then the first register.
            self._holes.append((before.function, min(first, last + 1), last))
        self._gap += 1

    def learned(self) -> Learned:
        """What came out. Without hole and without missing point the block was too long."""
        limit = 0
        if not self._holes and not self._missing:
            limit = max(1, self._count // 2)
        return Learned(tuple(self._holes), tuple(self._missing), limit)


def points_in(block: Block, points: "Sequence[Point]", missing: tuple[str, ...]) -> list[Point]:
    """Of a device's points those that a block brings, without the missing ones."""
    return [
        point
        for point in points
        if point.function == block.function
        and block.address <= point.address < block.address + block.count
        and point.name not in missing
    ]


def _runs_of(points: "Sequence[Point]") -> list[tuple[Point, ...]]:
    """Points that touch each other, ascending."""
    runs: list[tuple[Point, ...]] = []
    end = -1
    for point in points:
        if runs and point.address <= end:
            runs[-1] = runs[-1] + (point,)
        else:
            runs.append((point,))
        end = max(end, point.address + width(point))
    return runs


def _span(points: tuple[Point, ...]) -> tuple[int, int, int]:
    first = points[0].address
    end = max(point.address + width(point) for point in points)
    return points[0].function, first, end - first


def merge_learned(before: Learned, new: Learned) -> Learned:
    """Add what a hunt found to what was known."""
    holes = before.holes + tuple(hole for hole in new.holes if hole not in before.holes)
    missing = before.missing + tuple(name for name in new.missing if name not in before.missing)
    limits = [limit for limit in (before.limit, new.limit) if limit]
    return Learned(holes, missing, min(limits) if limits else 0)
