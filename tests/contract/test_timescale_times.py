"""Chunks of times that a clock cannot have: few, and found by whoever asks for them."""

from collections.abc import Callable

import psycopg
import pytest

from cloud_sync.store.postgres import PostgresStore
from edge.core.numbers.fixed import INT64_MAX, INT64_MIN
from hil_tests.postgres_server import Server
from tests.contract.test_timescale import CHUNK_MS, START_MS, add_times, chunks

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def server(postgres_servers: Callable[[str], Server]) -> Server:
    return postgres_servers("timescale")


def test_each_month_has_a_chunk_and_odd_clocks_share_two(server: Server):
    url = server.create()
    store = PostgresStore(url)
    edge = 22 * 30 * CHUNK_MS
    odd = [0, -5, -(1 << 62), INT64_MIN, 1_577_836_799_999]
    odd += [1 << 62, 4_102_444_800_000, 8_000_000_000_000, INT64_MAX]
    add_times(store, [edge - 1, edge, edge + CHUNK_MS - 1, *odd])
    store.close()
    assert [rows for _, rows, _ in chunks(url)] == [1, 2, 5, 4]
    assert all(is_guarded for _, _, is_guarded in chunks(url))
    with psycopg.connect(url) as db:
        found = db.execute(b"SELECT wall_ms FROM record_rows ORDER BY seq").fetchall()
    assert [ms for (ms,) in found][3:] == odd


#: How older programs sorted times in.
FOLDED = (
    "CREATE OR REPLACE FUNCTION sorted_ms(ms bigint) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT"
    " PARALLEL SAFE RETURN least(greatest(ms, 1577836799999), 4102444800000)"
)


def test_a_database_of_an_older_program_finds_odd_times_once_it_is_opened(server: Server):
    url = server.create()
    store = PostgresStore(url)
    store.query(FOLDED)
    store.query("UPDATE carbontally_schema SET views = ''")
    odd = [5, 946_684_800_000, 946_684_900_000, 5_000_000_000_000, 6_000_000_000_000]
    add_times(store, [*odd, START_MS])
    count = "SELECT count(*) FROM record_rows WHERE wall_ms >= ? AND wall_ms < ?"
    assert store.query(count, 946_684_000_000, 946_684_850_000) == [(0,)]
    made = chunks(url)
    store.close()
    again = PostgresStore(url)
    add_times(again, [946_684_810_000], first=10)
    assert again.query(count, 946_684_000_000, 946_684_850_000) == [(2,)]
    assert again.query(count, 4_900_000_000_000, 5_500_000_000_000) == [(1,)]
    assert again.query(count, 0, START_MS + 1) == [(5,)]
    assert [name for name, _, _ in chunks(url)] == [name for name, _, _ in made]
    again.close()
