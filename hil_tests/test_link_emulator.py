"""The gateway's serial link on an emulated bus that misbehaves; the emulator's ledger judges."""

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

from edge.core.bus.rtu import decode_read_reply, encode_read
from edge.core.errors import BusError, DeviceError
from edge.ports.linux.serial_link import NOISE_LIMIT_S, SerialLink
from hil_tests.emulator.frame import encode_reply
from hil_tests.emulator.ledger import ServedReply, read_replies, read_unanswered
from hil_tests.ptys import TtyMaster, play, read_request
from tests.contract.brokers import wait_until

BAUD = 57_600
TIMEOUT_MS = 150

#: (station, function, address, count)
Read = tuple[int, int, int, int]

ONE: Read = (1, 3, 0, 4)
TWO: Read = (2, 3, 0, 4)
WORDS = {ONE: (0x0102, 0, 0, 0), TWO: (0x0304, 0, 0, 0)}

EXCEPTIONS = {
    1: "device.illegal_function",
    2: "device.illegal_address",
    3: "device.illegal_value",
    4: "device.failure",
    5: "device.busy",
    6: "device.busy",
    10: "device.failure",
    11: "device.failure",
    200: "device.failure",
}


class Master:
    """Reads through a SerialLink as the gateway's poller does, one transaction at a time."""

    def __init__(self, port: str, timeout_ms: int = TIMEOUT_MS, baud: int = BAUD) -> None:
        self.link = SerialLink(port, baud, "8N1", self._wake)
        self.timeout_ms = timeout_ms
        self.is_done = threading.Event()

    def _wake(self) -> None:
        self.is_done.set()

    def read(self, read: Read, gap_ms: int = 0) -> tuple[int, ...]:
        """The registers; raises BusError or DeviceError."""
        request = encode_read(*read)
        self.is_done.clear()
        self.link.start(request, self.timeout_ms, gap_ms)
        assert self.is_done.wait(20), "the link never answered"
        try:
            reply = self.link.poll()
            assert reply is not None
            return decode_read_reply(request, reply)
        except BusError as error:
            if error.code in ("bus.crc", "bus.short", "bus.mismatch"):
                self.link.distrust()
            raise

    def try_read(self, read: Read) -> str | tuple[int, ...]:
        """The registers, or the code of the error."""
        try:
            return self.read(read)
        except (BusError, DeviceError) as error:
            return error.code


@contextmanager
def master(port: str, timeout_ms: int = TIMEOUT_MS, baud: int = BAUD) -> Iterator[Master]:
    running = Master(port, timeout_ms, baud)
    try:
        yield running
    finally:
        running.link.close()


def bus(*faults: str, stations: int = 2) -> str:
    """A bus of tiny stations whose register 0 tells them apart: 0x0102, 0x0304, ..."""
    lines = ["seed = 11", "[[bus]]", 'name = "b"', f"baud = {BAUD}"]
    for number in range(1, stations + 1):
        lines += ["[[bus.station]]", f"station = {number}", f'name = "s{number}"']
        word = (2 * number - 1) << 8 | 2 * number
        lines += ['profile = "tiny.toml"', f"points = {{ a = {word}, b = {number} }}"]
    for fault in faults:
        lines += ["[[bus.fault]]", *fault.split("; ")]
    return "\n".join(lines)


def test_a_silent_station_is_a_timeout_and_costs_the_others_little(tmp_path: Path) -> None:
    scenario = bus("station = 1; silent = true")
    with play(tmp_path, scenario) as emulator, master(emulator.ports["b"]) as ours:
        before_s = time.monotonic()
        with pytest.raises(BusError) as caught:
            ours.read(ONE)
        elapsed_s = time.monotonic() - before_s
        assert ours.read(TWO) == WORDS[TWO]
        together_s = time.monotonic() - before_s
    assert caught.value.code == "bus.timeout"
    assert caught.value.fields == {"station": 1, "timeout_ms": TIMEOUT_MS}
    assert TIMEOUT_MS <= elapsed_s * 1000 < 2 * TIMEOUT_MS
    # Quarantine of twice the timeout, then a transaction.
    assert 3 * TIMEOUT_MS <= together_s * 1000 < 5 * TIMEOUT_MS


