"""What to send next, and what an acknowledgement allows.

Pure bookkeeping over seq numbers: batches may be cut anew at any time, because identity is the
record, never the batch. Time is an argument (`now_ms`, monotonic).

A backlog splits the journal in two at its head: what is recorded from then on is live and goes
first, as one run without a hole; the rest is history and has a share of the window that live data
never takes. When history has reached the split, there is one order again.
"""

from edge.core.sync.bounds import DEAF_MAX_MS, DEAF_MS, SHARE, TOLD_RUNS, WINDOW
from edge.core.sync.patience import RETRY_FIRST_MS, Patience


class Uplink:
    """The sender's window over the journal."""

    def __init__(self, acked_seq: int, linger_ms: int, records_max: int, seed: int = 0) -> None:
        """acked_seq: from the journal, -1 when nothing is acked.

        linger_ms: a batch waits this long to fill; records_max: most records in one; seed: what
        the jitter of this gateway begins with.
        """
        self.acked_seq = acked_seq
        self.linger_ms = linger_ms
        self.records_max = records_max
        self.next_seq = acked_seq + 1
        self.split_seq: int | None = None  # first live record
        self.live_seq = 0  # next live record, while there is a split
        self.in_flight: list[tuple[int, int]] = []  # in the order of sending
        self.online = False
        self.progress_ms = 0
        self.retry_ms = RETRY_FIRST_MS
        self.patience = Patience(seed)
        self.last_sent_ms = 0  # of the newest records
        self.again: list[tuple[int, int]] = []  # known to be lost
        self.gaps: tuple[int, ...] = ()  # of the newest ack; what lies between is there
        self.told: list[tuple[int, int, int]] = []  # of the newest batches, see `tell`
        self._highest_seq = acked_seq  # ever sent
        self._waited_seq = -1  # records up to it have lingered, or were sent before
        self.asked_ms: int | None = None  # the first batch since anything was heard
        self.deaf_after_ms = DEAF_MS

    def connected(self, now_ms: int) -> None:
        """A session stands: what was in flight before is sent again."""
        self.online = True
        self.asked_ms = None
        self.progress_ms = now_ms
        self.retry_ms = self.patience.retry_ms(now_ms)
        self.rewind()

    def disconnected(self) -> None:
        """The session is gone; nothing may be sent until the next one."""
        self.online = False
        self.rewind()

    def deaf_ms(self) -> int | None:
        """When this session will have heard no answer for too long; None when nothing is asked."""
        if not self.online or self.asked_ms is None:
            return None
        return self.asked_ms + self.deaf_after_ms

    def is_deaf(self, now_ms: int) -> bool:
        """True when a new session should be begun: this one has heard no answer for too long."""
        due_ms = self.deaf_ms()
        if due_ms is None or now_ms < due_ms:
            return False
        self.deaf_after_ms = min(2 * self.deaf_after_ms, DEAF_MAX_MS)
        return True

    def rewind(self) -> None:
        """Everything unacked is to be sent again, in both parts from the first unconfirmed on."""
        if self.split_seq is not None:
            for first, _ in self.in_flight + self.again:
                if self.split_seq <= first < self.live_seq:
                    self.live_seq = first
        self.in_flight = []
        self.again = []
        self.gaps = ()
        self.told = []
        self.patience.forget()
        self.next_seq = self.acked_seq + 1

    def want(self, head_seq: int, now_ms: int, flush: bool = False) -> tuple[int, int] | None:
        """The (first, last) seq to send now, or None.

        head_seq: last seq in the journal. flush: do not wait for a batch to fill.
        """
        if not self.online:
            return None
        if self._is_waiting() and now_ms - self.progress_ms >= self.retry_ms:
            self.retry_ms = self.patience.longer_ms(self.retry_ms, now_ms)
            self.rewind()
            self.progress_ms = now_ms
        if len(self.in_flight) >= WINDOW:
            return None
        if self.again:
            return self._cut(*self.again[0])
        if self.split_seq is None:
            return self._newest(self.next_seq, head_seq, now_ms, flush)
        span = None
        if self._live_in_flight() < SHARE:
            span = self._newest(self.live_seq, head_seq, now_ms, flush)
        if span is None and len(self.in_flight) - self._live_in_flight() < SHARE:
            span = self._cut(self.next_seq, self.split_seq - 1)
        return span

    def _is_waiting(self) -> bool:
        """True when something sent may be lost."""
        unacked = self.split_seq is None and self.acked_seq + 1 < self.next_seq
        return bool(self.in_flight) or unacked

    def _cut(self, first: int, last: int) -> tuple[int, int]:
        return first, min(last, first + self.records_max - 1)

    def _newest(
        self, first: int, head_seq: int, now_ms: int, flush: bool
    ) -> tuple[int, int] | None:
        """What may leave of the records up to the head: they linger for company."""
        pending = head_seq + 1 - first
        if pending <= 0:
            return None
        if now_ms - self.last_sent_ms >= self.linger_ms:
            # All of it, however many batches that takes: a short one must not hold up the next.
            self._waited_seq = head_seq
        if pending >= self.records_max or flush or first <= self._waited_seq:
            return self._cut(first, head_seq)
        return None

    def _live_in_flight(self) -> int:
        split = self.split_seq
        return 0 if split is None else sum(1 for first, _ in self.in_flight if first >= split)

    def sent(self, first: int, last: int, now_ms: int, beside: int | None = None) -> None:
        """A batch of records first..last left, the beginning of what `want` has named.

        beside: the first record of an earlier batch that stands for these as well.
        """
        if not self.in_flight:
            self.progress_ms = now_ms
        if self.asked_ms is None:
            self.asked_ms = now_ms
        if beside is not None:
            self._ride(first, last, beside)
        else:
            self.in_flight.append((first, last))
            if last > self._highest_seq and (self.split_seq is None or first < self.split_seq):
                self.patience.sent(first, last, now_ms)
        self._highest_seq = max(self._highest_seq, last)
        if self.again and self.again[0][0] == first:
            rest = (last + 1, self.again.pop(0)[1])
            self.again = ([rest] if rest[0] <= rest[1] else []) + self.again
            return
        following = self.beyond_known(last + 1)
        if self.split_seq is not None and first < self.split_seq:
            self.next_seq = following
            self.join()
            return
        if self.split_seq is None:
            self.next_seq = following
        else:
            self.live_seq = following
        self._waited_seq = max(self._waited_seq, last)
        self.last_sent_ms = now_ms

    def beyond_known(self, seq: int) -> int:
        """The first record from `seq`, unacked, on of which no ack has said that it is there."""
        gaps = self.gaps
        for at in range(0, len(gaps), 2):
            if seq <= gaps[at + 1]:
                return max(seq, gaps[at])
        return seq + 1 if gaps and seq == gaps[-1] + 1 else seq

    def _ride(self, first: int, last: int, beside: int) -> None:
        """Put first..last where its batch is; one that is not on its way any more has arrived."""
        for at, span in enumerate(self.in_flight):
            if span[0] == beside:
                self.in_flight.insert(at + 1, (first, last))
                return

    def tell(self, run: tuple[int, int, int]) -> None:
        """Records first..last have left ahead of their turn: run is (first, last, beside)."""
        self.told = self.told[1 - TOLD_RUNS :] + [run]

    def told_with(self, seq: int) -> tuple[int, int, int] | None:
        """The run of records that left ahead of their turn and holds `seq`."""
        for run in self.told:
            if run[0] <= seq <= run[1]:
                return run
        return None

    def join(self) -> None:
        """End the split when history has reached it."""
        if self.split_seq is not None and self.next_seq >= self.split_seq:
            self.next_seq = max(self.next_seq, self.live_seq)
            self.split_seq = None

    def acknowledged(
        self, seq: int, head_seq: int, now_ms: int, gaps: tuple[int, ...] = ()
    ) -> bool:
        """Take in a verified ack; return True when it releases more than before.

        gaps: flat (first, last, ...) that the receiver lacks below what it has: what was sent
        there is lost when something sent after it has arrived, and sent again at once; the retry
        covers the rest.

        A seq beyond the journal's head is refused: SyncError "sync.ack". A seq below what was
        acked before means a receiver restored from an older copy: sending resumes from there.
        """
        from edge.core.sync.settling import settle

        return settle(self, seq, head_seq, now_ms, gaps)

    def next_ms(self, head_seq: int, now_ms: int) -> int | None:
        """When `want` may next answer without anything else happening; None for never."""
        if not self.online:
            return None
        retry_ms = self.progress_ms + self.retry_ms if self._is_waiting() else None
        if len(self.in_flight) >= WINDOW:
            return retry_ms
        if self.again:
            return now_ms
        first = self.next_seq
        if self.split_seq is not None:
            if len(self.in_flight) - self._live_in_flight() < SHARE:
                return now_ms
            if self._live_in_flight() >= SHARE:
                return retry_ms
            first = self.live_seq
        if head_seq < first:
            return retry_ms
        if first <= self._waited_seq:
            return now_ms
        due_ms = max(now_ms, self.last_sent_ms + self.linger_ms)
        return due_ms if retry_ms is None else min(due_ms, retry_ms)
