"""What to send next, and what an acknowledgement allows.

Pure bookkeeping over seq numbers: batches may be cut anew at any time, because identity is the
record, never the batch. Time is an argument (`now_ms`, monotonic).
"""

from edge.core.errors import SyncError

#: Batches on their way at once.
WINDOW = 4

#: Without progress for this long, what was sent is sent again; then after twice that, and so on:
#: a receiver may be away for days, and each round of retries costs a whole window of traffic.
RETRY_MS = 10_000
RETRY_MAX_MS = 60_000

#: A session in which nothing sent was answered for this long may be deaf: a broker can lose a
#: subscription and keep the connection. A new one is begun; then after twice that, and so on.
DEAF_MS = 120_000
DEAF_MAX_MS = 600_000


class Uplink:
    """The sender's window over the journal."""

    def __init__(self, acked_seq: int, linger_ms: int, records_max: int) -> None:
        """acked_seq: from the journal, -1 when nothing is acked.

        linger_ms: a batch waits this long to fill; records_max: most records in one.
        """
        self.acked_seq = acked_seq
        self.linger_ms = linger_ms
        self.records_max = records_max
        self.next_seq = acked_seq + 1
        self.in_flight: list[tuple[int, int]] = []
        self.online = False
        self.progress_ms = 0
        self.retry_ms = RETRY_MS
        self.last_sent_ms = 0
        self._waited_seq = -1  # records up to it have lingered, or were sent before
        self._resent_after: int | None = None
        self._asked_ms: int | None = None  # the first batch since anything was heard
        self._deaf_ms = DEAF_MS

    def connected(self, now_ms: int) -> None:
        """A session stands: what was in flight before is sent again."""
        self.online = True
        self._resent_after = None
        self._asked_ms = None
        self.progress_ms = now_ms
        self.retry_ms = RETRY_MS
        self._rewind(self.acked_seq)

    def disconnected(self) -> None:
        """The session is gone; nothing may be sent until the next one."""
        self.online = False
        self._rewind(self.acked_seq)

    def is_deaf(self, now_ms: int) -> bool:
        """True when a new session should be begun: this one has heard no answer for too long."""
        if not self.online or self._asked_ms is None or now_ms - self._asked_ms < self._deaf_ms:
            return False
        self._deaf_ms = min(2 * self._deaf_ms, DEAF_MAX_MS)
        return True

    def _rewind(self, seq: int) -> None:
        self.in_flight = []
        self.next_seq = seq + 1

    def want(self, head_seq: int, now_ms: int, flush: bool = False) -> tuple[int, int] | None:
        """The (first, last) seq to send now, or None.

        head_seq: last seq in the journal. flush: do not wait for a batch to fill.
        """
        if not self.online:
            return None
        if self.in_flight and now_ms - self.progress_ms >= self.retry_ms:
            self.retry_ms = min(2 * self.retry_ms, RETRY_MAX_MS)
            self._rewind(self.acked_seq)
            self.progress_ms = now_ms
        pending = head_seq + 1 - self.next_seq
        if pending <= 0 or len(self.in_flight) >= WINDOW:
            return None
        if now_ms - self.last_sent_ms >= self.linger_ms:
            # All of it, however many batches that takes: a short one must not hold up the next.
            self._waited_seq = head_seq
        full = pending >= self.records_max
        if not (full or flush or self.next_seq <= self._waited_seq):
            return None
        return self.next_seq, min(head_seq, self.next_seq + self.records_max - 1)

    def sent(self, first: int, last: int, now_ms: int) -> None:
        """A batch of records first..last left."""
        if not self.in_flight:
            self.progress_ms = now_ms
        if self._asked_ms is None:
            self._asked_ms = now_ms
        self.in_flight.append((first, last))
        self.next_seq = last + 1
        self._waited_seq = max(self._waited_seq, last)
        self.last_sent_ms = now_ms

    def acknowledged(
        self, seq: int, head_seq: int, now_ms: int, gaps: tuple[int, ...] = ()
    ) -> bool:
        """Take in a verified ack; return True when it releases more than before.

        gaps: flat (first, last, ...) that the receiver lacks below what it has: what was sent
        there is lost, and sent again at once, but once only; the retry covers the rest.

        A seq beyond the journal's head is refused: SyncError "sync.ack". A seq below what was
        acked before means a receiver restored from an older copy: sending resumes from there.
        """
        if seq > head_seq:
            raise SyncError("sync.ack", reason="seq %d is beyond the head %d" % (seq, head_seq))
        self._asked_ms, self._deaf_ms = None, DEAF_MS
        if seq < self.acked_seq:
            self.acked_seq = seq
            self._rewind(seq)
            return False
        released = seq > self.acked_seq
        if released:  # an ack that repeats itself must not put off the retry
            self.progress_ms = now_ms
            self.retry_ms = RETRY_MS
        self.acked_seq = seq
        self.in_flight = [pair for pair in self.in_flight if pair[1] > seq]
        self.next_seq = max(self.next_seq, seq + 1)
        if gaps and self._resent_after != seq:
            self._resent_after = seq
            self._rewind(seq)
        return released

    def next_ms(self, head_seq: int, now_ms: int) -> int | None:
        """When `want` may next answer without anything else happening; None for never."""
        if not self.online or head_seq < self.next_seq:
            return self.progress_ms + self.retry_ms if self.online and self.in_flight else None
        if len(self.in_flight) >= WINDOW:
            return self.progress_ms + self.retry_ms
        if self.next_seq <= self._waited_seq:
            return now_ms
        return max(now_ms, self.last_sent_ms + self.linger_ms)
