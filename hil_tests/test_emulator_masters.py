"""Other people's masters read the emulator: libmodbus' mbpoll, and minimalmodbus."""

import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import minimalmodbus
import pytest
import serial

from hil_tests.emulator.emulator import Emulator
from hil_tests.emulator.judge import expected_polls, judge_poll
from hil_tests.emulator.ledger import ServedReply, read_replies
from hil_tests.emulator.profile import PROFILE_DIR, read_profile
from hil_tests.emulator.scenario import FACTORY_DAY, read_scenario

#: (station, function, first address, registers)
Read = tuple[int, int, int, int]

READS: list[Read] = [
    (1, 4, 0, 80),
    (1, 4, 342, 34),
    (2, 3, 20, 46),
    (3, 4, 0, 50),
    (3, 3, 0, 50),
    (4, 3, 0, 10),
    (5, 3, 0, 20),
    (6, 3, 0, 26),
    (7, 3, 4355, 30),
]

#: Stations whose whole map is floats, high word first, as mbpoll's -B reads them.
FLOATS: list[tuple[Read, str]] = [
    ((1, 4, 0, 18), "eastron_sdm630"),
    ((5, 3, 0, 20), "hefeng_cems"),
]

TABLE_OF_FUNCTION = {3: "4", 4: "3"}


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with Emulator(read_scenario(FACTORY_DAY), tmp_path / "ledger.db", tmp_path) as running:
        yield running


def run_mbpoll(port: str, read: Read, kind: str) -> subprocess.CompletedProcess[str]:
    """One read by mbpoll in the format `kind`."""
    program = shutil.which("mbpoll")
    if program is None and os.environ.get("CARBONTALLY_TEST_MINIMAL") == "1":
        pytest.skip("mbpoll is not installed")
    assert program is not None, "mbpoll is not installed; ./run test installs it"
    station, function, address, count = (str(number) for number in read)
    table = TABLE_OF_FUNCTION[int(function)]
    command = [program, "-m", "rtu", "-a", station, "-b", "9600", "-P", "none", "-B", "-0", "-1"]
    command += ["-t", f"{table}:{kind}", "-r", address, "-c", count, "-o", "2", port]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)


def poll(port: str, read: Read, kind: str) -> list[str]:
    """The values that mbpoll prints, in order of address."""
    run = run_mbpoll(port, read, kind)
    assert run.returncode == 0, run.stdout + run.stderr
    return [line.split()[1] for line in run.stdout.splitlines() if line.startswith("[")]


def served(emulator: Emulator, directory: Path) -> dict[int, list[ServedReply]]:
    """Every reply of a stopped emulator by station; its summary must count the same."""
    rows = {n: read_replies(directory / "ledger.db", "bus1", n) for n in range(1, 8)}
    counts = emulator.summary()["bus1"]["stations"]
    assert {n: len(found) for n, found in rows.items() if found} == {
        int(n): sum(outcomes.values()) for n, outcomes in counts.items()
    }
    return rows


def check_against_ledger(
    rows: dict[int, list[ServedReply]], seen: list[tuple[Read, list[int]]]
) -> None:
    """Every read as the ledger has it, in the order of the wire."""
    assert sum(len(found) for found in rows.values()) == len(seen)
    for (station, function, address, count), words in seen:
        row = rows[station].pop(0)
        assert (row.function, row.address, row.count) == (function, address, count)
        assert row.registers == struct.pack(f">{count}H", *words)
        assert row.fault is None
        assert any(words)


@pytest.mark.system
def test_mbpoll_reads_the_registers_of_the_ledger(tmp_path: Path) -> None:
    with Emulator(read_scenario(FACTORY_DAY), tmp_path / "ledger.db", tmp_path) as emulator:
        port = emulator.ports["bus1"]
        seen = [(read, [int(text, 16) for text in poll(port, read, "hex")]) for read in READS]
    check_against_ledger(served(emulator, tmp_path), seen)


@pytest.mark.system
def test_mbpoll_reads_the_floats_of_the_judge(tmp_path: Path) -> None:
    shown = {}
    with Emulator(read_scenario(FACTORY_DAY), tmp_path / "ledger.db", tmp_path) as emulator:
        for (station, function, address, count), _ in FLOATS:
            read = (station, function, address, count // 2)
            texts = poll(emulator.ports["bus1"], read, "float")
            shown[station] = [float(text) for text in texts]
    rows = served(emulator, tmp_path)
    for (station, function, address, count), name in FLOATS:
        model = read_profile(PROFILE_DIR / f"{name}.toml")
        (answer,) = expected_polls(rows[station], [(function, address, count)])
        assert answer.complete
        figures = judge_poll(answer, model)
        assert len(figures) == len(shown[station]) == count // 2
        for (point, mantissa), value in zip(figures.items(), shown[station], strict=True):
            assert mantissa is not None
            step = 10 ** -model.point(point).places
            # mbpoll prints six digits, the judge rounds to the point's places.
            assert value == pytest.approx(mantissa * step, rel=1e-5, abs=0.6 * step), point


@pytest.mark.system
@pytest.mark.parametrize(
    ("read", "message"),
    [
        ((2, 4, 0, 2), "Illegal function"),
        ((1, 4, 375, 2), "Illegal data address"),
        ((1, 4, 0, 82), "Illegal data value"),
        ((8, 4, 0, 2), "timed out"),
    ],
)
def test_mbpoll_understands_a_refusal(emulator: Emulator, read: Read, message: str) -> None:
    run = run_mbpoll(emulator.ports["bus1"], read, "hex")
    assert message in run.stderr


def test_minimalmodbus_reads_the_registers_of_the_ledger(tmp_path: Path) -> None:
    seen = []
    with (
        Emulator(read_scenario(FACTORY_DAY), tmp_path / "ledger.db", strict=True) as emulator,
        serial.Serial(emulator.ports["bus1"], 9600, timeout=2) as port,
    ):
        for read in READS:
            station, function, address, count = read
            meter = minimalmodbus.Instrument(port, station)
            seen.append((read, meter.read_registers(address, count, function)))
    check_against_ledger(served(emulator, tmp_path), seen)


def test_minimalmodbus_reads_a_plausible_grid(emulator: Emulator) -> None:
    with serial.Serial(emulator.ports["bus1"], 9600, timeout=2) as port:
        meter = minimalmodbus.Instrument(port, 1)
        assert 220 < meter.read_float(0, 4) < 240
        assert 49.9 < meter.read_float(70, 4) < 50.1
        first = meter.read_float(342, 4)
        assert 50_000 < first <= meter.read_float(342, 4)
