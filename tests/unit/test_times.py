"""Clocks that lie: what the gateway records, and what the cloud's views make of it.

The truth is the test's own: it knows when each poll was made, whatever the clock said.
"""

import random
from itertools import pairwise
from pathlib import Path

import pytest

from edge.app.recorder import Recorder
from edge.core.journal.clock import CEILING_MS, ClockQuality
from edge.core.journal.record import Kind, decode_record
from edge.core.sync.batch import encode_batch

from .port_doubles import T0, ListStore, ManualClock
from .receiver_journal import EPOCH, GATEWAY, KEY, TOPIC, Journal, World
from .virtual_site import HOUR_MS, INTERVAL_MS, Site

MINUTE_MS = 60_000
DAY_MS = 24 * HOUR_MS
HELD, SYNCED = ClockQuality.HELD, ClockQuality.SYNCED

#: NTP's first era ends, and a signed 32-bit count of seconds.
ERA_END_MS = (2**32 - 2_208_988_800) * 1000
INT32_END_MS = 2**31 * 1000


class Life:
    """One gateway's journal over boots; `truth` has (seq, true wall time) of each poll."""

    def __init__(self) -> None:
        self.store = ListStore(GATEWAY, EPOCH)
        journal = Journal()
        journal.define()
        self.table = journal.records[0].body
        self.truth: dict[int, int] = {}
        self.true_ms = T0
        self.boots = 0

    def boot(self, wall_ms: int | None, quality: int = HELD) -> None:
        """Power on; the system clock says wall_ms."""
        if self.boots:
            self.store = self.store.opened_again()
        self.boots += 1
        self.clock = ManualClock(wall_ms)
        self.clock.stated = quality
        self.recorder = Recorder(self.store, self.clock, 0)
        self.recorder.keep_time(0)
        if self.boots == 1:
            self.recorder.add(Kind.TABLE, self.table, 0)
        self.start_ms = self.true_ms

    def poll(self, count: int, every_ms: int = MINUTE_MS) -> None:
        for _ in range(count):
            self.clock.mono += every_ms
            self.true_ms += every_ms
            self.recorder.keep_time(self.clock.mono)
            self.recorder.add(Kind.POLL, [0, [len(self.truth), 1], [], []], self.clock.mono)
            self.recorder.commit(self.clock.mono, True)
            self.truth[self.store.next_seq - 1] = self.true_ms

    def sync(self, error_ms: int = 0, quality: int = SYNCED) -> None:
        """The system clock is set: right, or wrong by error_ms."""
        self.clock.start_wall_ms = self.start_ms + error_ms
        self.clock.stated = quality

    def send(self, world: World, cuts: int = 1, seed: int = 0) -> None:
        """Everything, in `cuts` batches of random sizes and in a random order."""
        draw = random.Random(seed)
        count = self.store.next_seq
        firsts = sorted({0, *(draw.randrange(count) for _ in range(cuts - 1))})
        spans = list(zip(firsts, [*(at - 1 for at in firsts[1:]), count - 1], strict=True))
        draw.shuffle(spans)
        for first, last in spans:
            rows = self.store.read(first, last)
            before = self.store.hash_at(first - 1)
            assert before is not None
            records = tuple(decode_record(row[0]) for row in rows)
            payload = encode_batch(GATEWAY, EPOCH, before, records, rows[-1][1], KEY)
            world.receiver.receive(TOPIC, payload)
        assert world.count("quarantine") == world.count("alarms") == 0


def shown(world: World) -> dict[int, tuple[int, str]]:
    found = world.query("SELECT seq, wall_ms, clock FROM v_readings WHERE point = 'power'")
    assert len(found) == len({row[0] for row in found})  # each reading once
    return {seq: (wall_ms, clock) for seq, wall_ms, clock in found}


@pytest.fixture
def world(tmp_path: Path):
    made = World(tmp_path / "cloud.db")
    yield made
    made.store.close()


@pytest.mark.parametrize("wait", [3, 3 * 24 * 60])
@pytest.mark.parametrize("said_ms", [0, T0 - 40 * DAY_MS])
def test_a_boot_without_rtc_gets_its_times_when_ntp_comes(world: World, wait: int, said_ms: int):
    """Minutes or days later; the clock began at 1970, or at the last shutdown."""
    life = Life()
    life.boot(said_ms)
    life.poll(wait)
    life.sync()
    life.poll(3)
    life.send(world)
    found = shown(world)
    assert {seq: wall_ms for seq, (wall_ms, _) in found.items()} == life.truth
    clocks = [clock for _, (_, clock) in sorted(found.items())]
    assert clocks == ["restamped"] * wait + ["synced"] * 3
    first = min(life.truth)
    time, raw_ms = world.query(
        "SELECT r.time, x.wall_ms FROM v_readings r JOIN records x ON x.seq = r.seq"
        " WHERE r.seq = ? LIMIT 1",
        first,
    )[0]
    assert time == "2027-01-15T08:01:00.000Z"
    assert raw_ms == said_ms + MINUTE_MS  # the record stays as it was received


def test_until_then_an_implausible_clock_is_shown_as_what_it_is(world: World):
    life = Life()
    life.boot(0)
    life.poll(5)
    life.send(world)
    assert [clock for _, clock in shown(world).values()] == ["unset"] * 5
    assert world.count("readings") == 10


@pytest.mark.parametrize("said_ms", [0, CEILING_MS, CEILING_MS + DAY_MS, -DAY_MS])
def test_no_source_makes_an_impossible_time_true(world: World, said_ms: int):
    life = Life()
    life.boot(said_ms, SYNCED)
    life.poll(2)
    life.send(world)
    assert {clock for _, clock in shown(world).values()} == {"unset"}


