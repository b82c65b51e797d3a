"""What retention takes, in which order, and that thinning keeps energy exact."""

from edge.core.errors import DataError
from edge.core.journal.record import Kind, Record
from edge.core.journal.retain import (
    RUN_MIN,
    Row,
    Step,
    decode_tombstone,
    plan_chunk,
    plan_step,
    thin_polls,
)

T0_MS = 1_800_000_000_000
COUNTERS = {0: (0,), 1: (0,)}
HASH = bytes(32)


def poll(seq: int, values: list, second: int, device: int = 0, bad: list = (), clock: int = 2):
    time_ms = 1000 * second
    wall_ms = T0_MS + time_ms if clock else 0
    return Record(Kind.POLL, seq, 1, time_ms, wall_ms, clock, [device, values, list(bad), []])


def rows_of(records: list, level: int = 0) -> list:
    return [Row(record.seq, record.kind, level, record) for record in records]


def kept_seq(polls: list, window_ms: int = 60_000) -> list:
    return [record.seq for record in thin_polls(polls, window_ms, COUNTERS)]


def test_nothing_goes_while_there_is_room():
    assert plan_step(100, 100, (0, 0, 0, 0, 0), (9, 9, 9, 9, 9)) is None


def test_the_steps_come_in_their_order_and_end():
    ends = (5, 9, 9, 9, 9)
    assert plan_step(101, 100, (0, 0, 0, 0, 0), ends) == Step.ACKED
    assert plan_step(101, 100, (5, 5, 5, 5, 5), ends) == Step.MINUTE
    assert plan_step(101, 100, (5, 9, 5, 5, 5), ends) == Step.QUARTER
    assert plan_step(101, 100, (5, 9, 9, 5, 5), ends) == Step.POLLS
    assert plan_step(101, 100, (5, 9, 9, 9, 5), ends) == Step.REST
    assert plan_step(101, 100, (5, 9, 9, 9, 9), ends) is None


def test_a_minute_keeps_its_first_and_its_last_poll():
    polls = [poll(n, [1000 + n, n], n) for n in range(150)]
    assert kept_seq(polls) == [0, 59, 60, 119, 120, 149]
    assert kept_seq(polls, 900_000) == [0, 149]


def test_devices_and_boots_have_windows_of_their_own():
    polls = [poll(n, [n, 0], n // 2, n % 2) for n in range(40)]
    assert kept_seq(polls) == [0, 1, 38, 39]
    later = [Record(Kind.POLL, r.seq, 2, r.mono_ms, r.wall_ms, 2, r.body) for r in polls[20:]]
    assert kept_seq(polls[:20] + later) == [0, 1, 18, 19, 20, 21, 38, 39]


def test_a_clock_that_was_never_set_leaves_the_monotonic_time():
    polls = [poll(n, [n, n], n, clock=0) for n in range(100)]
    assert kept_seq(polls) == [0, 59, 60, 99]


def test_every_point_keeps_its_first_and_last_good_value():
    polls = [poll(n, [n, n], n) for n in range(10)]
    polls[0] = poll(0, [None, 0], 0)
    polls[1] = poll(1, [1, None], 1)
    polls[9] = poll(9, [9, 9], 9, bad=[0, 4])  # there, but not good
    assert kept_seq(polls) == [0, 1, 8, 9]


def test_a_device_that_gave_nothing_keeps_one_poll_that_says_so():
    polls = [poll(n, [None, None], n, bad=[0, 3, 1, 3]) for n in range(70)]
    assert kept_seq(polls) == [0, 60]


def test_both_sides_of_a_counter_that_went_back_stay():
    values = [10, 20, 30, 2, 3, 4]
    polls = [poll(n, [values[n], -n], n) for n in range(6)]
    assert kept_seq(polls) == [0, 2, 3, 5]
    gauges = [record.seq for record in thin_polls(polls, 60_000, {0: ()})]
    assert gauges == [0, 5]


def test_increments_of_a_counter_add_up_the_same_after_thinning():
    registers = [0, 5, 9, 9, 12, 3, 4, 8, 0, 1, 7, 7, 9, 30, 31, 2]
    polls = [poll(n, [registers[n], 0], 7 * n) for n in range(len(registers))]

    def flowed(records: list) -> int:
        total = 0
        before = None
        for record in records:
            value = record.body[1][0]
            if before is not None and value > before:
                total += value - before
            before = value
        return total

    assert flowed(thin_polls(polls, 60_000, COUNTERS)) == flowed(polls)
    assert len(thin_polls(polls, 60_000, COUNTERS)) < len(polls)


def test_tables_never_go_and_acked_rows_go_whatever_they_are():
    kinds = (Kind.TABLE, Kind.POLL, Kind.EVENT, Kind.INTERVAL, Kind.TOMBSTONE, Kind.TABLE)
    rows = [Row(seq, kinds[seq], 0, None) for seq in range(6)]
    assert plan_chunk(Step.ACKED, rows, {}, set()) == ((), ((1, 4),))
    assert plan_chunk(Step.ACKED, rows, {}, {4}) == ((), ((1, 3),))
    assert plan_chunk(Step.POLLS, rows, {}, set()) == ((), ((1, 1),))
    assert plan_chunk(Step.REST, rows, {}, {4}) == ((), ((1, 3),))
    assert plan_chunk(Step.REST, rows[:1] + rows[5:], {}, set()) == ((), ())


def test_thinning_takes_runs_of_polls_and_carries_what_they_tell():
    records = [poll(n, [n, n], n) for n in range(30)]
    rows = rows_of(records)
    rows[20] = Row(20, Kind.INTERVAL, 0, None)
    carried, ranges = plan_chunk(Step.MINUTE, rows, COUNTERS, set())
    assert ranges == ((0, 19), (21, 29))
    assert [record.seq for record in carried] == [0, 29]


def test_what_gives_nothing_stays():
    sparse = [poll(n, [n, n], 60 * n) for n in range(30)]
    assert plan_chunk(Step.MINUTE, rows_of(sparse), COUNTERS, set()) == ((), ())
    carried, ranges = plan_chunk(Step.QUARTER, rows_of(sparse), COUNTERS, set())
    assert ranges == ((0, 29),) and len(carried) == 4
    short = rows_of([poll(n, [n, n], n) for n in range(RUN_MIN - 1)])
    assert plan_chunk(Step.MINUTE, short, COUNTERS, set()) == ((), ())


def test_what_was_kept_of_a_minute_is_not_thinned_to_the_minute_again():
    records = [poll(n, [n, n], n) for n in range(30)]
    assert plan_chunk(Step.MINUTE, rows_of(records, 1), COUNTERS, set()) == ((), ())
    assert plan_chunk(Step.QUARTER, rows_of(records, 1), COUNTERS, set())[1] == ((0, 29),)
    assert plan_chunk(Step.QUARTER, rows_of(records, 2), COUNTERS, set()) == ((), ())


def refused(body: list) -> bool:
    try:
        decode_tombstone(body)
    except DataError:
        return True
    return False


def test_a_tombstone_is_read_or_refused():
    good = [3, 9, "minute", 10, 20, 7, HASH, HASH]
    assert decode_tombstone(good).last == 9
    assert decode_tombstone([None, None, "memory", 1, 2, 5, None, None]).first is None
    assert refused(good[:7])
    assert refused([9, 3] + good[2:])
    assert refused([-1] + good[1:])
    assert refused(good[:5] + [8] + good[6:])
    assert refused(good[:5] + [0] + good[6:])
    assert refused(good[:6] + [HASH, b"short"])
    assert refused(good[:6] + [None, HASH])
    assert refused([3, None] + good[2:])