@pytest.mark.parametrize(
    ("fault", "codes"),
    [
        ("crc = true", {"bus.crc"}),
        ("truncate = 1", {"bus.short"}),
        ("truncate = 4", {"bus.short"}),
        ("truncate = 12", {"bus.short"}),
        ('garbage = "before"', {"bus.crc", "bus.short", "bus.mismatch"}),
        ('garbage = "instead"', {"bus.crc", "bus.short", "bus.mismatch"}),
    ],
)
def test_damage_is_coded_and_never_reaches_the_next_answer(
    tmp_path: Path, fault: str, codes: set[str]
) -> None:
    with (
        play(tmp_path, bus(f"station = 1; {fault}")) as emulator,
        master(emulator.ports["b"]) as ours,
    ):
        for _ in range(3):
            assert ours.try_read(ONE) in codes
            assert ours.read(TWO) == WORDS[TWO]
        counts = emulator.summary()["b"]
    assert sum(counts["stations"]["1"].values()) == 3
    assert counts["stations"]["2"] == {"clean": 3}


def test_exceptions_are_coded_and_quick(tmp_path: Path) -> None:
    codes = list(EXCEPTIONS)
    faults = [f"station = {n}; exception = {code}" for n, code in enumerate(codes, 1)]
    with (
        play(tmp_path, bus(*faults, stations=len(codes))) as emulator,
        master(emulator.ports["b"], timeout_ms=2_000) as ours,
    ):
        before_s = time.monotonic()
        for number, code in enumerate(codes, 1):
            with pytest.raises(DeviceError) as caught:
                ours.read((number, 3, 0, 4))
            assert caught.value.code == EXCEPTIONS[code]
            assert caught.value.fields["exception"] == code
            assert caught.value.fields["station"] == number
        assert time.monotonic() - before_s < 2


CHANGING = """
seed = 3
[[bus]]
name = "b"
baud = 57600
[[bus.station]]
station = 1
name = "grid"
profile = "eastron_sdm630"
follows = "grid"
[[bus.station]]
station = 2
name = "line1"
profile = "eastron_sdm630"
follows = "line1"
[[bus.fault]]
late_ms = 45
probability = 0.15
[[bus.fault]]
late_ms = 70
probability = 0.15
"""
LATE_READS: list[Read] = [(1, 4, 0, 18), (2, 4, 0, 18), (1, 4, 342, 12), (2, 4, 342, 12)]


def test_a_late_reply_is_never_the_answer_to_another_request(tmp_path: Path) -> None:
    """Replies come in the order of the requests, so row n of the ledger answers request n.

    The factory runs so fast that no two answers to one request are the same; both stations have
    one map, so that a reply of the wrong block would fit by its length too.
    """
    ledger = tmp_path / "ledger.db"
    # A station twice in a row, and the same block twice in a row, are the dangerous cases.
    order = [LATE_READS[(n // 2 + n // 7) % 4] for n in range(240)]
    with play(tmp_path, CHANGING, ledger_path=ledger, speed=3_600, strict=True) as emulator:
        with master(emulator.ports["b"], timeout_ms=30) as ours:
            seen = [ours.try_read(read) for read in order]
        counts = emulator.summary()["b"]
    served = {n: read_replies(ledger, "b", n) for n in (1, 2)}
    rows = sorted(served[1] + served[2], key=lambda row: row.id)
    assert counts["unanswered"] == {}
    assert len(rows) == len(order)
    wrong = [n for n, row in enumerate(rows) if not _fits(order[n], seen[n], row)]
    good = sum(not isinstance(outcome, str) for outcome in seen)
    late = sum(row.fault == "late" for row in rows)
    print(f"{len(order)} transactions, {late} late, {good} answered, {len(wrong)} wrong")
    assert wrong == []
    assert late >= 40
    assert good >= (len(order) - late) * 9 // 10
    assert len({row.registers for row in rows}) > len(rows) * 9 // 10


def _fits(read: Read, outcome: str | tuple[int, ...], row: ServedReply) -> bool:
    """The outcome of a read is right, given what the station put on the wire for it."""
    assert row.registers is not None
    assert (row.station, row.function, row.address, row.count) == read
    if isinstance(outcome, str):
        return outcome == "bus.timeout"
    return row.fault is None and struct.pack(f">{len(outcome)}H", *outcome) == row.registers


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
