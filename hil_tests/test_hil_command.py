"""`carbontally hil`: the core's tests on MicroPython at the end of a serial port."""

import json
import os
import subprocess
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hil_tests import cli_hil
from hil_tests.micropython.prerequisite import require_command
from hil_tests.processes import Command

pytestmark = pytest.mark.system

REPL = Path(__file__).parent / "micropython" / "board" / "repl.mjs"


@contextmanager
def pty() -> Iterator[tuple[int, str]]:
    """(the board's end, the name that a master opens)."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    try:
        yield ours, os.ttyname(theirs)
    finally:
        os.close(ours)
        os.close(theirs)


@contextmanager
def board() -> Iterator[str]:
    """The port of real MicroPython's prompt."""
    with pty() as (end, port):
        node = require_command("node")
        process = subprocess.Popen([node, str(REPL)], stdin=end, stdout=end)
        try:
            yield port
        finally:
            process.kill()
            process.wait(20)


def run(tmp_path: Path, *arguments: str) -> Command:
    command = Command(["hil", *arguments, "--json"], tmp_path / "errors.txt")
    command.status = command.wait_end(60)
    return command


def test_the_tests_of_the_core_run_on_what_answers(tmp_path: Path) -> None:
    with board() as port:
        command = run(tmp_path, "--board", "esp32", "--port", port, "--only", "uplink_split")
    assert command.status == 0, command.errors
    first, last = command.events
    assert first == {"event": "board", "port": port, "version": [1, 27]}
    assert last["file"] == "test_uplink_split" and last["failed"] == [] and last["passed"] > 5


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
        cli_hil.hil(port, "esp32", "", 20, True)
    assert caught.value.code == "hil.failed"
    assert caught.value.fields == {"failed": 2, "count": 2, "port": port}
    _, bad, worse = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
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
        cli_hil.hil(port, "esp32", "", 20, True)
    assert caught.value.code == "hil.compile"
    assert caught.value.fields["file"] == "test_star.py"
    assert "SyntaxError" in str(caught.value.fields["reason"])


def test_a_board_that_is_dead_is_given_up(tmp_path: Path) -> None:
    with pty() as (_, port):
        command = run(tmp_path, "--port", port, "--seconds", "2")
    assert command.status == 80 and command.events == []
    assert f"error[hil.silent]: nothing on {port} answers" in command.errors


def test_a_port_that_is_none_is_refused(tmp_path: Path) -> None:
    absent, file = str(tmp_path / "ttyUSB0"), tmp_path / "file"
    file.write_text("")
    for port in (absent, str(file)):
        command = run(tmp_path, "--port", port)
        assert command.status == 80 and command.events == []
        assert f"error[hil.port]: {port} is not the serial port of a board" in command.errors
    assert "next: plug the board in" in command.errors


@pytest.mark.parametrize("option", [("--board", "esp8266"), ("--only", "nothing_like_it")])
def test_what_it_does_not_know_is_refused_before_anything_is_opened(
    tmp_path: Path, option: tuple[str, str]
) -> None:
    command = run(tmp_path, "--port", str(tmp_path / "tty"), *option)
    assert command.status == 2 and "error[usage.value]" in command.errors
