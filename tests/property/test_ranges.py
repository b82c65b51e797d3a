"""The ledger of seq ranges against a plain dictionary of seq -> hash."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_sync.ranges import Run, Segment, gaps_of, head_of, plan_merge
from edge.core.errors import SyncError

GENESIS = b"genesis"


def chain_of(length: int, seed: bytes = b"", fork_at: int = 1 << 30) -> list[bytes]:
    """Hashes 0..length-1; from fork_at on they are those of other records."""
    hashes, before = [], GENESIS
    for seq in range(length):
        other = seed if seq >= fork_at else b""
        before = hashlib.sha256(before + bytes([seq]) + other).digest()
        hashes.append(before)
    return hashes


LENGTH = 40
HONEST = chain_of(LENGTH)


def run_of(hashes: list[bytes], first: int, last: int) -> Run:
    return Run(first, hashes[first - 1] if first else GENESIS, tuple(hashes[first : last + 1]))


class Naive:
    """What the ledger must amount to: every stored seq with its hash, one by one."""

    def __init__(self) -> None:
        self.hashes: dict[int, bytes] = {}
        self.before: dict[int, bytes] = {}

    def contradicts(self, run: Run) -> bool:
        """True when a shared record or a seam between two records has two hashes."""
        for at, digest in enumerate(run.hashes):
            seq = run.first + at
            if self.hashes.get(seq, digest) != digest:
                return True
            if self.before.get(seq + 1, digest) != digest:
                return True
        return self.hashes.get(run.first - 1, run.hash_before) != run.hash_before

    def add(self, run: Run) -> set[int]:
        new = set(range(run.first, run.last + 1)) - set(self.hashes)
        before = run.hash_before
        for at, digest in enumerate(run.hashes):
            self.hashes[run.first + at] = digest
            self.before[run.first + at] = before
            before = digest
        return new

    def segments(self) -> list[Segment]:
        found: list[Segment] = []
        for seq in sorted(self.hashes):
            if found and found[-1].last == seq - 1:
                found[-1] = found[-1]._replace(last=seq, hash_last=self.hashes[seq])
            else:
                found.append(Segment(seq, seq, self.before[seq], self.hashes[seq]))
        return found

    def head(self) -> int:
        head = -1
        while head + 1 in self.hashes:
            head += 1
        return head

    def holes(self) -> list[int]:
        return [s for s in range(max(self.hashes, default=-1)) if s not in self.hashes]


def spans_to_set(spans) -> set[int]:
    return {seq for first, last in spans for seq in range(first, last + 1)}


def apply(segments: list[Segment], run: Run, naive: Naive) -> list[Segment]:
    """Merge a run as a store does, with every hash in the overlap compared."""
    plan = plan_merge("gw", GENESIS, segments, run)
    for seq in spans_to_set(plan.overlap):
        if naive.hashes[seq] != run.hash_at(seq):
            raise SyncError("sync.fork", gateway="gw", seq=seq)
    incoming = set(range(run.first, run.last + 1))
    assert spans_to_set(plan.overlap) == incoming & set(naive.hashes)
    assert spans_to_set(plan.new) == naive.add(run)
    kept = [segment for segment in segments if segment not in plan.replaced]
    return sorted([*kept, plan.merged])


CUTS = st.tuples(st.integers(0, LENGTH - 1), st.integers(0, 9)).map(
    lambda cut: (cut[0], min(cut[0] + cut[1], LENGTH - 1))
)


@given(st.lists(CUTS, max_size=25))
def test_any_cuts_in_any_order_amount_to_the_set(cuts: list[tuple[int, int]]):
    segments: list[Segment] = []
    naive = Naive()
    for first, last in cuts:
        segments = apply(segments, run_of(HONEST, first, last), naive)
        assert segments == naive.segments()
        head, digest = head_of(GENESIS, segments)
        assert head == naive.head()
        assert digest == (HONEST[head] if head >= 0 else GENESIS)
        gaps = gaps_of(segments, LENGTH)
        pairs = list(zip(gaps[::2], gaps[1::2], strict=True))
        assert sorted(spans_to_set(pairs)) == naive.holes()
        assert gaps_of(segments[:3], 2) == gaps[:4]


@given(st.lists(CUTS, max_size=12), CUTS, st.integers(0, LENGTH))
def test_a_fork_is_refused_exactly_when_the_set_contradicts(
    cuts: list[tuple[int, int]], other: tuple[int, int], fork_at: int
):
    segments: list[Segment] = []
    naive = Naive()
    for first, last in cuts:
        segments = apply(segments, run_of(HONEST, first, last), naive)
    run = run_of(chain_of(LENGTH, b"clone", fork_at), *other)
    if naive.contradicts(run):
        with pytest.raises(SyncError) as caught:
            apply(segments, run, naive)
        assert caught.value.code == "sync.fork"
        assert naive.segments() == segments
    else:
        assert apply(segments, run, naive) == naive.segments()


def test_record_zero_must_start_from_the_genesis():
    with pytest.raises(SyncError) as caught:
        plan_merge("gw", b"another", [], run_of(HONEST, 0, 3))
    assert caught.value.code == "sync.chain" and caught.value.fields["seq"] == 0
