"""A network that comes and goes: what the uploader tells of it, and how soon it is back."""

from edge.app.uploader import COMPLAINT_MS, OUTAGES_MAX, RECONNECT_MAX_MS, RECONNECT_MIN_MS

from .port_doubles import ack_payload
from .test_uploader import fill, online, say


def test_a_network_that_comes_and_goes_each_second_does_not_fill_the_journal():
    uploader, store, uplink = online()
    told: list[str] = []
    starts = uplink.starts
    for now_ms in range(3000, 3000 + 2 * COMPLAINT_MS, 250):
        uplink.reachable = now_ms // 1000 % 2 == 0
        told += [error.code for error in uploader.step(now_ms)]
    assert told == ["sync.offline"] * 2 * OUTAGES_MAX
    assert uplink.starts - starts < 2 * COMPLAINT_MS // RECONNECT_MAX_MS * 3
    uplink.reachable = True
    uploader.step(now_ms + RECONNECT_MAX_MS)
    assert uplink.state == "online"


def test_a_session_that_is_cut_after_each_ack_is_begun_again_soon():
    """A second board of the same name takes it over and over: what was sent gets on."""
    uploader, store, uplink = online()
    now_ms, starts = 3000, uplink.starts
    for _ in range(60):
        fill(store, 1)
        uplink.reachable = True
        while uplink.state != "online":
            now_ms += 100
            uploader.step(now_ms, True)
        head = store.next_seq - 1
        assert say(uploader, uplink, ack_payload(head, store.rows[head][3]), now_ms + 10) == []
        uplink.reachable = False
        now_ms += 500
        uploader.step(now_ms)
    assert uplink.starts - starts == 59 and store.acked_seq == store.next_seq - 1
    assert now_ms < 60 * 3 * RECONNECT_MIN_MS
