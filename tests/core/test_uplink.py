from edge.core.errors import TallyError
from edge.core.sync.ack import has_batch
from edge.core.sync.bounds import WINDOW
from edge.core.sync.patience import ACK_TIMES_MAX, RETRY_FIRST_MS, RETRY_MAX_MS, RETRY_MIN_MS
from edge.core.sync.uplink import Uplink


def online(acked_seq=-1, linger_ms=0, records_max=10, now_ms=0):
    uplink = Uplink(acked_seq, linger_ms, records_max)
    uplink.connected(now_ms)
    return uplink


def send_all(uplink, head_seq, now_ms, flush=False):
    """Send until the window wants no more; return what was sent."""
    spans = []
    while True:
        span = uplink.want(head_seq, now_ms, flush)
        if span is None:
            return spans
        uplink.sent(span[0], span[1], now_ms)
        spans.append(span)


def refused(call, *args):
    try:
        call(*args)
    except TallyError as error:
        return error.code
    return None


def test_nothing_leaves_before_a_session_stands():
    uplink = Uplink(-1, 0, 10)
    assert uplink.want(99, 0, True) is None
    uplink.connected(0)
    assert uplink.want(99, 0) == (0, 9)
    uplink.disconnected()
    assert uplink.want(99, 0, True) is None


def test_an_empty_journal_has_nothing_to_send():
    assert online().want(-1, 0, True) is None
    assert online(41).want(41, 0, True) is None


def test_at_most_a_window_of_batches_is_on_its_way():
    uplink = online()
    assert send_all(uplink, 99, 0) == [(0, 9), (10, 19), (20, 29), (30, 39)]
    assert len(uplink.in_flight) == WINDOW
    uplink.acknowledged(9, 75, 5)
    assert send_all(uplink, 75, 5) == [(40, 49)]


def test_a_restart_begins_after_what_was_acked():
    uplink = online(41, records_max=5)
    assert uplink.want(50, 0) == (42, 46)


def test_a_backlog_leaves_in_one_go_however_short_its_batches():
    """Payloads are halved and ranges have holes: each piece must not linger anew."""
    uplink = online(linger_ms=5000)
    assert uplink.want(7, 4999) is None
    assert uplink.want(7, 5000) == (0, 7)
    uplink.sent(0, 2, 5000)
    assert uplink.next_ms(7, 5000) == 5000
    assert uplink.want(7, 5000) == (3, 7)
    uplink.sent(3, 7, 5000)
    assert uplink.want(9, 5100) is None
    assert uplink.next_ms(9, 5100) == 10_000


def test_retries_come_less_and_less_often_until_something_is_acked():
    uplink = online()
    now_ms, waits = 0, []
    for _ in range(6):
        assert send_all(uplink, 9, now_ms) == [(0, 9)]
        waits.append(uplink.next_ms(9, now_ms) - now_ms)
        assert uplink.want(9, now_ms + waits[-1] - 1) is None
        now_ms += waits[-1]
    assert RETRY_FIRST_MS <= waits[0] <= RETRY_FIRST_MS * 9 // 8
    for at, after in enumerate(waits[1:]):
        longest = min(2 * waits[at], RETRY_MAX_MS)
        assert longest - longest // 8 <= after <= longest
    assert waits[-1] >= RETRY_MAX_MS * 7 // 8
    assert send_all(uplink, 19, now_ms) == [(0, 9), (10, 19)]
    assert uplink.acknowledged(9, 19, now_ms)
    assert uplink.next_ms(19, now_ms) == now_ms + uplink.retry_ms
    assert uplink.retry_ms <= RETRY_FIRST_MS * 9 // 8


