"""`tap` between a master and its stations, its trace played back, and the host's own facts."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import tty
from pathlib import Path
from typing import Any

import pytest

from edge.app.cli.bus import open_session
from edge.app.cli.tap import tap
from edge.app.trace import read_trace
from edge.core.errors import DeviceError, UsageError
from edge.core.errors.table import describe, exit_status
from edge.ports.linux.serial_probe import is_mini_uart, read_latency_ms
from hil_tests.emulator.replay import Replay
from hil_tests.ptys import play

SCENARIO = """
seed = 5
[[bus]]
name = "bus1"
baud = 19200
[[bus.station]]
station = 1
name = "grid"
profile = "eastron_sdm630"
[[bus.station]]
station = 2
name = "tiny"
profile = "tiny.toml"
"""

READS = ((1, 4, 0, 12), (1, 4, 70, 4), (2, 3, 0, 4), (2, 3, 900, 1))


class Cable:
    """A pty for a master and one for a listener, wired to the port of an emulated bus."""

    def __init__(self, port: str) -> None:
        self._bus = os.open(port, os.O_RDWR | os.O_NOCTTY)
        pairs = [os.openpty(), os.openpty()]
        for fd in (self._bus, *pairs[0], *pairs[1]):
            tty.setraw(fd)
        self._master, self._listener = pairs[0][0], pairs[1][0]
        self._fds = [self._bus, *pairs[0], *pairs[1]]
        self.port, self.tap_port = os.ttyname(pairs[0][1]), os.ttyname(pairs[1][1])
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(target=self._run, name="cable", daemon=True)

    def __enter__(self) -> "Cable":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._stop_write, b"x")
        self._thread.join()
        for fd in (*self._fds, self._stop_read, self._stop_write):
            os.close(fd)

    def _run(self) -> None:
        """Every byte from either side reaches the other side and the listener."""
        while True:
            ready, _, _ = select.select([self._master, self._bus, self._stop_read], [], [])
            if self._stop_read in ready:
                return
            for here, there in ((self._master, self._bus), (self._bus, self._master)):
                if here in ready:
                    data = os.read(here, 4096)
                    os.write(there, data)
                    os.write(self._listener, data)


class Listener:
    """The real verb in a process of its own; its events as they come."""

    def __init__(self, port: str, save: Path) -> None:
        command = [sys.executable, "-m", "edge", "tap", port, "--baud", "19200", "--json"]
        self.process = subprocess.Popen(
            [*command, "--save", str(save)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self._text = b""
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def hear(self, within_s: float) -> bool:
        """Take what it has said; False when it says nothing within a time."""
        assert self.process.stdout is not None
        fd = self.process.stdout.fileno()
        if not select.select([fd], [], [], within_s)[0]:
            return False
        *lines, self._text = (self._text + os.read(fd, 65536)).split(b"\n")
        self.events += [json.loads(line) for line in lines]
        return True

    def frames(self) -> list[str]:
        return [event["hex"] for event in self.events]


def read_all(port: str) -> list[tuple[int, ...] | str]:
    """The registers of each of READS, or the code of the refusal."""
    results: list[tuple[int, ...] | str] = []
    with open_session(port, 19200, "8N1", 1000) as session:
        for read in READS:
            try:
                results.append(session.read(*read))
            except DeviceError as error:
                results.append(error.code)
    return results


def test_a_tapped_trace_plays_back_the_same_registers(tmp_path: Path) -> None:
    trace = tmp_path / "bus.ndjson"
    with (
        play(tmp_path, SCENARIO) as emulator,
        Cable(emulator.ports["bus1"]) as cable,
        Listener(cable.tap_port, trace) as listener,
    ):
        # The first frames pass before the tap is up; they are asked for until it hears one.
        while not listener.hear(0.2):
            read_all(cable.port)
        lived = read_all(cable.port)
        while listener.frames()[-8:] != wire(lived):
            assert listener.hear(20), listener.frames()[-8:]
        listener.process.send_signal(signal.SIGTERM)
        assert listener.process.wait(timeout=10) == 0
        check_frames(listener.events[-8:], lived)
    head, frames = read_trace(trace)
    assert (head.baud, head.format) == (19200, "8N1")
    assert [f.data.hex() for f in frames][-8:] == wire(lived)
    with Replay(trace, 19200, None, None, False, True) as replay:
        assert read_all(replay.ports["replay"]) == lived


def wire(results: list[tuple[int, ...] | str]) -> list[str]:
    """The frames of READS and of their replies, as the emulator's own codec builds them."""
    from hil_tests.emulator.frame import encode_exception, encode_reply
    from hil_tests.ptys import read_request

    frames = []
    for (station, function, address, count), result in zip(READS, results, strict=True):
        frames.append(read_request(station, function, address, count).hex())
        if isinstance(result, str):
            frames.append(encode_exception(station, function, 2).hex())
            continue
        data = b"".join(word.to_bytes(2, "big") for word in result)
        frames.append(encode_reply(station, function, data).hex())
    return frames


