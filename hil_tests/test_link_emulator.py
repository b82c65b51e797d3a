"""The gateway's serial link with stations that misbehave; the emulator's ledger judges."""

import struct
import time
from pathlib import Path

import pytest

from edge.core.errors import BusError, DeviceError
from hil_tests.emulator.ledger import ServedReply, read_replies
from hil_tests.link_master import ONE, TIMEOUT_MS, TWO, WORDS, Read, bus, master
from hil_tests.ptys import play
from tests.contract.brokers import wait_until

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
        # A reply is read before it is counted.
        wait_until(lambda: emulator.summary()["b"]["stations"]["2"] == {"clean": 3}, "all counted")
        counts = emulator.summary()["b"]
    assert sum(counts["stations"]["1"].values()) == 3


def test_a_reply_behind_stray_bytes_is_found(tmp_path: Path) -> None:
    with (
        play(tmp_path, bus('station = 1; garbage = "before"')) as emulator,
        master(emulator.ports["b"]) as ours,
    ):
        found = []
        for _ in range(12):
            try:
                found.append(ours.read(ONE))
            except BusError as error:  # a busy machine may pause behind the stray bytes
                assert error.code == "bus.crc"
            assert ours.read(TWO) == WORDS[TWO]
    assert set(found) == {WORDS[ONE]} and len(found) >= 3


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
