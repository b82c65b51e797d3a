"""Every profile over a pty: our master decodes as the judge does, mbpoll sees what was served."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import pytest

from edge.core.bus.block import Block
from edge.core.numbers.fixed import INT64_MAX, INT64_MIN
from edge.core.numbers.quality import Quality
from hil_tests.emulator.judge import judge_point, words_of
from hil_tests.emulator.ledger import read_replies
from hil_tests.link_master import master
from hil_tests.profile_bus import BAUD, BUSES, Seat, figures, play, registers_at, seats

SEATS = seats()
BUS_NAMES = [f"bus{index}" for index in range(BUSES)]

#: Tables of mbpoll and the most that it reads at once.
TABLE_OF_FUNCTION = {1: "0", 2: "1", 3: "4:hex", 4: "3:hex"}
MBPOLL_MAX = 125

Words = dict[tuple[int, int], int]


def read_bus(port: str, bus: str) -> dict[str, Words]:
    """Profile -> what our master read of its station, block by block."""
    found: dict[str, Words] = {}
    with master(port, 1000, BAUD) as line:
        for seat in (seat for seat in SEATS if seat.bus == bus):
            words = found.setdefault(seat.profile.id, {})
            for block in seat.blocks:
                read = (seat.station, block.function, block.address, block.count)
                for index, word in enumerate(line.read(read)):
                    words[block.function, block.address + index] = word
    return found


def served_words(ledger: Path, seat: Seat) -> Words:
    """What the ledger says the station served."""
    words: Words = {}
    for reply in read_replies(ledger, seat.bus, seat.station):
        assert reply.exception is None and reply.fault is None and reply.address is not None
        for index, word in enumerate(words_of(reply)):
            words[reply.function, reply.address + index] = word
    return words


def differences(seat: Seat, words: Words) -> Iterator[str]:
    """Points that the gateway's code and the judge read differently from the same registers."""
    for point in seat.profile.points:
        span = tuple(registers_at(words, point.function, point.address, point.span))
        value, quality = seat.profile.decode(point, span)
        judged = judge_point(span, seat.played.point(point.name), seat.played)
        if judged is not None and not INT64_MIN <= judged <= INT64_MAX:
            expected = (None, Quality.RANGE)
        else:
            expected = (judged, Quality.SENTINEL if judged is None else Quality.GOOD)
        if (value, quality) != expected:
            yield f"{seat.profile.id}.{point.name} {span}: {value}, {quality} not {expected}"


def read_all(directory: Path, is_raw: bool) -> dict[str, Words]:
    """Profile -> what our master read, on buses that ran at the same time and have stopped."""
    with play(SEATS, directory, is_raw) as emulator, ThreadPoolExecutor(BUSES) as pool:
        parts = pool.map(lambda bus: read_bus(emulator.ports[bus], bus), BUS_NAMES)
        return {name: words for part in parts for name, words in part.items()}


@pytest.mark.parametrize("is_raw", [False, True], ids=["figures", "patterns"])
def test_our_master_reads_every_profile_as_the_judge_does(tmp_path: Path, is_raw: bool) -> None:
    read = read_all(tmp_path, is_raw)
    assert len(read) == len(SEATS) >= 120
    wrong = [text for seat in SEATS for text in differences(seat, read[seat.profile.id])]
    assert not wrong, "\n".join(wrong)
    for seat in SEATS:
        served = served_words(tmp_path / "ledger.db", seat)
        assert read[seat.profile.id] == served, seat.profile.id


def test_figures_come_back_as_they_were_set(tmp_path: Path) -> None:
    read = read_all(tmp_path, False)
    wrong, right = [], 0
    for seat in SEATS:
        told = figures(seat.played)
        for point in seat.profile.points:
            figure = told.get(point.name)
            if not isinstance(figure, Fraction):
                continue
            words = read[seat.profile.id]
            span = tuple(registers_at(words, point.function, point.address, point.span))
            wanted = round(figure * Fraction(10) ** point.places)
            found = seat.profile.decode(point, span)
            right += found == (wanted, Quality.GOOD)
            if found != (wanted, Quality.GOOD):
                wrong.append(f"{seat.profile.id}.{point.name}: {found}, not {wanted}")
    assert not wrong, "\n".join(wrong)
    assert right > 1900


def mbpoll(port: str, station: int, block: Block) -> list[int]:
    """The registers or bits that libmodbus reads, as many at once as mbpoll can."""
    return [
        value
        for first in range(block.address, block.address + block.count, MBPOLL_MAX)
        for value in mbpoll_once(
            port,
            station,
            block.function,
            first,
            min(MBPOLL_MAX, block.address + block.count - first),
        )
    ]


def mbpoll_once(port: str, station: int, function: int, address: int, count: int) -> list[int]:
    """One run of mbpoll."""
    program = shutil.which("mbpoll")
    if program is None and os.environ.get("CARBONTALLY_TEST_MINIMAL") == "1":
        pytest.skip("mbpoll is not installed")
    assert program is not None, "mbpoll is not installed; ./run test installs it"
    command = [program, "-m", "rtu", "-a", str(station), "-b", str(BAUD), "-P", "none", "-0", "-1"]
    command += ["-t", TABLE_OF_FUNCTION[function], "-r", str(address)]
    command += ["-c", str(count), "-o", "2", port]
    run = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    base = 16 if function > 2 else 10
    values = [line.split()[1] for line in run.stdout.splitlines() if line.startswith("[")]
    return [int(value, base) for value in values]


@pytest.mark.system
def test_mbpoll_reads_the_registers_of_every_profile(tmp_path: Path) -> None:
    with play(SEATS, tmp_path, True) as emulator:

        def read(bus: str) -> dict[str, Words]:
            found: dict[str, Words] = {}
            for seat in (seat for seat in SEATS if seat.bus == bus):
                words = found.setdefault(seat.profile.id, {})
                for block in seat.blocks:
                    values = mbpoll(emulator.ports[bus], seat.station, block)
                    assert len(values) == block.count, (seat.profile.id, block)
                    for index, value in enumerate(values):
                        words[block.function, block.address + index] = value
            return found

        with ThreadPoolExecutor(BUSES) as pool:
            found = {k: v for part in pool.map(read, BUS_NAMES) for k, v in part.items()}
    for seat in SEATS:
        assert found[seat.profile.id] == served_words(tmp_path / "ledger.db", seat), seat
