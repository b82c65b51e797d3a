"""A virtual meter: a weighted sum of other streams' counts."""

from edge.core.carbon.interval import CUMULATIVE
from edge.core.carbon.tally import CounterTally, Tally, polls_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.core.carbon.tally import Shut


class VirtualTally(Tally):
    """Its `parts` are set by whoever knows all streams. It has to be shut before they are."""

    def count(self) -> int | None:
        total = 0
        for tally, weight in self.parts:
            part = tally.count()
            if part is None:
                return None
            total += weight * (part // tally.SCALE)
        return total

    def begin(self) -> bool:
        """The first moment at which every part has a count is where this one starts."""
        if self.start is None:
            self.start = self.count()
        return self.start is not None

    def shut(self, span_ms: int, end_ms: int) -> "Shut | tuple":
        good = expected = flags = 0
        for tally, _ in self.parts:
            part, due = polls_of(tally, span_ms)
            good, expected = good + part, expected + due
            flags |= tally.counter_flags() if isinstance(tally, CounterTally) else tally.flags
        return good, expected, flags, 0, [], []

    def restore(self, entry: list) -> None:
        self.start = entry[CUMULATIVE]
