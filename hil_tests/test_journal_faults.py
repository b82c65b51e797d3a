"""The journal on failing writes, on a full disk, and while it is exchanged.

Sampling goes on, nothing that was committed is lost, and no restart is needed.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from edge.app.mending import RETRY_MS
from edge.app.recorder import Recorder
from edge.core.errors import StoreError
from edge.core.journal.clock import ClockQuality
from edge.core.journal.record import Kind, decode_record
from edge.ports.contracts import Clock
from edge.ports.linux import replacement
from edge.ports.linux.sqlite_store import SqliteStore
from hil_tests import crash_images
from hil_tests.crash_images import lay_out
from hil_tests.crash_judge import (
    GATEWAY,
    T0_MS,
    TABLE,
    open_recorded,
    read_all,
    whole_image,
    without_seq,
    work_folder,
    write_journal,
)


@pytest.fixture()
def folder() -> Iterator[Path]:
    with work_folder() as name:
        yield Path(name)


class StepClock(Clock):
    """Wall time that follows the test's own."""

    def __init__(self) -> None:
        self.now_ms = 0

    def mono_ms(self) -> int:
        return self.now_ms

    def wall_ms(self) -> int:
        return T0_MS + self.now_ms

    def quality(self) -> int:
        return ClockQuality.SYNCED


class Site:
    """A recorder on a store, a poll a second."""

    def __init__(self, store: SqliteStore) -> None:
        self.clock = StepClock()
        self.recorder = Recorder(store, self.clock, 500)
        self.recorder.keep_time(0)
        self.recorder.add(Kind.TABLE, list(TABLE), 0)
        assert self.recorder.commit(0, True)
        self.polls = 0

    def second(self) -> bool:
        """Poll once, commit; True when the commit took."""
        self.clock.now_ms += 1_000
        self.polls += 1
        self.recorder.add(Kind.POLL, [0, [self.polls, 5], [], []], self.clock.now_ms)
        return self.recorder.commit(self.clock.now_ms, True)

    def committed(self) -> list[int]:
        """The first value of every poll in the journal, in order."""
        store = self.recorder.store
        records = [decode_record(data) for data, _ in store.read(0, store.next_seq - 1)]
        return [record.body[1][0] for record in records if record.kind == Kind.POLL]

    def explained(self) -> int:
        """Records that tombstones account for."""
        store, count, at = self.recorder.store, 0, 0
        while (gap := store.gap_from(at)) is not None:
            count += decode_record(store.read(gap.tombstone, gap.tombstone)[0][0]).body[5]
            at = gap.last + 1
        tombs = [decode_record(data).body for data in store.of_kind(Kind.TOMBSTONE)]
        return count + sum(body[5] for body in tombs if body[0] is None)

    def events(self) -> list[str]:
        bodies = [decode_record(data).body for data in self.recorder.store.of_kind(Kind.EVENT)]
        return [body[0] for body in bodies]


FAILURES = {"full": apsw.FullError, "io": apsw.IOError, "readonly": apsw.ReadOnlyError}


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "for a while"])
@pytest.mark.parametrize("failure", sorted(FAILURES))
def test_a_write_that_fails_at_any_place_costs_nothing(folder: Path, failure: str, lasting: bool):
    reached = 0
    for at in range(60):
        path = folder / f"{at}.db"
        recorder = crash_images.Recorder(path)
        tape = recorder.tape
        site = Site(open_recorded(path, recorder))
        tape.failure, tape.lasting, tape.fail_at = FAILURES[failure], lasting, at
        for _ in range(12):
            site.second()
            if tape.failed >= 3:
                tape.fail_at = None
        reached += tape.failed > 0
        tape.fail_at = None
        site.clock.now_ms += RETRY_MS
        assert site.second() and site.recorder.failure is None
        assert site.committed() == list(range(1, site.polls + 1)), at
        assert "journal.salvaged" not in site.events()
        site.recorder.store.close()
        recorder.close()
    assert reached > 30


@pytest.fixture()
def small_disk(folder: Path) -> Iterator[Path]:
    """A filesystem of 1 MB of its own."""
    mounted = folder / "disk"
    mounted.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "carbontally-test", str(mounted)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("needs root and mount: a small tmpfs cannot be made here")
    yield mounted
    subprocess.run(["umount", "-l", str(mounted)], check=True)


def fill(disk: Path, leave: int) -> Path:
    """Take all space of the disk but `leave` bytes."""
    filler = disk / "filler"
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    handle = os.open(filler, os.O_CREAT | os.O_RDWR)
    os.posix_fallocate(handle, 0, max(1, free - leave))
    os.close(handle)
    return filler


