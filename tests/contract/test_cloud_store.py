"""What every cloud store does: one suite, each implementation passes it."""

import threading
from collections.abc import Callable

import pytest

from cloud_sync.ranges import Plan, Run, Segment, plan_merge
from cloud_sync.rows import Rows
from cloud_sync.store.contract import (
    REFUSALS_PER_OWNER_MAX,
    Alarm,
    Head,
    RawRow,
    Refusal,
    Store,
)
from edge.core.errors import DataError, StoreError, SyncError
from edge.core.journal.record import encode_record
from tests.unit.receiver_journal import EPOCH, GATEWAY, TENANT, Journal, factory

GENESIS = b"g" * 32
NOW_MS = 1_790_000_000_000
JOURNAL = factory(polls=10)


def open_journal(store: Store, epoch: bytes = EPOCH) -> int:
    with store.transaction():
        return store.open_journal(TENANT, GATEWAY, epoch, NOW_MS)


def layout(journal: Journal, first: int, last: int) -> tuple[list[RawRow], Rows]:
    rows = Rows()
    raw: list[RawRow] = []
    for record in journal.records[first : last + 1]:
        rows.add(record)
        head = (record.seq, record.kind, record.boot, record.mono_ms, record.wall_ms)
        raw.append((*head, record.clock, journal.hashes[record.seq], encode_record(record)))
    return raw, rows


def plan_of(journal: Journal, store: Store, number: int, first: int, last: int) -> Plan:
    before = journal.hashes[first - 1] if first else GENESIS
    run = Run(first, before, journal.hashes[first : last + 1])
    return plan_merge(GATEWAY, GENESIS, store.segments_near(number, first, last), run)


def add(store: Store, number: int, first: int, last: int) -> Head:
    with store.transaction():
        assert store.add_records(number, *layout(JOURNAL, first, last)) == []
        return store.apply_plan(number, plan_of(JOURNAL, store, number, first, last), GENESIS)


def test_a_journal_keeps_its_number(reopen: Callable[[], Store]):
    store = reopen()
    assert store.find_journal(TENANT, GATEWAY, EPOCH) is None
    number = open_journal(store)
    assert open_journal(store) == number == store.find_journal(TENANT, GATEWAY, EPOCH)
    assert open_journal(store, b"epoch-02") != number
    store.close()
    assert reopen().find_journal(TENANT, GATEWAY, EPOCH) == number


def test_an_empty_journal_has_its_head_before_record_zero(store: Store):
    assert store.read_head(open_journal(store), GENESIS) == Head(-1, GENESIS, ())


def test_ranges_merge_and_the_head_follows(store: Store):
    number = open_journal(store)
    assert add(store, number, 3, 4) == Head(-1, GENESIS, (0, 2))
    assert add(store, number, 8, 9) == Head(-1, GENESIS, (0, 2, 5, 7))
    assert add(store, number, 0, 2) == Head(4, JOURNAL.hashes[4], (5, 7))
    assert add(store, number, 5, 7) == Head(9, JOURNAL.hashes[9], ())
    assert store.read_head(number, GENESIS) == Head(9, JOURNAL.hashes[9], ())
    whole = Segment(0, 9, GENESIS, JOURNAL.hashes[9])
    assert store.segments_near(number, 10, 12) == [whole]
    assert store.segments_near(number, 11, 12) == []
    assert store.query("SELECT head_seq, head_hash FROM journals") == [(9, JOURNAL.hashes[9])]


def test_segments_near_are_those_that_overlap_or_touch(store: Store):
    number = open_journal(store)
    for first, last in ((2, 3), (5, 5), (9, 12)):
        add(store, number, first, last)
    near = {
        (0, 0): [],
        (0, 1): [2],
        (4, 4): [2, 5],
        (6, 7): [5],
        (7, 7): [],
        (7, 8): [9],
        (10, 10): [9],
        (13, 20): [9],
        (14, 20): [],
        (0, 20): [2, 5, 9],
    }
    for (first, last), expected in near.items():
        found = [segment.first for segment in store.segments_near(number, first, last)]
        assert found == expected, (first, last)


