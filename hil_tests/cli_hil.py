"""`hil`: tests on a board that is attached, through mpremote: core, line and gateway."""

import ast
import json as json_module
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.app.cli.build_tree import needed_modules
from edge.core.errors import DataError, UsageError
from edge.core.errors.table import printable
from edge.ports.linux.files import read_bytes
from hil_tests.hil_line import check_adapter, judge_line, line_facts, line_modules
from hil_tests.micropython.device import run_mpy_cross

ROOT = Path(__file__).resolve().parents[1]
BOARDS_FOLDER = ROOT / "boards"
#: What --board takes beside the folders of boards/: an ESP32 wired as the first of them.
BOARDS = {"esp32": "esp32_devkitc_max485"}
LEAST_VERSION = (1, 27)
#: A test file is copied and run in one go; the slowest takes a minute on an ESP32.
FILE_TIMEOUT_S = 600
COPY_TIMEOUT_S = 600
FOLDER = "hil"

VERSION = "import sys; print(list(sys.implementation.version[:2]))"
MAKE_FOLDER = f"""
import os
try:
    os.mkdir("/{FOLDER}")
except OSError:
    pass
"""
#: Prints a JSON list of [test, traceback or ""]; forgets the file before, which frees its memory.
RUN = """
import gc, io, json, sys
sys.path[:] = ["/hil", ""] + [item for item in sys.path if item not in ("", "/hil")]
for name in [name for name in sys.modules if name.startswith(("edge", "test_", "vectors_"))]:
    del sys.modules[name]
gc.collect()
def attempt(call):
    try:
        call()
    except BaseException as error:
        said = io.StringIO()
        sys.print_exception(error, said)
        return said.getvalue() or "error"
    return ""
found = []
def load():
    found.append(__import__("NAME"))
results = [["import", attempt(load)]]
for name in sorted(dir(found[0]) if found else []):
    if name.startswith("test_"): results.append([name, attempt(getattr(found[0], name))])
print(json.dumps(results))
"""


class Board:
    """A board at the end of a serial port, asked through mpremote."""

    def __init__(self, port: str, timeout_s: float) -> None:
        """Raises UsageError hil.port, hil.silent or hil.board."""
        self.port = port
        self.timeout_s = timeout_s
        self._check_port()
        version = json_module.loads(self.ask("exec", VERSION))
        if tuple(version) < LEAST_VERSION:
            least = ".".join(str(part) for part in LEAST_VERSION)
            found = ".".join(str(part) for part in version)
            reason = f"MicroPython {found}, at least {least} is needed"
            raise UsageError("hil.board", port=port, reason=reason)
        self.version: list[int] = version

    def _check_port(self) -> None:
        try:
            mode = Path(self.port).stat().st_mode
        except OSError as error:
            reason = error.strerror or str(error)
            raise UsageError("hil.port", port=self.port, reason=reason) from error
        if not stat.S_ISCHR(mode):
            raise UsageError("hil.port", port=self.port, reason="it is a file")

    def ask(self, *arguments: str, timeout_s: float | None = None) -> str:
        """What mpremote prints; a board that says nothing is given up after the time."""
        limit_s = self.timeout_s if timeout_s is None else timeout_s
        command = [sys.executable, "-m", "mpremote", "connect", self.port, "resume", *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s)
        except subprocess.TimeoutExpired:
            raise UsageError("hil.silent", port=self.port, seconds=f"{limit_s:g}") from None
        if done.returncode:
            lines = (done.stdout + done.stderr).strip().splitlines() or ["no reason"]
            raise UsageError("hil.board", port=self.port, reason=printable(lines[-1]))
        return done.stdout

    def run_file(self, test: Path) -> list[tuple[str, str]]:
        """(test, traceback or "") of one compiled test file."""
        self.ask("fs", "cp", str(test), f":{FOLDER}/{test.name}", timeout_s=COPY_TIMEOUT_S)
        code = RUN.replace("NAME", test.stem)
        said = self.ask("exec", code, timeout_s=FILE_TIMEOUT_S)
        self.ask("fs", "rm", f":{FOLDER}/{test.name}")
        results: list[tuple[str, str]] = json_module.loads(said.splitlines()[-1])
        return results


