"""The sender's window over a channel that loses, repeats, reorders and breaks.

The model: a receiver that commits what arrives and acks its contiguous head and the gaps above it,
a channel that does what it likes with batches and acks, a gateway that restarts with what its
journal remembers. Then, in virtual time, how far behind the newest record in the cloud is.
"""

import heapq
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge.core.errors import SyncError
from edge.core.sync.ack import GAPS_MAX
from edge.core.sync.bounds import SHARE, WINDOW
from edge.core.sync.patience import RETRY_FIRST_MS, RETRY_MAX_MS
from edge.core.sync.uplink import Uplink

RECORDS_MAX = 5


Ack = tuple[int, tuple[int, ...], int]  # head, gaps, number of the ack


def ack_of(committed: set[int], number: int) -> Ack:
    """What a receiver says that has these records."""
    head = -1
    while head + 1 in committed:
        head += 1
    gaps: list[int] = []
    at = head + 1
    for seq in sorted(seq for seq in committed if seq > head):
        if seq > at:
            gaps += [at, seq - 1]
        at = seq + 1
    return head, tuple(gaps[: 2 * GAPS_MAX]), number


class Delivery(RuleBasedStateMachine):
    """One gateway, one receiver, one bad line."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = 0
        self.head = -1  # of the journal
        self.journal_acked = -1
        self.uplink = Uplink(-1, 0, RECORDS_MAX)
        self.batches: list[tuple[int, int]] = []
        self.acks: list[Ack] = []
        self.said = self.heard = 0  # acks made, newest one taken in
        self.committed: set[int] = set()
        self.ever_committed: set[int] = set()

    def contiguous(self) -> int:
        return ack_of(self.committed, 0)[0]

    def send_one(self) -> bool:
        span = self.uplink.want(self.head, self.now_ms)
        if span is None:
            return False
        first, last = span
        assert self.uplink.acked_seq < first <= last <= self.head and last - first < RECORDS_MAX
        # Nothing is on its way twice, and no order has the window for itself.
        assert not any(a <= last and first <= b for a, b in self.uplink.in_flight)
        self.uplink.sent(first, last, self.now_ms)
        split = self.uplink.split_seq
        if split is not None:
            assert sum(first >= split for first, _ in self.uplink.in_flight) <= SHARE
        self.batches.append(span)
        return True

    def receive(self, span: tuple[int, int]) -> None:
        self.committed |= set(range(span[0], span[1] + 1))
        self.ever_committed |= self.committed
        self.said += 1
        self.acks.append(ack_of(self.committed, self.said))

    def take_ack(self, ack: Ack) -> None:
        seq, gaps, number = ack
        before = self.uplink.acked_seq
        released = self.uplink.acknowledged(
            seq, self.head, self.now_ms, gaps if number >= self.heard else ()
        )
        self.heard = number
        assert released == (seq > before)
        assert self.uplink.acked_seq == seq
        self.journal_acked = seq

    @rule(count=st.sampled_from([1, 3, 12, 60]))
    def record(self, count: int) -> None:
        self.head += count

    @rule(elapsed_ms=st.sampled_from([1, 1000, RETRY_FIRST_MS // 2, RETRY_FIRST_MS]))
    def wait(self, elapsed_ms: int) -> None:
        self.now_ms += elapsed_ms

    @rule()
    def connect(self) -> None:
        self.uplink.connected(self.now_ms)

    @rule()
    def disconnect(self) -> None:
        self.uplink.disconnected()
        assert self.uplink.want(self.head, self.now_ms, True) is None

    @rule()
    def restart(self) -> None:
        """Everything but the journal is forgotten; records after the last commit never existed."""
        self.uplink = Uplink(self.journal_acked, 0, RECORDS_MAX)

    @rule()
    def send(self) -> None:
        self.send_one()

    @precondition(lambda self: self.batches)
    @rule(data=st.data(), fate=st.sampled_from(["arrives", "arrives", "lost", "twice"]))
    def batch(self, data, fate: str) -> None:
        at = data.draw(st.integers(0, len(self.batches) - 1))
        span = self.batches[at] if fate == "twice" else self.batches.pop(at)
        if fate != "lost":
            self.receive(span)

    @precondition(lambda self: self.acks)
    @rule(data=st.data(), fate=st.sampled_from(["arrives", "arrives", "lost", "twice"]))
    def ack(self, data, fate: str) -> None:
        at = data.draw(st.integers(0, len(self.acks) - 1))
        ack = self.acks[at] if fate == "twice" else self.acks.pop(at)
        if fate != "lost":
            self.take_ack(ack)

    @rule(lost=st.integers(1, 20))
    def receiver_restores_an_older_copy(self, lost: int) -> None:
        keep = self.contiguous() - lost
        self.committed = {seq for seq in self.committed if seq <= keep}

    @rule(beyond=st.integers(1, 5))
    def an_ack_of_the_future(self, beyond: int) -> None:
        before = (self.uplink.acked_seq, self.uplink.next_seq, list(self.uplink.in_flight))
        try:
            self.uplink.acknowledged(self.head + beyond, self.head, self.now_ms)
        except SyncError as error:
            assert error.code == "sync.ack"
        else:
            raise AssertionError("accepted")
        after = (self.uplink.acked_seq, self.uplink.next_seq, list(self.uplink.in_flight))
        assert before == after

    @invariant()
    def the_window_holds(self) -> None:
        assert len(self.uplink.in_flight) <= WINDOW

    @invariant()
    def nothing_is_released_that_was_never_committed(self) -> None:
        assert set(range(self.uplink.acked_seq + 1)) <= self.ever_committed

    @invariant()
    def the_next_look_is_not_missed(self) -> None:
        """When `want` would answer at its own deadline, `next_ms` has named that or earlier."""
        due = self.uplink.next_ms(self.head, self.now_ms)
        if self.uplink.online and self.head > self.uplink.acked_seq:
            retry_at_ms = self.uplink.progress_ms + self.uplink.retry_ms
            assert due is not None and due <= max(self.now_ms, retry_at_ms)

    def teardown(self) -> None:
        """The line is good again: everything arrives, and the sender comes to know it."""
        self.batches, self.acks = [], []
        self.uplink.connected(self.now_ms)
        for _ in range(40 + (self.head + 1) // RECORDS_MAX):
            while self.send_one():
                pass
            while self.batches:
                self.receive(self.batches.pop(0))
            while self.acks:
                self.take_ack(self.acks.pop(0))
            self.now_ms += self.uplink.retry_ms
        missing = set(range(self.head + 1)) - self.ever_committed
        assert not missing and self.uplink.acked_seq == self.head
        # A receiver that lost its copy says so at its next ack and has all of it again.
        if self.contiguous() < self.head:
            self.take_ack(ack_of(self.committed, self.said))
            while self.send_one() or self.batches:
                while self.batches:
                    self.receive(self.batches.pop(0))
                while self.acks:
                    self.take_ack(self.acks.pop(0))
        assert self.contiguous() == self.uplink.acked_seq == self.head


Delivery.TestCase.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
TestDelivery = Delivery.TestCase


ROUND_TRIP_MS = 200
LINGER_MS = 3_000
POLL_MS = 1_000


class Line:
    """A backlog and what comes on top of it, over a line that loses a share of all messages."""

    def __init__(self, backlog: int, loss: float, seed: int) -> None:
        self.draw = random.Random(seed)
        self.loss = loss
        self.head = backlog - 1
        self.backlog = backlog
        self.uplink = Uplink(-1, LINGER_MS, RECORDS_MAX, seed)
        self.committed: set[int] = set()
        self.news: list[tuple[int, int, object]] = []  # (when, number, span or ack)
        self.now_ms = self.count = self.heard = 0
        self.gaps_most = 0
        self.lags_ms: list[int] = []  # of the newest record in the cloud, at each poll
        self.uplink.connected(0)

    def post(self, what: object) -> None:
        if self.draw.random() >= self.loss:
            self.count += 1
            late_ms = self.draw.randrange(ROUND_TRIP_MS // 2, ROUND_TRIP_MS)
            heapq.heappush(self.news, (self.now_ms + late_ms, self.count, what))

    def run(self, most_ms: int) -> int:
        """Until everything is acked; returns when the backlog was."""
        done_ms = -1
        poll_ms = POLL_MS
        while self.uplink.acked_seq < self.backlog - 1 or done_ms < 0:
            span = self.uplink.want(self.head, self.now_ms)
            while span is not None:
                self.uplink.sent(*span, self.now_ms)
                self.post(span)
                span = self.uplink.want(self.head, self.now_ms)
            due_ms = self.uplink.next_ms(self.head, self.now_ms)
            times = [poll_ms, *(item[0] for item in self.news[:1])]
            self.now_ms = min([*times, *([due_ms] if due_ms is not None else [])])
            if self.now_ms >= poll_ms:
                self.head += 1
                poll_ms += POLL_MS
                newest = max(self.committed, default=-1)
                if self.heard:  # before the first ack nobody knows that there is a cloud
                    self.lags_ms.append(POLL_MS * (self.head - newest))
            while self.news and self.news[0][0] <= self.now_ms:
                self.arrive(heapq.heappop(self.news)[2])
            if self.uplink.acked_seq >= self.backlog - 1 and done_ms < 0:
                done_ms = self.now_ms
            assert self.now_ms < most_ms, "the backlog does not drain"
        return done_ms

    def arrive(self, what) -> None:
        if len(what) == 2:
            self.committed |= set(range(what[0], what[1] + 1))
            self.count += 1
            ack = ack_of(self.committed, self.count)
            self.gaps_most = max(self.gaps_most, len(ack[1]) // 2)
            self.post(ack)
            return
        seq, gaps, number = what
        if seq < self.uplink.acked_seq:
            return  # this line's receiver never goes back
        self.uplink.acknowledged(seq, self.head, self.now_ms, gaps if number >= self.heard else ())
        self.heard = max(self.heard, number)


@settings(max_examples=20, deadline=None)
@given(
    backlog=st.integers(60, 900),
    loss=st.sampled_from([0.0, 0.02, 0.1, 0.25]),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_backlog_never_hides_the_present(backlog: int, loss: float, seed: int):
    line = Line(backlog, loss, seed)
    line.run(most_ms=10_000_000)
    assert line.gaps_most <= GAPS_MAX
    # A lost batch is followed by the next within a linger; lost acks cost the longest patience.
    settled = line.lags_ms[10:]
    bound_ms = LINGER_MS + POLL_MS + 3 * ROUND_TRIP_MS + (RETRY_MAX_MS if loss else 0)
    assert all(lag_ms <= bound_ms for lag_ms in settled), max(settled)


@pytest.mark.parametrize("seed", range(3))
def test_the_share_of_history_costs_a_third_more_time_at_most(seed: int):
    """Three places of four, on a line that is limited by its round trips."""
    took_ms = Line(1_800, 0.0, seed).run(10_000_000)
    strict_ms = 1_800 // RECORDS_MAX // WINDOW * ROUND_TRIP_MS * 3 // 2
    assert took_ms <= strict_ms * 4 // 3