def test_hashes_come_back_in_order(store: Store):
    number = open_journal(store)
    add(store, number, 2, 8)
    expected = [(seq, JOURNAL.hashes[seq]) for seq in range(4, 9)]
    assert store.read_hashes(number, 4, 30) == expected
    assert store.read_hashes(number + 1, 0, 30) == []


def test_a_transaction_that_raises_leaves_nothing(store: Store):
    number = open_journal(store)
    with pytest.raises(ZeroDivisionError), store.transaction():
        store.add_records(number, *layout(JOURNAL, 0, 5))
        store.apply_plan(number, plan_of(JOURNAL, store, number, 0, 5), GENESIS)
        raise ZeroDivisionError
    assert store.query("SELECT count(*) FROM records") == [(0,)]
    assert store.read_head(number, GENESIS).seq == -1
    assert add(store, number, 0, 5).seq == 5


def test_a_transaction_inside_of_another_is_undone_alone(reopen: Callable[[], Store]):
    store = reopen()
    number = open_journal(store)
    with store.transaction():
        add(store, number, 0, 1)
        with pytest.raises(ZeroDivisionError), store.transaction():
            add(store, number, 2, 5)
            raise ZeroDivisionError
        assert add(store, number, 4, 5) == Head(1, JOURNAL.hashes[1], (2, 3))
    with pytest.raises(ZeroDivisionError), store.transaction():
        add(store, number, 2, 3)
        raise ZeroDivisionError
    store.close()
    found = reopen().query("SELECT seq FROM records ORDER BY seq")
    assert found == [(0,), (1,), (4,), (5,)]


def test_a_record_is_never_stored_twice(store: Store):
    number = open_journal(store)
    add(store, number, 0, 5)
    with pytest.raises(StoreError), store.transaction():
        store.add_records(number, *layout(JOURNAL, 5, 6))
    assert store.query("SELECT count(*), max(seq) FROM records") == [(6, 5)]


def test_what_is_committed_is_there_after_reopening(reopen: Callable[[], Store]):
    store = reopen()
    number = open_journal(store)
    add(store, number, 0, len(JOURNAL.records) - 1)
    readings = store.query("SELECT * FROM v_readings ORDER BY seq, device, point")
    store.close()
    store.close()
    again = reopen()
    assert again.query("SELECT * FROM v_readings ORDER BY seq, device, point") == readings
    assert len(readings) == len(JOURNAL.readings)
    assert again.read_head(number, GENESIS).seq == len(JOURNAL.records) - 1


def test_the_first_meaning_of_a_number_holds(store: Store):
    journal = Journal()
    journal.define()
    journal.define()
    journal.define(devices=((0, "other", (("x", "W", 0, "gauge"),)),))
    number = open_journal(store)
    with store.transaction():
        assert store.add_records(number, *layout(journal, 1, 2)) == [2]
        assert store.add_records(number, *layout(journal, 0, 0)) == []
    assert store.query("SELECT number, name, seq FROM devices ORDER BY number") == [
        (0, "main meter", 0),
        (3, "stack", 0),
    ]
    assert store.query("SELECT count(*) FROM points") == [(5,)]
    assert store.query("SELECT number, seq FROM streams") == [(1, 0)]


def test_alarms_and_refusals_count_up_and_are_bounded(store: Store):
    fork = Alarm("park/gw-1", EPOCH, 7, SyncError("sync.fork", gateway="gw-1", seq=7))
    refusal = Refusal("park/gw-1", "t", DataError("data.pack", reason="x"), b"payload")
    for now_ms in (NOW_MS, NOW_MS + 5):
        with store.transaction():
            store.add_alarm(fork, now_ms)
            store.add_refusal(refusal, now_ms)
    times = (NOW_MS, NOW_MS + 5, 2)
    found = store.query("SELECT code, seq, first_ms, last_ms, count FROM alarms")
    assert found == [("sync.fork", 7, *times)]
    assert store.query("SELECT code, payload, first_ms, last_ms, count FROM quarantine") == [
        ("data.pack", b"payload", *times)
    ]
    with store.transaction():
        for number in range(REFUSALS_PER_OWNER_MAX + 20):
            store.add_refusal(refusal._replace(payload=b"%d" % number), NOW_MS + 10 + number)
            store.add_alarm(fork._replace(seq=100 + number), NOW_MS + 10 + number)
    kept = REFUSALS_PER_OWNER_MAX
    assert store.query("SELECT count(*), min(seq) FROM alarms") == [(kept, 120)]
    assert store.query("SELECT count(*) FROM quarantine") == [(kept,)]
    assert store.query("SELECT count(*) FROM quarantine WHERE payload = ?", b"19") == [(0,)]


