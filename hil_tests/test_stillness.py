"""A failure beside a machine that stood still is tried again; any other is a failure at once."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hil_tests.stillness import Stillness

ROOT = Path(__file__).parent.parent

CONFTEST = """
from hil_tests import stillness
from hil_tests.conftest import pytest_runtest_call, pytest_runtest_setup
"""

#: Another process stops this one for as long as a machine that is shared may.
HELD_UP = """
import os, subprocess, sys
def hold_up():
    code = "import os, signal, sys, time; me = int(sys.argv[1]); os.kill(me, signal.SIGSTOP); "
    code += "time.sleep(0.3); os.kill(me, signal.SIGCONT)"
    subprocess.run([sys.executable, "-c", code, str(os.getpid())], check=True)
"""

COUNTED = """
from pathlib import Path
def attempt():
    path = Path(__file__).with_name("attempts")
    path.write_text(path.read_text() + "x" if path.exists() else "x")
    return len(path.read_text())
"""


def run(folder: Path, test: str, machine: str = "") -> tuple[int, int]:
    """(exit status of pytest, how often the test ran); machine: lines on how it keeps time."""
    (folder / "conftest.py").write_text(CONFTEST + machine)
    (folder / "test_it.py").write_text(HELD_UP + COUNTED + test)
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(ROOT / "pyproject.toml")]
    done = subprocess.run(
        [*command, "--rootdir", str(folder), str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    print(done.stdout)
    return done.returncode, len((folder / "attempts").read_text())


def test_what_fails_while_the_machine_stands_still_may_pass_later(tmp_path: Path) -> None:
    test = "def test_it():\n    if attempt() == 1:\n        hold_up()\n        assert False\n"
    assert run(tmp_path, test) == (0, 2)


def test_what_fails_each_time_has_failed(tmp_path: Path) -> None:
    assert run(tmp_path, "def test_it():\n    attempt()\n    hold_up()\n    assert False\n") == (
        1,
        3,
    )


def test_what_passes_beside_a_machine_that_stands_still_runs_once(tmp_path: Path) -> None:
    assert run(tmp_path, "def test_it():\n    attempt()\n    hold_up()\n") == (0, 1)


def test_what_fails_while_the_host_runs_others_may_pass_later(tmp_path: Path) -> None:
    """A processor that is stolen looks busy from within."""
    test = "def test_it():\n    assert attempt() == 2\n"
    stolen = "told = iter(range(100))\nstillness.stolen_s = lambda: 100.0 * next(told)\n"
    only = "stillness.STILL_S, stillness.WAITED = 50, 1e9\n"
    assert run(tmp_path, test, only + stolen) == (0, 2)


@pytest.mark.parametrize("error", ["assert False", "raise OSError"])
def test_what_fails_while_the_machine_keeps_time_has_failed(tmp_path: Path, error: str) -> None:
    test = f"def test_it():\n    attempt()\n    {error}\n"
    assert run(tmp_path, test, "stillness.STILL_S = stillness.WAITED = 1e9\n") == (1, 1)


def test_what_fails_while_processes_wait_for_a_processor_is_tried_again(tmp_path: Path) -> None:
    test = "def test_it():\n    assert attempt() == 2\n"
    assert run(tmp_path, test, "stillness.STILL_S, stillness.WAITED = 1e9, -1\n") == (0, 2)


def test_processes_that_end_while_they_are_looked_at_do_no_harm() -> None:
    """Between the list of threads and the look into one of them, a process may end."""
    watch = Stillness()
    with ThreadPoolExecutor() as pool:
        ended = [pool.submit(subprocess.run, ["true"], check=True) for _ in range(300)]
        while not all(one.done() for one in ended):
            watch.sample()
    for one in ended:
        one.result()
