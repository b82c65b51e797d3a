"""A window that a backlog has split: live records first, history with its share."""

from edge.core.sync.bounds import SHARE, WINDOW
from edge.core.sync.settling import SPLIT_GAPS_MAX
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


def behind_an_outage(linger_ms=0):
    """Records 0..999 waited, the first batch is acked; 1000 is the first live one."""
    uplink = online(linger_ms=linger_ms)
    send_all(uplink, 999, 0, True)
    uplink.acknowledged(9, 999, 100)
    assert (uplink.split_seq, uplink.live_seq) == (1000, 1000)
    return uplink


def test_live_records_go_first_and_history_keeps_its_share():
    uplink = behind_an_outage()
    assert send_all(uplink, 999, 100) == []  # three of history are out, and one place is free
    assert uplink.want(1000, 101) == (1000, 1000)
    uplink.sent(1000, 1000, 101)
    uplink.acknowledged(39, 1000, 200, (40, 999))
    live = [(1001, 1010), (1011, 1020), (1021, 1030)]
    assert send_all(uplink, 1050, 201) == live + [(40, 49)]
    uplink.acknowledged(49, 1050, 300, (50, 999))
    assert send_all(uplink, 1050, 301) == [(50, 59)]  # all of the live share is out
    assert len(live) == SHARE and len(uplink.in_flight) == WINDOW


def test_a_live_batch_that_is_lost_goes_again_as_soon_as_the_next_has_arrived():
    uplink = behind_an_outage()
    uplink.acknowledged(39, 999, 150)
    for seq in (1000, 1001):
        uplink.sent(seq, seq, 200)
    uplink.acknowledged(39, 1001, 300, (40, 1000))
    assert uplink.want(1001, 301) == (1000, 1000)
    uplink.sent(1000, 1000, 301)
    assert uplink.want(1001, 302) == (40, 49)


def test_a_live_tail_that_was_lost_holds_nothing_up():
    """An ack frees a place that turns out to be a lost batch's: it goes again all the same."""
    uplink = behind_an_outage()
    uplink.acknowledged(39, 999, 150)
    for seq in (1000, 1001, 1002):
        uplink.sent(seq, seq, 200)
    uplink.acknowledged(39, 1002, 300, (40, 999))
    uplink.acknowledged(39, 1002, 301, (40, 999))  # twice the same, but 1001 is lost
    uplink.acknowledged(39, 1002, 302, (40, 999, 1001, 1001))
    assert uplink.want(1002, 303) == (1001, 1001)


def test_history_that_arrives_at_the_split_ends_it():
    uplink = behind_an_outage()
    uplink.sent(1000, 1004, 150)
    for first in range(40, 1000, 10):
        uplink.acknowledged(first - 1, 1004, 200, (first, 999))
        assert uplink.want(1004, 200) == (first, first + 9)
        uplink.sent(first, first + 9, 200)
    assert (uplink.split_seq, uplink.next_seq) == (None, 1005)
    uplink.acknowledged(1004, 1004, 300)
    assert uplink.in_flight == [] and uplink.want(1005, 300) == (1005, 1005)


def test_live_records_linger_as_ever():
    uplink = behind_an_outage(linger_ms=5000)
    uplink.acknowledged(39, 999, 1000)
    assert uplink.want(1003, 4999) == (40, 49)
    assert uplink.want(1003, 5000) == (1000, 1003)


def test_the_cloud_has_gaps_enough():
    uplink = online()
    send_all(uplink, 999, 0, True)
    gaps = [seq for at in range(SPLIT_GAPS_MAX + 1) for seq in (50 + 4 * at, 51 + 4 * at)]
    uplink.acknowledged(9, 999, 100, tuple(gaps))
    assert uplink.split_seq is None


def test_a_new_session_goes_on_with_the_live_run():
    uplink = behind_an_outage()
    for seq in (1000, 1001):
        uplink.sent(seq, seq, 200)
    uplink.acknowledged(39, 1001, 300, (40, 999))
    uplink.disconnected()
    uplink.connected(400)
    assert send_all(uplink, 1001, 400) == [(1001, 1001), (40, 49), (50, 59), (60, 69)]
