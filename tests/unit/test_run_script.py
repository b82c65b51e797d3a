"""The script a newcomer types, run for real on a small project that needs no network."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

from .small_project import BACKEND, EXTRAS, MAIN, PACKAGES, PYPROJECT
from .source_tree import ROOT

TOOLS = (
    "sh",
    "bash",
    "dirname",
    "readlink",
    "cat",
    "grep",
    "tail",
    "id",
    "cp",
    "cmp",
    "env",
    "nice",
)
TEST_COMMANDS = (
    *("mosquitto", "mbpoll", "openssl", "node", "npm"),
    *("nats-server", "pg_ctlcluster", "faketime"),
)
TIMEOUT_S = 120


class House:
    """A copy of the script beside a project of its own; `say` runs it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bin = root / "bin"
        files = {
            "pyproject.toml": PYPROJECT,
            "tiny_backend.py": BACKEND.lstrip(),
            "edge/__init__.py": "",
            "edge/__main__.py": MAIN.lstrip(),
            "tests/test_one.py": "def test_one() -> None:\n    assert 1 + 1 == 2\n",
            "tests/simulation/test_years.py": "def test_years() -> None:\n    assert 1 + 1 == 2\n",
            "hil_tests/timescale_packages.py": PACKAGES.lstrip(),
            "hil_tests/test_line.py": "def test_line() -> None:\n    assert 1 + 1 == 2\n",
            "hil_tests/micropython/package-lock.json": "{}",
            "hil_tests/micropython/node_modules/installed": "{}",
            "tests/contract/asyncapi/package-lock.json": "{}",
            "tests/contract/asyncapi/node_modules/installed": "{}",
            "elsewhere/x": "",
        }
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        shutil.copy2(ROOT / "run", root / "run")
        self.bin.mkdir()
        for tool in TOOLS:
            (self.bin / tool).symlink_to(str(shutil.which(tool)))

    def add_python(self, name: str, path: str = "") -> None:
        """A `name` on the search path that runs this Python, `path` first in its modules."""
        self.add_command(name, f'PYTHONPATH="{path}" exec "{sys.executable}" "$@"')

    def add_command(self, name: str, body: str = "exit 9") -> None:
        (self.bin / name).write_text(f"#!/bin/sh\n{body}\n")
        (self.bin / name).chmod(0o755)

    def say(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
        return subprocess.run(
            [self.root / "run", *arguments],
            cwd=self.root / "elsewhere",
            env={**kept, "PATH": str(self.bin), **environment},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )


@pytest.fixture
def bare(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A house that is set up for its tests; what `./run test` looks for is there."""
    made = House(tmp_path_factory.mktemp("house"))
    made.add_python("python3")
    for command in TEST_COMMANDS:
        made.add_command(command)
    done = made.say("bench", "x", PIP_NO_INDEX="1")
    assert done.returncode == 3, done.stderr
    return made


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The only line of a refusal: nothing on stdout, exit status 69."""
    assert (done.returncode, done.stdout) == (69, ""), done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("run: "), done.stderr
    return lines[0]


@pytest.mark.parametrize(("shell", "script"), [("sh", "run"), ("bash", ".ci/run")])
def test_scripts_parse_and_may_be_run(shell: str, script: str):
    assert os.access(ROOT / script, os.X_OK)
    subprocess.run([shell, "-n", str(ROOT / script)], check=True, timeout=TIMEOUT_S)


def test_help_names_the_verbs_and_sets_nothing_up(bare: House):
    done = bare.say("help")
    assert done.returncode == 0 and done.stderr == ""
    assert all(f"  {verb} " in done.stdout for verb in ("demo", "test", "lint", "bench", "help"))
    nothing = bare.say()
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (2, "", done.stdout)
    assert not (bare.root / ".venv").exists()


def test_no_python_is_one_line(bare: House):
    assert "Python 3.11 or newer is missing" in one_line(bare.say("demo"))


def test_old_python_is_one_line(bare: House):
    (bare.root / "sitecustomize.py").write_text("import sys\nsys.version_info = (3, 10, 9)\n")
    bare.add_python("python3", str(bare.root))
    assert "Python 3.11 or newer is missing" in one_line(bare.say("demo"))


def test_python_without_venv_is_one_line(bare: House):
    (bare.root / "ensurepip.py").write_text("raise ImportError\n")
    bare.add_python("python3.12", str(bare.root))
    line = one_line(bare.say("demo"))
    assert "python3.12 has no venv module" in line and "apt-get install python3-venv" in line
    assert not (bare.root / ".venv").exists()


def test_other_verbs_reach_the_command_where_the_caller_stands(house: House):
    done = house.say("run", "-c", "a b.toml")
    said = f"['run', '-c', 'a b.toml'] {house.root / 'elsewhere'}\n"
    assert (done.returncode, done.stdout, done.stderr) == (3, said, "")
    assert house.say("bench", "wire", "--json").stdout.startswith("['bench', 'wire', '--json']")


def test_nothing_is_installed_twice_until_the_project_changes(house: House):
    log = house.root / ".venv" / "install.log"
    before = log.stat().st_mtime_ns
    house.say("demo")
    assert log.stat().st_mtime_ns == before
    assert not (house.root / ".venv" / "installed-demo").exists()
    with (house.root / "pyproject.toml").open("a") as file:
        file.write("# changed\n")
    house.say("bench", PIP_NO_INDEX="1")
    assert log.stat().st_mtime_ns > before


@pytest.mark.parametrize(
    ("words", "extras"),
    [
        ("plan -c gateway.toml", "demo"),
        ("build esp32 -b board -c gateway.toml -o out", "demo device flash"),
        ("serve --store sqlite:///c.db --tokens t", "demo api"),
        ("report --store sqlite:///c.db --of 2026", "demo report"),
        ("export --store postgresql://host/c --to d", "demo export postgres"),
        ("verify --store postgresql://host/c", "demo postgres"),
        ("soak --crash-images 5", "demo test"),
    ],
)
def test_a_verb_brings_what_it_needs_once(bare: House, words: str, extras: str):
    bare.add_python("python3")
    done = bare.say(*words.split(), PIP_NO_INDEX="1")
    assert (done.returncode, done.stderr) == (3, "")
    made = {path.name for path in (bare.root / ".venv").glob("installed-*")}
    assert made == {f"installed-{extra}" for extra in extras.split()}
    log = bare.root / ".venv" / "install.log"
    log.unlink()
    assert bare.say(*words.split()).returncode == 3 and not log.exists()


def test_the_extras_of_the_script_are_those_of_the_project():
    """What `run` asks pip for stands in pyproject.toml: pip only warns of one that does not."""
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(EXTRAS) <= set(known["optional-dependencies"])


def test_a_package_that_cannot_be_had_is_one_line(house: House):
    project = house.root / "pyproject.toml"
    fine = project.read_text()
    project.write_text(fine.replace("requires = []", 'requires = ["no-such-package-here"]'))
    line = one_line(house.say("demo", PIP_NO_INDEX="1"))
    project.write_text(fine)
    assert "ERROR" in line and "no-such-package-here" in line
    assert house.say("demo").returncode == 3


def check(house: House, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """./run test with this environment's real ruff, mypy and pytest."""
    tools = sysconfig.get_path("purelib")
    return house.say("test", *arguments, PYTHONPATH=tools, **environment)


def test_it_lints_tests_and_ends_with_the_summary(house: House):
    done = check(house, "-p", "no:cacheprovider", "tests/test_one.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("1 passed")
    bad = house.root / "edge" / "bad.py"
    bad.write_text("import os\n")
    done = check(house)
    bad.unlink()
    assert done.returncode == 1 and "lint failed" in done.stderr
    assert "F401" in done.stdout and done.stdout.splitlines()[-1].startswith("1 passed")


def test_a_failing_test_is_the_exit_status(house: House):
    bad = house.root / "tests" / "test_two.py"
    bad.write_text("def test_two() -> None:\n    assert 1 + 1 == 3\n")
    done = check(house)
    bad.unlink()
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout


def test_the_campaign_beside_the_wire_is_told_and_fails_the_whole(house: House):
    campaign = house.root / "tests" / "simulation" / "test_years.py"
    fine = campaign.read_text()
    campaign.write_text("def test_years() -> None:\n    assert 1 + 1 == 3\n")
    done = check(house)
    campaign.write_text(fine)
    assert done.returncode == 1
    assert done.stdout.count("1 passed") == 2 and "1 failed" in done.stdout.splitlines()[-1]


def test_a_missing_package_stops_unless_the_switch_says_so(house: House):
    (house.bin / "mbpoll").unlink()
    refused = one_line(check(house))
    assert "apt-get install mbpoll" in refused and "CARBONTALLY_TEST_MINIMAL=1" in refused
    (house.root / "no-mirror").touch()
    skipping = check(house, CARBONTALLY_TEST_MINIMAL="1")
    in_ci = check(house, CARBONTALLY_TEST_MINIMAL="1", CI="true")
    house.add_command("mbpoll")
    assert skipping.returncode == 0 and "are skipped" in skipping.stderr
    assert in_ci.returncode == 69 and "ignored in CI" in in_ci.stderr
    server = one_line(check(house))
    (house.root / "no-mirror").unlink()
    for said in (server, skipping.stderr):
        assert "TimescaleDB can't be had: apt knows no mirror of Debian" in said
