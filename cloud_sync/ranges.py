"""Which records of one journal the cloud has: runs of seq numbers that the hash chain holds.

A segment is a run without a hole. Two segments that meet become one, and only if the chain runs
through the seam. A range that the gateway had to remove counts as there once its tombstone has
come: the loss is explained, and the chain runs on behind it. Pure: hashes and numbers in, a plan
out; nothing here reads a database.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from edge.core.errors import SyncError
from edge.core.journal.retain import Tombstone


class Segment(NamedTuple):
    """Records first..last, all there. hash_before: chain hash before first; hash_last: at last."""

    first: int
    last: int
    hash_before: bytes
    hash_last: bytes


class Run(NamedTuple):
    """Incoming consecutive records: hashes[i] is the chain hash at seq first + i."""

    first: int
    hash_before: bytes
    hashes: Sequence[bytes]

    @property
    def last(self) -> int:
        return self.first + len(self.hashes) - 1

    def hash_at(self, seq: int) -> bytes:
        """The chain hash at `seq` within the run."""
        return self.hashes[seq - self.first]


class Plan(NamedTuple):
    """What a run changes. Spans are (first, last), ascending, both ends included.

    new: spans to insert; overlap: spans that are stored and must have the same hashes; replaced:
    segments that go; merged: the one that takes their place.
    """

    new: tuple[tuple[int, int], ...]
    overlap: tuple[tuple[int, int], ...]
    replaced: tuple[Segment, ...]
    merged: Segment


def plan_merge(gateway: str, genesis: bytes, near: Sequence[Segment], run: Run) -> Plan:
    """Lay a run over the segments it overlaps or touches.

    near: those segments, ascending; others may be among them and stay as they are.
    Raises SyncError "sync.chain" for a record 0 that does not start from `genesis`, "sync.fork"
    where a seam does not fit. The hashes inside `overlap` are for the caller to compare.
    """
    if run.first == 0 and run.hash_before != genesis:
        raise SyncError("sync.chain", gateway=gateway, seq=0)
    touched = [s for s in near if s.last >= run.first - 1 and s.first <= run.last + 1]
    new, overlap = [], []
    at = run.first
    for segment in touched:
        _check_seams(gateway, segment, run)
        if segment.first > at:
            new.append((at, segment.first - 1))
        low, high = max(segment.first, run.first), min(segment.last, run.last)
        if low <= high:
            overlap.append((low, high))
        at = max(at, segment.last + 1)
    if at <= run.last:
        new.append((at, run.last))
    return Plan(tuple(new), tuple(overlap), tuple(touched), _join(touched, run))


def _check_seams(gateway: str, segment: Segment, run: Run) -> None:
    """Compare the hash where two neighbours meet; an overlap covers its own seams."""
    if segment.last == run.first - 1 and segment.hash_last != run.hash_before:
        raise SyncError("sync.fork", gateway=gateway, seq=segment.last)
    if segment.first == run.last + 1 and segment.hash_before != run.hashes[-1]:
        raise SyncError("sync.fork", gateway=gateway, seq=run.last)


def _join(touched: list[Segment], run: Run) -> Segment:
    first, before = run.first, run.hash_before
    last, end = run.last, run.hashes[-1]
    if touched and touched[0].first < first:
        first, before = touched[0].first, touched[0].hash_before
    if touched and touched[-1].last > last:
        last, end = touched[-1].last, touched[-1].hash_last
    return Segment(first, last, before, end)


def plan_loss(
    gateway: str, genesis: bytes, near: Sequence[Segment], tomb: Tombstone
) -> Plan | None:
    """Close the hole that a tombstone explains; None when there is none any more.

    near: the segments that overlap or touch the range, ascending. Raises SyncError "sync.chain"
    or "sync.fork" as `plan_merge`. Hashes inside of a segment are for the caller to compare.
    """
    first, last = tomb.first, tomb.last
    if first == 0 and tomb.hash_before != genesis:
        raise SyncError("sync.chain", gateway=gateway, seq=0)
    for segment in near:
        if segment.last == first - 1 and segment.hash_last != tomb.hash_before:
            raise SyncError("sync.fork", gateway=gateway, seq=segment.last)
        if segment.first == last + 1 and segment.hash_before != tomb.hash_last:
            raise SyncError("sync.fork", gateway=gateway, seq=last)
        if segment.first <= first and segment.last >= last:
            return None
    merged = _join(list(near), Run(first, tomb.hash_before, _Ends(last - first + 1, tomb)))
    return Plan((), (), tuple(near), merged)


class _Ends(Sequence[bytes]):
    """The hashes of a removed range, of which only the last is known."""

    def __init__(self, length: int, tomb: Tombstone) -> None:
        self._length, self._tomb = length, tomb

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: Any) -> Any:
        return self._tomb.hash_last


def head_of(genesis: bytes, lowest: Sequence[Segment]) -> tuple[int, bytes]:
    """(highest contiguous seq, hash at it), (-1, genesis) when record 0 is not there.

    lowest: the lowest segment at least, ascending.
    """
    if lowest and lowest[0].first == 0:
        return lowest[0].last, lowest[0].hash_last
    return -1, genesis


def gaps_of(lowest: Sequence[Segment], limit: int) -> tuple[int, ...]:
    """The holes above the head as flat (first, last, ...), at most `limit` of them.

    lowest: the lowest `limit` + 1 segments at least, ascending.
    """
    flat: list[int] = []
    at = 0
    for segment in lowest:
        if segment.first > at:
            flat += [at, segment.first - 1]
        at = segment.last + 1
    return tuple(flat[: 2 * limit])
