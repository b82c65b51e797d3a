"""A recorder whose journal turns out to be damaged, and one whose memory overflows."""

from pathlib import Path

import pytest

from edge.app import recorder as module
from edge.app.mending import RETRY_MS
from edge.app.recorder import Recorder
from edge.app.uploader import Uploader
from edge.core.errors import StoreError
from edge.core.journal.record import Kind, decode_record
from edge.ports.linux.sqlite_store import SqliteStore

from .port_doubles import KEY, T0, ListStore, ManualClock, MemoryUplink, ack_payload

TOPIC = b"carbontally/v1/wuxi/gw-1/ack"
POINTS = [["e", "W.h", 0, "counter"]]


def make(folder: Path) -> Recorder:
    recorder = Recorder(SqliteStore(folder / "journal.db", "gw-1", 0), ManualClock(), 500)
    recorder.keep_time(0)
    part = [1, 0, "m", "bus", 1, "x/y", b"p" * 32, 1000, POINTS]
    recorder.add(Kind.TABLE, [part], 0)
    assert recorder.commit(0, True)
    return recorder


def poll(recorder: Recorder, now_ms: int, value: int) -> None:
    recorder.add(Kind.POLL, [0, [value], [], []], now_ms)


def values(recorder: Recorder) -> list[int]:
    store = recorder.store
    found = [decode_record(data) for data, _ in store.read(0, store.next_seq - 1)]
    return [record.body[1][0] for record in found if record.kind == Kind.POLL]


def events(recorder: Recorder) -> dict[str, dict]:
    bodies = [decode_record(data).body for data in recorder.store.of_kind(Kind.EVENT)]
    pairs = [(code, [flat[at : at + 2] for at in range(0, len(flat), 2)]) for code, flat in bodies]
    return {code: dict(fields) for code, fields in pairs}


def test_what_waits_goes_into_the_new_journal(tmp_path: Path):
    recorder = make(tmp_path)
    epoch = recorder.store.epoch
    for value in range(5):
        poll(recorder, 1000 * value, value)
    recorder.commit(5000, True)
    for value in range(5, 8):
        poll(recorder, 1000 * value, value)
    recorder.renew("rewound", 8000)
    assert recorder.store.epoch != epoch and recorder.waiting == 0
    assert values(recorder) == list(range(8))
    assert events(recorder)["journal.salvaged"]["reason"] == "rewound"
    poll(recorder, 9000, 8)
    assert recorder.commit(9000, True)
    assert values(recorder) == list(range(9))


def test_damage_met_while_appending_is_renewed_without_a_restart(tmp_path: Path):
    recorder = make(tmp_path)
    poll(recorder, 1000, 1)
    recorder.commit(1000, True)
    store = recorder.store
    store.append = append_once(store, StoreError("store.corrupt", file="journal", seq=1))
    poll(recorder, 2000, 2)
    assert not recorder.commit(2000, True)
    assert recorder.failure is not None and recorder.failure.code == "store.corrupt"
    poll(recorder, 3000, 3)
    assert recorder.commit(2000 + RETRY_MS) and recorder.failure is None
    assert recorder.commit(9000, True)
    assert values(recorder) == [1, 2, 3]
    assert {"journal.salvaged", "store.recovered"} <= set(events(recorder))


def append_once(store: SqliteStore, error: StoreError):
    """The store's append, failing the first time."""
    real = store.append

    def append(rows):
        store.append = real
        raise error

    return append


def test_a_renewal_that_fails_is_tried_again_and_sampling_goes_on(tmp_path: Path, monkeypatch):
    recorder = make(tmp_path)
    store = recorder.store

    def refuse(reason: str) -> None:
        raise StoreError("store.full", file="journal")

    with monkeypatch.context() as patched:
        patched.setattr(store, "renew", refuse)
        recorder.renew("damaged", 1000)
        for second in range(1, 6):
            poll(recorder, 1000 * second, second)
            assert not recorder.commit(1000 * second, True)
    assert recorder.failure is not None and recorder.waiting == 5
    assert recorder.commit(6000, True) and recorder.commit(6001, True)
    assert values(recorder) == [1, 2, 3, 4, 5]
    assert "journal.salvaged" in events(recorder)


