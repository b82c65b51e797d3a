"""The systemd unit, judged by systemd's own tools and held against what the program needs."""

import re
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from edge.core.errors.table import TABLE

UNIT = files("edge.ports.linux.systemd") / "carbontally.service"

#: systemd's own figure, 0 to 10; up to 2 it calls a service "OK".
MOST_EXPOSURE = 2.0

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def settings() -> list[tuple[str, str]]:
    lines = UNIT.read_text("utf-8").splitlines()
    pairs = [line.partition("=") for line in lines if "=" in line and line[0] != "#"]
    return [(key, value) for key, _, value in pairs]


def setting(name: str) -> list[str]:
    return [value for key, value in settings() if key == name]


def analyze(*arguments: str) -> str:
    run = subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    return run.stdout + run.stderr


@needs_systemd
def test_systemd_finds_no_fault_in_it(tmp_path: Path) -> None:
    text = UNIT.read_text("utf-8")
    unit = tmp_path / "carbontally.service"
    unit.write_text(text.replace("/opt/carbontally/bin/carbontally", sys.executable))
    assert analyze("verify", "--man=no", str(unit)) == ""
    unit.write_text(unit.read_text().replace("WatchdogSec=60", "WatchdogSek=60"))
    assert "WatchdogSek" in analyze("verify", "--man=no", str(unit)), "a slip would be seen"


@needs_systemd
def test_little_is_left_open(tmp_path: Path) -> None:
    unit = tmp_path / "carbontally.service"
    unit.write_text(UNIT.read_text("utf-8"))
    said = analyze("security", "--no-pager", "--offline=yes", str(unit))
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
    assert found, said
    print(f"exposure {found[1]}")
    assert float(found[1]) <= MOST_EXPOSURE


@needs_systemd
def test_the_filter_lets_it_ask_for_the_clock_but_not_set_it() -> None:
    allowed: set[str] = set()
    for line in setting("SystemCallFilter"):
        names = line.removeprefix("~").split()
        calls = {call for name in names for call in members(name)}
        allowed = allowed - calls if line.startswith("~") else allowed | calls
    needed = {
        "adjtimex",
        "ioctl",
        "fsync",
        "fdatasync",
        "fallocate",
        "pwrite64",
        "sendto",
        "clone",
    }
    assert needed <= allowed
    assert not {"clock_settime", "settimeofday", "mount", "reboot", "ptrace", "bpf"} & allowed


def members(name: str) -> set[str]:
    """The system calls of a name, groups within groups included."""
    if not name.startswith("@"):
        return {name}
    lines = analyze("syscall-filter", "--no-pager", name).splitlines()[1:]
    inner = {line.strip() for line in lines if line.strip() and not line.strip().startswith("#")}
    return {call for item in inner for call in members(item)}


def test_it_says_what_the_program_relies_on() -> None:
    assert setting("Type") == ["notify"]
    assert setting("WatchdogSec") == ["60"]
    assert setting("Restart") == ["on-failure"]
    (status,) = setting("RestartPreventExitStatus")
    codes = {row[0] for code, row in TABLE.items() if code.startswith("config.")}
    assert codes == {int(status)}
    assert setting("ProtectSystem") == ["strict"] and setting("NoNewPrivileges") == ["yes"]
    assert setting("DevicePolicy") == ["closed"]
    assert {line.split()[0] for line in setting("DeviceAllow")} == {
        f"char-tty{kind}" for kind in ("S", "USB", "ACM", "AMA")
    }
    assert setting("ProtectClock") == setting("PrivateDevices") == []
    # A stop takes 5 s; systemd must not lose its patience before.
    assert int(setting("TimeoutStopSec")[0]) >= 10


def test_executable_memory_is_not_needed() -> None:
    """MemoryDenyWriteExecute, by the kernel's own switch: everything loads, the clock is read."""
    program = (
        "import ctypes\n"
        "status = ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)\n"
        "import edge.app.service\n"
        "from edge.ports.linux.clock import LinuxClock\n"
        "print(status, LinuxClock().quality())\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    if run.stdout.startswith("-1"):
        pytest.skip("this kernel has no PR_SET_MDWE (6.3)")
    assert run.stdout.split()[1] in "12"
