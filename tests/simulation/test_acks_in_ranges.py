"""Acknowledgements whose head lies inside of a range that retention has removed meanwhile.

Taken for nothing, either makes a gateway send the same tombstones for ever.
"""

import pytest

from edge.app.recorder import Recorder
from edge.app.uploader import Uploader
from edge.core.journal.chain import Chain
from edge.core.journal.record import Kind, Record, decode_record, encode_record
from edge.core.journal.retain import Removal, Step, Tombstone
from edge.core.sync.batch import decode_batch
from edge.ports.sim.disk import Disk
from edge.ports.sim.store import SimStore
from tests.unit.port_doubles import KEY, ManualClock, MemoryUplink, ack_payload

RANGES = [(first, first + 2) for first in range(10, 34, 4)]
ACK_TOPIC = b"carbontally/v1/wuxi/gw-1/ack"


def thinned_store() -> SimStore:
    """A journal of 40 polls, 0..9 acked, six ranges removed, each with its own tombstone."""
    store = SimStore(Disk(), "gw-1", lambda: b"epoch--1")
    recorder = Recorder(store, ManualClock(), 1000)
    for number in range(40):
        recorder.add(Kind.POLL, [0, [number], [], []], number)
    recorder.commit(0, True)
    store.ack(9)
    chain = Chain(store.next_seq, store.head)
    tombs, rows = [], []
    for first, last in RANGES:
        hashes = (store.hash_at(first - 1), store.hash_at(last))
        tombs.append(Tombstone(first, last, "dropped", 0, 0, 3, *hashes))
        seq = chain.next_seq
        data = encode_record(Record(Kind.TOMBSTONE, seq, 1, 0, 0, 0, list(tombs[-1])))
        rows.append((seq, Kind.TOMBSTONE, data, chain.extend(data)))
    store.remove(rows, Removal((), 0, tuple(tombs), Step.POLLS, 34))
    return store


def online(store: SimStore) -> tuple[Uploader, MemoryUplink]:
    uplink = MemoryUplink()
    uploader = Uploader(uplink, store, "gw-1", "wuxi", KEY, 0)
    assert uploader.step(0) == []
    return uploader, uplink


def acked(uploader: Uploader, uplink: MemoryUplink, seq: int, gaps: tuple[int, ...]):
    """What the step that takes this ack in complains of, and what it sends first."""
    before = len(uplink.batches())
    uplink.inbox.append((ACK_TOPIC, ack_payload(seq, bytes(32), gaps=gaps)))
    errors = [error.code for error in uploader.step(1)]
    sent = uplink.batches()[before:]
    first = decode_batch(sent[0], KEY).records[0] if sent else None
    return errors, first


def test_the_tombstone_of_that_range_comes_next():
    store = thinned_store()
    uploader, uplink = online(store)
    uploader.window.rewind()  # what has left may be lost
    errors, first = acked(uploader, uplink, 27, (28, 28))
    assert errors == []
    assert first is not None and first.kind == Kind.TOMBSTONE and first.body[:2] == [26, 28]
    assert store.acked_seq == 9  # there was no hash to compare: nothing more is released


def test_an_ack_that_goes_back_into_a_range_is_followed():
    store = thinned_store()
    uploader, uplink = online(store)
    store.ack(35)
    uploader.window.acked_seq = 35
    errors, first = acked(uploader, uplink, 15, ())
    assert errors == [] and store.acked_seq == 13
    assert first is not None and first.body[:2] == [14, 16]


def test_a_cloud_that_has_the_tombstone_and_stands_in_its_range_holds_other_records():
    store = thinned_store()
    uploader, uplink = online(store)
    gap = store.gap_from(27)
    assert gap is not None
    at = gap.tombstone
    assert decode_record(store.read(at, at)[0][0]).body[:2] == [26, 28]
    for gaps in ((28, at - 1), (28, 30, at + 2, 60)):
        assert acked(uploader, uplink, 27, gaps)[0] == ["sync.rewound"], gaps
    for gaps in ((), (28, at), (28, at - 2), (28, 30, at, at + 1)):
        assert acked(uploader, uplink, 27, gaps)[0] == [], gaps


class Cloud:
    """Takes each batch in as it comes, and says after each what it has, as a receiver does."""

    def __init__(self, store: SimStore) -> None:
        self.store = store
        self.there = set(range(10))
        self.arrived: list[int] = []

    def take(self, payload: bytes) -> bytes:
        """The acknowledgement of one batch."""
        for record in decode_batch(payload, KEY).records:
            self.arrived.append(record.seq)
            self.there.add(record.seq)
            if record.kind == Kind.TOMBSTONE:
                self.there.update(range(record.body[0], record.body[1] + 1))
        missing = [seq for seq in range(max(self.there) + 1) if seq not in self.there]
        gaps: list[int] = []
        for seq in missing:
            if gaps and gaps[-1] == seq - 1:
                gaps[-1] = seq
            else:
                gaps += [seq, seq]
        seq = missing[0] - 1 if missing else max(self.there)
        return ack_payload(seq, self.store.hash_at(seq) or bytes(32), gaps=tuple(gaps[:32]))


@pytest.mark.parametrize("at_once", [True, False])
def test_each_poll_leaves_once_and_tombstones_side_by_side_as_one(at_once: bool) -> None:
    store = thinned_store()
    cloud = Cloud(store)
    uploader, uplink = online(store)
    batches = 0
    for now_ms in range(1, 100):
        sent = uplink.batches()[batches:]
        batches += len(sent)
        for payload in sent:
            uplink.inbox.append((ACK_TOPIC, cloud.take(payload)))
            if at_once:
                assert uploader.step(now_ms) == []
        assert uploader.step(now_ms) == []
    assert store.acked_seq == store.next_seq - 1
    removed = {seq for first, last in RANGES for seq in range(first, last + 1)}
    polls = [seq for seq in cloud.arrived if seq < 40]
    assert sorted(polls) == sorted(set(range(10, 40)) - removed)
    # Ahead of their turn, and in it: no ack names what lies behind the first hole's end.
    assert sorted(set(cloud.arrived) - set(polls)) == list(range(40, store.next_seq))
    # The tombstones, the five polls that are each between two ranges, and the rest.
    assert batches == 1 + 5 + 1
