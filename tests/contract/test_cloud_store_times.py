"""What every cloud store says of a time: true times, whatever a record came with."""

from cloud_sync.api.resources import RESOURCES
from cloud_sync.raw import Period, read_late
from cloud_sync.reading.database import open_reading
from cloud_sync.store.compaction import Compaction
from cloud_sync.store.contract import Store
from cloud_sync.store.postgres import PostgresStore
from edge.core.journal.record import Kind, Record, event_body
from edge.core.numbers.fixed import INT64_MAX, INT64_MIN
from tests.contract.test_cloud_store import layout, open_journal
from tests.unit.receiver_journal import POLL_MS, Journal


def test_a_time_finds_what_was_made_then_and_not_what_claimed_it(store: Store):
    """A boot that believed in another time until record 6; one whose time nobody ever knew."""
    journal = Journal()
    journal.define()
    begin_ms = journal.records[0].wall_ms
    for at in range(1, 6):
        journal.append(Kind.POLL, [0, [at, at], [], []], wall_ms=begin_ms + 90_000 + at, clock=1)
    journal.append(Kind.CLOCK, [1, 5, begin_ms, 50, "ntp"])
    journal.append(Kind.POLL, [0, [7, 7], [], []])
    unknown = journal.append(Kind.EVENT, event_body("gateway.boot", {"boot": 2}), 8_000, 0)
    journal.records[unknown] = journal.records[unknown]._replace(boot=2)
    again = journal.append(Kind.POLL, [0, [3, 3], [], []])
    journal.records[again] = journal.records[3]._replace(seq=again)
    number = open_journal(store)
    with store.transaction():
        store.add_records(number, *layout(journal, 0, again))
    assert store.find_span(number, begin_ms + POLL_MS, begin_ms + 3 * POLL_MS) == (1, 2)
    assert store.find_span(number, begin_ms + 90_000, begin_ms + 99_000) is None
    assert store.find_span(number, begin_ms + POLL_MS, begin_ms + 90_000) == (1, again)
    assert store.find_span(number, 0, begin_ms) == (8, 8)
    period = Period(begin_ms + 2 * POLL_MS, begin_ms + 4 * POLL_MS)
    late = [raw.seq for raw in read_late(store, number, Kind.POLL, 2, period)]
    assert late == [3, again], "one that retention recorded anew behind the anchor"


#: Of clocks that were never set, begin at 1970 or 2000 and were read before and after midnight of
#: 2020 and of 2100; of clocks that are nonsense.
ODD_MS = (
    *(INT64_MIN, -(1 << 62), -90_000_000_000, -1, 0, 1, 999, 1_000, 5_000, 90_000_000),
    *(946_684_800_000, 946_684_800_001, 946_684_860_000, 1_577_836_799_998, 1_577_836_799_999),
    *(1_577_836_800_000, 1_780_000_000_000, 4_102_444_799_999, 4_102_444_800_000),
    *(4_102_444_800_001, 4_200_000_000_000, 8_500_491_311_103, 8_500_491_311_104),
    *(8_600_000_000_000, 1 << 62, INT64_MAX),
)


def odd_journal() -> Journal:
    """A poll and an event at each of these times, all of them trusted."""
    journal = Journal()
    journal.define()
    for at, ms in enumerate(ODD_MS):
        journal.append(Kind.POLL, [0, [at, at], [], []], ms)
        journal.append(Kind.EVENT, event_body("boot", {"at": at}), ms)
    return journal


ODD = odd_journal()


def add_odd(store: Store) -> int:
    number = open_journal(store)
    with store.transaction():
        store.add_records(number, *layout(ODD, 0, len(ODD.records) - 1))
    return number


#: Each of them to those that come soon after it, with and without what was recorded at that one.
SPANS = [
    (low, min(high + by, INT64_MAX))
    for at, low in enumerate(ODD_MS[:-1])
    for high in (ODD_MS[at + 1], ODD_MS[min(at + 4, len(ODD_MS) - 1)])
    for by in (0, 1)
]


def made_within(low: int, high: int, kind: int | None = None) -> list[Record]:
    return [one for one in ODD.records if low <= one.wall_ms < high and kind in (None, one.kind)]


def address_of(store: Store) -> str:
    if isinstance(store, PostgresStore):
        return store._url
    ((path,),) = store.query("SELECT file FROM pragma_database_list WHERE name = 'main'")
    return f"sqlite:///{path}"


def test_every_time_is_found_whatever_clock_it_is_of(store: Store):
    number = add_odd(store)
    for low, high in SPANS:
        seqs = [one.seq for one in made_within(low, high)]
        assert store.find_span(number, low, high) == (min(seqs), max(seqs)), (low, high)
        late = [raw.seq for raw in read_late(store, number, Kind.EVENT, 0, Period(low, high))]
        assert late == [one.seq for one in made_within(low, high, Kind.EVENT)], (low, high)


def check_questions(store: Store) -> None:
    resources = {one.name: one for one in RESOURCES}
    database = open_reading(address_of(store))
    for name, kind, times in (("readings", Kind.POLL, 2), ("events", Kind.EVENT, 1)):
        sql = resources[name].select(False, [], False)
        at = list(resources[name].columns).index("wall_ms")
        for low, high in SPANS:
            rows = database.rows(sql, tenant="park", start=low, end=high)
            wanted = [one.wall_ms for one in made_within(low, high, kind) for _ in range(times)]
            assert [row[at] for row in rows] == wanted, (name, low, high)
    database.close()


def test_questions_of_the_api_find_every_time(store: Store):
    """As rows and from blocks."""
    number = add_odd(store)
    check_questions(store)
    if isinstance(store, PostgresStore):
        compaction = Compaction(store._url)
        assert compaction.run(number, INT64_MAX) == len(ODD_MS) - 1
        compaction.close()
        check_questions(store)
