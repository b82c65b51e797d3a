"""Questions about a time read the blocks of that time, through names that stay the same."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise

import psycopg
import pytest

from cloud_sync.reading.database import open_reading
from cloud_sync.store.compaction import Compaction
from cloud_sync.store.postgres import PostgresStore
from edge.core.errors import StoreError
from edge.core.journal.record import Kind
from hil_tests.postgres_server import Server
from tests.contract.conftest import BOTH
from tests.contract.test_idle_compaction import receiver_on
from tests.unit.receiver_journal import NOW_MS, POLL_MS, START_MS, TOPIC, Journal

pytestmark = pytest.mark.system

POLLS = 1_200
COLUMNS = "seq, point, value, quality, time, wall_ms, clock"
ONE_POINT = "tenant = 'park' AND device = 'main meter' AND point = 'energy'"


@pytest.fixture(scope="module")
def url(postgres_server: Server) -> Iterator[str]:
    """Polls in four blocks, then as rows, the last ones before and after a clock was set."""
    found = postgres_server.create()
    journal = Journal()
    journal.define()
    for at in range(POLLS):
        journal.append(Kind.POLL, [0, [at, 2 * at], [], []])
    for at in range(20):
        journal.append(Kind.POLL, [0, [at, None], [], []], clock=int(at > 5))
    journal.append(Kind.CLOCK, [1, 5, START_MS, 50, "ntp"])
    store = PostgresStore(found)
    for first in range(0, len(journal.records), 400):
        last = min(first + 400, len(journal.records)) - 1
        receiver_on(store).receive(TOPIC, journal.batch(first, last))
    store.close()
    compaction = Compaction(found)
    for _ in range(4):
        assert compaction.run(1, NOW_MS, 256) == 256
    compaction.tidy()
    compaction.close()
    yield found


def loops(url: str, sql: str) -> int:
    """How many arrays of values a question unpacked."""

    def scans(node: dict) -> int:
        own = node["Actual Loops"] if node["Node Type"] == "Function Scan" else 0
        return own + sum(scans(part) for part in node.get("Plans", ()))

    with psycopg.connect(url) as db:
        (plan,) = db.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}".encode()).fetchone() or ()
    found = plan if isinstance(plan, list) else json.loads(plan)
    return scans(found[0]["Plan"])


@BOTH
def test_the_function_has_the_rows_of_the_view(url: str):
    with psycopg.connect(url) as db:
        spans = db.execute(b"SELECT start_ms, end_ms FROM poll_blocks ORDER BY first").fetchall()
        low, high = db.execute(b"SELECT min(wall_ms), max(wall_ms) FROM v_readings").fetchone()
        edges = sorted(
            {low, high + 1, *(at + by for span in spans for at in span for by in (0, 1))}
        )
        count = 0
        for start_ms, end_ms in [*pairwise(edges), *zip(edges, edges[3:], strict=False)]:
            where = f"WHERE wall_ms >= {start_ms} AND wall_ms < {end_ms}"
            order = "ORDER BY seq, point"
            view = db.execute(f"SELECT * FROM v_readings {where} {order}".encode())
            function = f"SELECT * FROM v_readings_between({start_ms}, {end_ms}) {order}"
            expected = view.fetchall()
            assert db.execute(function.encode()).fetchall() == expected
            count += len(expected)
        clocks = {row[0] for row in db.execute(b"SELECT DISTINCT clock FROM v_readings")}
    assert len(spans) == 4 and count > 2 * POLLS
    assert clocks == {"synced", "restamped"}


@BOTH
def test_a_question_of_one_block_unpacks_one(url: str):
    with psycopg.connect(url) as db:
        found = db.execute(b"SELECT start_ms, end_ms FROM poll_blocks ORDER BY first").fetchall()
    start_ms, end_ms = found[2][0] + POLL_MS, found[2][1]
    between = f"v_readings_between({start_ms}, {end_ms})"
    assert loops(url, f"SELECT * FROM {between} WHERE {ONE_POINT}") == 1
    where = f"{ONE_POINT} AND wall_ms >= {start_ms} AND wall_ms < {end_ms}"
    assert loops(url, f"SELECT * FROM v_readings WHERE {where}") == 4


def test_programs_that_ask_for_a_time_ask_the_function(url: str):
    sql = f"SELECT {COLUMNS} FROM v_readings WHERE {ONE_POINT}"
    sql += " AND wall_ms >= :start AND wall_ms < :end ORDER BY seq"
    span = {"start": START_MS, "end": NOW_MS}
    database = open_reading(url)
    assert len(database.rows(sql, **span)) > POLLS
    with psycopg.connect(url, autocommit=True) as db:
        text = db.execute(b"SELECT pg_get_functiondef('v_readings_between'::regproc)").fetchone()
        assert text is not None
        db.execute(b"DROP FUNCTION v_readings_between")
        with pytest.raises(StoreError, match="cloud.read"):
            database.rows(sql, **span)
        db.execute(text[0].encode())
    assert len(database.rows(sql, **span)) > POLLS
    database.close()


@BOTH
def test_anchors_are_found_by_their_index(url: str):
    """A cast in a view would keep the planner from it."""
    with psycopg.connect(url) as db:
        db.execute(b"SET enable_seqscan = off")
        lines = db.execute(b"EXPLAIN SELECT * FROM anchors WHERE journal = 1").fetchall()
        rows = db.execute(b"EXPLAIN SELECT * FROM restamped WHERE journal = 1").fetchall()
    # As a partition names its index, and as a chunk does.
    assert sum(bool(re.search("_boot_idx|rows_clock", line)) for (line,) in lines) >= 2, lines
    assert any(re.search("_boot_seq_idx|rows_untrusted", line) for (line,) in rows), rows
