"""Thinning against the raw polls: what can be computed from either is the same."""

from hypothesis import given
from hypothesis import strategies as st

from edge.core.journal.record import Kind, Record
from edge.core.journal.retain import RUN_MIN, Row, Step, plan_chunk, thin_polls

WINDOW_MS = 60_000
VALUES = st.one_of(st.none(), st.integers(0, 50))
POLL = st.tuples(
    st.integers(0, 2),  # device
    st.integers(1, 40_000),  # ms since the poll before
    VALUES,
    VALUES,
    st.lists(st.integers(0, 1), max_size=2, unique=True),  # points that are not good
)


def polls_of(drawn: list[tuple]) -> list[Record]:
    records, wall_ms = [], 1_800_000_000_000
    for seq, (device, elapsed_ms, counter, gauge, bad) in enumerate(drawn):
        wall_ms += elapsed_ms
        flat = [item for point in sorted(bad) for item in (point, 4)]
        body = [device, [counter, gauge], flat, []]
        records.append(Record(Kind.POLL, seq, 1, wall_ms % 10**9, wall_ms, 2, body))
    return records


def good(record: Record, point: int) -> bool:
    return record.body[1][point] is not None and point not in record.body[2][::2]


def series(records: list[Record], device: int, point: int) -> list[tuple[int, int]]:
    """(time, value) of the good values."""
    return [
        (record.wall_ms, record.body[1][point])
        for record in records
        if record.body[0] == device and good(record, point)
    ]


def risen(values: list[tuple[int, int]]) -> int:
    """What a counter has counted: the sum of its steps up."""
    pairs = zip(values, values[1:], strict=False)
    return sum(max(0, after[1] - before[1]) for before, after in pairs)


@given(st.lists(POLL, max_size=60), st.lists(POLL, max_size=3))
def test_counters_count_the_same_up_to_any_edge_of_a_window(drawn: list, more: list):
    polls = polls_of(drawn + more)
    thinned = thin_polls(polls, WINDOW_MS, dict.fromkeys(range(3), (0,)))
    assert [record for record in polls if record in thinned] == thinned, "in order, unchanged"
    edges = {record.wall_ms // WINDOW_MS * WINDOW_MS for record in polls} | {1 << 60}
    for device in range(3):
        raw, kept = series(polls, device, 0), series(thinned, device, 0)
        for edge_ms in edges:
            before = [item for item in raw if item[0] < edge_ms]
            left = [item for item in kept if item[0] < edge_ms]
            assert risen(before) == risen(left)
            assert before[-1:] == left[-1:] and before[:1] == left[:1]


@given(st.lists(POLL, max_size=60))
def test_every_device_is_heard_in_every_window_in_which_it_was_polled(drawn: list):
    polls = polls_of(drawn)
    thinned = thin_polls(polls, WINDOW_MS, {})
    for point in (0, 1):
        for device in range(3):
            raw, kept = series(polls, device, point), series(thinned, device, point)
            assert {ms // WINDOW_MS for ms, _ in raw} == {ms // WINDOW_MS for ms, _ in kept}
    where = {(record.body[0], record.wall_ms // WINDOW_MS) for record in polls}
    assert where == {(record.body[0], record.wall_ms // WINDOW_MS) for record in thinned}


KINDS = st.sampled_from([Kind.POLL, Kind.POLL, Kind.POLL, Kind.INTERVAL, Kind.TABLE, Kind.EVENT])


@given(
    st.lists(st.tuples(KINDS, POLL, st.integers(0, 2), st.booleans()), max_size=60),
    st.sampled_from([Step.ACKED, Step.MINUTE, Step.QUARTER, Step.POLLS, Step.REST]),
)
def test_ranges_hold_only_what_may_go_and_nothing_is_carried_that_stays(drawn: list, step: int):
    polls = polls_of([entry[1] for entry in drawn])
    rows = [Row(seq, kind, level, polls[seq]) for seq, (kind, _, level, _) in enumerate(drawn)]
    held = {seq for seq, entry in enumerate(drawn) if entry[3] and entry[0] != Kind.POLL}
    carried, ranges = plan_chunk(step, rows, {}, held)
    gone = {seq for first, last in ranges for seq in range(first, last + 1)}
    assert len(gone) == sum(last - first + 1 for first, last in ranges), "no range twice"
    assert {record.seq for record in carried} <= gone and not gone & held
    assert all(drawn[seq][0] != Kind.TABLE for seq in gone)
    if step in (Step.MINUTE, Step.QUARTER):
        assert all(drawn[seq][0] == Kind.POLL and drawn[seq][2] < step for seq in gone)
        assert all(last - first + 1 >= RUN_MIN for first, last in ranges)
        assert not gone or len(carried) + len(ranges) < len(gone), "it frees something"
    if step == Step.POLLS:
        assert gone == {row.seq for row in rows if row.kind == Kind.POLL}
