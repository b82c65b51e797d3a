"""`carbontally hil`: the core's tests on MicroPython at the end of a serial port."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.core.errors import DataError
from hil_tests import cli_hil, hil_gateway
from hil_tests.emulator.frame import encode_reply
from hil_tests.emulator.ledger import ServedReply
from hil_tests.hil_line import READS, TIMEOUT, TURNS, compare
from hil_tests.micropython.attached import Attached, attached, line, pty
from hil_tests.micropython.built import BOARD, JOURNAL_BYTES
from hil_tests.micropython.device import Device, shim_folder
from hil_tests.micropython.prerequisite import require_command
from hil_tests.processes import Command

pytestmark = pytest.mark.system

HOST = "127.0.0.1"
HEAP_BYTES = 384 * 1024
#: Of the partition `romfs` of the board file.
ROM_BYTES = 0x28000
REPL = Path(__file__).parent / "micropython" / "board" / "repl.mjs"


@contextmanager
def board(wire: str | None = None) -> Iterator[str]:
    """The port of real MicroPython's prompt. wire: a tty for the UART of the board file."""
    with pty() as (end, port):
        command = [require_command("node"), str(REPL)]
        if wire is not None:
            uarts = {"2": {"tty": wire, "de_pin": 4}}
            command.append(json.dumps({"shim": str(shim_folder()), "uarts": uarts}))
        process = subprocess.Popen(command, stdin=end, stdout=end)
        try:
            yield port
        finally:
            process.kill()
            process.wait(20)


def run(tmp_path: Path, *arguments: str) -> Command:
    command = Command(["hil", *arguments, "--json"], tmp_path / "errors.txt")
    command.status = command.wait_end(180)
    return command


def test_the_core_and_the_line_over_the_adapter_run_on_what_answers(tmp_path: Path) -> None:
    with line() as (wire, adapter), board(wire) as port:
        options = ["--board", "esp32", "--port", port, "--rs485", adapter]
        command = run(tmp_path, *options, "--only", "uplink_split")
    assert command.status == 0, command.errors
    first, core, last, skipped = command.events
    assert first == {"event": "board", "port": port, "version": [1, 27]}
    assert core["file"] == "test_uplink_split" and core["failed"] == [] and core["passed"] > 5
    wanted = {"event": "line", "port": adapter, "reads": len(READS), "wrong": 0, "lost": 0}
    assert last == wanted and len(READS) > 40
    assert (skipped["event"], skipped["what"]) == ("skipped", "gateway")


@contextmanager
def whole_board(tmp_path: Path, wire: str) -> Iterator[Attached]:
    """As it comes from the factory: firmware with ROMFS, nothing on it yet."""
    blank = tmp_path / "blank.img"
    blank.write_bytes(b"\xff" * ROM_BYTES)
    device = Device(
        tmp_path / "device", None, {"tally": JOURNAL_BYTES}, heap_bytes=HEAP_BYTES, rom=blank
    )
    uarts = {"2": {"tty": wire, "de_pin": 4}}
    with attached(device, uarts=uarts, clock={"rtc_unix_ms": None}) as board:
        yield board


def test_the_whole_gateway_goes_from_flash_to_cloud(tmp_path: Path) -> None:
    with line() as (wire, adapter), whole_board(tmp_path, wire) as board:
        options = ["--board", BOARD.name, "--port", board.port, "--rs485", adapter, "--gateway"]
        command = run(tmp_path, *options, "--only", "uplink_split", "--address", HOST)
        ended = [end["reason"] for end in board.ends]
    assert command.status == 0, command.errors
    last = command.events[-1]
    assert last["event"] == "gateway" and (last["wrong"], last["lost"]) == (0, 0)
    assert last["records"] >= 60 and last["readings"] > 300
    assert ended == ["reset", "reset"], "once into the program, once out of it"
    assert not list((tmp_path / "device" / "root").glob("main.py"))


def test_a_gateway_that_brings_nothing_is_told_with_what_it_said() -> None:
    with pty() as (end, port), hil_gateway.listening(port) as said:
        os.write(end, b"gateway\r\nfailed: store.open\r\n")
        with pytest.raises(DataError) as caught:
            hil_gateway.wait_for(lambda: said() == "", 0.5, port, said)
    assert caught.value.code == "hil.start"
    assert caught.value.fields["reason"] == "failed: store.open"


def test_a_gateway_without_a_bus_is_refused(tmp_path: Path) -> None:
    command = run(tmp_path, "--port", str(tmp_path / "tty"), "--gateway")
    assert command.status == 2 and "error[usage.value]" in command.errors


