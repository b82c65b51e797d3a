"""`carbontally explain` tells one story of a figure, whichever store has it, compacted or not."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud_sync.keys import Keys
from cloud_sync.receiver import Receiver
from cloud_sync.store.address import open_store
from cloud_sync.store.compaction import open_compaction
from cloud_sync.store.contract import Store
from cloud_sync.store.postgres import PostgresStore
from edge.__main__ import main
from edge.core.journal.record import Kind
from edge.core.numbers.fixed import INT64_MAX
from tests.contract.test_cloud_store_times import address_of
from tests.core.test_trail import journal
from tests.unit.receiver_journal import GATEWAY, KEY, NOW_MS, TENANT, TOPIC, Journal

RECORDS = journal([13_423_700] * 20 + [0] + [13_423_800 + at for at in range(90)])
INTERVALS = [record.seq for record in RECORDS if record.kind == Kind.INTERVAL]


def fill(store: Store) -> None:
    cloud = Journal()
    for record in RECORDS:
        cloud.append(record.kind, record.body, record.wall_ms)
    receiver = Receiver(store, Keys({(TENANT, GATEWAY): KEY}), lambda: NOW_MS)
    receiver.receive(TOPIC, cloud.batch(0, len(RECORDS) - 1))


def story(url: str, seq: int, capsys: pytest.CaptureFixture) -> dict:
    words = ["explain", "--store", url, "--gateway", GATEWAY, "--interval", str(seq)]
    status = main([*words, "--stream", "grid", "--json"])
    told = capsys.readouterr()
    assert status == 0, told.err
    return json.loads(told.out)


def test_the_story_is_that_of_a_fresh_file(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture
):
    fresh = open_store(tmp_path / "fresh.db")
    fill(fresh)
    fresh.close()
    fill(store)
    url = address_of(store)
    told = [story(f"sqlite:///{tmp_path / 'fresh.db'}", seq, capsys) for seq in INTERVALS]
    assert told[0]["same"] and len(told[0]["readings"]) == 60 and len(told) == 2
    assert [story(url, seq, capsys) for seq in INTERVALS] == told
    compaction = open_compaction(store._url if isinstance(store, PostgresStore) else _path(url))
    assert compaction.run(1, INT64_MAX, 8_192) == sum(one.kind == Kind.POLL for one in RECORDS)
    compaction.close()
    assert [story(url, seq, capsys) for seq in INTERVALS] == told


def _path(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def test_a_record_that_is_none_is_told_of_the_store(
    reopen: Callable[[], Store], capsys: pytest.CaptureFixture
):
    store = reopen()
    fill(store)
    table = "record_rows" if isinstance(store, PostgresStore) else "records"
    with store.transaction():
        store.query(f"UPDATE {table} SET body = ? WHERE seq = 5", b"\xc1")
    words = ["explain", "--store", address_of(store), "--stream", "grid"]
    assert main([*words, "--interval", str(INTERVALS[0])]) == 65
    assert "error[cloud.damaged]" in capsys.readouterr().err
