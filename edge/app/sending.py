"""What leaves for the cloud: batches of the journal's rows."""

from edge.core.errors import StoreError
from edge.core.sync.batch import PAYLOAD_MAX_BYTES, encode_rows
from edge.core.sync.topics import BATCH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.app.uploader import Uploader
    from edge.ports.contracts import Gap, Store

#: An uplink without room is asked again after this long.
FULL_MS = 20

#: Tombstones in one batch: each is looked up before it leaves.
TOLD_MAX = 64


def send(uploader: "Uploader", span: tuple[int, int] | None, now_ms: int, flush: bool) -> None:
    """Send what is wanted, batch after batch, until the uplink has no room for more."""
    window, store = uploader.window, uploader.store
    while span is not None:
        first, last = span
        gap = store.gap_from(first)
        if gap is None or gap.first > first:
            begin, end = first, last if gap is None else min(last, gap.first - 1)
            gap = None
        else:
            # What is gone cannot be sent; the records that say so close the holes.
            begin = end = gap.tombstone
        run = window.told_with(begin)
        beside = None if run is None else run[2]
        if run is None:
            if gap is not None:
                end = _last_beside(store, gap)
            payload, end = _cut(uploader, begin, end)
            if uploader.uplink.send(uploader.topic_of(BATCH), payload, False, 1) is None:
                uploader.full_until_ms = now_ms + FULL_MS
                return
            uploader.batches_sent += 1
            run = begin, end, first
            if gap is not None:
                window.tell(run)
        last = min(end, run[1]) if gap is None else _explained(store, gap, run)
        window.sent(first, last, now_ms, beside)
        span = uploader.wanted(now_ms, flush)


def _last_beside(store: "Store", gap: "Gap") -> int:
    """The last of the tombstones that stand side by side from this range's on and fit a batch."""
    first: int = gap.tombstone
    last = first
    after = store.gap_from(gap.last + 1)
    while after is not None and after.tombstone == last + 1 and last - first + 1 < TOLD_MAX:
        last += 1
        after = store.gap_from(after.last + 1)
    return last


def _explained(store: "Store", gap: "Gap", run: tuple[int, int, int]) -> int:
    """The last seq of a removed range and of those right behind it that a run explains."""
    last: int = gap.last
    after = store.gap_from(last + 1)
    while after is not None and after.first == last + 1 and run[0] <= after.tombstone <= run[1]:
        last = after.last
        after = store.gap_from(last + 1)
    return last


def _cut(uploader: "Uploader", first: int, last: int) -> tuple[bytes | bytearray, int]:
    """Encode from `first` on as many records up to `last` as one payload takes."""
    before = uploader.store.hash_at(first - 1)
    most = uploader.rows_bytes
    rows: list[tuple[bytes, bytes]] = []
    size = 0
    for row in uploader.store.read(first, last, most):
        size += len(row[0])
        if size > most and rows:
            break
        rows.append(row)
    # A store may give less than all of it, but nothing else.
    if before is None or not rows or uploader.store.hash_at(first + len(rows) - 1) != rows[-1][1]:
        raise StoreError("store.corrupt", file="journal", seq=first)
    while True:
        payload: bytes | bytearray = encode_rows(
            uploader.gateway, uploader.store.epoch, before, rows, uploader.key
        )
        if len(payload) <= PAYLOAD_MAX_BYTES or len(rows) == 1:
            if uploader.shrink is not None:
                payload = uploader.shrink(payload, uploader.store.epoch)
            return payload, first + len(rows) - 1
        rows = rows[: len(rows) // 2]
