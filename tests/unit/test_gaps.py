"""Completeness: what is owed, here and lost by device and day; gaps that close themselves."""

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from cloud_sync.gaps import Counts, find_missing, find_removed
from cloud_sync.keys import Keys
from cloud_sync.raw import Period, find_journals
from cloud_sync.receiver import Receiver
from cloud_sync.store.sqlite import SqliteStore
from cloud_sync.verify import verify_store
from edge.core.journal.record import Kind, encode_record
from edge.core.journal.retain import thin_polls
from edge.core.sync import topics
from edge.core.sync.ack import decode_ack

from .port_doubles import KEY
from .receiver_journal import Journal
from .recorded_site import GATEWAY, TENANT, cloud_of, records_of, six_hours
from .source_tree import ROOT
from .virtual_site import ACK_TOPIC, HOUR_MS, POLL_MS, Site

TOPIC = f"carbontally/v1/{TENANT}/{GATEWAY}/batch"
DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def site() -> Site:
    return six_hours()


def days_of(path: Path, records, *holes, offset_ms: int = 0):
    store, journal = cloud_of(path, records, holes)
    try:
        days = Counts(store, journal, offset_ms).run()
        return days, find_missing(store, journal), find_removed(store, journal)
    finally:
        store.close()


def test_what_is_owed_is_what_the_poll_period_makes_of_the_time(site: Site, tmp_path: Path):
    records = records_of(site)
    days, missing, removed = days_of(tmp_path / "cloud.db", records)
    assert (missing, removed) == ([], [])
    for device, name in ((0, "grid"), (1, "line")):
        mine = [day for day in days if day.device == name]
        polls = [r for r in records if r.kind == Kind.POLL and r.body[0] == device]
        assert sum(day.received for day in mine) == len(polls)
        # Two starts came early, so that there is a poll more than periods: it was owed too.
        assert sum(day.expected for day in mine) == len(polls)
        assert len(polls) == (records[-1].wall_ms - polls[0].wall_ms) // POLL_MS + 2
        bad = [poll for poll in polls if poll.body[2] or None in poll.body[1]]
        assert sum(day.bad for day in mine) == len(bad)
    line = [day for day in days if day.device == "line"]
    assert sum(day.qualities.get(3, 0) for day in line) > 50, "an hour of silence"
    assert all(day.start_ms % DAY_MS == 0 for day in days)
    moved, _, _ = days_of(tmp_path / "b.db", records, offset_ms=8 * HOUR_MS)
    assert all((day.start_ms + 8 * HOUR_MS) % DAY_MS == 0 for day in moved)
    assert sum(day.expected for day in moved) == sum(day.expected for day in days)


