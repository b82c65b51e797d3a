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


#: What the end of a column's name says of its unit; values without one say what theirs is.
UNITS = {
    "_mg_per_kwh": "mg CO2 per kW.h",
    "_kg_per_kwh": "kg CO2 per kW.h",
    "_kwh": "kW.h",
    "_wh": "W.h",
    "_mg": "mg CO2",
    "_kg": "kg CO2",
    "_ms": "milliseconds",
    "_bytes": "bytes",
}
OF_A_UNIT = ("value", "value_real", "activity", "substituted", "cumulative", "rest", "step")


def unit_of(column: str) -> str:
    ends = (unit for end, unit in UNITS.items() if column.endswith(end))
    return next(ends, "")


@BOTH
def test_every_column_says_what_it_holds_and_its_unit(postgres_server: Server):
    """Tables, views and partitions: whatever a BI tool is shown."""
    store = PostgresStore(postgres_server.create())
    journal = open_journal(store)
    raw, rows = layout(factory(polls=1), 0, 3)
    with store.transaction():
        store.add_records(journal, raw, rows)
    found = store.query(
        "SELECT attrelid::regclass::text, attname, col_description(attrelid, attnum)"
        " FROM pg_attribute WHERE attnum > 0 AND attrelid IN (SELECT oid FROM pg_class"
        " WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'v', 'p'))"
    )
    comments = {(relation, column): text for relation, column, text in found}
    assert len({relation for relation, _ in comments}) > 50
    assert [column for column, text in comments.items() if not text] == []
    lacking = [(*at, text) for at, text in comments.items() if unit_of(at[1]) not in text]
    assert lacking == []
    words = ("unit", "decimal", "mantissa", "mg")
    vague = [
        (*at, text)
        for at, text in comments.items()
        if at[1] in OF_A_UNIT and not any(word in text for word in words)
    ]
    assert vague == []
    assert (
        comments["v_streams", "activity"]
        == "what flowed in the interval, in unit; NULL: no figure"
    )
    assert comments["record_rows", "wall_ms"] == "Unix milliseconds, as received"
    store.close()


def test_what_is_not_ours_in_the_schema_keeps_its_comments(postgres_server: Server):
    url = postgres_server.create()
    PostgresStore(url).close()
    theirs = "CREATE VIEW theirs AS SELECT 1 AS tenant;"
    postgres_server.execute(f"{theirs} COMMENT ON COLUMN theirs.tenant IS 'a factory'", url)
    postgres_server.execute("UPDATE carbontally_schema SET views = ''", url)
    store = PostgresStore(url)
    sql = "SELECT col_description('theirs'::regclass, 1)"
    assert store.query(sql) == [("a factory",)]
    store.close()


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
