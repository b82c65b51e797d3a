"""What stands in the repository: its top-level folders and what no file may say."""

import subprocess
from pathlib import Path

import pytest

from .house_rules import forbidden_text
from .source_tree import ROOT, files_under

FOLDERS = ["boards", "cloud_sync", "docs", "edge", "hil_tests", "tests"]
WRITTEN = ("LICENSE", "run", "tox.ini", "pyproject.toml", "CONTRIBUTING.md")


def repository_files() -> list[Path]:
    """Every text file git would keep, the not yet added too; without git, every visible one."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        folders = [path for name in FOLDERS for path in files_under(ROOT / name, "*")]
        return [*folders, *(ROOT / name for name in WRITTEN)]
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in files if path.is_file() and b"\0" not in path.read_bytes()[:4096]]


def tracked_folders() -> list[str]:
    inside = [path.relative_to(ROOT).parts for path in repository_files()]
    return sorted({parts[0] for parts in inside if len(parts) > 1 and parts[0][0] != "."})


def test_the_top_level_is_the_house():
    assert tracked_folders() == FOLDERS


def test_the_walls_are_there():
    missing = [name for name in WRITTEN if not (ROOT / name).is_file()]
    assert missing == []


def test_no_file_says_what_is_true_on_one_machine_only():
    found = forbidden_text(ROOT, repository_files())
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    "line",
    [
        "see " + "/" + "home/me/notes",
        "Path('" + "/" + "work/x')",
        'open("' + "/" + 'tmp/x")',
        'd = "' + "/" + 'tmp"',
        "https://files.python" + "hosted.org/x",
        '"resolved": "https://registry.npm' + 'js.org/x"',
        "x = 1  # TO" + "DO: more",
    ],
)
def test_what_no_file_may_say_is_seen(tmp_path: Path, line: str):
    path = tmp_path / "x.md"
    path.write_text(f"fine\n{line}\n")
    assert [found.partition(": ")[0] for found in forbidden_text(tmp_path, [path])] == ["x.md:2"]


def test_paths_of_every_linux_machine_may_be_named(tmp_path: Path):
    path = tmp_path / "x.md"
    path.write_text("/dev/ttyUSB0 /etc/x /var/lib/x /run/x tests/tmp_path https://a.org/work/b\n")
    assert forbidden_text(tmp_path, [path]) == []