def hil(
    port: Annotated[str, typer.Option(help="serial port of the board")],
    board: Annotated[str, typer.Option(help="esp32, or a folder of boards/")] = "esp32",
    rs485: Annotated[
        str | None, typer.Option(help="adapter on the board's RS-485 port, for emulated stations")
    ] = None,
    gateway: Annotated[
        bool, typer.Option("--gateway", help="run the whole gateway, over what the board has")
    ] = False,
    address: Annotated[str, typer.Option(help="of this machine, for the board")] = "",
    wifi: Annotated[str, typer.Option(help="the Wi-Fi that the board joins")] = "",
    wifi_key: Annotated[
        Path | None, typer.Option(help="file with its key; the board keeps it until the end")
    ] = None,
    only: Annotated[str, typer.Option(help="test files whose name has this in it")] = "",
    seconds: Annotated[float, typer.Option(min=1, help="to wait for the first answer")] = 20,
    json: Annotated[bool, typer.Option("--json", help="one JSON object a file")] = False,
) -> int:
    """Run tests/core on a real board that is attached; over an adapter its line and a gateway."""
    facts = _line_facts(board)
    tests = _tests(only)
    if rs485 is not None:
        check_adapter(rs485)
    elif gateway:
        raise UsageError("usage.value", option="--gateway", found="no --rs485", expected="both")
    attached = Board(port, seconds)
    _say(json, {"event": "board", "port": port, "version": attached.version})
    with tempfile.TemporaryDirectory() as folder:
        modules = {} if rs485 is None else line_modules()
        compiled = _install(attached, tests, list(modules.values()), Path(folder))
        failed, count = _run_all(attached, compiled, lambda event: _say(json, event))
    _read_line(attached, rs485, facts, json)
    if failed:
        raise DataError("hil.failed", failed=failed, count=count, port=port)
    if gateway and rs485 is not None:
        _run_gateway(attached, rs485, board, address, (wifi, wifi_key), json)
    else:
        _skip(json, "gateway", "no --gateway allows to write over what the board has")
    return 0


def _tests(only: str) -> list[Path]:
    """Files of tests of the core; UsageError where there are none of that name."""
    found = sorted((ROOT / "tests" / "core").glob("test_*.py"))
    tests = [path for path in found if only in path.stem]
    if not tests:
        raise UsageError("usage.value", option="--only", found=only, expected="a part of a name")
    return tests


def _skip(json: bool, what: str, reason: str) -> None:
    _say(json, {"event": "skipped", "what": what, "reason": reason})


def _line_facts(board: str) -> dict[str, Any]:
    """The RS-485 port of a board file; UsageError for a board that there is none of."""
    known = sorted(path.parent.name for path in BOARDS_FOLDER.glob("esp32*/board.toml"))
    if board not in (*BOARDS, *known):
        expected = "one of " + ", ".join([*BOARDS, *known])
        raise UsageError("usage.value", option="--board", found=board, expected=expected)
    return line_facts(BOARDS_FOLDER / BOARDS.get(board, board))


def _read_line(board: Board, rs485: str | None, facts: dict[str, Any], json: bool) -> None:
    """Let the board read emulated stations; DataError hil.line for what it read otherwise."""
    if rs485 is None:
        _skip(json, "line", "no --rs485 names an adapter")
        return

    def execute(code: str) -> str:
        return board.ask("exec", code, timeout_s=FILE_TIMEOUT_S)

    line = judge_line(rs485, facts, execute)
    _say(json, {"event": "line", "port": rs485, **line._asdict()})
    if line.wrong or line.lost:
        raise DataError("hil.line", port=rs485, **line._asdict())


