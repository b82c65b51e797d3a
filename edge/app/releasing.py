"""What the cloud has acknowledged: held against the journal, and released."""

from edge.core.errors import StoreError, SyncError
from edge.core.sync.ack import decode_ack
from edge.core.sync.settling import settle
from edge.ports.contracts import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.app.uploader import Uploader


def release(uploader: "Uploader", payload: bytes, now_ms: int) -> None:
    """Let the journal go of what an acknowledgement covers; raises SyncError, DataError."""
    ack = decode_ack(payload, uploader.gateway, uploader.key)
    if ack.epoch != uploader.store.epoch:
        return  # retained from another incarnation of this journal
    head_seq = uploader.store.next_seq - 1
    if ack.seq > head_seq:
        reason = f"seq {ack.seq} is beyond the head {head_seq}"
        raise SyncError("sync.rewound", reason=reason)
    if ack.fork is not None and ack.fork[0] <= head_seq:
        _compare(uploader.store, *ack.fork)
    seq = ack.seq
    ours = uploader.store.hash_at(seq)
    if ours is None:
        seq = _before_range(uploader.store, seq, ack.gaps)
    else:
        _compare(uploader.store, seq, ack.hash)
    # An ack that was overtaken tells what was missing then.
    gaps = ack.gaps if ack.received_ms >= uploader.ack_ms else ()
    uploader.ack_ms = ack.received_ms
    settle(uploader.window, seq, head_seq, now_ms, gaps)
    uploader.last_ack_ms = now_ms
    # Inside of a removed range there is nothing to compare with: nothing more is released,
    # but the window moves on to the tombstone of that range, which the cloud wants next.
    if seq < uploader.store.acked_seq or (ours is not None and seq > uploader.store.acked_seq):
        uploader.store.ack(seq)


def _compare(store: Store, seq: int, theirs: bytes) -> None:
    """Where the cloud holds another record, it refuses ours and what follows it for ever."""
    ours = store.hash_at(seq)
    if ours is not None and ours != theirs:
        raise SyncError("sync.rewound", reason=f"another hash at seq {seq}")


def _before_range(store: Store, seq: int, gaps: tuple[int, ...]) -> int:
    """The last seq before the removed range that holds `seq`, the cloud's head.

    The cloud that has the tombstone of that range and still stands inside of it holds other
    records there than those that were removed.
    """
    gap = store.gap_from(seq)
    if gap is None or gap.first > seq:
        raise StoreError("store.corrupt", file="journal", seq=seq)
    if _has(gap.tombstone, gaps):
        raise SyncError("sync.rewound", reason=f"other records before seq {gap.last}")
    return int(gap.first) - 1


def _has(seq: int, gaps: tuple[int, ...]) -> bool:
    """True when an ack with these gaps says for sure that the cloud has `seq`, above its head."""
    for at in range(0, len(gaps), 2):
        if seq <= gaps[at + 1]:
            return seq < gaps[at]
    return bool(gaps) and seq == gaps[-1] + 1
