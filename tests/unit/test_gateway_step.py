"""The whole gateway in virtual time: scripted meters, a journal in memory, restarts at will."""

from fractions import Fraction

import msgpack
import pytest

from edge.core.journal.record import Kind
from edge.core.numbers.quality import Quality

from .port_doubles import T0
from .virtual_site import HOUR_MS, INTERVAL_MS, WATT_MINUTES, Site

#: mg of CO2 per W.h
FACTOR = Fraction(8325, 10)


def emission_mg(register: int) -> int:
    """Of a cumulative register in 0.01 kW.h, half-even."""
    return round(register * 10 * FACTOR)


def assert_telescopes(site: Site, first: int) -> None:
    """Intervals follow each other and sum to what the last one has counted since `first`."""
    bodies = site.intervals()
    for before, after in zip(bodies, bodies[1:], strict=False):
        assert before[1] == after[0]
    assert all(body[1] % INTERVAL_MS == 0 for body in bodies)
    last = bodies[-1][2][0][1]
    assert sum(body[2][0][3] for body in bodies) == 10 * (last - first)
    assert sum(body[2][0][4] for body in bodies) == emission_mg(last) - emission_mg(first)
    assert [body[3][1] for body in bodies] == [body[2][0][4] for body in bodies]


@pytest.fixture(scope="module")
def day() -> Site:
    """A whole day without trouble."""
    site = Site()
    site.run(24 * HOUR_MS + 60_000)
    return site


def test_a_day_has_its_intervals_and_they_telescope(day: Site):
    bodies = day.intervals()
    assert [body[1] for body in bodies] == [T0 + INTERVAL_MS * n for n in range(1, 97)]
    assert_telescopes(day, day.registers_recorded(0)[0])
    for body in bodies:
        assert [entry[5:7] for entry in body[2]] == [[15, 15]] * 2