def test_the_patience_is_twice_the_longest_of_the_last_ack_times():
    """Of 64 the 99th percentile is the longest; each bound and the jitter are seen."""
    uplink, now_ms = online(), 0
    for number, took_ms in enumerate([3_000] + [4_000] * 10 + [1_500] * ACK_TIMES_MAX):
        assert send_all(uplink, 10 * number + 9, now_ms) == [(10 * number, 10 * number + 9)]
        now_ms += took_ms
        uplink.acknowledged(10 * number + 9, 10 * number + 9, now_ms)
        expected = {0: 6_000, 10: 8_000, 73: 8_000, 74: 3_000}.get(number)
        if expected is not None:
            assert expected <= uplink.retry_ms <= expected * 9 // 8
    for took_ms, bound in ((1, RETRY_MIN_MS), (RETRY_MAX_MS, RETRY_MAX_MS)):
        uplink = online()
        send_all(uplink, 9, 0)
        uplink.progress_ms = took_ms  # or it would be sent again, and not be measured
        uplink.acknowledged(9, 9, took_ms)
        assert bound <= uplink.retry_ms <= bound * 9 // 8


def test_what_was_sent_twice_is_not_measured():
    uplink = online()
    send_all(uplink, 9, 0)
    again_ms = uplink.retry_ms
    assert send_all(uplink, 9, again_ms) == [(0, 9)]
    uplink.acknowledged(9, 9, again_ms + 1)  # of which of the two is this the ack?
    assert uplink.retry_ms >= RETRY_FIRST_MS


def test_gateways_wait_differently():
    waits = set()
    for seed in range(50):
        uplink = Uplink(-1, 0, 10, seed)
        uplink.connected(0)
        waits.add(uplink.retry_ms)
    assert len(waits) > 40


def test_a_batch_waits_to_fill_but_not_when_full_or_flushed():
    uplink = online(linger_ms=5000)
    uplink.sent(0, 0, 1000)
    assert uplink.want(5, 2000) is None
    assert uplink.want(5, 2000, True) == (1, 5)
    assert uplink.want(10, 2000) == (1, 10)
    assert uplink.want(5, 5999) is None
    assert uplink.want(5, 6000) == (1, 5)


def test_silence_sends_everything_unacked_again():
    uplink = online()
    send_all(uplink, 25, 0)
    assert uplink.want(25, uplink.retry_ms - 1) is None
    assert send_all(uplink, 25, uplink.retry_ms) == [(0, 9), (10, 19), (20, 25)]


def test_an_ack_in_the_middle_keeps_what_it_does_not_cover():
    uplink = online()
    send_all(uplink, 39, 0)
    assert uplink.acknowledged(14, 39, 100)
    assert uplink.in_flight == [(10, 19), (20, 29), (30, 39)]
    assert uplink.next_seq == 40
    assert send_all(uplink, 39, 100 + uplink.retry_ms) == [(15, 24), (25, 34), (35, 39)]


def test_an_ack_that_brings_nothing_is_no_progress():
    uplink = online()
    send_all(uplink, 9, 0)
    for now_ms in range(1000, uplink.retry_ms, 1000):
        assert not uplink.acknowledged(-1, 9, now_ms)  # a receiver that repeats itself
    assert uplink.want(9, uplink.retry_ms) == (0, 9)


def test_an_ack_that_brings_something_starts_the_patience_anew():
    uplink = online()
    send_all(uplink, 19, 0)
    at_ms = uplink.retry_ms - 1
    assert uplink.acknowledged(9, 19, at_ms)
    assert uplink.want(19, at_ms + 1) is None
    assert uplink.want(19, at_ms + uplink.retry_ms) == (10, 19)


def test_an_ack_of_more_than_was_sent_moves_on():
    uplink = online()  # another process of this gateway sent them before
    assert uplink.acknowledged(17, 20, 0)
    assert uplink.want(20, 0) == (18, 20)


def test_the_future_is_refused_and_changes_nothing():
    uplink = online(3)
    assert refused(uplink.acknowledged, 10, 9, 0) == "sync.ack"
    assert (uplink.acked_seq, uplink.next_seq) == (3, 4)
    assert uplink.acknowledged(9, 9, 0)


