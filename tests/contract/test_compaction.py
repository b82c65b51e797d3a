"""Compacted polls are the same records and the same readings, in both databases."""

import io
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cloud_sync.evidence import plan_span, write_evidence
from cloud_sync.keys import Keys
from cloud_sync.raw import ALWAYS, Period, find_journals, read_raw, span_of
from cloud_sync.receiver import Receiver
from cloud_sync.recompute import Recomputer
from cloud_sync.store.address import open_store
from cloud_sync.store.compaction import POLLS_MIN, compact
from cloud_sync.store.contract import Store
from cloud_sync.store.postgres import PostgresStore
from cloud_sync.store.sqlite_polls import IS_WHOLE
from cloud_sync.verify import verify_store
from edge.core.errors import StoreError
from edge.core.journal.record import Kind
from edge.core.numbers.fixed import INT64_MAX, INT64_MIN
from hil_tests.postgres_server import Server
from tests.contract.conftest import BOTH, KINDS
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

Place = Path | str


@pytest.fixture(params=["sqlite", *KINDS])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a store of each product can be made."""
    if request.param == "sqlite":
        return tmp_path / "cloud.db"
    server: Server = request.getfixturevalue("postgres_servers")(request.param)
    return server.create()


def received(place: Place, journal: Journal, step: int = 60) -> Store:
    store = open_store(place)
    receiver = Receiver(store, Keys({(TENANT, GATEWAY): KEY}), lambda: NOW_MS)
    for first in range(0, len(journal.records), step):
        last = min(first + step, len(journal.records)) - 1
        assert receiver.receive(TOPIC, journal.batch(first, last)) is not None
    return store


def content(store: Store) -> dict[str, list[tuple]]:
    orders = {"v_readings": "seq, device, point", "readings": "seq, point"}
    found = {
        view: store.query(f"SELECT * FROM {view} ORDER BY {order}")
        for view, order in orders.items()
    }
    (journal,) = find_journals(store)
    raw = f"SELECT * FROM {store.within('records')} ORDER BY seq"
    return {**found, "records": store.query(raw, journal.number, 0, INT64_MAX)}


def count_rows(store: Store, where: str = "true", *values: object) -> int:
    """Polls that are not compacted."""
    table = "record_rows" if isinstance(store, PostgresStore) else "records"
    whole = "kind = 1" if isinstance(store, PostgresStore) else IS_WHOLE
    (found,) = store.query(f"SELECT count(*) FROM {table} WHERE {whole} AND {where}", *values)
    return found[0]


def test_nothing_changes_for_who_reads(place: Place):
    journal = factory(polls=400)
    store = received(place, journal)
    before = content(store)
    cut_ms = START_MS + 600 * POLL_MS
    assert compact(place, cut_ms) > 2 * POLLS_MIN
    assert count_rows(store, "wall_ms < ?", cut_ms) == 0 < count_rows(store)
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
    summary = verify_store(place)
    assert summary.ok and summary.journals[0].readings == len(journal.readings)
    store.close()


def test_extreme_values_and_odd_polls_keep_their_bits(place: Place):
    draw = random.Random(4)
    journal = Journal()
    journal.define()
    edges = [None, 0, -1, INT64_MAX, INT64_MIN + 1, 2**31, -(2**31), 32_767, 32_768]
    for at in range(2 * POLLS_MIN):
        width = 2 if at % 50 else draw.randrange(0, 5)
        values = [draw.choice(edges) for _ in range(width)] if at % 2 else [at, 5_000_000 * at]
        bad = [0, draw.randrange(1, 7)] if values and at % 9 == 0 else []
        journal.append(Kind.POLL, [0, values, bad, []])
    store = received(place, journal)
    before = content(store)
    assert compact(place, LATER_MS) == 2 * POLLS_MIN
    assert content(store) == before
    assert verify_store(place).ok
    store.close()


def test_late_records_go_between_compacted_and_a_batch_again_changes_nothing(place: Place):
    journal = factory(polls=500)
    store = open_store(place)
    receiver = Receiver(store, Keys({(TENANT, GATEWAY): KEY}), lambda: NOW_MS)
    size = len(journal.records)
    runs = [(first, min(first + 49, size - 1)) for first in range(0, size, 50)]
    for first, last in runs[::2]:
        receiver.receive(TOPIC, journal.batch(first, last))
    assert compact(place, LATER_MS)
    for first, last in runs:
        receiver.receive(TOPIC, journal.batch(first, last))
    assert compact(place, LATER_MS)
    assert store.query("SELECT count(*), count(DISTINCT seq) FROM records") == [(size, size)]
    assert verify_store(place).ok
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


def test_the_verb(place: Place, capsys: pytest.CaptureFixture):
    from edge.__main__ import main

    received(place, factory(polls=200)).close()
    address = f"sqlite:///{place}" if isinstance(place, Path) else place
    assert main(["compact", "--store", address, "--json"]) == 0
    assert '"polls": 400' in capsys.readouterr().out


def test_the_verb_makes_no_file(tmp_path: Path, capsys: pytest.CaptureFixture):
    from edge.__main__ import main

    assert main(["compact", "--store", f"sqlite:///{tmp_path / 'cloud.db'}"]) == 74
    assert "cloud.db" in capsys.readouterr().err
    assert not (tmp_path / "cloud.db").exists()


def test_what_stands_on_raw_records_is_the_same(place: Place):
    """Evidence files are equal byte by byte, and every interval comes out as before."""
    store = received(place, factory(polls=400))
    (journal,) = find_journals(store)

    def told() -> tuple[list, bytes]:
        span = plan_span(store, journal, ALWAYS)
        assert span is not None
        out = io.BytesIO()
        write_evidence(store, [(journal, span, KEY)], out)
        return list(Recomputer(store, journal).run()), out.getvalue()

    before = told()
    assert len(before[0]) >= 40
    assert compact(place, LATER_MS) == 800
    assert told() == before
    store.close()


def test_polls_with_evidence_keep_it(place: Place):
    journal = Journal()
    journal.define()
    raw = [bytes([at]) for at in range(24)]
    for at in range(2 * POLLS_MIN):
        pairs = [item for point in range(at % 9) for item in (point % 2, raw[point])]
        journal.append(Kind.POLL, [0, [at, None], [1, 3] if at % 2 else [0, 0, 1, 0], pairs])
    store = received(place, journal)
    before = content(store)
    assert compact(place, LATER_MS)
    assert content(store) == before and verify_store(place).ok
    store.close()


#: Compacts again and again what a loop of the test makes whole again.
_KILLED = """
import sys
from pathlib import Path
from cloud_sync.store.compaction import open_compaction
compaction = open_compaction(Path(sys.argv[1]))
print("ready", flush=True)
for journal, left in compaction.waiting(2**62, 1):
    while compaction.run(journal, 2**62, 16):
        print("run", flush=True)
"""


def test_killed_at_any_moment_it_loses_nothing(tmp_path: Path):
    path = tmp_path / "cloud.db"
    store = received(path, factory(polls=600))
    before = content(store)
    store.close()
    draw = random.Random(3)
    left = [1_200]
    while left[-1]:
        command = [sys.executable, "-c", _KILLED, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(1 + draw.randrange(2, 12)):
                process.stdout.readline()
            time.sleep(draw.random() / 500)  # somewhere in the next run
            process.kill()
        store = open_store(path)
        left.append(count_rows(store))
        assert content(store) == before and verify_store(path).ok
        store.close()
    assert len(left) > 5 and left == sorted(left, reverse=True)
