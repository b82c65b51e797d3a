"""Both databases have the same views with the same columns, and say their units."""

from decimal import Decimal
from pathlib import Path

import pytest

from cloud_sync.store.address import open_store
from cloud_sync.store.postgres import PostgresStore
from cloud_sync.store.sqlite import SqliteStore
from edge.core.journal.record import Kind
from edge.core.numbers.fixed import INT64_MAX, INT64_MIN
from hil_tests.postgres_server import Server
from tests.contract.conftest import BOTH
from tests.contract.test_cloud_store import layout, open_journal
from tests.unit.receiver_journal import Journal, factory

pytestmark = pytest.mark.system


@BOTH
def test_views_have_the_same_names_and_columns(postgres_server: Server, tmp_path: Path):
    lite = SqliteStore(tmp_path / "cloud.db")
    expected: dict[str, list[str]] = {}
    for (view,) in lite.query("SELECT name FROM sqlite_master WHERE name LIKE 'v!_%' ESCAPE '!'"):
        expected[view] = [row[1] for row in lite.query(f"PRAGMA table_info({view})")]
    post = PostgresStore(postgres_server.create())
    found: dict[str, list[str]] = {}
    for view, column in post.query(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE left(table_name, 2) = 'v_' ORDER BY table_name, ordinal_position"
    ):
        found.setdefault(view, []).append(column)
    assert found == expected and len(found) > 10


@BOTH
def test_columns_say_their_units(postgres_server: Server):
    store = PostgresStore(postgres_server.create())
    comments = dict(
        store.query(
            "SELECT attrelid::regclass || '.' || attname, col_description(attrelid, attnum)"
            " FROM pg_attribute WHERE attnum > 0 AND attrelid IN (SELECT oid FROM pg_class"
            " WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'v', 'p'))"
        )
    )
    assert comments["v_streams.emission_mg"] == "mg CO2"
    assert comments["v_intervals.consumption_kwh"] == "kW.h"
    assert comments["points.unit"] == "UCUM code"
    assert comments["record_rows.wall_ms"] == "Unix milliseconds, as received"


def test_a_figure_of_any_size_is_the_same_exact_text(postgres_server: Server, tmp_path: Path):
    sizes = [(0, 0), (-5, 3), (1 << 62, 18), (-(1 << 63), 0), (-(1 << 63), 9), (None, 6)]
    figures = [["hours", str(at), "", size[0], size[1], "h"] for at, size in enumerate(sizes)]
    journal = factory(polls=1)
    entry = [0, 5, 0, 5, 5, 1, 1, 0, 0, [], [], figures, []]
    journal.interval([entry], [0, 5, 5, 5, None, 0, 0, []])
    raw, rows = layout(journal, 0, len(journal.records) - 1)
    assert not rows.refused
    wanted = [
        (str(at), None if value is None else format(Decimal(value).scaleb(-places), f".{places}f"))
        for at, (value, places) in enumerate(sizes)
    ]
    for place in (tmp_path / "cloud.db", postgres_server.create()):
        store = open_store(place)
        number = open_journal(store)
        with store.transaction():
            store.add_records(number, raw, rows)
        assert store.query("SELECT subject, value FROM v_figures ORDER BY position") == wanted
        store.close()


@BOTH
def test_values_at_the_edges_keep_their_bits(postgres_server: Server, tmp_path: Path):
    journal = Journal()
    journal.define()
    edges = [None, 0, -1, INT64_MAX, INT64_MIN, 2**53 + 1]
    for marked in ([], [0, 3], [0, 3, 2, 1]):
        journal.append(Kind.POLL, [0, edges, marked, []])
    raw, rows = layout(journal, 0, len(journal.records) - 1)
    codes = ([None, 0, 0, 0, 0, 0], [3, 0, 0, 0, 0, 0], [3, 0, 1, 0, 0, 0])
    wanted = [(at, edges[at], poll[at]) for poll in codes for at in range(len(edges))]
    for place in (tmp_path / "cloud.db", postgres_server.create()):
        store = open_store(place)
        number = open_journal(store)
        with store.transaction():
            store.add_records(number, raw, rows)
        sql = "SELECT point, value, quality FROM readings ORDER BY seq, point"
        assert store.query(sql) == wanted
        store.close()
