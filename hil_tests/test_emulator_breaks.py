"""Breaks: echo, a reboot in the middle of a reply, an adapter that is unplugged and comes back."""

import contextlib
import time
from pathlib import Path

import pytest

from edge.core.errors import BusError
from hil_tests.emulator.emulator import Emulator
from hil_tests.emulator.ledger import read_incidents, read_replies, read_run, read_unanswered
from hil_tests.emulator.port import PtyPort
from hil_tests.emulator.scenario import read_scenario
from hil_tests.ptys import TtyMaster, read_request
from hil_tests.troubled_bus import GOOD, OTHER, OTHER_GOOD, REQUEST, listen, running, trouble
from tests.contract.brokers import wait_until


def test_an_adapter_echoes_the_request_while_it_is_sent(tmp_path: Path) -> None:
    baud = 1200
    with running(tmp_path, trouble("[[bus.fault]]; echo = true", baud=baud)) as (_, master):
        begin_s = time.monotonic()
        master.send(REQUEST)
        chunks = master.chunks(len(REQUEST) + len(GOOD))
    assert b"".join(data for _, data in chunks) == REQUEST + GOOD
    taken = 0
    for moment_s, data in chunks:
        taken += len(data)
        assert moment_s - begin_s >= taken * 10 / baud
    # The echo does not wait for the answer: its first byte is here after its own time.
    assert chunks[0][0] - begin_s < 8 * 10 / baud
    assert [row.name for row in read_incidents(tmp_path / "ledger.db")] == ["echo"]


def test_an_echo_comes_and_goes(tmp_path: Path) -> None:
    with running(tmp_path, trouble("[[bus.fault]]; echo = true; every = 2")) as (emulator, master):
        heard = []
        for _ in range(4):
            master.send(REQUEST)
            heard.append(listen(master))
        assert emulator.summary()["b"]["incidents"] == {"echo": 2}
    assert heard == [GOOD, REQUEST + GOOD, GOOD, REQUEST + GOOD]


METER = """
seed = 5
[[bus]]
name = "b"
baud = 57600
[[bus.station]]
station = 1
name = "grid"
profile = "eastron_sdm630"
follows = "grid"
[[bus.fault]]
reboot_s = 0.3
every = 2
times = 1
counters = "{counters}"
"""
#: Total import of the SDM630, function 4: address 72, kWh as f32.
ENERGY = read_request(1, 4, 72, 2)


@pytest.mark.parametrize("counters", ["continue", "restart"])
def test_a_station_reboots_in_the_middle_of_its_reply(tmp_path: Path, counters: str) -> None:
    with running(tmp_path, METER.format(counters=counters)) as (emulator, master):
        before = master.ask(ENERGY, 9)
        master.send(ENERGY)
        cut = listen(master)
        assert 1 <= len(cut) < 9
        assert before[:3].startswith(cut[:3])
        master.send(ENERGY)
        assert listen(master) == b""
        begin_s = time.monotonic()
        while len(after := master.ask(ENERGY, 9, within_s=0.06)) != 9:
            assert time.monotonic() - begin_s < 5
        summary = emulator.summary()["b"]
    assert summary["incidents"] == {"reboot": 1}
    assert summary["stations"]["1"]["reboot"] == 1
    reasons = {row.reason for row in read_unanswered(tmp_path / "ledger.db")}
    assert reasons == {"reboot"}
    is_zero = after[3:7] == bytes(4)
    assert before[3:7] != bytes(4)
    assert is_zero == (counters == "restart")


def test_counters_count_from_zero_after_a_restart(tmp_path: Path) -> None:
    """At 3600 factory seconds a second the meter counts on within a moment."""
    scenario = METER.format(counters="restart")
    with running(tmp_path, scenario, speed=3600) as (_, master):
        before = master.ask(ENERGY, 9)
        master.send(ENERGY)
        listen(master, 0.4)
        end_s = time.monotonic() + 10
        while (after := master.ask(ENERGY, 9))[3:7] == bytes(4):
            assert time.monotonic() < end_s
    # Positive IEEE 754 numbers are in the order of their bits.
    assert bytes(4) < after[3:7] < before[3:7]


def unplug(**options: str) -> str:
    extra = "".join(f"; {key} = {value}" for key, value in options.items())
    return trouble("[[bus.fault]]; station = 1; unplug_s = 0.4" + extra)


def test_an_adapter_goes_in_the_middle_of_a_reply_and_comes_back(tmp_path: Path) -> None:
    link = tmp_path / "dev" / "b"
    with running(tmp_path, unplug(times="1"), link_dir=link.parent) as (emulator, master):
        assert emulator.ports["b"] == str(link)
        master.send(REQUEST)
        wait_until(lambda: not link.is_symlink(), "it was unplugged")
        # A tty whose other end is gone reads as hung up or fails.
        with contextlib.suppress(OSError):
            heard = master.receive(1, 0.05)
            assert GOOD.startswith(heard)
            assert len(heard) < len(GOOD)
        assert not link.is_symlink()
        wait_until(link.is_symlink, "the adapter is back")
        with TtyMaster(str(link)) as again:
            assert again.ask(OTHER, 7) == OTHER_GOOD
            assert again.ask(REQUEST, 13) == GOOD
        emulator.check()
        assert emulator.summary()["b"]["incidents"] == {"replug": 1, "unplug": 1}
    assert not link.is_symlink()
    first, second = read_replies(tmp_path / "ledger.db", "b", 1)
    assert (first.fault, second.fault) == ("unplug", None)
    unplugged, replugged = read_incidents(tmp_path / "ledger.db")
    assert (unplugged.name, replugged.name) == ("unplug", "replug")
    assert 400 <= replugged.wall_ms - unplugged.wall_ms < 2_000


def test_it_can_be_stopped_while_unplugged(tmp_path: Path) -> None:
    with running(tmp_path, unplug().replace("0.4", "1000")) as (emulator, master):
        master.send(REQUEST)
        wait_until(lambda: emulator.summary()["b"]["incidents"], "it was unplugged")
        begin_s = time.monotonic()
    assert time.monotonic() - begin_s < 2
    emulator.check()


def test_a_link_that_cannot_come_back_is_noticed(tmp_path: Path) -> None:
    link = tmp_path / "dev" / "b"
    with running(tmp_path, unplug(), link_dir=link.parent) as (emulator, master):
        master.send(REQUEST)
        wait_until(lambda: not link.is_symlink(), "it was unplugged")
        link.write_text("mine")

        def is_noticed() -> bool:
            try:
                emulator.check()
            except BusError as error:
                return error.code == "bus.port"
            return False

        wait_until(is_noticed, "the line has failed")
    assert link.read_text() == "mine"


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_many_plugs_leave_no_descriptor_behind() -> None:
    port = PtyPort()
    before = open_files()
    for _ in range(50):
        port.unplug()
        port.replug()
    assert open_files() == before
    port.close()
    port.close()
    assert open_files() == before - 2


def test_an_unpaced_bus_has_no_time_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with running(tmp_path, trouble(baud=300), is_paced=False) as (emulator, master):
        begin_s = time.monotonic()
        for _ in range(20):
            assert master.ask(REQUEST, 13) == GOOD
        taken_s = time.monotonic() - begin_s
        assert emulator.summary()["b"]["silence"]["needed_us"] == 0
    # At 300 baud with the wire's time: 19 s.
    assert taken_s < 2
    assert read_run(path)["pacing"] == "none"
    with Emulator(read_scenario(tmp_path / "scenario.toml"), tmp_path / "other.db"):
        pass
    assert read_run(tmp_path / "other.db")["pacing"] == "wire"