def test_what_memory_could_not_hold_is_a_tombstone_and_an_event(monkeypatch):
    monkeypatch.setattr(module, "WAITING_MAX", 5)
    monkeypatch.setattr(module, "WAITING_ALL_MAX", 8)
    store = ListStore()
    recorder = Recorder(store, ManualClock(), 500)
    recorder.keep_time(0)
    recorder.commit(0, True)
    store.failing = "store.write"
    for second in range(1, 21):
        poll(recorder, 1000 * second, second)
        recorder.event("some.event", {}, 1000 * second)
        recorder.commit(1000 * second, True)
    assert recorder.waiting == 8, "events are bounded as well"
    store.failing = None
    assert recorder.commit(30_000, True) and recorder.commit(31_000, True)
    (tomb,) = store.bodies(Kind.TOMBSTONE)
    kept = len(store.bodies(Kind.POLL)) + len(store.bodies(Kind.EVENT)) - 1
    assert tomb[5] == 40 - kept
    first = T0 + 1000 * (1 + len(store.bodies(Kind.POLL)))
    assert tomb == [None, None, "memory", first, T0 + 20_000, 40 - kept, None, None]
    assert store.bodies(Kind.EVENT)[-1][0] == "store.recovered"


@pytest.mark.parametrize("named", ["beyond the head", "another hash"])
def test_an_ack_that_knows_better_begins_a_new_epoch(tmp_path: Path, named: str):
    """Gateway.step renews on the uploader's error; the uploader goes on in the new epoch."""
    recorder = make(tmp_path)
    for value in range(5):
        poll(recorder, 1000 * value, value)
    recorder.commit(5000, True)
    store, uplink = recorder.store, MemoryUplink()
    uploader = Uploader(uplink, store, "gw-1", "wuxi", KEY, 100)
    uploader.step(6000)
    uploader.step(7000)
    epoch, sent = store.epoch, len(uplink.batches())
    seq = store.next_seq + 5 if named == "beyond the head" else 3
    uplink.inbox.append((TOPIC, ack_payload(seq, bytes(32), epoch)))
    (error,) = uploader.step(8000)
    assert error.code == "sync.rewound"
    recorder.renew("rewound", 8000)
    assert store.epoch != epoch
    assert uploader.step(9000, True) == []
    assert len(uplink.batches()) > sent and uploader.window.next_seq == store.next_seq
    assert values(recorder) == [0, 1, 2, 3, 4]


def test_retention_that_fails_is_tried_again_every_second_and_not_all_the_time(tmp_path: Path):
    recorder = make(tmp_path)
    store, failing = recorder.store, StoreError("store.write", file="journal", reason="told")
    asked: list[int] = []
    plan_removal = store.plan_removal

    def planned():
        asked.append(1)
        if len(asked) < 4:
            raise failing
        return plan_removal()

    store.plan_removal = planned
    poll(recorder, 1000, 1)
    assert recorder.commit(2000) and recorder.failure is failing and recorder.waiting == 0
    for at_ms in range(2000, 2000 + 3 * RETRY_MS, 100):
        assert recorder.next_ms() is not None and recorder.next_ms() > at_ms
        recorder.commit(at_ms + 100)
    assert len(asked) == 4 and recorder.next_ms() is None
    poll(recorder, 9000, 2)
    assert recorder.commit(9500) and recorder.failure is None
    assert events_after_a_commit(recorder) == {"code": "store.write", "dropped": 0}


def events_after_a_commit(recorder: Recorder) -> dict:
    recorder.commit(11_000, True)
    return events(recorder)["store.recovered"]


def test_damage_that_retention_meets_is_renewed_though_nothing_waits(tmp_path: Path):
    recorder = make(tmp_path)
    store = recorder.store
    epoch, plan_removal = store.epoch, store.plan_removal

    def damaged():
        store.plan_removal = plan_removal
        raise StoreError("store.corrupt", file="journal", seq=1)

    store.plan_removal = damaged
    poll(recorder, 1000, 1)
    assert recorder.commit(2000)
    recorder.commit(2000 + RETRY_MS)
    assert store.epoch != epoch and recorder.failure is None
    assert values(recorder) == [1]