def test_a_disk_that_is_full_after_any_number_of_bytes(small_disk: Path):
    for leave in range(0, 25 * 4096, 4096):
        path = small_disk / "journal.db"
        site = Site(SqliteStore(path, GATEWAY, 64 << 10))
        for _ in range(5):
            assert site.second()
        filler = fill(small_disk, leave)
        taken = [site.second() for _ in range(150)]
        site.recorder.store.ack(3)  # the ballast leaves room for it
        filler.unlink()
        site.clock.now_ms += RETRY_MS
        assert site.second(), "it does not recover by itself"
        site.second()
        missing = set(range(1, site.polls + 1)) - set(site.committed())
        assert len(missing) <= site.explained(), leave
        assert site.committed()[-1] == site.polls
        assert taken[0] and ("store.recovered" in site.events()) == (False in taken)
        site.recorder.store.close()
        for item in small_disk.iterdir():
            item.unlink()


def test_a_full_disk_begins_retention_and_says_so(small_disk: Path):
    site = Site(SqliteStore(small_disk / "journal.db", GATEWAY, 64 << 10))
    for _ in range(100):
        site.second()
    site.recorder.store.ack(site.recorder.store.next_seq - 1)
    fill(small_disk, 0)
    for _ in range(3_000):
        site.second()
        if "journal.ballast" in site.events():
            break
    store = site.recorder.store
    for _ in range(300):
        site.second()
        store.ack(store.next_seq - 1)
    gap = store.gap_from(0)
    assert gap is not None and site.recorder.waiting < 20
    assert site.committed()[-1] == site.polls
    store.close()


def test_a_cut_anywhere_while_the_journal_is_exchanged(folder: Path, monkeypatch):
    """A copy of the folder before each step of the exchange; every one of them opens whole."""
    (folder / "made").mkdir()
    ledger = write_journal(folder / "made", 2, 40)
    path = folder / "live" / "journal.db"
    path.parent.mkdir()
    lay_out(whole_image(ledger).files, path)
    copies: list[Path] = []

    def watch(owner: object, name: str) -> None:
        original = getattr(owner, name)

        def step(*args, **kwargs):
            copies.append(folder / f"cut{len(copies)}")
            shutil.copytree(path.parent, copies[-1])
            result = original(*args, **kwargs)
            copies.append(folder / f"cut{len(copies)}")
            shutil.copytree(path.parent, copies[-1])
            return result

        monkeypatch.setattr(owner, name, step)

    store = SqliteStore(path, GATEWAY, 0)
    unacked = [data for data, _ in store.read(store.acked_seq + 1, store.next_seq - 1)]
    with monkeypatch.context():
        for owner, name in (
            (Path, "unlink"),
            (Path, "rename"),
            (Path, "replace"),
            (replacement, "build"),
            (replacement, "_keep"),
            (replacement, "_sync_folder"),
        ):
            watch(owner, name)
        store.renew("rewound")
    monkeypatch.undo()
    store.close()
    assert len(copies) > 20
    for copy in copies:
        opened = SqliteStore(copy / "journal.db", GATEWAY, 0)
        found = {without_seq(data) for data in read_all(opened)}
        assert {without_seq(data) for data in unacked} <= found, copy
        told = {code for code, _ in opened.findings()}
        assert opened.epoch == ledger.epoch or "journal.salvaged" in told, copy
        opened.close()


def test_a_damaged_journal_on_a_full_disk_still_starts(small_disk: Path):
    path = small_disk / "journal.db"
    site = Site(SqliteStore(path, GATEWAY, 128 << 10))
    while site.recorder.store.file.used_bytes() < 400 << 10:
        for _ in range(50):
            site.recorder.add(Kind.POLL, [0, [1, 2], [], [0, bytes(200)]], site.clock.now_ms)
        site.second()
    site.recorder.store.close()
    content = bytearray(path.read_bytes())
    content[0:16] = bytes(16)
    path.write_bytes(content)
    fill(small_disk, 0)
    store = SqliteStore(path, GATEWAY, 128 << 10)
    told = dict(store.findings())["journal.salvaged"]
    assert told["reason"] == "damaged, no space" and told["lost"] > 0
    kept = list(small_disk.glob("journal.db.aside-*"))
    assert [item.stat().st_size for item in kept] == [len(content)]
    with pytest.raises(StoreError):
        SqliteStore(small_disk / "none" / "journal.db", GATEWAY)
    store.close()
