"""One device on its bus: what to read and how, and what it has done and taught so far."""

from collections import namedtuple

from edge.core.bus.block import NOTHING_LEARNED
from edge.core.bus.confirm import Confirm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.app.config import Device
    from edge.core.bus.block import Block, Learned
    from edge.core.bus.patience import Patience
    from edge.core.bus.points import Point

#: How the points of a device are read; devices of one model share it. places: where each one is,
#: see `place_of`; rules: how, see `station_plan.rule_of`; evidence: (index, registers) of those
#: whose raw registers are kept; counters: indices.
Layout = namedtuple("Layout", ("places", "rules", "evidence", "counters"))


class Station:
    """A device that is polled.

    conflict: polls that are still not believed because two devices answered as this station.
    learned: what it refused so far; taught: something new is in there; remembered: that and a
    timeout in ms as recorded last. trouble: code of the error of the last poll.
    """

    # Most stations never need these for themselves.
    learned: "Learned" = NOTHING_LEARNED
    remembered: "tuple[Learned, int] | None" = None
    taught = False
    conflict = 0
    failures = 0
    trouble: str | None = None

    def __init__(
        self,
        number: int,
        device: "Device",
        layout: Layout,
        patience: "Patience",
        blocks: "tuple[Block, ...]",
    ) -> None:
        self.number = number
        self.device = device
        self.layout = layout
        self.patience = patience
        self.blocks = blocks
        self.confirm = Confirm(layout.counters)
        self.polls = 0


def place_of(read: "Point | Block") -> int:
    """Where a point or a read begins: one number, far apart for different functions."""
    return int(read.function << 17 | read.address)
