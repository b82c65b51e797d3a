"""When a gateway's watchdog is fed, in virtual time: while work that is due gets done."""

import pytest

from edge.app import progress
from edge.app.counted_link import CountedLink
from edge.app.progress import Progress
from edge.core.bus.rtu import encode_read
from edge.core.errors import BusError

from .port_doubles import ManualClock, TableLink
from .virtual_site import Site

LIMIT_MS = 45_000
START_MS = 600_000


class Watched:
    """A site whose gateway is stepped and looked at as the loop does."""

    def __init__(self) -> None:
        self.site = Site()
        (self.poller,) = self.site.gateway.pollers
        self.poller.link = CountedLink(self.site.link)
        self.site.run(START_MS)
        self.progress = Progress(self.site.gateway, LIMIT_MS, self.site.up_ms)

    def run(self, seconds: int) -> set[str]:
        """Look once a second; what stood still."""
        stalled: set[str] = set()
        for _ in range(seconds):
            self.site.run(self.site.up_ms + 1000)
            stalled |= set(self.progress.look(self.site.up_ms))
        return stalled


def test_a_gateway_that_works_is_fed():
    watched = Watched()
    done = watched.poller.done
    assert watched.run(600) == set()
    assert watched.poller.done >= done + 2 * 9


def test_a_dead_station_is_progress():
    watched = Watched()
    watched.site.silent |= {1, 2}
    assert watched.run(900) == set()
    assert watched.poller.link.counts[1, "timeout"] > 3


def test_a_full_disk_is_handled_and_a_restart_would_cost_the_records_in_memory():
    watched = Watched()
    watched.site.store.failing = "store.full"
    assert watched.run(300) == set()
    assert watched.site.gateway.recorder.waiting > 5
    watched.site.store.failing = None
    assert watched.run(60) == set()
    assert watched.site.gateway.recorder.waiting < 5


def test_a_transaction_that_never_ends_is_a_stall_after_the_limit(monkeypatch):
    watched = Watched()
    monkeypatch.setattr(watched.site.link, "poll", lambda: None)
    first_s = next(s for s in range(1, 300) if watched.run(1))
    assert LIMIT_MS // 1000 <= first_s <= LIMIT_MS // 1000 + 61  # a poll is due once a minute
    assert watched.run(10) == {"bus a"}
    monkeypatch.undo()
    assert watched.run(1) == set(), "it is fed again at once"


def test_records_that_nobody_commits_are_a_stall():
    watched = Watched()
    now_ms = watched.site.up_ms
    gateway = watched.site.gateway
    gateway.recorder.event("gateway.test", {}, now_ms)
    look = watched.progress.look
    for second in range(50):
        watched.poller.done += 1
        found = look(now_ms + 1000 * second + 1000)
        assert found == (["journal"] if second * 1000 >= LIMIT_MS else []), second
    gateway.recorder.commit(now_ms + 60_000, True)
    assert look(now_ms + 60_000) == []


@pytest.mark.parametrize(
    ("state", "limit_s"), [("connecting", 45), ("online", 105), ("offline", 105)]
)
def test_records_that_nobody_tries_to_send_are_a_stall(monkeypatch, state, limit_s):
    monkeypatch.setattr(progress, "DEAF_MAX_MS", 60_000)
    watched = Watched()
    uploader = watched.site.gateway.uploader
    monkeypatch.setattr(uploader, "step", lambda now_ms, flush=False: [])
    monkeypatch.setattr(uploader.uplink, "state", state)
    first_s = next(s for s in range(1, 300) if watched.run(1))
    assert limit_s <= first_s <= limit_s + 121  # something to send comes once a minute
    assert watched.run(1) == {"uplink"}


@pytest.mark.parametrize("away", ["broker", "receiver"])
def test_a_cloud_that_is_away_for_hours_is_no_stall(monkeypatch, away: str):
    watched = Watched()
    if away == "broker":
        watched.site.uplink.reachable = False
    else:
        monkeypatch.setattr(watched.site, "answer", lambda: None)
    assert watched.run(3 * 3600) == set()
    store = watched.site.store
    assert store.next_seq - store.acked_seq > 300


def test_requests_are_counted_by_how_they_ended():
    clock = ManualClock()
    table = TableLink(clock)
    link = CountedLink(table)
    table.put_u32(1, 4, 0, 7)
    table.faults = [None, 2, "damage", "mute", "port"]
    for _ in range(5):
        link.start(encode_read(1, 4, 0, 2), 100)
        assert link.poll() is None
        clock.mono += 200
        try:
            reply = link.poll()
        except BusError:
            link.distrust()
            continue
        if reply is not None and reply[4] & 0x10:
            link.distrust()
            link.distrust()
    found = {key: count for key, count in link.ordered() if count}
    assert found == {
        (1, "damaged"): 1,
        (1, "exception"): 1,
        (1, "ok"): 1,
        (1, "port"): 1,
        (1, "timeout"): 1,
    }
    assert table.distrusted == 4
    assert link.latency_us == table.latency_us


@pytest.mark.parametrize("stations", [set(), {1}])
def test_what_is_asked_is_what_is_counted(stations: set[int]):
    watched = Watched()
    watched.site.silent |= stations
    asked = len(watched.site.link.requests)
    done = watched.poller.done
    counted = sum(watched.poller.link.counts.values())
    watched.run(300)
    running = 0 if watched.poller.idle else 1
    ended = len(watched.site.link.requests) - asked - running
    assert watched.poller.done - done == ended
    assert sum(watched.poller.link.counts.values()) - counted == ended
