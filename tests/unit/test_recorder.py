"""Records get seq, time and hash once, in order, whatever the store does."""

import hashlib

import pytest

from edge.app import recorder as module
from edge.app.mending import RETRY_MS
from edge.app.recorder import Recorder
from edge.core.journal.clock import ClockQuality
from edge.core.journal.record import Kind

from .port_doubles import T0, ListStore, ManualClock

COMMIT_MS = 500


def make(store: ListStore | None = None, start_wall_ms: int | None = T0):
    store = store or ListStore()
    clock = ManualClock(start_wall_ms)
    recorder = Recorder(store, clock, COMMIT_MS)
    recorder.keep_time(0)
    recorder.commit(0, True)
    return recorder, store, clock


def poll(recorder: Recorder, now_ms: int, value: int = 1) -> None:
    recorder.add(Kind.POLL, [0, [value], [], []], now_ms)


def assert_chained(store: ListStore) -> None:
    before = store.genesis
    for seq, (row_seq, _, data, digest) in enumerate(store.rows):
        before = hashlib.sha256(before + data).digest()
        assert (row_seq, digest) == (seq, before)
    assert [record[1] for record in store.records()] == list(range(len(store.rows)))


def test_records_are_numbered_and_chained_from_the_genesis():
    recorder, store, _ = make()
    for now_ms in range(100, 1000, 100):
        poll(recorder, now_ms)
    recorder.event("x", {"b": 1, "a": 2}, 1000)
    assert recorder.commit(1000, True)
    assert_chained(store)
    assert store.records()[-1][6] == ["x", ["a", 2, "b", 1]]


def test_a_restart_goes_on_with_the_next_seq_and_the_last_hash():
    recorder, store, _ = make()
    poll(recorder, 10)
    recorder.commit(10, True)
    again, after, _ = make(store.opened_again())
    poll(again, 20)
    again.commit(20, True)
    assert_chained(after)
    assert [record[2] for record in after.records()] == [1, 1, 2, 2]


def test_time_that_passes_while_a_journal_is_taken_up_is_no_part_of_the_wall_time():
    clock = ManualClock()
    recorder = Recorder(ListStore(), clock, COMMIT_MS)
    clock.mono = 4_000
    recorder.keep_time(0)
    assert recorder.wall_ms(0) == T0
    recorder.keep_time(4_000)
    assert recorder.wall_ms(4_000) == T0 + 4_000
    recorder.commit(4_000, True)
    assert [record[0] for record in recorder.store.records()].count(Kind.CLOCK) == 1


def test_records_wait_for_company_and_leave_in_one_commit():
    recorder, store, _ = make()
    store.appends.clear()
    poll(recorder, 1000)
    poll(recorder, 1300)
    assert recorder.next_ms() == 1500 and recorder.waiting == 2
    assert not recorder.commit(1499)
    assert recorder.commit(1500)
    assert store.appends == [2] and recorder.waiting == 0 and recorder.next_ms() is None
    assert not recorder.commit(9999, True)


def test_a_forced_commit_does_not_wait():
    recorder, store, _ = make()
    poll(recorder, 1000)
    assert recorder.commit(1000, True) and store.records()[-1][3] == 1000


@pytest.mark.parametrize("code", ["store.full", "store.write"])
def test_a_failing_store_keeps_every_record_and_their_order(code: str):
    recorder, store, _ = make()
    store.failing = code
    for second in range(1, 11):
        poll(recorder, 1000 * second, second)
        recorder.commit(1000 * second)
    assert recorder.failure is not None and recorder.failure.code == code
    assert recorder.waiting == 10 and len(store.rows) == 1
    assert recorder.next_ms() <= 10_000 + RETRY_MS
    store.failing = None
    assert recorder.commit(12_000)
    assert recorder.failure is None
    assert [body[1] for body in store.bodies(Kind.POLL)] == [[n] for n in range(1, 11)]
    assert recorder.commit(13_000, True)
    assert_chained(store)
    assert store.bodies(Kind.EVENT) == [["store.recovered", ["code", code, "dropped", 0]]]


def test_a_failed_commit_is_not_tried_again_at_once():
    recorder, store, _ = make()
    store.failing = "store.full"
    poll(recorder, 1000)
    assert not recorder.commit(1500)
    assert recorder.next_ms() == 1500 + RETRY_MS
    store.failing = None
    assert not recorder.commit(1501)
    assert recorder.commit(1500 + RETRY_MS)


def test_when_memory_is_full_polls_are_dropped_counted_and_told(monkeypatch):
    monkeypatch.setattr(module, "WAITING_MAX", 5)
    recorder, store, _ = make()
    store.failing = "store.full"
    for second in range(1, 13):
        poll(recorder, 1000 * second, second)
    recorder.commit(13_000, True)
    recorder.event("gateway.test", {}, 13_000)  # what is no poll is never dropped
    assert (recorder.waiting, recorder.dropped_polls) == (6, 7)
    store.failing = None
    assert recorder.commit(14_000, True) and recorder.commit(14_000, True)
    assert [body[1] for body in store.bodies(Kind.POLL)] == [[n] for n in range(1, 6)]
    told = ["store.recovered", ["code", "store.full", "dropped", 7]]
    assert store.bodies(Kind.EVENT) == [["gateway.test", []], told]
    assert recorder.dropped_polls == 0
    assert_chained(store)


def test_each_move_of_the_clock_is_a_record_and_stamps_what_follows():
    recorder, store, clock = make(start_wall_ms=None)
    poll(recorder, 1000)
    clock.mono, clock.start_wall_ms = 2000, T0
    recorder.keep_time(2000)
    poll(recorder, 3000)
    clock.mono, clock.start_wall_ms = 4000, T0 + 20  # within the tolerance
    recorder.keep_time(4000)
    clock.mono, clock.start_wall_ms = 5000, T0 - 60_000
    recorder.keep_time(5000)
    poll(recorder, 6000)
    recorder.commit(6000, True)
    assert [body[1:3] for body in store.bodies(Kind.CLOCK)] == [
        [0, 0],
        [2000, T0 + 2000],
        [5000, T0 - 55_000],
    ]
    stamps = [(r[3], r[4], r[5]) for r in store.records() if r[0] == Kind.POLL]
    unset, synced = ClockQuality.UNSET, ClockQuality.SYNCED
    assert stamps == [
        (1000, 1000, unset),
        (3000, T0 + 3000, synced),
        (6000, T0 - 54_000, synced),
    ]