def test_a_day_matches_the_load_that_made_it(day: Site):
    """The meter's own integral, from the last poll before a boundary to the last before the next;
    a poll takes the line less than a second."""
    for body in day.intervals()[1:]:
        start = (body[0] - T0) // 60_000 - 1
        watt_minutes = WATT_MINUTES[start + 15] - WATT_MINUTES[start]
        assert abs(body[2][0][3] - watt_minutes // 60) <= 600_000 // 3600 + 10


def test_a_day_is_complete_in_order_and_in_the_cloud(day: Site):
    polls = day.store.bodies(Kind.POLL)
    assert [sum(b[0] == device for b in polls) for device in (0, 1)] == [1441, 1441]
    assert all(body[2] == [] for body in polls)
    assert all(len(body[3][1]) == 4 for body in polls)  # the raw energy registers
    assert [record[1] for record in day.store.records()] == list(range(day.store.next_seq))
    assert day.store.acked_seq >= day.store.next_seq - 6
    for seq in range(day.store.acked_seq + 1):
        assert day.received[seq] == day.store.rows[seq][3]
    codes = [body[0] for body in day.store.bodies(Kind.EVENT)]
    assert codes == ["gateway.boot"]


def test_what_is_written_is_msgpack_and_small(day: Site):
    for _, _, data, _ in day.store.rows:
        assert msgpack.packb(msgpack.unpackb(data, raw=False), use_bin_type=True) == data
    assert len(day.store.of_kind(Kind.CLOCK)) == 1
    assert len(day.store.of_kind(Kind.TABLE)) <= 8


@pytest.mark.parametrize("clean", [True, False])
def test_intervals_telescope_over_restarts(clean: bool):
    """Stopped or cut off at awkward moments, down for seconds to hours, once over a boundary."""
    site = Site()
    for up_ms, down_ms in (
        (7 * 60_000 + 17, 4_000),
        (31 * 60_000 + 30_000, 50_000),
        (44 * 60_000 + 59_990, 3 * 60_000),
        (2 * HOUR_MS, 3 * HOUR_MS + 7),
        (40 * 60_000 + 45, 1),
    ):
        site.run(site.up_ms + up_ms)
        if clean:
            site.stop()
        site.up_ms += down_ms
        site.start()
    site.run(site.up_ms + HOUR_MS)
    first = site.registers_recorded(0)[0]
    assert_telescopes(site, first)
    assert [event["boot"] for event in site.events("gateway.boot")] == [2, 3, 4, 5, 6, 7]
    assert len(site.intervals()) >= 10
    # Numbers keep their meaning, so nothing is defined twice.
    tables = [part[:3] for body in site.store.bodies(Kind.TABLE) for part in body]
    assert len([t for t in tables if t[0] in (1, 3)]) == 4


def test_a_failure_is_told_once_and_so_is_the_recovery():
    site = Site()
    site.run(HOUR_MS)
    site.silent.add(2)
    site.run(2 * HOUR_MS)
    assert [event["device"] for event in site.events("bus.timeout")] == [1]
    assert site.events("device.recovered") == []
    site.silent.clear()
    site.run(3 * HOUR_MS)
    assert site.events("device.recovered") == [{"device": 1, "after": "bus.timeout"}]
    assert len(site.events("bus.timeout")) == 1
    bad = [b for b in site.store.bodies(Kind.POLL) if b[0] == 1 and b[2]]
    assert bad and all(b[1] == [None, None] and b[3] == [] for b in bad)
    assert all(b[2] == [0, Quality.TIMEOUT, 1, Quality.TIMEOUT] for b in bad)
    healthy = [b for b in site.store.bodies(Kind.POLL) if b[0] == 0]
    assert len(healthy) == 180 or len(healthy) == 181
    # What the line used meanwhile is caught up, and the coverage says that it was not seen.
    entries = [body[2][1] for body in site.intervals()]
    assert min(entry[5] for entry in entries) < 3
    registers = site.registers_recorded(1)
    assert sum(entry[3] for entry in entries) == 10 * (entries[-1][1] - registers[0])


def test_a_counter_that_goes_back_is_told_once_and_not_counted():
    site = Site()
    site.run(HOUR_MS)
    site.shift_register = -1_000_000
    site.run(2 * HOUR_MS)
    told = site.events("data.backwards")
    assert [event["point"] for event in told] == ["grid", "line"]
    assert told[0]["before"] > told[0]["value"]
    marked = [b for b in site.store.bodies(Kind.POLL) if b[2] == [0, Quality.BACKWARDS]]
    assert len(marked) >= 2 * 59 and all(b[1][0] is not None for b in marked)
    quiet = [b for b in site.intervals() if b[0] >= T0 + HOUR_MS + INTERVAL_MS]
    assert quiet and all(entry[3:6] == [0, 0, 0] for b in quiet for entry in b[2])
    site.shift_register = 0
    site.run(3 * HOUR_MS)
    assert len(site.events("data.backwards")) == 2
    assert_telescopes(site, site.registers_recorded(0)[0])


def test_before_the_clock_is_set_nothing_is_closed_and_nothing_is_lost():
    site = Site(None)
    site.run(HOUR_MS)
    assert site.intervals() == []
    unset = [r for r in site.store.records() if r[0] == Kind.POLL]
    assert len(unset) >= 120 and all(r[5] == 0 for r in unset)
    site.set_clock(T0)
    site.run(2 * HOUR_MS)
    clocks = site.store.bodies(Kind.CLOCK)
    assert len(clocks) == 2 and clocks[1][2] - clocks[1][1] == T0
    bodies = site.intervals()
    assert bodies[0][0] >= T0 + HOUR_MS and bodies[0][1] == T0 + HOUR_MS + INTERVAL_MS
    assert_telescopes(site, site.registers_recorded(0)[0])  # the first hour is in there


def test_a_restart_without_a_clock_waits_for_it_and_catches_up():
    site = Site()
    site.run(HOUR_MS + 30_000)
    site.start_wall_ms = None
    site.start()
    site.run(2 * HOUR_MS)
    count = len(site.intervals())
    assert count == 4
    site.set_clock(T0)
    site.run(3 * HOUR_MS)
    assert len(site.intervals()) > count
    assert_telescopes(site, site.registers_recorded(0)[0])


def test_an_outage_of_the_uplink_and_a_full_disk_lose_nothing():
    site = Site()
    site.run(HOUR_MS)
    site.uplink.reachable = False
    site.run(3 * HOUR_MS)
    site.store.failing = "store.full"
    site.run(4 * HOUR_MS)
    assert site.gateway.recorder.waiting > 120
    site.store.failing = None
    site.uplink.reachable = True
    site.run(5 * HOUR_MS)
    site.stop()
    assert site.store.acked_seq == site.store.next_seq - 1
    assert sorted(site.received) == list(range(site.store.next_seq))
    assert len(site.events("sync.offline")) == 1
    assert site.events("store.recovered") == [{"code": "store.full", "dropped": 0}]
    assert [b[0] for b in site.store.bodies(Kind.POLL)].count(0) >= 300
    assert_telescopes(site, site.registers_recorded(0)[0])