def test_a_board_that_reads_what_nobody_has_said_is_told() -> None:
    """A register that changes on the way, its checksum with it: only the ledger knows."""
    served = {1: [reply(1, turn, turn == 3) for turn in range(TURNS)], 2: []}
    served[2] = [reply(2, turn, False) for turn in range(TURNS)]
    told = [frame(station, turn) for turn in range(TURNS) for station in (1, 2)]
    assert compare([*told, TIMEOUT], served) == (len(READS), 1, 0)
    served[1][3] = reply(1, 3, False)
    assert compare([*told, TIMEOUT], served) == (len(READS), 0, 0)
    assert compare([*told[:-1], TIMEOUT, TIMEOUT], served) == (len(READS), 1, 0)
    assert compare(told, served).wrong == 1
    del served[2][7]
    assert compare([*told, TIMEOUT], served) == (len(READS), 1, 0)
    served[2].append(reply(2, 99, False))
    assert compare([*told, TIMEOUT], served).lost == 1


def reply(station: int, turn: int, is_other: bool) -> ServedReply:
    registers = bytes((station, turn, is_other)) * 40
    return ServedReply(0, 0, "b", station, 3, turn, 60, registers, None, None)


def frame(station: int, turn: int) -> str:
    return encode_reply(station, 3, bytes((station, turn, 0)) * 40).hex()


def test_an_adapter_that_is_none_is_named(tmp_path: Path) -> None:
    absent = str(tmp_path / "ttyUSB1")
    command = run(tmp_path, "--port", str(tmp_path / "ttyUSB0"), "--rs485", absent)
    assert command.status != 0 and "error[bus.port]" in command.errors
    assert absent in command.errors


def test_a_test_that_fails_on_the_board_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "tests" / "core"
    folder.mkdir(parents=True)
    (folder / "test_bad.py").write_text(
        "def test_good():\n    pass\ndef test_bad():\n    {}['absent']\n"
    )
    (folder / "test_worse.py").write_text("import enum\n")
    (tmp_path / "edge" / "core").mkdir(parents=True)
    (tmp_path / "edge" / "__init__.py").write_text("")
    monkeypatch.setattr(cli_hil, "ROOT", tmp_path)
    with board() as port, pytest.raises(cli_hil.DataError) as caught:
        cli_hil.hil(port, "esp32", only="", seconds=20, json=True)
    assert caught.value.code == "hil.failed"
    assert caught.value.fields == {"failed": 2, "count": 2, "port": port}
    _, bad, worse, skipped = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert skipped == {"event": "skipped", "what": "line", "reason": "no --rs485 names an adapter"}
    assert bad["passed"] == 1 and [name for name, _ in bad["failed"]] == ["test_bad"]
    assert "KeyError" in bad["failed"][0][1]
    assert "ImportError" in worse["failed"][0][1]


def test_a_test_that_is_no_micropython_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tests" / "core").mkdir(parents=True)
    (tmp_path / "tests" / "core" / "test_star.py").write_text("def f(a):\n    return [*a, 1]\n")
    (tmp_path / "edge" / "core").mkdir(parents=True)
    (tmp_path / "edge" / "__init__.py").write_text("")
    monkeypatch.setattr(cli_hil, "ROOT", tmp_path)
    with board() as port, pytest.raises(cli_hil.DataError) as caught:
        cli_hil.hil(port, "esp32", only="", seconds=20, json=True)
    assert caught.value.code == "hil.compile"
    assert caught.value.fields["file"] == "test_star.py"
    assert "SyntaxError" in str(caught.value.fields["reason"])


def test_a_board_that_is_dead_is_given_up(tmp_path: Path) -> None:
    with pty() as (_, port):
        command = run(tmp_path, "--port", port, "--seconds", "2")
    assert command.status == 80
    assert [one["code"] for one in command.events] == ["hil.silent"]
    assert f"error[hil.silent]: nothing on {port} answers" in command.errors


def test_a_port_that_is_none_is_refused(tmp_path: Path) -> None:
    absent, file = str(tmp_path / "ttyUSB0"), tmp_path / "file"
    file.write_text("")
    for port in (absent, str(file)):
        command = run(tmp_path, "--port", port)
        assert command.status == 80
        assert [one["code"] for one in command.events] == ["hil.port"]
        assert f"error[hil.port]: {port} is not the serial port of a board" in command.errors
    assert "next: plug the board in" in command.errors


@pytest.mark.parametrize("option", [("--board", "esp8266"), ("--only", "nothing_like_it")])
def test_what_it_does_not_know_is_refused_before_anything_is_opened(
    tmp_path: Path, option: tuple[str, str]
) -> None:
    command = run(tmp_path, "--port", str(tmp_path / "tty"), *option)
    assert command.status == 2 and "error[usage.value]" in command.errors