def test_a_boot_that_never_had_the_time_takes_nothing_from_another(world: World):
    life = Life()
    life.boot(0)
    life.poll(4)
    life.boot(0)
    life.poll(2)
    life.sync()
    life.poll(2)
    life.send(world)
    clocks = [clock for _, (_, clock) in sorted(shown(world).items())]
    assert clocks == ["unset"] * 4 + ["restamped"] * 2 + ["synced"] * 2


def test_a_clock_set_by_hand_is_no_better_than_held_until_ntp_comes(world: World):
    life = Life()
    life.boot(0)
    life.poll(2)
    life.sync(-5 * MINUTE_MS, HELD)
    life.poll(2)
    life.send(world)
    found = sorted(shown(world).items())
    assert [clock for _, (_, clock) in found] == ["held"] * 4
    assert all(wall_ms == life.truth[seq] - 5 * MINUTE_MS for seq, (wall_ms, _) in found)
    life.sync()
    life.poll(1)
    life.send(world)
    assert {seq: at[0] for seq, at in shown(world).items()} == life.truth


def test_times_are_restamped_once(world: World):
    """What the clock does after the first sync changes nothing before it."""
    life = Life()
    life.boot(0)
    life.poll(3)
    life.sync()
    life.poll(3)
    life.send(world)
    before = shown(world)
    for step_ms, quality in ((HOUR_MS, SYNCED), (-HOUR_MS, SYNCED), (7_000, HELD), (0, SYNCED)):
        life.sync(step_ms, quality)
        life.poll(2)
    life.send(world)
    assert {seq: at for seq, at in shown(world).items() if seq in before} == before


@pytest.mark.parametrize("seed", range(12))
def test_the_order_of_arrival_changes_nothing(tmp_path: Path, seed: int):
    draw = random.Random(seed)
    life = Life()
    for _ in range(4):
        life.true_ms += draw.randrange(DAY_MS)
        life.boot(draw.choice([0, T0 - DAY_MS]))
        life.poll(draw.randrange(1, 15))
        for _ in range(draw.randrange(4)):
            life.sync(draw.choice([0, 0, -HOUR_MS, HOUR_MS]), draw.choice([HELD, SYNCED]))
            life.poll(draw.randrange(1, 15))
    worlds = [World(tmp_path / name) for name in ("whole.db", "pieces.db")]
    life.send(worlds[0])
    life.send(worlds[1], cuts=9, seed=seed)
    assert shown(worlds[0]) == shown(worlds[1])
    rows = life.store.records()
    events = "SELECT seq, wall_ms FROM v_events ORDER BY seq"
    assert worlds[0].query(events) == worlds[1].query(events)
    for seq, (wall_ms, clock) in shown(worlds[0]).items():
        assert clock == "restamped" or wall_ms == oracle_ms(rows, seq)
        assert wall_ms == oracle_ms(rows, seq)
    for made in worlds:
        made.store.close()


def oracle_ms(rows: list[list], seq: int) -> int:
    """The rule in plain words: the best CLOCK record of the boot, the first of equals."""
    _, _, boot, mono_ms, wall_ms, clock, _ = rows[seq]
    known = [row for row in rows if row[0] == Kind.CLOCK and row[2] == boot and row[5]]
    best = max(known, key=lambda row: (row[5], -row[1]), default=None)
    if best is None or best[1] < seq or best[5] <= clock:
        return wall_ms
    return best[4] - best[3] + mono_ms


@pytest.mark.parametrize("edge_ms", [ERA_END_MS, INT32_END_MS])
def test_the_ends_of_eras_are_moments_like_others(world: World, edge_ms: int):
    life = Life()
    life.true_ms = edge_ms - 3 * MINUTE_MS - 1
    life.boot(0)
    life.poll(2)
    life.sync()
    life.poll(5)
    life.send(world)
    assert {seq: at[0] for seq, at in shown(world).items()} == life.truth
    times = [row[0] for row in world.query("SELECT DISTINCT time FROM v_readings ORDER BY seq")]
    assert times == sorted(times) and len(times) == 7
    assert times[2][:4] == {ERA_END_MS: "2036", INT32_END_MS: "2038"}[edge_ms]


@pytest.mark.parametrize("edge_ms", [ERA_END_MS, INT32_END_MS])
def test_intervals_run_through_the_ends_of_eras(edge_ms: int):
    site = Site(edge_ms // INTERVAL_MS * INTERVAL_MS - 2 * INTERVAL_MS)
    site.run(5 * INTERVAL_MS)
    assert_intervals_follow(site)
    assert site.intervals()[-1][1] > edge_ms > site.intervals()[0][0]


@pytest.mark.parametrize("step_ms", [-3 * HOUR_MS, -7 * MINUTE_MS, 7 * MINUTE_MS, 3 * HOUR_MS])
def test_a_step_makes_no_interval_negative_or_double(step_ms: int):
    site = Site()
    site.run(HOUR_MS + 17)
    site.set_clock(T0 + step_ms)
    site.run(6 * HOUR_MS)
    site.set_clock(T0)
    site.run(12 * HOUR_MS)
    assert_intervals_follow(site)
    first, last = site.registers_recorded(0)[0], site.intervals()[-1][2][0][1]
    assert sum(body[2][0][3] for body in site.intervals()) == 10 * (last - first)


def assert_intervals_follow(site: Site) -> None:
    bodies = site.intervals()
    assert len(bodies) >= 3
    assert all(body[0] < body[1] for body in bodies)
    assert all(before[1] == after[0] for before, after in pairwise(bodies))
