"""Compacted polls are the same records and the same readings, and take little room."""

import random
from pathlib import Path

import pytest

from cloud_sync.evidence import plan_span
from cloud_sync.keys import Keys
from cloud_sync.raw import ALWAYS, Period, find_journals, read_raw, span_of
from cloud_sync.receiver import Receiver
from cloud_sync.store.compaction import POLLS_MIN, compact
from cloud_sync.store.postgres import PostgresStore
from cloud_sync.verify import verify_store
from edge.core.errors import StoreError
from edge.core.journal.record import Kind
from edge.core.numbers.fixed import INT64_MAX, INT64_MIN
from hil_tests.postgres_server import Server
from tests.contract.conftest import BOTH
from tests.unit.receiver_journal import (
    GATEWAY,
    KEY,
    NOW_MS,
    POLL_MS,
    START_MS,
    TENANT,
    TOPIC,
    Journal,
    factory,
)

pytestmark = pytest.mark.system

LATER_MS = NOW_MS + 10**9


def received(url: str, journal: Journal, step: int = 60) -> PostgresStore:
    store = PostgresStore(url)
    receiver = Receiver(store, Keys({(TENANT, GATEWAY): KEY}), lambda: NOW_MS)
    for first in range(0, len(journal.records), step):
        last = min(first + step, len(journal.records)) - 1
        assert receiver.receive(TOPIC, journal.batch(first, last)) is not None
    return store


def content(store: PostgresStore) -> dict[str, list[tuple]]:
    orders = {"v_readings": "seq, device, point", "records": "seq", "readings": "seq, point"}
    return {
        view: store.query(f"SELECT * FROM {view} ORDER BY {order}")
        for view, order in orders.items()
    }


@BOTH
def test_nothing_changes_for_who_reads(postgres_server: Server):
    url = postgres_server.create()
    journal = factory(polls=400)
    store = received(url, journal)
    before = content(store)
    cut_ms = START_MS + 600 * POLL_MS
    assert compact(url, cut_ms) > 2 * POLLS_MIN
    assert store.query("SELECT count(*) FROM record_rows WHERE kind = 1 AND wall_ms < ?", cut_ms)
    assert content(store) == before
    (found,) = find_journals(store)
    assert [raw.seq for raw in read_raw(store, found.number, 0, INT64_MAX)] == [
        record.seq for record in journal.records
    ]
    for start_ms, end_ms in ((START_MS, cut_ms), (cut_ms - 9_500, cut_ms + 9_500), (None, None)):
        expected = [
            record.seq
            for record in journal.records
            if (start_ms or 0) <= record.wall_ms < (end_ms or LATER_MS)
        ]
        assert span_of(store, found.number, Period(start_ms, end_ms)) == (
            expected[0],
            expected[-1],
        )
    assert plan_span(store, found, ALWAYS) == (0, len(journal.records) - 1)
    summary = verify_store(url)
    assert summary.ok and summary.journals[0].readings == len(journal.readings)
    store.close()


@BOTH
def test_extreme_values_and_odd_polls_keep_their_bits(postgres_server: Server):
    url = postgres_server.create()
    draw = random.Random(4)
    journal = Journal()
    journal.define()
    edges = [None, 0, -1, INT64_MAX, INT64_MIN + 1, 2**31, -(2**31), 32_767, 32_768]
    for at in range(2 * POLLS_MIN):
        width = 2 if at % 50 else draw.randrange(0, 5)
        values = [draw.choice(edges) for _ in range(width)] if at % 2 else [at, 5_000_000 * at]
        bad = [0, draw.randrange(1, 7)] if values and at % 9 == 0 else []
        journal.append(Kind.POLL, [0, values, bad, []])
    store = received(url, journal)
    before = content(store)
    assert compact(url, LATER_MS) == 2 * POLLS_MIN
    assert content(store) == before
    assert verify_store(url).ok
    store.close()


@BOTH
def test_late_records_go_between_blocks_and_a_batch_again_changes_nothing(
    postgres_server: Server,
):
    url = postgres_server.create()
    journal = factory(polls=500)
    store = PostgresStore(url)
    receiver = Receiver(store, Keys({(TENANT, GATEWAY): KEY}), lambda: NOW_MS)
    size = len(journal.records)
    runs = [(first, min(first + 49, size - 1)) for first in range(0, size, 50)]
    for first, last in runs[::2]:
        receiver.receive(TOPIC, journal.batch(first, last))
    assert compact(url, LATER_MS)
    for first, last in runs:
        receiver.receive(TOPIC, journal.batch(first, last))
    assert compact(url, LATER_MS)
    assert store.query("SELECT count(*), count(DISTINCT seq) FROM records") == [(size, size)]
    assert verify_store(url).ok
    assert store.query("SELECT count(*) FROM quarantine") == [(0,)]
    store.close()


def test_untrusted_times_stay_rows(postgres_server: Server):
    url = postgres_server.create()
    store = received(url, factory(polls=200))
    with store.transaction():
        store.query("UPDATE record_rows SET clock = 1")
    assert compact(url, LATER_MS) == 0
    store.close()


@BOTH
def test_a_run_that_fails_leaves_rows(postgres_server: Server):
    url = postgres_server.create()
    store = received(url, factory(polls=300))
    before = content(store)
    store.query("ALTER TABLE point_blocks ADD CONSTRAINT never CHECK (point < 2)")
    with pytest.raises(StoreError):
        compact(url, LATER_MS)
    assert store.query("SELECT count(*) FROM poll_blocks") == [(0,)]
    assert content(store) == before
    store.query("ALTER TABLE point_blocks DROP CONSTRAINT never")
    assert compact(url, LATER_MS) == 600
    assert content(store) == before
    store.close()


def test_verify_names_the_record_that_is_broken_in_a_block(postgres_server: Server):
    url = postgres_server.create()
    store = received(url, factory(polls=300))
    assert compact(url, LATER_MS) == 600
    spoilt = "UPDATE {} SET {} WHERE device = 0 AND first = (SELECT min(first) FROM poll_blocks)"
    store.query(spoilt.format("poll_blocks", "bodies[7] = bodies[8]"))
    (seq,) = store.query("SELECT seqs[7] FROM poll_blocks WHERE device = 0 ORDER BY first")[0]
    (journal,) = verify_store(url).journals
    assert journal.broken == seq
    store.close()


def test_the_verb(postgres_server: Server, tmp_path: Path, capsys: pytest.CaptureFixture):
    from edge.__main__ import main

    url = postgres_server.create()
    received(url, factory(polls=200)).close()
    assert main(["compact", "--store", url, "--json"]) == 0
    assert '"polls": 400' in capsys.readouterr().out
    assert main(["compact", "--store", f"sqlite:///{tmp_path / 'cloud.db'}"]) == 2
    assert "--store" in capsys.readouterr().err
