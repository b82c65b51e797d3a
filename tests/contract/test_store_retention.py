"""Retention on the real store, and what the cloud makes of it: nothing is missing unexplained."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_sync.verify import verify_store
from edge.app.mending import remove
from edge.app.recorder import Recorder
from edge.app.uploader import Uploader
from edge.core.journal.record import Kind, Record, decode_record
from edge.core.journal.retain import Step
from edge.ports.linux.removal import STEP_MS
from edge.ports.linux.sqlite_store import SqliteStore
from tests.unit.port_doubles import ManualClock, MemoryUplink
from tests.unit.receiver_journal import GATEWAY, KEY, TENANT, TOPIC, World

QUOTA_BYTES = 200_000
POINTS = [["e", "W.h", 0, "counter"], ["p", "W", 0, "gauge"]]
EMPTY_TOTALS = [None, None, None, None, None]


class Site:
    """A gateway without its bus: two devices, a poll of each every 5 s, an interval a quarter."""

    PERIOD_MS = 5_000

    def __init__(self, folder: Path, quota_bytes: int | None = QUOTA_BYTES) -> None:
        self.folder, self.quota_bytes = folder, quota_bytes
        self.clock = ManualClock()
        self.registers = [0, 500_000]
        self.polls = 0
        self.open()
        for device in (0, 1):
            part = [1, device, f"m{device}", "bus", 1 + device, "x/y", b"p" * 32, 1000, POINTS]
            self.recorder.add(Kind.TABLE, [part], 0)

    def open(self) -> None:
        self.store = SqliteStore(self.folder / "journal.db", GATEWAY, 0, self.quota_bytes)
        self.recorder = Recorder(self.store, self.clock, 500)
        self.recorder.keep_time(self.clock.mono)

    def run(self, minutes: int) -> None:
        for _ in range(minutes * 60_000 // self.PERIOD_MS):
            self.clock.mono += self.PERIOD_MS
            now_ms = self.clock.mono
            for device in (0, 1):
                self.registers[device] += (self.polls * 7 + device) % 13
                values: list[object] = [self.registers[device], self.polls % 100]
                self.recorder.add(Kind.POLL, [device, values, [], []], now_ms)
            self.polls += 1
            if now_ms % 900_000 == 0:
                body: list[object] = [now_ms - 900_000, now_ms, [], list(EMPTY_TOTALS)]
                self.recorder.add(Kind.INTERVAL, body, now_ms)
            self.recorder.commit(now_ms, True)

    def records(self) -> list[Record]:
        found = self.store.read(0, self.store.next_seq - 1)
        return [decode_record(data) for data, _ in found]

    def gaps(self) -> Iterator[list]:
        """Bodies of the tombstones in force."""
        at = 0
        while (gap := self.store.gap_from(at)) is not None:
            record = decode_record(self.store.read(gap.tombstone, gap.tombstone)[0][0])
            assert record.body[0:2] == [gap.first, gap.last]
            yield record.body
            at = gap.last + 1

    def reasons(self) -> set[str]:
        return {body[2] for body in self.gaps()}


def by_device(records: list[Record]) -> dict[int, list[Record]]:
    polls = [record for record in records if record.kind == Kind.POLL]
    found: dict[int, list[Record]] = {0: [], 1: []}
    for record in sorted(polls, key=lambda record: record.wall_ms):
        found[record.body[0]].append(record)
    return found


def test_acked_history_goes_first_and_only_when_space_runs_out(tmp_path: Path):
    site = Site(tmp_path)
    site.run(20)
    site.store.ack(site.store.next_seq - 1)
    assert site.store.gap_from(0) is None, "kept while there is room"
    for _ in range(50):
        site.run(5)
        site.store.ack(site.store.next_seq - 1)
    assert site.reasons() == {"acked"}
    assert site.store.file.used_bytes() <= QUOTA_BYTES
    kinds = {record.kind for record in site.records()}
    assert Kind.TABLE in kinds and Kind.INTERVAL in kinds
    # A few ranges, however many steps it took; from the newest interval on all is there.
    assert len(list(site.gaps())) <= 6
    newest = decode_record(site.store.last_of_kind(Kind.INTERVAL)).seq
    assert len(site.store.read(newest, 1 << 40)) == site.store.next_seq - newest


def test_unacked_polls_are_thinned_and_energy_stays_exact(tmp_path: Path):
    site = Site(tmp_path)
    site.run(4 * 60)
    assert site.reasons() == {"minute"} or site.reasons() == {"minute", "quarter"}
    assert site.store.file.used_bytes() <= QUOTA_BYTES
    found = by_device(site.records())
    for device, polls in found.items():
        registers = [poll.body[1][0] for poll in polls]
        assert registers == sorted(registers), "carried records keep their own time"
        assert polls[0].wall_ms == site.clock.start_wall_ms + 5000
        assert registers[-1] == site.registers[device]
        spacing = [b.wall_ms - a.wall_ms for a, b in zip(polls, polls[1:], strict=False)]
        assert max(spacing) < 900_000
    gone = sum(body[5] for body in site.gaps())
    kept = sum(len(polls) for polls in found.values())
    carried = sum(poll.wall_ms - site.clock.start_wall_ms != poll.mono_ms for poll in found[0])
    assert carried == 0 and gone + kept >= 2 * site.polls
    site.store.close()
    site.open()
    assert by_device(site.records()) == found, "the same after a restart"


def test_intervals_outlive_polls_and_tables_outlive_all(tmp_path: Path):
    site = Site(tmp_path, 100_000)
    seen: set[str] = set()
    for quarter in range(1, 33):
        site.run(15)
        seen |= site.reasons()
        records = site.records()
        intervals = [record for record in records if record.kind == Kind.INTERVAL]
        assert intervals[-1].body[1] == 900_000 * quarter
        if len(intervals) < quarter:  # only behind every poll that could go
            assert "dropped" in seen
            assert site.store.state.swept[Step.POLLS] >= site.store.state.swept[Step.REST] > 0
        assert [r.body[0][1] for r in records if r.kind == Kind.TABLE] == [0, 1]
        assert site.store.file.used_bytes() <= 100_000
    assert {"minute", "quarter", "dropped"} <= seen


def test_a_step_is_bounded_and_a_sweep_ends(tmp_path: Path):
    site = Site(tmp_path, None)
    site.run(5 * 60)
    site.store.ack(site.store.next_seq - 1)
    site.store.remover.quota_bytes = 50_000
    steps, slow = 0, 0
    while (removal := site.store.plan_removal()) is not None:
        assert removal.step == Step.ACKED
        remove(site.recorder, removal, site.clock.mono)
        slow += site.store.remover.step_ms > STEP_MS
        steps += 1
        assert steps < 100
    assert steps >= 2 and slow <= steps // 4  # a busy machine may stretch one


class Cloud:
    """An uploader and a receiver with a line between them."""

    def __init__(self, site: Site, world: World) -> None:
        self.site, self.world, self.uplink = site, world, MemoryUplink()
        self.uploader = Uploader(self.uplink, site.store, GATEWAY, TENANT, KEY, 100)
        self.delivered = 0

    def exchange(self, rounds: int) -> None:
        """Deliver what is sent and bring the acks back."""
        for _ in range(rounds):
            self.site.clock.mono += 1000
            assert self.uploader.step(self.site.clock.mono, True) == []
            for payload in self.uplink.batches()[self.delivered :]:
                self.delivered += 1
                reply = self.world.receiver.receive(TOPIC, payload)
                assert reply is not None
                self.uplink.inbox.append((reply.topic.encode(), reply.payload))


@pytest.mark.parametrize("acked_before", [False, True])
def test_the_cloud_takes_tombstones_for_what_was_thinned(tmp_path: Path, acked_before: bool):
    site, world = Site(tmp_path), World(tmp_path / "cloud.db")
    if acked_before:
        site.run(2)
        Cloud(site, world).exchange(5)
        assert site.store.acked_seq == site.store.next_seq - 1
    site.run(4 * 60)
    assert "minute" in site.reasons()
    cloud = Cloud(site, world)
    cloud.exchange(100)
    assert site.store.acked_seq == site.store.next_seq - 1
    summary = verify_store(tmp_path / "cloud.db").journals[0]
    assert summary.ok, summary
    assert (summary.head, summary.missing) == (site.store.next_seq - 1, 0)
    stored = {row[0] for row in world.query("SELECT seq FROM records")}
    assert {record.seq for record in site.records()} <= stored
    assert world.query("SELECT * FROM alarms") == []


def test_a_receiver_put_back_from_a_backup_gets_what_is_left_and_why(tmp_path: Path):
    site, world = Site(tmp_path), World(tmp_path / "cloud.db")
    for _ in range(50):
        site.run(5)
        Cloud(site, world).exchange(4)
    assert site.reasons() == {"acked"}
    cloud = Cloud(site, World(tmp_path / "restored.db"))
    site.run(1)  # the first batch tells the gateway what the restored receiver has
    cloud.exchange(100)
    assert site.store.acked_seq == site.store.next_seq - 1
    summary = verify_store(tmp_path / "restored.db").journals[0]
    assert summary.ok and summary.missing == 0, summary
