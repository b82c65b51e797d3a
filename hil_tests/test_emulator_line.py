"""The wire's timing as a master at the far end sees it."""

import os
import time
import tty
from pathlib import Path

import pytest

from edge.core.errors import BusError
from hil_tests.emulator.timing import Timing, plan_timing
from hil_tests.ptys import TtyMaster, play, read_request

TURNAROUND_S = 0.005


def one_station(baud: int, line_format: str = "8N1", port: str = "") -> str:
    port_line = f'port = "{port}"' if port else ""
    return f"""
seed = 1
[[bus]]
name = "b"
baud = {baud}
format = "{line_format}"
{port_line}
[[bus.station]]
station = 1
name = "s"
profile = "tiny.toml"
points = {{ a = 1, b = 2 }}
"""


@pytest.mark.parametrize(
    ("baud", "line_format", "character_us", "silence_us"),
    [
        (9600, "8N1", 1041.7, 3645.8),
        (9600, "8E1", 1145.8, 4010.4),
        (19200, "8N2", 572.9, 2005.2),
        (115200, "8N1", 86.8, 1750.0),
    ],
)
def test_timing_of_a_character_and_of_silence(
    baud: int, line_format: str, character_us: float, silence_us: float
) -> None:
    timing = plan_timing(baud, line_format)
    assert timing.character_s * 1e6 == pytest.approx(character_us, abs=0.1)
    assert timing.silence_s * 1e6 == pytest.approx(silence_us, abs=0.1)


def measure_reply(master: TtyMaster, timing: Timing, count: int) -> float:
    """Seconds of one read until its last byte; every byte is checked against its own time."""
    length = 5 + 2 * count
    begin_s = time.monotonic()
    master.send(read_request(1, 3, 0, count))
    chunks = master.chunks(length)
    reply_s = begin_s + 8 * timing.character_s + timing.silence_s + TURNAROUND_S
    taken = 0
    for moment_s, data in chunks:
        taken += len(data)
        assert moment_s >= reply_s + taken * timing.character_s - 1e-6
    assert taken == length
    return chunks[-1][0] - begin_s


@pytest.mark.parametrize(("baud", "line_format"), [(9600, "8N1"), (19200, "8E1"), (115200, "8N1")])
def test_no_byte_comes_before_its_time(tmp_path: Path, baud: int, line_format: str) -> None:
    timing = plan_timing(baud, line_format)
    least_s = timing.transaction_s(20, TURNAROUND_S) - timing.silence_s
    durations_s = []
    with (
        play(tmp_path, one_station(baud, line_format)) as emulator,
        TtyMaster(emulator.ports["b"]) as master,
    ):
        for _ in range(7):
            durations_s.append(measure_reply(master, timing, 20))
    assert min(durations_s) >= least_s
    # A busy machine may delay some; the best shows that the pacing itself adds little.
    assert min(durations_s) <= 1.2 * least_s


def test_bytes_are_spread_over_the_wire_time(tmp_path: Path) -> None:
    with (
        play(tmp_path, one_station(1200)) as emulator,
        TtyMaster(emulator.ports["b"]) as master,
    ):
        master.send(read_request(1, 3, 0, 2))
        chunks = master.chunks(9)
    # 8 ms a character: bytes come one by one unless the machine stalls.
    assert len(chunks) >= 5
    assert chunks[-1][0] - chunks[0][0] >= 3 * 10 / 1200


@pytest.mark.parametrize("strict", [True, False])
def test_strict_stations_ignore_a_request_that_breaks_the_silence(
    tmp_path: Path, strict: bool
) -> None:
    # The next request goes out as soon as the reply has ended; at 300 baud even a slow test
    # machine is early then: 3.5 characters are 117 ms.
    timing = plan_timing(300, "8N1")
    request = read_request(1, 3, 0, 1)
    with (
        play(tmp_path, one_station(300), strict=strict) as emulator,
        TtyMaster(emulator.ports["b"]) as master,
    ):
        assert len(master.ask(request, 7)) == 7
        within_s = 2 * timing.transaction_s(1, TURNAROUND_S)
        early = master.ask(request, 7, within_s)
        summary = emulator.summary()["b"]
    assert len(early) == (0 if strict else 7)
    assert summary["unanswered"] == ({"early": 1} if strict else {})
    silence = summary["silence"]
    assert (silence["strict"], silence["requests"], silence["early"]) == (strict, 2, 1)
    assert silence["needed_us"] == 116_667
    assert 0 <= silence["shortest_us"] < silence["needed_us"]


def test_a_reply_waits_for_the_one_before_it(tmp_path: Path) -> None:
    fault = "[[bus.fault]]\nlate_ms = 300\nevery = 2\n"
    scenario = one_station(9600) + fault
    with play(tmp_path, scenario) as emulator, TtyMaster(emulator.ports["b"]) as master:
        assert len(master.ask(read_request(1, 3, 0, 1), 7)) == 7
        # The second is late; the third is asked meanwhile and queues behind it.
        assert master.ask(read_request(1, 3, 0, 2), 9, within_s=0.1) == b""
        both = master.ask(read_request(1, 3, 19, 1), 16)
    assert both[:3] == b"\x01\x03\x04"
    assert both[9:12] == b"\x01\x03\x02"


def test_link_names_the_tty_and_goes_with_it(tmp_path: Path) -> None:
    link = tmp_path / "dev" / "b"
    scenario = one_station(115200)
    for _ in range(2):
        with play(tmp_path, scenario, link_dir=link.parent) as emulator:
            assert emulator.ports["b"] == str(link)
            with TtyMaster(str(link)) as master:
                assert len(master.ask(read_request(1, 3, 0, 1), 7)) == 7
        assert not link.is_symlink()


def test_a_file_in_the_place_of_the_link_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("mine")
    with pytest.raises(BusError) as caught, play(tmp_path, one_station(9600), link_dir=tmp_path):
        pass
    assert caught.value.code == "bus.port"
    assert (tmp_path / "b").read_text() == "mine"


def test_a_serial_port_in_place_of_the_pty(tmp_path: Path) -> None:
    """A tty stands for the adapter; pyserial opens it as it would a USB one."""
    fd, tty_fd = os.openpty()
    try:
        tty.setraw(fd)
        port = os.ttyname(tty_fd)
        with play(tmp_path, one_station(9600, port=port)) as emulator:
            assert emulator.ports["b"] == port
            for _ in range(3):
                os.write(fd, read_request(1, 3, 0, 1))
                taken = b""
                while len(taken) < 7:
                    taken += os.read(fd, 64)
                assert taken[:5] == b"\x01\x03\x02\x00\x01"
    finally:
        os.close(fd)
        os.close(tty_fd)


def test_a_serial_port_that_is_not_there(tmp_path: Path) -> None:
    scenario = one_station(9600, port=str(tmp_path / "ttyUSB9"))
    with pytest.raises(BusError) as caught, play(tmp_path, scenario):
        pass
    assert caught.value.code == "bus.port"


def test_a_serial_port_that_goes_away_is_noticed(tmp_path: Path) -> None:
    fd, tty_fd = os.openpty()
    tty.setraw(fd)
    port = os.ttyname(tty_fd)
    with play(tmp_path, one_station(9600, port=port)) as emulator:
        os.close(tty_fd)
        os.close(fd)
        deadline_s = time.monotonic() + 10
        with pytest.raises(BusError) as caught:
            while time.monotonic() < deadline_s:
                emulator.check()
    assert caught.value.code == "bus.port"
