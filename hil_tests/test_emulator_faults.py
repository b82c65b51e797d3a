"""Each fault does on the wire what its name says, when its trigger says, and is in the ledger."""

import time
from fractions import Fraction
from pathlib import Path

from hil_tests.emulator.faults import Fault, FaultPlan
from hil_tests.emulator.frame import checksum, encode_reply
from hil_tests.emulator.ledger import read_replies, read_unanswered
from hil_tests.ptys import TtyMaster, play, read_request

REQUEST = read_request(1, 3, 0, 4)
GOOD = encode_reply(1, 3, b"\x00\x01" + bytes(6))
OTHER = read_request(2, 3, 0, 1)


def scenario(fault: str) -> str:
    return f"""
seed = 5
[[bus]]
name = "b"
baud = 57600
[[bus.station]]
station = 1
name = "one"
profile = "tiny.toml"
points = {{ a = 1, b = 2 }}
[[bus.station]]
station = 2
name = "two"
profile = "tiny.toml"
points = {{ a = 3, b = 4 }}
[[bus.fault]]
{fault}
"""


def strike(directory: Path, fault: str, length: int) -> tuple[bytes, str | None]:
    """What a request to station 1 gets, and the fault in the ledger; station 2 stays well."""
    ledger = directory / "ledger.db"
    with (
        play(directory, scenario(f"station = 1\n{fault}"), ledger_path=ledger) as emulator,
        TtyMaster(emulator.ports["b"]) as master,
    ):
        reply = master.ask(REQUEST, length, within_s=0.3)
        assert master.ask(OTHER, 7) == encode_reply(2, 3, b"\x00\x03")
    rows = read_replies(ledger, "b", 1)
    if not rows:
        return reply, None
    if rows[0].exception is None:
        assert rows[0].registers == b"\x00\x01" + bytes(6)
    return reply, rows[0].fault


def test_silent(tmp_path: Path) -> None:
    assert strike(tmp_path, "silent = true", 1) == (b"", None)
    silences = read_unanswered(tmp_path / "ledger.db")
    assert [(row.reason, row.frame) for row in silences] == [("silent", REQUEST)]


def test_exception(tmp_path: Path) -> None:
    body = b"\x01\x83\x06"
    assert strike(tmp_path, "exception = 6", 6) == (body + checksum(body), "exception")


def test_crc(tmp_path: Path) -> None:
    reply, fault = strike(tmp_path, "crc = true", len(GOOD))
    assert fault == "crc"
    assert reply[:-2] == GOOD[:-2]
    assert reply[-2:] != GOOD[-2:]


def test_garbage_before(tmp_path: Path) -> None:
    reply, fault = strike(tmp_path, 'garbage = "before"', len(GOOD) + 8)
    assert fault == "garbage_before"
    assert reply.endswith(GOOD)
    assert len(reply) > len(GOOD)


def test_garbage_instead(tmp_path: Path) -> None:
    reply, fault = strike(tmp_path, 'garbage = "instead"', len(GOOD) + 8)
    assert fault == "garbage_instead"
    assert len(reply) == len(GOOD)
    assert checksum(reply[:-2]) != reply[-2:]


def test_truncate(tmp_path: Path) -> None:
    assert strike(tmp_path, "truncate = 4", len(GOOD)) == (GOOD[:4], "truncate")


def test_truncate_beyond_the_reply_still_cuts_it(tmp_path: Path) -> None:
    assert strike(tmp_path, "truncate = 200", len(GOOD)) == (GOOD[:-1], "truncate")


def test_late(tmp_path: Path) -> None:
    with (
        play(tmp_path, scenario("late_ms = 200\nstation = 1")) as emulator,
        TtyMaster(emulator.ports["b"]) as master,
    ):
        begin_s = time.monotonic()
        assert master.ask(REQUEST, len(GOOD)) == GOOD
        late_s = time.monotonic() - begin_s
        begin_s = time.monotonic()
        master.ask(OTHER, 7)
        usual_s = time.monotonic() - begin_s
    # A reply is counted just after its last byte is out: ask when the line has stopped.
    counts = emulator.summary()["b"]["stations"]
    assert late_s >= 0.2 + 0.005
    assert usual_s < late_s
    assert counts == {"1": {"late": 1}, "2": {"clean": 1}}


def test_a_fault_without_a_station_hits_the_whole_bus(tmp_path: Path) -> None:
    with (
        play(tmp_path, scenario("exception = 4")) as emulator,
        TtyMaster(emulator.ports["b"]) as master,
    ):
        for station in (1, 2):
            assert master.ask(read_request(station, 3, 0, 1), 5)[1:3] == b"\x83\x04"


def test_every_third_request(tmp_path: Path) -> None:
    with (
        play(tmp_path, scenario("exception = 4\nevery = 3\nstation = 1")) as emulator,
        TtyMaster(emulator.ports["b"]) as master,
    ):
        lengths = [len(master.ask(REQUEST, 13, within_s=0.15)) for _ in range(6)]
    assert lengths == [13, 13, 5, 13, 13, 5]


def test_time_window(tmp_path: Path) -> None:
    with (
        play(tmp_path, scenario("exception = 4\nto_s = 0.5")) as emulator,
        TtyMaster(emulator.ports["b"]) as master,
    ):
        begin_s = time.monotonic()
        assert len(master.ask(REQUEST, 5)) == 5
        assert time.monotonic() - begin_s < 0.5, "too slow a machine for this test"
        while len(reply := master.ask(REQUEST, 13, within_s=0.1)) != 13:
            assert time.monotonic() - begin_s < 5
    assert reply == GOOD


def test_probability_is_kept_and_repeats_with_the_seed() -> None:
    rows = []
    for seed in (1, 1, 2):
        plan = FaultPlan((Fault(1, "crc", probability=Fraction(1, 10)),), seed)
        rows.append([plan.next(1, 0.0) is not None for _ in range(5000)])
    assert rows[0] == rows[1] != rows[2]
    # 500 expected, standard deviation 21.
    assert 400 < sum(rows[0]) < 600


def test_the_first_fault_of_the_list_wins_and_windows_are_half_open() -> None:
    first = Fault(1, "crc", every=2)
    second = Fault(None, "silent")
    plan = FaultPlan((first, second), 1)
    strikes = [plan.next(station, 0.0) for station in (1, 1, 1, 1, 2)]
    assert [s and s.fault for s in strikes] == [second, first, second, first, second]
    window = FaultPlan((Fault(1, "crc", from_s=Fraction(2), to_s=Fraction(3)),), 1)
    moments_s = (1.99, 2.0, 2.99, 3.0)
    assert [window.next(1, s) is not None for s in moments_s] == [False, True, True, False]
