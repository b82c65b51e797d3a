"""PostgreSQL with TimescaleDB for tests: the packages of the next Debian, unpacked in a folder.

`./run test` runs this, once. Nothing is installed: apt resolves and checks the packages with a
state of its own, and the programs run by the C library that came with them.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

#: Where tests look; `ready` in it says that all of it is there.
PLACE = ROOT / ".venv" / "timescale"

SUITE = "testing"
TIMEOUT_S = 300

#: What a server is made of: itself and the libraries that it names, not what sets it up.
_WANTED = re.compile(r"^Inst ((?:lib(?!perl)|postgresql-\d)\S*)", re.M)
_EXTENSION = re.compile(r"^postgresql-(\d+)-timescaledb$", re.M)

_APT = """
Dir::State "{0}";
Dir::State::status "{0}/status";
Dir::Cache "{0}";
Dir::Etc::sourcelist "{0}/sources.list";
Dir::Etc::sourceparts "-";
APT::Install-Recommends "0";
APT::Sandbox::User "root";
"""

#: A program that is called by its name: initdb starts postgres, pg_ctl too.
_WRAPPER = """#!/bin/sh
root=${{0%/usr/lib/postgresql/*}}
exec "$root/{loader}" --library-path "$root/{libraries}" --argv0 "$0" "$0.real" "$@"
"""


def main(place: Path = PLACE) -> int:
    """Fetch and unpack what is not there yet; 1 and a line on standard error when it can't."""
    if (place / "ready").exists():
        return 0
    try:
        _fetch(place)
    except (OSError, LookupError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        print(said.strip().splitlines()[-1], file=sys.stderr)
        return 1
    return 0


def _fetch(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    for name in ("lists/partial", "archives/partial", "root"):
        (place / name).mkdir(parents=True)
    (place / "status").touch()
    (place / "apt.conf").write_text(_APT.format(place))
    (place / "sources.list").write_text(f"deb {_mirror()} {SUITE} main\n")
    apt = ("-qq", "-c", str(place / "apt.conf"))
    _said("apt-get", *apt, "update")
    versions = _EXTENSION.findall(_said("apt-cache", *apt[1:], "pkgnames", "postgresql-"))
    if not versions:
        raise LookupError(f"Debian {SUITE} has no TimescaleDB")
    wanted = f"postgresql-{max(versions, key=int)}-timescaledb"
    names = _WANTED.findall(_said("apt-get", *apt, "-s", "install", wanted))
    _said("apt-get", *apt, "download", *names, cwd=place / "archives")
    for package in (place / "archives").glob("*.deb"):
        _said("dpkg-deb", "-x", str(package), str(place / "root"))
    _wrap(place / "root")
    for name in ("archives", "lists"):
        shutil.rmtree(place / name)
    (place / "ready").touch()


def _mirror() -> str:
    """Where this machine's own Debian comes from."""
    found = re.search(r"'(\S+/debian/)dists/", _said("apt-get", "update", "--print-uris"))
    if found is None:
        raise LookupError("apt knows no mirror of Debian")
    return found[1]


def _said(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(
        command, cwd=cwd, check=True, capture_output=True, text=True, timeout=TIMEOUT_S
    )
    return done.stdout


def _wrap(root: Path) -> None:
    (loader,) = (path for path in root.rglob("ld-linux*") if not path.is_symlink())
    (library,) = root.rglob("libpq.so.5")
    text = _WRAPPER.format(
        loader=loader.relative_to(root), libraries=library.parent.relative_to(root)
    )
    for name in ("initdb", "pg_ctl", "postgres"):
        (program,) = root.glob(f"usr/lib/postgresql/*/bin/{name}")
        program.rename(f"{program}.real")
        program.write_text(text)
        program.chmod(0o755)


if __name__ == "__main__":
    sys.exit(main())
