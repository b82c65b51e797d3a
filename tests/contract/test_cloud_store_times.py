"""What every cloud store says of a time: true times, whatever a record came with."""

from cloud_sync.raw import Period, read_late
from cloud_sync.store.contract import Store
from edge.core.journal.record import Kind, event_body
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
