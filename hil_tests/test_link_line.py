"""The serial link and its line: silence, noise, a port that goes, the bytes that are sent."""

import os
import struct
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import minimalmodbus
import pytest
import serial

from edge.core.bus.rtu import encode_read
from edge.core.errors import BusError
from edge.ports.linux.serial_line import NOISE_LIMIT_S
from hil_tests.emulator.frame import encode_reply
from hil_tests.emulator.ledger import read_unanswered
from hil_tests.link_master import BAUD, ONE, TWO, WORDS, Master, Read, bus, master
from hil_tests.ptys import TtyMaster, play, read_request
from tests.contract.brokers import wait_until


@contextmanager
def babbling_line() -> Iterator[tuple[str, threading.Event]]:
    """A tty that hears a byte every 2 ms; once the event is set, station 1 answers ONE there."""
    fd, tty_fd = os.openpty()
    tty.setraw(fd)
    tty.setraw(tty_fd)
    os.set_blocking(fd, False)
    is_quiet, is_over = threading.Event(), threading.Event()

    def babble() -> None:
        heard = b""
        while not is_over.wait(0.002):
            if not is_quiet.is_set():
                os.write(fd, b"\x55")
            try:
                heard += os.read(fd, 256)
            except BlockingIOError:
                continue
            if is_quiet.is_set() and heard.endswith(encode_read(*ONE)):
                os.write(fd, encode_reply(1, 3, struct.pack(">4H", *WORDS[ONE])))

    thread = threading.Thread(target=babble, name="babble")
    thread.start()
    try:
        yield os.ttyname(tty_fd), is_quiet
    finally:
        is_over.set()
        thread.join()
        os.close(fd)
        os.close(tty_fd)


def test_a_line_that_is_never_silent_is_noise_until_it_is() -> None:
    # At 1200 baud the silence to wait for is 29 ms.
    with babbling_line() as (port, is_quiet), master(port, baud=1_200) as ours:
        before_s = time.monotonic()
        with pytest.raises(BusError) as caught:
            ours.read(ONE)
        elapsed_s = time.monotonic() - before_s
        assert caught.value.code == "bus.noise"
        assert set(str(caught.value.fields["frame_hex"])) == {"5"}
        assert NOISE_LIMIT_S <= elapsed_s < NOISE_LIMIT_S + 1
        is_quiet.set()
        assert ours.read(ONE) == WORDS[ONE]


def test_a_port_that_goes_away_is_opened_again_when_it_is_back(tmp_path: Path) -> None:
    links = tmp_path / "dev"
    with play(tmp_path, bus(), link_dir=links) as emulator:
        port = emulator.ports["b"]
        ours = Master(port)
        assert ours.read(ONE) == WORDS[ONE]
    try:
        for _ in range(2):
            with pytest.raises(BusError) as caught:
                ours.read(ONE)
            assert caught.value.code == "bus.port"
            assert caught.value.fields["port"] == port
        with play(tmp_path, bus(), link_dir=links) as emulator:
            assert emulator.ports["b"] == port
            assert ours.read(TWO) == WORDS[TWO]
            assert ours.read(ONE) == WORDS[ONE]
    finally:
        ours.link.close()


def test_a_port_that_goes_away_during_a_transaction(tmp_path: Path) -> None:
    links = tmp_path / "dev"
    with play(tmp_path, bus("silent = true"), link_dir=links) as emulator:
        ours = Master(emulator.ports["b"])
        ours.link.start(encode_read(*ONE), 5_000)
        wait_until(lambda: emulator.summary()["b"]["unanswered"], "the request has arrived")
    try:
        assert ours.is_done.wait(2), "a transaction outlived its port"
        with pytest.raises(BusError) as caught:
            ours.link.poll()
        assert caught.value.code == "bus.port"
        with play(tmp_path, bus(), link_dir=links):
            assert ours.read(ONE) == WORDS[ONE]
    finally:
        ours.link.close()


def test_a_station_that_hears_only_after_silence_never_refuses_us(tmp_path: Path) -> None:
    """Strict stations drop a request that begins within 3.5 characters of the last byte."""
    scenario = bus("station = 3; exception = 2", "station = 4; crc = true; every = 5", stations=4)
    with play(tmp_path, scenario, strict=True) as emulator:
        with master(emulator.ports["b"]) as ours:
            outcomes = [ours.try_read((n % 4 + 1, 3, 0, n % 20 + 1)) for n in range(160)]
        counts = emulator.summary()["b"]
    assert counts["unanswered"] == {}
    assert sum(not isinstance(outcome, str) for outcome in outcomes) == 80 + 32
    assert outcomes.count("device.illegal_address") == 40
    assert outcomes.count("bus.crc") == 8


def test_a_master_that_does_not_wait_is_refused(tmp_path: Path) -> None:
    """What makes the test above one that can fail."""
    with play(tmp_path, bus(), strict=True) as emulator, TtyMaster(emulator.ports["b"]) as hasty:
        hasty.send(read_request(*ONE))
        reply = hasty.receive(13)
        hasty.send(read_request(*ONE))
        assert len(reply) == 13
        wait_until(lambda: emulator.summary()["b"]["unanswered"] == {"early": 1}, "it was refused")


def test_a_device_gets_the_rest_it_asks_for(tmp_path: Path) -> None:
    with play(tmp_path, bus()) as emulator, master(emulator.ports["b"]) as ours:
        ours.read(ONE)
        before_s = time.monotonic()
        assert ours.read(TWO, gap_ms=200) == WORDS[TWO]
        assert time.monotonic() - before_s > 0.19


def test_requests_are_those_of_minimalmodbus_to_the_byte(tmp_path: Path) -> None:
    """A silent bus keeps every request that it heard."""
    reads: list[Read] = [(1, 3, 0, 1), (1, 4, 65_535, 1), (2, 3, 513, 125), (2, 4, 0x1234, 80)]
    ledger = tmp_path / "ledger.db"
    with play(tmp_path, bus("silent = true"), ledger_path=ledger) as emulator:
        port = emulator.ports["b"]
        with master(port, timeout_ms=30) as ours:
            assert [ours.try_read(read) for read in reads] == ["bus.timeout"] * len(reads)
        with serial.Serial(port, BAUD, timeout=0.05) as opened:
            for station, function, address, count in reads:
                theirs = minimalmodbus.Instrument(opened, station)
                with pytest.raises(minimalmodbus.NoResponseError):
                    theirs.read_registers(address, count, function)
    frames = [row.frame for row in read_unanswered(ledger)]
    assert len(frames) == 2 * len(reads)
    assert frames[: len(reads)] == frames[len(reads) :]
