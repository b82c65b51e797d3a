"""Every file of tests/core on real MicroPython, each in an interpreter of its own."""

import ast
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hil_tests.micropython.prerequisite import require_command, require_node_package

ROOT = Path(__file__).resolve().parents[2]
RUNNER = Path(__file__).with_name("run_file.mjs")
CORE_TESTS = sorted((ROOT / "tests" / "core").glob("test_*.py"))
PACKAGE = "@micropython/micropython-webassembly-pyscript"
# A full heap can hang this build, so every run has a deadline.
TIMEOUT_S = 120
MESSAGE_CHARS = 4000

pytestmark = pytest.mark.system


def run_on_micropython(test_file: Path) -> tuple[int, dict[str, Any]]:
    """Run one file; return the exit status and the report of `run_file.mjs`."""
    node = require_command("node")
    require_node_package(PACKAGE)
    done = subprocess.run(
        [node, str(RUNNER), str(ROOT), str(test_file)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 1, (done.stdout + done.stderr)[:MESSAGE_CHARS]
    return done.returncode, json.loads(lines[0])


def written_tests(test_file: Path) -> list[str]:
    tree = ast.parse(test_file.read_text(encoding="utf-8"))
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    return sorted(name for name in functions if name.startswith("test_"))


def test_there_are_core_tests() -> None:
    assert CORE_TESTS


@pytest.mark.parametrize("test_file", CORE_TESTS, ids=lambda path: path.stem)
def test_core_file(test_file: Path) -> None:
    status, report = run_on_micropython(test_file)
    failures = "\n".join(f"{f['name']}:\n{f['traceback']}" for f in report["failed"])
    assert not failures, failures[:MESSAGE_CHARS]
    assert report["passed"] == written_tests(test_file)
    assert status == 0


def test_it_is_micropython_with_the_pinned_version(tmp_path: Path) -> None:
    test_file = tmp_path / "test_one.py"
    test_file.write_text("def test_one():\n    assert 1 << 62 > 1 << 30\n")
    status, report = run_on_micropython(test_file)
    pinned = json.loads(RUNNER.with_name("package.json").read_text())["dependencies"][PACKAGE]
    assert f"MicroPython v{pinned}" in report["version"]
    assert (status, report["passed"], report["failed"]) == (0, ["test_one"], [])


def test_failures_are_reported(tmp_path: Path) -> None:
    test_file = tmp_path / "test_some.py"
    test_file.write_text(
        "def test_good():\n    print('{not the report}')\n"
        "def test_false():\n    assert 1 == 2\n"
        "def test_wrong():\n    {}['absent']\n"
        "def test_exit():\n    raise SystemExit(0)\n"
        "def test_frozen_module():\n    import functools\n"
    )
    status, report = run_on_micropython(test_file)
    assert status == 1
    assert report["passed"] == ["test_good"]
    wrong = {failure["name"]: failure["traceback"] for failure in report["failed"]}
    assert sorted(wrong) == ["test_exit", "test_false", "test_frozen_module", "test_wrong"]
    assert "AssertionError" in wrong["test_false"] and "line 4" in wrong["test_false"]
    assert "KeyError" in wrong["test_wrong"]
    assert "ImportError" in wrong["test_frozen_module"]


@pytest.mark.parametrize(
    ("text", "said"),
    [("x = (\n", "SyntaxError"), ("import enum\n", "ImportError"), ("x = 1\n", "no test_*")],
)
def test_a_file_that_cannot_be_run_is_a_failure(tmp_path: Path, text: str, said: str) -> None:
    test_file = tmp_path / "test_broken.py"
    test_file.write_text(text)
    status, report = run_on_micropython(test_file)
    assert status == 1 and not report["passed"]
    assert said in report["failed"][0]["traceback"]
