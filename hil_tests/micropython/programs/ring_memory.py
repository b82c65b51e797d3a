"""Opens and reads the ring on the partition "tally" and says what memory that takes.

The heap is looked at whenever the flash is read or a row is proved, after a collection: what is
alive then, above what was when the journal was not open yet.
"""

import gc

from esp32 import Partition

from edge.core.journal.record import Kind
from edge.ports.esp32 import ring_cursor, ring_opening  # noqa: F401, whose code is not measured
from edge.ports.esp32.ring_store import RingStore

GATEWAY = "gw-1"

_most = [0]


def _look() -> int:
    gc.collect()
    live = gc.mem_alloc()  # type: ignore[attr-defined]
    _most[0] = max(_most[0], live)
    return int(live)


class _Chain:
    """Stands for `edge.core.journal.chain` where rows are proved."""

    def __init__(self, chain: object) -> None:
        self._link = chain.link  # type: ignore[attr-defined]

    def link(self, before: bytes, record: bytes) -> bytes:
        _look()
        made: bytes = self._link(before, record)
        return made


class _Watched(Partition):  # type: ignore[misc]
    def readblocks(self, block: int, buffer: bytearray, offset: int = 0) -> None:
        _look()
        super().readblocks(block, buffer, offset)


def _forget(store: RingStore, deep: int = 12) -> None:
    """Deep in calls: what was is not left on the stack, where the collector looks."""
    if deep:
        _forget(store, deep - 1)
    else:
        store.forget()


def _tell(what: str, base: int) -> None:
    live = _look()
    print(what, live - base, _most[0] - base)
    _most[0] = 0


def run() -> None:
    """Print "opened", "found" and so on, each with live and most bytes.

    Those of "opened" are above what was before, the others above the open journal.
    """
    ring_cursor.chain = _Chain(ring_cursor.chain)  # type: ignore
    partition = _Watched("tally")
    base = _look()
    _most[0] = 0
    store = RingStore(partition, GATEWAY)
    _tell("opened", base)
    store.last_of_kind(Kind.INTERVAL)
    _forget(store)
    base = _look()
    _most[0] = 0
    half, last = store.next_seq // 2, store.next_seq - 1
    store.read(half, half)
    _tell("found", base)
    _forget(store)
    for at in range(last - 23, last + 1, 8):
        store.read(at, at + 7)
    _tell("read", base)
    _forget(store)
    for at in range(0, 16, 8):
        store.read(half + at, half + at + 7)
        store.read(last - 23 + at, last - 16 + at)
    _tell("two", base)
