"""What an acknowledgement does to the sender's window, see `sync.uplink`."""

from edge.core.errors import SyncError
from edge.core.sync.ack import GAPS_MAX, has_batch, is_missing
from edge.core.sync.bounds import DEAF_MS, WINDOW

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.core.sync.uplink import Uplink

#: Gaps at the cloud up to which one more may be made by a split.
SPLIT_GAPS_MAX = GAPS_MAX - 2 * WINDOW


def settle(window: "Uplink", seq: int, head_seq: int, now_ms: int, gaps: tuple[int, ...]) -> bool:
    """Take a verified ack in, see `Uplink.acknowledged`."""
    if seq > head_seq:
        raise SyncError("sync.ack", reason="seq %d is beyond the head %d" % (seq, head_seq))
    window.asked_ms, window.deaf_after_ms = None, DEAF_MS
    if seq < window.acked_seq:
        window.acked_seq = seq
        window.split_seq = None
        window.rewind()
        return False
    released = seq > window.acked_seq
    window.acked_seq = seq
    timed = window.patience.timed
    if timed is not None and has_batch(timed[0], timed[1], seq, gaps):
        window.patience.heard(now_ms)
    confirmed = _confirm(window, seq, gaps)
    if released or confirmed:  # an ack that repeats itself must not put off the retry
        window.progress_ms = now_ms
        window.retry_ms = window.patience.retry_ms(now_ms)
    window.again = [(max(first, seq + 1), last) for first, last in window.again if last > seq]
    window.gaps = gaps
    window.next_seq = window.beyond_known(max(window.next_seq, seq + 1))
    window.join()
    _split(window, head_seq, len(gaps) >> 1)
    return released


def _confirm(window: "Uplink", seq: int, gaps: tuple[int, ...]) -> bool:
    """Drop from flight what has arrived; put what is lost before anything else."""
    there = [has_batch(first, last, seq, gaps) for first, last in window.in_flight]
    behind = 0  # how many are up to the last of them
    for at, arrived in enumerate(there):
        if arrived:
            behind = at + 1
    left = []
    for at in range(len(there)):
        span = window.in_flight[at]
        if not there[at] and at < behind and is_missing(span[0], gaps):
            _lose(window, span)
        elif not there[at]:
            left.append(span)
    window.in_flight = left
    if not behind:
        _credit(window, gaps)
    _find_holes(window, gaps)
    if window.again:
        window.told = []
    window.again.sort(key=lambda span: span[0])
    return behind > 0


def _lose(window: "Uplink", span: tuple[int, int]) -> None:
    window.again.append(span)
    window.patience.forget(span[0])


def _credit(window: "Uplink", gaps: tuple[int, ...]) -> None:
    """An ack names no record above its last gap but the first: it frees one live batch there.

    Only its place in the window: what was lost after all is named by the ack of the next.
    """
    if window.split_seq is None or not gaps:
        return
    beyond = max(window.split_seq, gaps[-1] + 1)
    for span in window.in_flight:
        if span[0] >= beyond:
            window.in_flight.remove(span)
            return


def _find_holes(window: "Uplink", gaps: tuple[int, ...]) -> None:
    """What was sent and is missing although nothing on its way would fill it."""
    parts = [(window.acked_seq + 1, window.next_seq - 1)]
    if window.split_seq is not None:
        parts.append((window.split_seq, window.live_seq - 1))
    for at in range(0, len(gaps), 2):
        for low, high in parts:
            first, last = max(gaps[at], low), min(gaps[at + 1], high)
            spans = window.in_flight + window.again
            if first <= last and not any(a <= last and first <= b for a, b in spans):
                window.again.append((first, last))


def _split(window: "Uplink", head_seq: int, gaps: int) -> None:
    """Let live data begin behind a backlog that is longer than the window."""
    backlog = WINDOW * window.records_max
    begun = window.next_seq if window.split_seq is None else window.live_seq
    if gaps <= SPLIT_GAPS_MAX and head_seq + 1 - begun > backlog:
        window.split_seq = window.live_seq = head_seq + 1