def _run_gateway(
    board: Board,
    rs485: str,
    name: str,
    address: str,
    wifi: tuple[str, Path | None],
    json: bool,
) -> None:
    """The gateway as built, on the board; DataError hil.gateway for wrong or lost ones."""
    from hil_tests.hil_gateway import Wifi, judge_gateway, own_address

    network, key_file = wifi
    key = "" if key_file is None else read_bytes(key_file).decode().strip()
    with tempfile.TemporaryDirectory() as folder:
        found = judge_gateway(
            board.ask,
            (board.port, rs485),
            BOARDS_FOLDER / BOARDS.get(name, name),
            address or own_address(),
            Wifi(network, key),
            Path(folder),
        )
    _say(json, {"event": "gateway", "port": board.port, **found._asdict()})
    if found.wrong or found.lost:
        wrong = {"readings": found.readings, "wrong": found.wrong, "lost": found.lost}
        raise DataError("hil.gateway", port=board.port, **wrong)


def _install(board: Board, tests: list[Path], modules: list[Path], folder: Path) -> list[Path]:
    """Copy modules, and what the tests need of ours, to the board; the compiled test files."""
    named = _imports(tests)
    vectors = sorted((ROOT / "tests" / "core").glob("vectors_*.py"))
    shared = [path for path in vectors if path.stem in named]
    core = needed_modules(tuple(named | _imports(shared))).values()
    tree = folder / FOLDER
    for path in {ROOT / "edge" / "__init__.py", *core, *modules}:
        _compile(path, tree / path.relative_to(ROOT).with_suffix(".mpy"))
    for path in shared:
        _compile(path, tree / f"{path.stem}.mpy")
    board.ask("exec", MAKE_FOLDER)
    for entry in sorted(tree.iterdir()):
        board.ask("fs", "cp", "-r", str(entry), f":{FOLDER}/", timeout_s=COPY_TIMEOUT_S)
    for path in tests:
        _compile(path, folder / f"{path.stem}.mpy")
    return [folder / f"{path.stem}.mpy" for path in tests]


def _imports(paths: list[Path]) -> set[str]:
    """Names that may be modules."""
    found: set[str] = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module)
                found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def _compile(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    options = ["-o", str(target), "-s", source.name, str(source)]
    status, said = run_mpy_cross(*options)
    if status:
        reason = said.strip().splitlines() or ["no reason"]
        raise DataError("hil.compile", file=source.name, reason=printable(reason[-1]))


def _run_all(
    board: Board, tests: list[Path], say: Callable[[dict[str, Any]], None]
) -> tuple[int, int]:
    """(failed, all) tests."""
    failed = count = 0
    for test in tests:
        results = board.run_file(test)
        wrong = [[name, text] for name, text in results if text]
        passed = len(results) - 1 - len(wrong)
        say({"event": "file", "file": test.stem, "passed": max(0, passed), "failed": wrong})
        failed += len(wrong)
        count += len(results) - 1
    return failed, count


def _say(json: bool, event: dict[str, Any]) -> None:
    if json:
        print(json_module.dumps(event), flush=True)
    elif event["event"] == "skipped":
        print(f"{event['what']}: skipped, {event['reason']}", flush=True)
    elif event["event"] == "line":
        numbers = "{reads} reads over {port}, {wrong} wrong, {lost} lost".format(**event)
        print(f"line: {numbers}", flush=True)
    elif event["event"] == "gateway":
        numbers = "{records} records, {readings} readings, {wrong} wrong, {lost} lost"
        print(f"gateway: {numbers.format(**event)}", flush=True)
    elif event["event"] == "board":
        version = ".".join(str(part) for part in event["version"])
        print(f"MicroPython {version} on {event['port']}", flush=True)
    else:
        wrong = "".join(f"\n  {name}: {text.splitlines()[-1]}" for name, text in event["failed"])
        print(f"{event['file']}: {event['passed']} passed{wrong}", flush=True)
