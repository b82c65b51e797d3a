"""What damage to bytes and to what they mean looks like on the wire, on the way there and back."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hil_tests.emulator.effects import KINDS, Draft
from hil_tests.emulator.effects import REQUEST as ON_REQUEST
from hil_tests.emulator.faults import INTACT_FAULTS, Fault, Strike
from hil_tests.emulator.frame import checksum, encode_reply, seal
from hil_tests.emulator.ledger import read_incidents, read_replies, read_unanswered
from hil_tests.emulator.noise import Noise
from hil_tests.emulator.timing import plan_timing
from hil_tests.troubled_bus import (
    GOOD,
    OTHER,
    OTHER_GOOD,
    REQUEST,
    listen,
    running,
    trouble,
)


def is_good(frame: bytes) -> bool:
    return checksum(frame[:-2]) == frame[-2:]


def is_without(longer: bytes, shorter: bytes, count: int) -> bool:
    """`shorter` is `longer` without `count` bytes in a row."""
    starts = range(len(shorter) + 1)
    return any(longer[:at] + longer[at + count :] == shorter for at in starts)


def is_swapped(heard: bytes) -> bool:
    wrong = [at for at in range(len(GOOD)) if heard[at] != GOOD[at]]
    first, second = wrong
    return second == first + 1 and sorted(heard) == sorted(GOOD)


def flips(heard: bytes) -> int:
    return sum((a ^ b).bit_count() for a, b in zip(heard, GOOD, strict=True))


DAMAGE: dict[str, Callable[[bytes], bool]] = {
    "bit_errors = 0.1": lambda heard: 1 <= flips(heard) <= 30,
    "bit_errors = 1": lambda heard: heard == bytes(byte ^ 0xFF for byte in GOOD),
    "drop = 1": lambda heard: is_without(GOOD, heard, 1),
    "drop = 4": lambda heard: is_without(GOOD, heard, 4),
    "drop = 255": lambda heard: len(heard) == 1 and heard in (GOOD[:1], GOOD[-1:]),
    "insert = 1": lambda heard: is_without(heard, GOOD, 1),
    "insert = 3": lambda heard: is_without(heard, GOOD, 3),
    "swap = true": is_swapped,
    "leading_00 = 1": lambda heard: heard == b"\x00" + GOOD,
    "leading_00 = 3": lambda heard: heard == bytes(3) + GOOD,
    "trailing_ff = 1": lambda heard: heard == GOOD + b"\xff",
    "trailing_ff = 2": lambda heard: heard == GOOD + b"\xff\xff",
    "wrong_station = 2": lambda heard: heard == seal(b"\x02" + GOOD[1:-2]),
    "wrong_function = 4": lambda heard: heard == seal(b"\x01\x04" + GOOD[2:-2]),
    "wrong_count = 3": lambda heard: heard == encode_reply(1, 3, GOOD[3:9]),
    "wrong_count = 6": lambda heard: (
        is_good(heard) and heard[:11] == b"\x01\x03\x0c" + GOOD[3:11] and len(heard) == 17
    ),
    "wrong_byte_count = 6": lambda heard: heard == seal(b"\x01\x03\x06" + GOOD[3:-2]),
}


@pytest.mark.parametrize("fault", DAMAGE)
def test_a_reply_is_damaged_as_its_fault_says(tmp_path: Path, fault: str) -> None:
    scenario = trouble(f"[[bus.fault]]; station = 1; {fault}")
    with running(tmp_path, scenario) as (_, master):
        master.send(REQUEST)
        heard = listen(master)
        assert master.ask(OTHER, 7) == OTHER_GOOD
    assert heard != GOOD
    assert DAMAGE[fault](heard)
    (row,) = read_replies(tmp_path / "ledger.db", "b", 1)
    assert row.fault == fault.partition(" ")[0]
    # The ledger keeps what the station held, whatever became of it.
    assert row.registers == GOOD[3:-2]


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 6, 8, 10, 11])
def test_every_exception_of_the_standard(tmp_path: Path, code: int) -> None:
    with running(tmp_path, trouble(f"[[bus.fault]]; exception = {code}")) as (_, master):
        assert master.ask(REQUEST, 5) == seal(bytes((1, 0x83, code)))
    (row,) = read_replies(tmp_path / "ledger.db", "b", 1)
    assert (row.exception, row.registers, row.fault) == (code, None, "exception")


TO_THE_STATION = [
    "crc = true",
    'garbage = "before"',
    'garbage = "instead"',
    "truncate = 5",
    "bit_errors = 0.3",
    "drop = 1",
    "insert = 1",
    "swap = true",
    "leading_00 = 1",
    "trailing_ff = 1",
    "gap_characters = 3.6",
]


@pytest.mark.parametrize("fault", TO_THE_STATION)
def test_a_damaged_request_gets_no_answer_and_a_name(tmp_path: Path, fault: str) -> None:
    scenario = trouble(f'[[bus.fault]]; station = 1; on = "request"; {fault}')
    with running(tmp_path, scenario) as (emulator, master):
        master.send(REQUEST)
        assert listen(master) == b""
        assert master.ask(OTHER, 7) == OTHER_GOOD
        summary = emulator.summary()["b"]
    kind = fault.partition(" ")[0]
    label = KINDS[kind].label.format(fault.partition('"')[2].rstrip('"'))
    assert summary["unanswered"] == {label: 1}
    (row,) = read_unanswered(tmp_path / "ledger.db")
    assert row.reason == label
    assert (row.frame == REQUEST) == (label == "gap")


def test_every_kind_that_works_on_requests_is_tried() -> None:
    tried = {fault.partition(" ")[0] for fault in TO_THE_STATION}
    assert tried == {name for name, kind in KINDS.items() if ON_REQUEST in kind.works_on}


@pytest.mark.parametrize(
    ("characters", "strict", "is_heard"),
    [(1.4, False, True), (1.4, True, True), (2.5, False, True), (2.5, True, False)]
    + [(3.6, False, False), (3.6, True, False)],
)
def test_a_pause_inside_a_request(
    tmp_path: Path, characters: float, strict: bool, is_heard: bool
) -> None:
    fault = f'[[bus.fault]]; on = "request"; gap_characters = {characters}'
    with running(tmp_path, trouble(fault), strict=strict) as (_, master):
        master.send(REQUEST)
        assert listen(master) == (GOOD if is_heard else b"")
    names = [row.name for row in read_incidents(tmp_path / "ledger.db")]
    assert names == (["gap"] if is_heard else [])


@pytest.mark.parametrize("characters", [1.2, 1.8, 3.0, 6.0])
def test_a_pause_inside_a_reply(tmp_path: Path, characters: float) -> None:
    baud, count = 1200, 4
    scenario = trouble(f"[[bus.fault]]; gap_characters = {characters}", baud=baud)
    timing = plan_timing(baud, "8N1")
    least_s = timing.transaction_s(count, 0.005) - timing.silence_s
    least_s += characters * timing.character_s
    durations_s = []
    with running(tmp_path, scenario) as (_, master):
        for _ in range(3):
            begin_s = time.monotonic()
            master.send(REQUEST)
            chunks = master.chunks(len(GOOD))
            assert b"".join(data for _, data in chunks) == GOOD
            durations_s.append(chunks[-1][0] - begin_s)
            listen(master, timing.silence_s)
    assert min(durations_s) >= least_s
    # A busy machine may delay some; the best shows the pause alone.
    assert min(durations_s) < least_s + 0.5 * timing.character_s
    assert read_replies(tmp_path / "ledger.db", "b", 1)[0].fault == "gap"


def test_bit_errors_come_at_their_rate_and_repeat_with_the_seed() -> None:
    fault = Fault(1, "bit_errors", 0.001)
    totals = []
    for seed in (1, 1, 2):
        total = 0
        for position in range(400):
            draft = Draft(bytes(250))
            label = Strike(fault, Noise(seed, "s", position)).apply(draft)
            hits = sum(byte.bit_count() for byte in draft.data)
            assert (label == "bit_errors") == (hits > 0)
            total += hits
        totals.append(total)
    assert totals[0] == totals[1] != totals[2]
    # 800 expected in 800,000 bits, standard deviation 28.
    assert all(680 < total < 920 for total in totals)


def test_a_fault_that_changed_nothing_is_not_in_the_ledger(tmp_path: Path) -> None:
    scenario = trouble("[[bus.fault]]; bit_errors = 0")
    with running(tmp_path, scenario) as (emulator, master):
        master.send(REQUEST)
        assert listen(master) == GOOD
        assert emulator.summary()["b"]["stations"] == {"1": {"clean": 1}}
    (row,) = read_replies(tmp_path / "ledger.db", "b", 1)
    assert row.fault is None


def test_what_a_run_of_faults_does_is_repeated_by_its_seed(tmp_path: Path) -> None:
    kinds = ("bit_errors = 0.01", "drop = 2", "insert = 2", "swap = true", 'garbage = "before"')
    scenario = trouble(*(f"[[bus.fault]]; probability = 0.3; {kind}" for kind in kinds))
    runs = []
    for _ in range(2):
        with running(tmp_path, scenario) as (_, master):
            heard = []
            for _ in range(12):
                master.send(REQUEST)
                heard.append(listen(master, 0.04))
        runs.append(heard)
    assert runs[0] == runs[1]
    assert len(set(runs[0])) > 4


def test_the_names_of_what_leaves_a_reply_intact() -> None:
    assert set(INTACT_FAULTS) == {
        "late",
        "garbage_before",
        "leading_00",
        "trailing_ff",
        "gap",
        "after_next",
        "babble",
    }