def test_the_payload_of_a_stranger_is_not_kept(store: Store):
    with store.transaction():
        store.add_refusal(Refusal("", "t", DataError("data.pack", reason="x"), b"abc"), NOW_MS)
        big = Refusal("park/gw-1", "t", DataError("data.pack", reason="x"), bytes(70_000))
        store.add_refusal(big, NOW_MS)
    assert store.query("SELECT size_bytes, length(payload) FROM quarantine ORDER BY id") == [
        (3, None),
        (70_000, 65_536),
    ]


def test_a_refusal_can_be_taken_out_alone(store: Store):
    with store.transaction():
        for payload in (b"one", b"two"):
            refusal = Refusal("park/gw-1", "t", DataError("data.pack", reason="x"), payload)
            store.add_refusal(refusal, NOW_MS)
    ((number,),) = store.query("SELECT id FROM quarantine WHERE payload = ?", b"one")
    for _ in range(2):
        with store.transaction():
            store.drop_refusal(number)
    assert store.query("SELECT payload FROM quarantine") == [(b"two",)]


def test_a_state_may_come_before_the_first_batch(store: Store):
    with store.transaction():
        store.set_state(TENANT, GATEWAY, "online", NOW_MS)
    open_journal(store)
    assert store.query("SELECT tenant, gateway, state FROM gateways") == [
        (TENANT, GATEWAY, "online")
    ]


def test_a_store_may_be_used_from_another_thread(store: Store):
    numbers: list[int] = []
    thread = threading.Thread(target=lambda: numbers.append(open_journal(store)))
    thread.start()
    thread.join(10)
    assert numbers == [store.find_journal(TENANT, GATEWAY, EPOCH)]


def test_writing_waits_for_others_and_then_fails_coded(reopen: Callable[[], Store]):
    one, two = reopen(), reopen()
    number = open_journal(one)
    with one.transaction():
        one.open_journal(TENANT, GATEWAY, EPOCH, NOW_MS)
        one.add_records(number, *layout(JOURNAL, 0, 1))
        assert two.read_head(number, GENESIS).seq == -1
        with pytest.raises(StoreError) as caught, two.transaction():
            two.open_journal(TENANT, GATEWAY, EPOCH, NOW_MS)
            pytest.fail("two writers of one journal at once")
    assert caught.value.code == "cloud.write"
    assert add(two, number, 2, 3) == Head(-1, GENESIS, (0, 1))


def test_records_and_their_readings_are_found_by_seq_and_by_time(store: Store):
    number = open_journal(store)
    add(store, number, 0, 3)
    add(store, number, 8, 9)
    first, last = JOURNAL.records[2], JOURNAL.records[8]
    assert store.find_span(number, first.wall_ms, last.wall_ms) == (2, 3)
    assert store.find_span(number, last.wall_ms + 5_000, last.wall_ms + 6_000) is None
    assert [store.next_seq(number, seq) for seq in (0, 3, 4, 8, 10)] == [0, 3, 8, 8, None]
    found = store.query(f"SELECT * FROM {store.within('records')} ORDER BY seq", number, 3, 8)
    assert [row[1:] for row in found] == [layout(JOURNAL, seq, seq)[0][0] for seq in (3, 8)]
    expected = [row for seq in (3, 8) for row in layout(JOURNAL, seq, seq)[1].readings]
    readings = f"SELECT seq, point, device, value, quality FROM {store.within('readings')}"
    assert store.query(f"{readings} ORDER BY seq, point", number, 3, 8) == expected


def test_the_named_readings_are_those_that_were_sent(store: Store):
    add(store, open_journal(store), 0, len(JOURNAL.records) - 1)
    found = store.query(
        "SELECT seq, device, point, unit, value, quality, wall_ms FROM v_readings"
        " ORDER BY seq, device, point"
    )
    assert found == sorted(tuple(reading) for reading in JOURNAL.readings)
