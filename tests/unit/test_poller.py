"""One poll after the other over a scripted line: what is asked, what becomes of each failure."""

import pytest

from edge.app.config import Bus, Device
from edge.app.poller import Poll, Poller
from edge.app.station_plan import plan_station
from edge.core.bus.profile import parse_profile
from edge.core.numbers.quality import Quality

from .port_doubles import ManualClock, TableLink

TIMEOUT_MS = 300
BUS = Bus("a", "tty", 9600, "8N1", TIMEOUT_MS)


def point(name, address, kind="u16", **changes):
    made = {"name": name, "address": address, "type": kind, "scale": "1", "unit": "W"}
    return {**made, "places": 0, "class": "gauge", **changes}


def profile(points, **changes):
    document = {"id": "meter", "function": 4, "word_order": "big", "byte_order": "big"}
    return parse_profile({**document, "max_block_registers": 100, "points": points, **changes})


#: Three reads: the points are too far apart to share one.
ENERGY = point("energy", 0, "u32", evidence=True, **{"class": "counter"})
THREE = profile([ENERGY, point("power", 300), point("state", 600, **{"class": "status"})])
ONE = profile([point("power", 5)])


class Line:
    """A poller over devices with stations 1, 2, ... and the time that passes on the line."""

    def __init__(self, *profiles, period_ms: int = 1000) -> None:
        self.clock = ManualClock()
        self.link = TableLink(self.clock)
        stations = []
        for number, made in enumerate(profiles):
            name, station = f"d{number}", number + 1
            device = Device(name, "a", station, made, made.points, period_ms, name, None)
            stations.append(plan_station(number, device, BUS))
            self.fill(station, made)
        self.poller = Poller(BUS, stations, self.link, 0)

    def fill(self, station: int, made) -> None:
        """Every register of the profile's points has its own address as value."""
        for item in made.points:
            for address in range(item.address, item.address + item.span):
                self.link.registers[(station, item.function, address)] = address

    def poll(self) -> Poll:
        """The next finished poll."""
        for _ in range(10_000):
            poll = self.poller.step(self.clock.mono)
            if poll is not None:
                return poll
            if self.link.ready_ms is not None:
                self.clock.mono = max(self.clock.mono, self.link.ready_ms)
            else:
                self.clock.mono = max(self.clock.mono + 1, self.poller.next_ms() or 0)
        raise AssertionError("no poll ends")


def test_a_poll_brings_every_point_and_the_evidence():
    line = Line(THREE)
    line.link.put_u32(1, 4, 0, 0x00012345)
    poll = line.poll()
    assert line.link.requests == [(1, 4, 0, 2), (1, 4, 300, 1), (1, 4, 600, 1)]
    assert (poll.device, poll.values, poll.qualities) == (0, [0x12345, 300, 600], {})
    assert poll.evidence == {0: bytes.fromhex("00012345")}
    assert poll.error is None and line.poller.idle


def test_the_station_gets_the_rest_it_needs_and_the_bus_its_timeout():
    line = Line(profile([point("power", 5)], gap_ms=70))
    line.poll()
    assert line.link.waits == [(TIMEOUT_MS, 70)]


@pytest.mark.parametrize("fault", ["damage", "mute"])
def test_a_lost_or_damaged_reply_is_asked_for_once_more(fault: str):
    line = Line(THREE)
    line.link.faults = [None, fault, None, None]
    poll = line.poll()
    asked = [request[2] for request in line.link.requests]
    assert asked == [0, 300, 300, 600]
    assert (poll.values, poll.qualities, poll.error) == ([1, 300, 600], {}, None)
    assert line.poller.retries == 1
    assert line.link.distrusted == (1 if fault == "damage" else 0)


def test_damage_twice_costs_the_points_of_that_block_only():
    line = Line(THREE)
    line.link.faults = [None, "damage", "damage", None]
    poll = line.poll()
    assert [request[2] for request in line.link.requests] == [0, 300, 300, 600]
    assert (poll.values, poll.qualities) == ([1, None, 600], {1: Quality.CORRUPT})
    assert poll.error.code == "bus.crc" and 1 not in poll.evidence
    assert line.link.distrusted == 2


def test_silence_ends_the_poll_and_leaves_its_reason_on_what_was_not_asked():
    line = Line(THREE)
    line.link.faults = [None, "mute", "mute"]
    poll = line.poll()
    assert [request[2] for request in line.link.requests] == [0, 300, 300]
    assert poll.values == [1, None, None]
    assert poll.qualities == {1: Quality.TIMEOUT, 2: Quality.TIMEOUT}
    assert poll.error.code == "bus.timeout"


