"""What leaves for the cloud: batches of the journal's rows."""

from edge.core.errors import StoreError
from edge.core.sync.batch import PAYLOAD_MAX_BYTES, encode_rows
from edge.core.sync.topics import BATCH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.app.uploader import Uploader

#: An uplink without room is asked again after this long.
FULL_MS = 20


def send(uploader: "Uploader", span: tuple[int, int] | None, now_ms: int, flush: bool) -> None:
    """Send what is wanted, batch after batch, until the uplink has no room for more."""
    while span is not None:
        first, last = span
        gap = uploader.store.gap_from(first)
        if gap is not None and gap.first <= first:
            # What is gone cannot be sent; the record that says so closes the hole.
            payload, _ = _cut(uploader, gap.tombstone, gap.tombstone)
            last = gap.last
        else:
            payload, last = _cut(
                uploader, first, last if gap is None else min(last, gap.first - 1)
            )
        if uploader.uplink.send(uploader.topic_of(BATCH), payload, False, 1) is None:
            uploader.full_until_ms = now_ms + FULL_MS
            return
        uploader.window.sent(first, last, now_ms)
        uploader.batches_sent += 1
        span = uploader.wanted(now_ms, flush)


def _cut(uploader: "Uploader", first: int, last: int) -> tuple[bytes | bytearray, int]:
    """Encode from `first` on as many records up to `last` as one payload takes."""
    before = uploader.store.hash_at(first - 1)
    most = uploader.rows_bytes
    rows = []
    size = 0
    for row in uploader.store.read(first, last):
        rows.append(row)
        size += len(row[0])
        if size >= most:
            break
    if before is None or not rows or (size < most and len(rows) <= last - first):
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