def check_frames(heard: list[dict[str, Any]], lived: list[tuple[int, ...] | str]) -> None:
    """Directions, addresses, words and turnarounds of the last round."""
    requests, replies = heard[0::2], heard[1::2]
    for (station, function, address, count), request in zip(READS, requests, strict=True):
        shown = tuple(request[key] for key in ("station", "function", "address", "count"))
        assert (request["dir"], *shown) == ("request", station, function, address, count)
    for read, reply, result in zip(READS, replies, lived, strict=True):
        assert (reply["dir"], reply["crc"], reply["address"]) == ("reply", "good", read[2])
        assert 0 <= reply["turnaround_ms"] < 500
        if isinstance(result, str):
            assert reply["exception"] == 2
        else:
            assert tuple(reply["words"]) == result


def test_a_trace_is_never_written_over(tmp_path: Path) -> None:
    trace = tmp_path / "kept"
    trace.write_text("mine")
    with (
        play(tmp_path, SCENARIO) as emulator,
        Listener(emulator.ports["bus1"], trace) as listener,
    ):
        _, told = listener.process.communicate(timeout=20)
        assert listener.process.returncode == exit_status("usage.value")
    assert b"usage.value" in told
    assert trace.read_text() == "mine"


def test_a_trace_that_cannot_be_created_is_told_why(tmp_path: Path) -> None:
    with play(tmp_path, SCENARIO) as emulator, pytest.raises(UsageError) as caught:
        tap(emulator.ports["bus1"], save=tmp_path / "none" / "x", seconds=0.0)
    said, _ = describe(caught.value)
    assert said.endswith("a file that can be created; this one cannot: No such file or directory")


@pytest.mark.parametrize("seconds", [-1.0, float("nan")])
def test_a_time_that_never_comes_is_refused_before_the_port_is_opened(seconds: float) -> None:
    with pytest.raises(UsageError):
        tap("no-port", seconds=seconds)


@pytest.mark.parametrize(("text", "latency_ms"), [("16\n", 16), ("1", 1), ("x", None)])
def test_the_latency_timer_of_an_adapter_is_read(
    tmp_path: Path, text: Any, latency_ms: Any
) -> None:
    (tmp_path / "ttyUSB3").mkdir()
    (tmp_path / "ttyUSB3" / "latency_timer").write_text(text)
    link = tmp_path / "by-id"
    link.symlink_to("/dev/ttyUSB3")
    assert read_latency_ms(str(link), tmp_path) == latency_ms
    assert read_latency_ms("/dev/ttyS0", tmp_path) is None


def test_the_mini_uart_is_known_by_board_and_port(tmp_path: Path) -> None:
    board = tmp_path / "model"
    board.write_bytes(b"Raspberry Pi 4 Model B Rev 1.4\0")
    assert is_mini_uart("/dev/ttyS0", board)
    assert not is_mini_uart("/dev/ttyAMA0", board)
    assert not is_mini_uart("/dev/ttyS0", tmp_path / "none")