def test_hours_one_by_one_are_the_whole_with_devices_that_are_silent(site: Site, tmp_path: Path):
    records = records_of(site)
    silent_at = records[0].wall_ms + 2 * HOUR_MS
    heard = [
        record
        for record in records
        if record.kind != Kind.POLL or record.body[0] != 1 or record.wall_ms < silent_at
    ]
    records = [record._replace(seq=at) for at, record in enumerate(heard)]
    store, journal = cloud_of(tmp_path / "cloud.db", records, ())
    try:
        whole = Counts(store, journal).run()
        begin_ms = records[0].wall_ms // HOUR_MS * HOUR_MS
        parts = [
            Counts(store, journal).run(Period(at, at + HOUR_MS))
            for at in range(begin_ms, begin_ms + 8 * HOUR_MS, HOUR_MS)
        ]
    finally:
        store.close()
    for name in ("grid", "line"):
        mine = [day for day in whole if day.device == name]
        told = [day for part in parts for day in part if day.device == name]
        for of in ("expected", "good", "bad", "substituted"):
            assert sum(getattr(day, of) for day in told) == sum(getattr(day, of) for day in mine)
    line = [day for day in parts[4] if day.device == "line"]
    assert [(day.expected, day.received) for day in line] == [(HOUR_MS // POLL_MS, 0)]


@pytest.mark.parametrize("is_set_later", [True, False])
def test_polls_from_before_the_clock_was_set_make_no_decades_of_losses(
    site: Site, tmp_path: Path, is_set_later: bool
):
    """A boot whose first hour has times of 1970, and one poll of a year that no calendar has."""
    records = records_of(site)
    expected, _, _ = days_of(tmp_path / "a.db", records)
    first, poll = records[0], next(r for r in records if r.kind == Kind.POLL)
    late = [r for r in records if r.mono_ms >= first.mono_ms + HOUR_MS][0].seq
    wrong = []
    for record in records:
        if record.seq < late:
            record = record._replace(clock=0, wall_ms=record.mono_ms)
        elif record.seq == late and is_set_later:
            body = [record.boot, record.mono_ms, record.wall_ms, 0, "system"]
            record = record._replace(kind=Kind.CLOCK, body=body, clock=2)
        elif record.kind == Kind.CLOCK:
            record = record._replace(kind=Kind.EVENT, body=["gateway.boot", []])
        wrong.append(record)
    wrong.append(poll._replace(seq=len(wrong), wall_ms=1 << 61))
    days, missing, _ = days_of(tmp_path / "b.db", wrong)
    assert missing == [] and len(days) <= len(expected)
    assert {day.start_ms for day in days} <= {day.start_ms for day in expected}
    owed, found = (sum(day.expected for day in some) for some in (expected, days))
    assert abs(owed - found) <= (2 if is_set_later else 3 * HOUR_MS // POLL_MS)
    if is_set_later:
        assert owed - found <= 2 and found > 0


def test_what_has_not_arrived_is_lost_for_now_and_says_why(site: Site, tmp_path: Path):
    records = records_of(site)
    hole = (300, 340)
    days, missing, _ = days_of(tmp_path / "cloud.db", records, hole)
    assert [(one.first, one.last) for one in missing] == [hole]
    assert missing[0].since_ms == records[299].wall_ms
    assert missing[0].until_ms == records[341].wall_ms
    gone = [record for record in records[300:341] if record.kind == Kind.POLL]
    whole, _, _ = days_of(tmp_path / "whole.db", records)
    lost = sum(day.absent for day in days) - sum(day.absent for day in whole)
    assert lost == len(gone) > 30
    assert any("missing" in day.reasons for day in days)


def test_a_tombstone_says_why_polls_are_lost(site: Site, tmp_path: Path):
    records = records_of(site)
    first, last = 300, 340
    journal = Journal(GATEWAY, bytes(8), KEY)
    hashes = []
    for record in records:
        hashes.append(journal.chain.extend(encode_record(record)))
    span = (records[first].wall_ms, records[last].wall_ms)
    kept = thin_polls([r for r in records[first : last + 1] if r.kind == Kind.POLL], 60_000, {})
    body = [first, last, "minute", *span, 41, hashes[first - 1], hashes[last]]
    head = records[-1]
    again = [r._replace(seq=len(records) + at) for at, r in enumerate(kept[:5])]
    seq = len(records) + 5
    tomb = head._replace(kind=Kind.TOMBSTONE, seq=seq, body=body)
    memory = [None, None, "memory", *span, 7, None, None]
    tail = [*again, tomb, tomb._replace(seq=seq + 1, body=memory)]
    days, missing, removed = days_of(tmp_path / "cloud.db", records + tail, (first, last))
    assert missing == [] and [one.reason for one in removed] == ["minute", "memory"]
    assert [one.records for one in removed] == [41, 7]
    assert any(day.reasons == ["memory", "minute"] for day in days)
    whole, _, _ = days_of(tmp_path / "whole.db", records)
    polls = sum(record.kind == Kind.POLL for record in records[first : last + 1])
    received = sum(day.received for day in whole) - sum(day.received for day in days)
    assert received == polls - 5, "what was recorded anew is here"
    double, _, _ = days_of(tmp_path / "double.db", records + again)
    assert double == whole, "and counts once"


class CloudSite(Site):
    """The virtual site with a real receiver, whose database can be set back."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "cloud.db"
        self.asked: set[int] = set()
        self.open_store()
        super().__init__()

    def open_store(self) -> None:
        self.cloud = SqliteStore(self.path)
        self.receiver = Receiver(self.cloud, Keys({(TENANT, GATEWAY): KEY}), lambda: 1)

    def answer(self) -> None:
        fresh, self.seen = self.uplink.sent[self.seen :], len(self.uplink.sent)
        for topic, payload, *_ in fresh:
            if topics.parse_topic(topic)[2] != topics.BATCH:
                continue
            reply = self.receiver.receive(topic, payload)
            self.asked.update(decode_ack(reply.payload, GATEWAY, KEY).gaps)
            self.uplink.inbox.append((ACK_TOPIC, reply.payload))

    def missing(self):
        (journal,) = find_journals(self.cloud)
        return find_missing(self.cloud, journal)


def lose(path: Path, first: int, last: int) -> None:
    """Take records out of a database, as somebody does who restores it in part."""
    with sqlite3.connect(path) as db:
        hashes = dict(db.execute("SELECT seq, hash FROM records").fetchall())
        (end,) = db.execute("SELECT max(last) FROM ranges").fetchone()
        tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            if "seq" in columns and "journal" in columns:
                db.execute(f"DELETE FROM {table} WHERE seq BETWEEN ? AND ?", (first, last))
        db.execute("UPDATE ranges SET last = ?, hash_last = ?", (first - 1, hashes[first - 1]))
        above = (last + 1, end, hashes[last], hashes[end])
        db.execute("INSERT INTO ranges SELECT journal, ?, ?, ?, ? FROM ranges", above)
        db.execute(
            "UPDATE journals SET head_seq = ?, head_hash = ?", (first - 1, hashes[first - 1])
        )
    db.close()


def test_a_gap_is_asked_for_in_the_ack_and_filled(tmp_path: Path):
    cloud = CloudSite(tmp_path)
    cloud.run(HOUR_MS)
    assert cloud.missing() == [] and cloud.asked == set()
    cloud.cloud.close()
    lose(cloud.path, 60, 90)
    cloud.open_store()
    assert [(one.first, one.last) for one in cloud.missing()] == [(60, 90)]
    cloud.run(HOUR_MS + 180_000)
    assert cloud.asked == {60, 90} and cloud.missing() == []
    cloud.stop()
    (summary,) = verify_store(cloud.path).journals
    assert summary.ok and summary.records == cloud.store.next_seq


def test_a_receiver_set_back_to_an_older_copy_gets_everything_again(tmp_path: Path):
    cloud = CloudSite(tmp_path)
    cloud.run(HOUR_MS)
    cloud.cloud.close()
    shutil.copy(cloud.path, tmp_path / "backup.db")
    at_backup = cloud.store.acked_seq
    cloud.open_store()
    cloud.run(2 * HOUR_MS)
    assert cloud.store.acked_seq > at_backup + 100
    cloud.cloud.close()
    for name in ("cloud.db-wal", "cloud.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    shutil.copy(tmp_path / "backup.db", cloud.path)
    cloud.open_store()
    cloud.run(2 * HOUR_MS + 180_000)
    cloud.stop()
    assert cloud.missing() == [] and min(cloud.asked) == at_backup + 1
    (summary,) = verify_store(cloud.path).journals
    assert summary.ok and summary.missing == 0
    assert summary.head == cloud.store.next_seq - 1 == cloud.store.acked_seq
    assert summary.records == cloud.store.next_seq


def test_the_command_prints_gaps_losses_and_days(site: Site, tmp_path: Path):
    store, _ = cloud_of(tmp_path / "cloud.db", records_of(site), ((300, 340),))
    store.close()
    command = [sys.executable, "-m", "edge", "gaps", "--store", f"sqlite:///{tmp_path}/cloud.db"]

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *words], capture_output=True, text=True, cwd=ROOT)

    done = run()
    assert done.returncode == 0, done.stderr
    assert "records 300 to 340 have not arrived, between " in done.stdout
    assert "lost (missing)" in done.stdout
    done = run("--json", "--offset", "+08:00", "--gateway", GATEWAY)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["kind"] for line in lines][0] == "missing"
    (grid,) = [x for x in lines if x.get("device") == "grid" and x["lost"] > 5]
    assert grid["reasons"] == ["missing"]
    done = run("--offset", "east")
    assert done.returncode == 2 and "error[usage.value]" in done.stderr
