"""The sender's window over a channel that loses, repeats, reorders and breaks.

The model: a receiver that commits what arrives and acks its contiguous head, a channel that does
what it likes with batches and acks, a gateway that restarts with what its journal remembers.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge.core.errors import SyncError
from edge.core.sync.uplink import RETRY_MS, WINDOW, Uplink

RECORDS_MAX = 5


class Delivery(RuleBasedStateMachine):
    """One gateway, one receiver, one bad line."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = 0
        self.head = -1  # of the journal
        self.journal_acked = -1
        self.uplink = Uplink(-1, 0, RECORDS_MAX)
        self.batches: list[tuple[int, int]] = []
        self.acks: list[int] = []
        self.committed: set[int] = set()
        self.ever_committed: set[int] = set()

    def contiguous(self) -> int:
        head = -1
        while head + 1 in self.committed:
            head += 1
        return head

    def send_one(self) -> bool:
        span = self.uplink.want(self.head, self.now_ms)
        if span is None:
            return False
        first, last = span
        # In order of need: from the first unacked one on, without a gap or an overlap.
        flying = self.uplink.in_flight
        assert first == (flying[-1][1] if flying else self.uplink.acked_seq) + 1
        assert first <= last <= self.head and last - first < RECORDS_MAX
        self.uplink.sent(first, last, self.now_ms)
        self.batches.append(span)
        return True

    def receive(self, span: tuple[int, int]) -> None:
        self.committed |= set(range(span[0], span[1] + 1))
        self.ever_committed |= self.committed
        self.acks.append(self.contiguous())

    def take_ack(self, seq: int) -> None:
        before = self.uplink.acked_seq
        released = self.uplink.acknowledged(seq, self.head, self.now_ms)
        assert released == (seq > before)
        assert self.uplink.acked_seq == seq
        self.journal_acked = seq

    @rule(count=st.integers(1, 12))
    def record(self, count: int) -> None:
        self.head += count

    @rule(elapsed_ms=st.sampled_from([1, 1000, RETRY_MS // 2, RETRY_MS]))
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
        seq = self.acks[at] if fate == "twice" else self.acks.pop(at)
        if fate != "lost":
            self.take_ack(seq)

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
        for _ in range(4 + (self.head + 1) // RECORDS_MAX):
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
            self.take_ack(self.contiguous())
            while self.send_one() or self.batches:
                while self.batches:
                    self.receive(self.batches.pop(0))
                while self.acks:
                    self.take_ack(self.acks.pop(0))
        assert self.contiguous() == self.uplink.acked_seq == self.head


Delivery.TestCase.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
TestDelivery = Delivery.TestCase
