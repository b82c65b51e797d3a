"""Which message is next when many wait: live ones before history, each fair among gateways. Pure.

A small message counts as live. Small ones go first, as long as a large one gets every
seventeenth turn. Among the small, and among the large, it is self-clocked fair queueing: each
message gets a tag, its gateway's last tag (or that of the message served last, if it is later)
plus its cost; the lowest tag is next. Messages beyond a gateway's rate wait until they are due
(the generic cell rate algorithm).
"""

import heapq
from typing import Generic, NamedTuple, TypeVar

#: Messages of one gateway that wait; an honest one has 4 batches and a state on their way.
PER_GATEWAY_MAX = 32

#: Bytes of all that wait.
WAITING_MAX_BYTES = 48 << 20

#: A message up to this size is of the live kind.
SMALL_MAX_BYTES = 2_048

#: What a message costs beside its bytes: a commit takes as long as storing some kilobytes.
MESSAGE_COST = 4_096

#: Small messages in a row while a large one waits.
SMALL_RUN = 16

#: Seconds of its rate that a gateway may send at once.
BURST_S = 10

_US = 1_000_000

Item = TypeVar("Item")


class _Gateway:
    def __init__(self) -> None:
        self.waiting = 0
        self.tags = [0, 0]
        self.next_us = 0


class _Entry(NamedTuple):
    """Compared by tag, then by age."""

    tag: int
    number: int
    owner: str
    size: int
    is_large: bool


class Fair(Generic[Item]):
    """Messages that wait, by owner. rate: messages a second of one owner, in the long run.

    Times are microseconds of any clock that does not go back.
    """

    def __init__(self, rate: int) -> None:
        self._interval_us = _US // rate
        self._burst_us = BURST_S * _US
        self._gateways: dict[str, _Gateway] = {}
        self._items: dict[int, Item] = {}
        self._ready: tuple[list[_Entry], list[_Entry]] = ([], [])
        self._held: list[tuple[int, _Entry]] = []
        self._tags = [0, 0]
        self._number = self._run = 0
        self.waiting_bytes = 0

    def __len__(self) -> int:
        return len(self._items)

    def has_room(self, owner: str, size: int) -> bool:
        """False when `put` would go beyond the bounds of the owner or of all together."""
        gateway = self._gateways.get(owner)
        is_full = gateway is not None and gateway.waiting >= PER_GATEWAY_MAX
        return not is_full and self.waiting_bytes + size <= WAITING_MAX_BYTES

    def put(self, owner: str, size: int, item: Item, now_us: int) -> bool:
        """Let a message wait; True when its owner's rate is what it waits for.

        size: its bytes. Owners are remembered: bound them.
        """
        gateway = self._gateways.setdefault(owner, _Gateway())
        is_large = size > SMALL_MAX_BYTES
        tag = max(self._tags[is_large], gateway.tags[is_large]) + size + MESSAGE_COST
        gateway.tags[is_large] = tag
        self._number += 1
        entry = _Entry(tag, self._number, owner, size, is_large)
        expected_us = max(gateway.next_us, now_us)
        gateway.next_us = expected_us + self._interval_us
        gateway.waiting += 1
        self._items[entry.number] = item
        self.waiting_bytes += size
        due_us = expected_us - self._burst_us
        is_over = due_us > now_us
        if is_over:
            heapq.heappush(self._held, (due_us, entry))
        else:
            heapq.heappush(self._ready[is_large], entry)
        return is_over

    def pop(self, now_us: int) -> Item | None:
        """Take the next message, None when none is due."""
        while self._held and self._held[0][0] <= now_us:
            due = heapq.heappop(self._held)[1]
            heapq.heappush(self._ready[due.is_large], due)
        small, large = self._ready
        if not small and not large:
            return None
        is_large = not small or bool(large and self._run >= SMALL_RUN)
        self._run = 0 if is_large else self._run + 1
        entry = heapq.heappop(self._ready[is_large])
        self._tags[is_large] = max(self._tags[is_large], entry.tag)
        self._gateways[entry.owner].waiting -= 1
        self.waiting_bytes -= entry.size
        return self._items.pop(entry.number)

    def wait_us(self, now_us: int) -> int | None:
        """How long until one that is held is due, None when there is none."""
        return max(self._held[0][0] - now_us, 0) if self._held else None