@pytest.mark.parametrize(
    ("fault", "quality"), [("port", Quality.PORT), ("noise", Quality.CORRUPT)]
)
def test_a_broken_port_or_a_babbler_ends_the_poll_without_a_retry(fault: str, quality: int):
    line = Line(THREE)
    line.link.faults = [fault]
    poll = line.poll()
    assert len(line.link.requests) == 1
    assert poll.values == [None] * 3 and poll.qualities == dict.fromkeys(range(3), quality)
    assert poll.error.code == "bus." + fault and poll.evidence == {}


@pytest.mark.parametrize(
    ("exception", "code"),
    [(2, "device.illegal_address"), (4, "device.failure"), (6, "device.busy")],
)
def test_an_exception_hits_its_own_points_only(exception: int, code: str):
    line = Line(THREE)
    line.link.faults = [None, exception, None]
    poll = line.poll()
    assert [request[2] for request in line.link.requests] == [0, 300, 600]
    assert (poll.values, poll.qualities) == ([1, None, 600], {1: Quality.EXCEPTION})
    assert poll.error.code == code


def test_what_was_never_asked_has_the_reason_that_ended_the_poll():
    line = Line(THREE)
    line.link.faults = [4, "mute", "mute"]
    poll = line.poll()
    assert poll.error.code == "device.failure"  # the first one is told
    wanted = {0: Quality.EXCEPTION, 1: Quality.TIMEOUT, 2: Quality.TIMEOUT}
    assert poll.qualities == wanted


def test_a_register_that_does_not_exist_is_found_once_and_read_around_afterwards():
    near = profile([point("a", 0), point("b", 3), point("c", 4)])
    line = Line(near)
    line.link.registers[(1, 4, 1)] = line.link.registers[(1, 4, 2)] = 0  # gaps can be read
    del line.link.registers[(1, 4, 4)]
    first = line.poll()
    assert first.taught and first.error.code == "device.illegal_address"
    second = line.poll()
    assert (second.values, second.qualities) == ([0, 3, None], {2: Quality.EXCEPTION})
    assert second.error is None and not second.taught
    assert line.link.requests[-1] == (1, 4, 0, 4)


def test_no_value_is_no_number():
    made = profile([point("power", 5), point("heat", 6, "f32")], sentinels={"u16": [0x8000]})
    line = Line(made)
    line.link.registers[(1, 4, 5)] = 0x8000
    line.link.put_u32(1, 4, 6, 0x7FC00000)  # NaN
    poll = line.poll()
    assert poll.values == [None, None]
    assert poll.qualities == {0: Quality.SENTINEL, 1: Quality.SENTINEL}
    assert poll.error is None  # the station is well; its instrument is not


def test_one_silent_station_does_not_keep_the_others_waiting():
    line = Line(ONE, ONE, ONE)
    line.link.silent = {2}
    counts = [0, 0, 0]
    while line.clock.mono < 120_000:
        counts[line.poll().device] += 1
    assert counts[0] >= 119 and counts[2] >= 119
    assert 3 <= counts[1] < 30
    line.link.silent = set()
    polls = [line.poll() for _ in range(60)]
    assert [p.error for p in polls if p.device == 1][-1] is None
    back = [p for p in polls if p.device == 1 and p.error is None]
    assert len(back) >= 10


def test_a_counter_that_jumps_is_read_twice_and_noise_is_not_believed():
    line = Line(THREE)
    for value in (1000, 1001, 1002):
        line.link.put_u32(1, 4, 0, value)
        line.poll()
    before = len(line.link.requests)
    line.link.put_u32(1, 4, 0, 9_000_000)
    original = line.link._reply

    def once_wrong(*args):
        reply = original(*args)
        line.link.put_u32(1, 4, 0, 1003)
        return reply

    line.link._reply = once_wrong
    poll = line.poll()
    assert [request[2] for request in line.link.requests[before:]] == [0, 300, 600, 0]
    assert (poll.values[0], poll.qualities) == (None, {0: Quality.UNCONFIRMED})
    assert poll.values[1:] == [300, 600]
    assert line.poll().values[0] == 1003


def test_a_counter_that_really_jumped_is_believed_at_the_second_look():
    line = Line(THREE)
    for value in (1000, 1001, 9_000_000):
        line.link.put_u32(1, 4, 0, value)
        poll = line.poll()
    assert (poll.values[0], poll.qualities) == (9_000_000, {})
    assert line.link.requests[-1] == (1, 4, 0, 2)


def test_stopping_ends_the_poll_under_way_and_begins_no_other():
    line = Line(THREE)
    line.poller.step(0)
    assert not line.poller.idle
    line.poller.stopping = True
    poll = line.poll()
    assert poll.values == [1, 300, 600]
    line.clock.mono += 100_000
    assert line.poller.step(line.clock.mono) is None
    assert line.poller.idle and line.poller.next_ms() is None
    assert len(line.link.requests) == 3
