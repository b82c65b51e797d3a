"""What `carbontally check` finds of journal, disk, clock and ports, each thing broken in turn."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.app.cli import check, check_journal
from edge.app.cli.check_finding import Finding
from edge.app.recorder import Recorder
from edge.core.journal.record import Kind
from edge.ports.linux import serial_place
from edge.ports.linux.sqlite_store import SqliteStore

from .port_doubles import ManualClock


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal of some polls, closed."""
    path = tmp_path / "journal.db"
    recorder = Recorder(SqliteStore(path, "gw-1"), ManualClock(), 0)
    for number in range(20):
        recorder.add(Kind.POLL, [0, [number], [], []], 1000 * number)
    assert recorder.commit(20_000, True)
    recorder.store.close()
    return path


def findings(path: Path, quota_bytes: int | None = None) -> dict[str, Finding]:
    return {item.about: item for item in check_journal.journal_findings(path, quota_bytes)}


def wrong(found: dict[str, Finding]) -> dict[str, str]:
    return {about: item.error.code for about, item in found.items() if item.error is not None}


def test_a_sound_journal_has_nothing_wrong(journal: Path):
    found = findings(journal)
    assert wrong(found) == {}
    assert list(found) == ["journal", "space", "reserve", "log"]
    for item in found.values():
        for text in check.WELL[item.well or item.about]:
            assert text.format(**item.fields)


def _drop_reserve(path: Path) -> None:
    path.with_name(path.name + ".ballast").unlink()


def _swell_log(path: Path) -> None:
    with path.with_name(path.name + "-wal").open("ab") as log:
        log.truncate(check_journal.LOG_MAX_BYTES + 1)


def _show_all(path: Path) -> None:
    path.chmod(0o644)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for at in range(4096, len(data), 97):
        data[at] ^= 0xFF
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (_drop_reserve, {"reserve": "store.reserve"}),
        (_swell_log, {"log": "store.log"}),
        (_show_all, {"journal": "store.exposed"}),
        (_flip, {"journal": "store.corrupt"}),
    ],
)
def test_each_thing_that_is_wrong_is_found_alone(
    journal: Path, spoil: Callable[[Path], None], expected: dict[str, str]
):
    spoil(journal)
    assert wrong(findings(journal)) == expected


def test_a_quota_that_the_disk_does_not_have_is_told(journal: Path):
    disk = os.statvfs(journal.parent)
    room = disk.f_blocks * disk.f_frsize
    assert wrong(findings(journal, 2 * room)) == {"space": "store.quota"}
    assert wrong(findings(journal, 10_000_000)).get("space") != "store.quota"


def test_little_room_is_told(journal: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(check_journal, "ROOM_BYTES", 1 << 60)
    assert wrong(findings(journal)) == {"space": "store.space"}


def test_no_right_to_write_is_told(journal: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    error = findings(journal)["journal"].error
    assert error is not None and error.code == "store.open"


@pytest.mark.parametrize("wall_s", [0, 1_700_000_000, 4_102_444_801])
def test_a_clock_that_cannot_be_right_is_unset(monkeypatch: pytest.MonkeyPatch, wall_s: int):
    monkeypatch.setattr(time, "time_ns", lambda: wall_s * 10**9)
    error = check._clock().error
    assert error is not None and (error.code, error.fields["state"]) == ("data.clock", "unset")


def test_a_port_of_another_group_names_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    master, slave = os.openpty()
    reason = serial_place.why_unusable(os.ttyname(slave))
    group = Path(os.ttyname(slave)).group()
    for handle in (master, slave):
        os.close(handle)
    assert reason == f"no permission, its group is {group}"