def test_a_receiver_that_lost_data_gets_it_again():
    uplink = online(19)
    assert not uplink.acknowledged(4, 30, 0)
    assert (uplink.acked_seq, uplink.in_flight) == (4, [])
    assert uplink.want(30, 0) == (5, 14)
    assert not uplink.acknowledged(-1, 30, 0)
    assert uplink.want(30, 0) == (0, 9)


def test_a_new_session_sends_again_what_the_old_one_had_in_flight():
    uplink = online()
    send_all(uplink, 39, 0)
    uplink.acknowledged(9, 39, 0)
    uplink.disconnected()
    uplink.connected(500)
    assert send_all(uplink, 39, 500) == [(10, 19), (20, 29), (30, 39)]


def test_the_next_look_is_never_later_than_what_want_needs():
    uplink = online(linger_ms=5000)
    assert Uplink(-1, 0, 10).next_ms(5, 0) is None
    assert uplink.next_ms(-1, 0) is None
    uplink.sent(0, 3, 1000)
    assert uplink.next_ms(3, 1000) == 1000 + uplink.retry_ms
    assert uplink.next_ms(4, 1000) == 6000
    assert uplink.next_ms(4, 7000) == 7000
    full = online()
    send_all(full, 99, 2000)
    assert full.next_ms(99, 2000) == 2000 + full.retry_ms


def test_a_gap_below_what_arrived_is_sent_again_at_once_and_once():
    uplink = Uplink(-1, 0, 10)
    uplink.connected(0)
    for _ in range(3):
        first, last = uplink.want(29, 0)
        uplink.sent(first, last, 0)
    uplink.acknowledged(9, 29, 10, (10, 19))  # the second batch was lost, the third is there
    assert uplink.want(29, 10) == (10, 19)
    uplink.sent(10, 19, 10)
    uplink.acknowledged(9, 29, 11, (10, 19))  # an older ack says the same again
    assert uplink.want(29, 11) is None


def test_what_an_ack_says_is_there_is_not_sent():
    uplink = online(records_max=5)
    send_all(uplink, 4, 0)
    # 0..4 are there, and 8..9 and 15, which left ahead of their turn.
    uplink.acknowledged(4, 29, 10, (5, 7, 10, 14))
    assert uplink.want(29, 10) == (5, 9)
    uplink.sent(5, 7, 10)
    assert uplink.want(29, 10) == (10, 14)
    uplink.sent(10, 14, 10)
    assert uplink.want(29, 10) == (16, 20)


def test_nothing_is_left_out_in_a_new_session():
    uplink = online(records_max=5)
    uplink.acknowledged(-1, 29, 10, (0, 7, 10, 14))
    uplink.disconnected()
    uplink.connected(20)
    assert send_all(uplink, 14, 20) == [(0, 4), (5, 9), (10, 14)]


def test_what_left_with_an_earlier_batch_proves_nothing_of_what_left_after_that():
    uplink = online(records_max=5)
    for span, beside in (((0, 4), None), ((5, 5), None), ((6, 9), 0), ((10, 10), None)):
        uplink.sent(span[0], span[1], 0, beside)
    assert uplink.in_flight == [(0, 4), (6, 9), (5, 5), (10, 10)]
    uplink.acknowledged(4, 29, 10, (5, 5))
    assert uplink.again == [] and uplink.in_flight == [(5, 5), (10, 10)]


def test_a_run_is_remembered_until_something_is_lost():
    uplink = online()
    for first in range(0, 90, 10):
        uplink.tell((100 + first, 104 + first, first))
    assert uplink.told_with(104) is None  # eight of them are
    assert uplink.told_with(112) == (110, 114, 10) and uplink.told_with(115) is None
    uplink.rewind()
    assert uplink.told_with(112) is None


def test_a_batch_that_reaches_into_the_next_hole_is_not_there():
    gaps = (5, 9, 15, 20)
    assert has_batch(10, 14, 4, gaps) and has_batch(11, 12, 4, gaps)
    assert not has_batch(10, 15, 4, gaps) and not has_batch(9, 12, 4, gaps)
    assert has_batch(21, 25, 4, gaps) and not has_batch(22, 25, 4, gaps)
