"""`emulate` as a user runs it: a process of its own, ended by a signal or by its time."""

import json
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from edge.core.errors import UsageError
from edge.core.field.trace import Frame, encode_row
from hil_tests.cli import emulate, parse_start
from hil_tests.emulator.frame import encode_reply
from hil_tests.emulator.ledger import read_replies, read_run
from hil_tests.emulator.scenario import FACTORY_DAY
from hil_tests.ptys import TtyMaster, read_request

REQUEST = read_request(1, 4, 0, 2)


def launch(**options: object) -> subprocess.Popen[str]:
    """Start `emulate(**options)` in a new interpreter."""
    program = (
        "import sys\nfrom pathlib import Path, PosixPath\nfrom hil_tests.cli import emulate\n"
    )
    program += f"sys.exit(emulate(**{options!r}))"
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def next_line(process: subprocess.Popen[str], within_s: float = 20) -> str:
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], within_s)[0], "no line in time"
    return process.stdout.readline()


def next_event(process: subprocess.Popen[str]) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(next_line(process))
    return event


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_everything_in_the_ledger(tmp_path: Path, kind: int) -> None:
    ledger = tmp_path / "ledger.db"
    process = launch(json=True, ledger=ledger, link_dir=tmp_path / "dev", speed=60, start="06:00")
    try:
        ready = next_event(process)
        assert ready == {"event": "ready", "bus": "bus1", "port": str(tmp_path / "dev" / "bus1")}
        with TtyMaster(ready["port"]) as master:
            assert len(master.ask(REQUEST, 9)) == 9
            process.send_signal(kind)
            summary = next_event(process)
        assert process.wait(timeout=5) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.communicate()
    assert summary["event"] == "summary"
    assert summary["stations"] == {"1": {"clean": 1}}
    assert [row.count for row in read_replies(ledger, "bus1", 1)] == [2]
    run = read_run(ledger)
    assert (run["start_s"], run["speed"]) == ("21600", "60")
    assert not (tmp_path / "dev" / "bus1").is_symlink()


def test_another_process_reads_the_ledger_meanwhile(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.db"
    process = launch(json=True, ledger=ledger)
    try:
        with TtyMaster(next_event(process)["port"]) as master:
            for wanted in (1, 2):
                assert len(master.ask(REQUEST, 9)) == 9
                deadline_s = time.monotonic() + 10
                while len(read_replies(ledger, "bus1", 1)) < wanted:
                    assert time.monotonic() < deadline_s
        # What was committed survives even this.
        process.kill()
        process.wait(timeout=5)
        assert len(read_replies(ledger, "bus1", 1)) == 2
    finally:
        process.kill()
        process.communicate()


def test_wall_time_of_a_reply_is_that_of_its_last_byte(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.db"
    process = launch(json=True, ledger=ledger, seconds=2.0)
    try:
        with TtyMaster(next_event(process)["port"]) as master:
            before_ms = time.time_ns() // 1_000_000
            assert len(master.ask(read_request(1, 4, 0, 80), 165)) == 165
            after_ms = time.time_ns() // 1_000_000
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.communicate()
    (row,) = read_replies(ledger, "bus1", 1)
    # 8 + 165 characters, a silence and the turnaround lie before it: 189 ms.
    assert before_ms + 188 <= row.wall_ms <= after_ms + 1


def test_it_stops_by_itself_and_tells_people_what_happened() -> None:
    process = launch(seconds=0.3)
    try:
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0
    assert err == ""
    assert out.startswith("bus1 is on /dev/")
    assert out.endswith("bus1:\n")


def test_start_is_a_time_of_day() -> None:
    assert parse_start("00:00") == 0
    assert parse_start("23:59") == 86_340
    for text in ("24:00", "10:60", "1030", "10:3", "ten", "-1:30", "10:30:00", "１０:30"):
        with pytest.raises(UsageError) as caught:
            parse_start(text)
        assert caught.value.code == "usage.value"


def test_a_bad_time_starts_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        emulate(link_dir=tmp_path / "dev", start="25:00")
    for seconds in (-1.0, float("nan")):
        with pytest.raises(UsageError) as caught:
            emulate(link_dir=tmp_path / "dev", seconds=seconds)
        assert caught.value.code == "usage.value"
    assert not (tmp_path / "dev").exists()


def test_a_bad_scenario_ends_the_command_with_78(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('seed = 1\n[[bus]]\nname = "b"\nbaut = 9600\nstation = []\n')
    run = subprocess.run(
        [sys.executable, "-m", "edge", "emulate", str(path), "--link-dir", str(tmp_path / "dev")],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert run.returncode == 78
    assert "bus[0].baut" in run.stderr
    assert "baud" in run.stderr
    assert str(path) in run.stderr
    assert run.stdout == ""
    assert not (tmp_path / "dev").exists()


def test_options_that_contradict_each_other(tmp_path: Path) -> None:
    for options in (
        {"strict": True, "unpaced": True},
        {"baud": 9600},
        {"baud": 1, "replay": tmp_path / "t"},
    ):
        with pytest.raises(UsageError) as caught:
            emulate(link_dir=tmp_path / "dev", **options)
        assert caught.value.code == "usage.value"
    assert not (tmp_path / "dev").exists()


def test_it_replays_a_trace(tmp_path: Path) -> None:
    reply = encode_reply(1, 4, b"\x00\x01\x00\x02")
    frames = [Frame(0, 0, "request", REQUEST, True), Frame(9, 9, "reply", reply, True)]
    (tmp_path / "t").write_text("\n".join(map(encode_row, frames)))
    process = launch(json=True, replay=tmp_path / "t", link_dir=tmp_path / "dev", unpaced=True)
    try:
        ready = next_event(process)
        assert ready == {"event": "ready", "bus": "replay", "port": str(tmp_path / "dev/replay")}
        with TtyMaster(ready["port"]) as master:
            assert master.ask(REQUEST, 9) == reply
            process.send_signal(signal.SIGTERM)
            summary = next_event(process)
        assert process.wait(timeout=5) == 0
    finally:
        process.kill()
        process.communicate()
    assert summary["stations"] == {"1": {"clean": 1}}


def test_it_tells_people_of_trouble_and_of_silences(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    fault = "\n[[bus.fault]]\nstation = 1\necho = true\n"
    path.write_text(FACTORY_DAY.read_text() + fault)
    process = launch(scenario=path, strict=True)
    try:
        port = next_line(process).rstrip().rpartition(" ")[2]
        with TtyMaster(port) as master:
            for _ in range(2):
                assert len(master.ask(REQUEST, 17)) == 17
                # Twice the silence that a strict station wants.
                assert master.receive(1, 0.01) == b""
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert err == ""
    lines = out.splitlines()
    assert lines[:3] == ["bus1:", "  station 1: 2 clean", "  echo: 2"]
    assert lines[3].startswith("  silence before a request: 0 of 2 too short, shortest ")
    assert lines[3].endswith(" us, needed 3646 us")
