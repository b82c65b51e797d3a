"""A real PostgreSQL on a socket of its own, run by a user without privileges.

Debian's own, or the one with TimescaleDB that `timescale_packages` unpacked.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from hil_tests import timescale_packages
from hil_tests.micropython.prerequisite import lacking, require_command

OWNER = "owner"

#: Owns each database of a server with TimescaleDB, and may do no more.
RECEIVER = "receiver"


class Server:
    """Starts on creation; `create` gives an empty database of it."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._programs = self._find_programs(folder)
        self._folder, self._data, self._options = folder, folder / "data", options
        self._run: dict = {"check": True, "capture_output": True, "cwd": folder}
        if os.getuid() == 0:  # it refuses to run as root
            self._run["user"] = "postgres"
            shutil.chown(folder, "postgres")
        subprocess.run(
            [
                str(self._programs / "initdb"),
                "-D",
                str(self._data),
                "-U",
                OWNER,
                "-A",
                "trust",
                "-N",
            ]
            + ["-E", "UTF8", "--locale", "C.UTF-8"],
            **self._run,
        )
        self._numbers = count(1)
        self.start()

    def _find_programs(self, folder: Path) -> Path:
        require_command("pg_ctlcluster")  # of the package that has the rest
        return _newest(Path("/usr/lib/postgresql"))

    def _control(self, *arguments: str) -> None:
        command = [str(self._programs / "pg_ctl"), "-D", str(self._data), "-w", "-s"]
        subprocess.run([*command, *arguments, "-l", str(self._folder / "log")], **self._run)

    def start(self) -> None:
        options = f"-c listen_addresses= -c unix_socket_directories={self._folder}"
        more = " ".join(f"-c {option}" for option in self._options or ("fsync=off",))
        self._control("-o", f"{options} {more}", "start")

    def stop(self, mode: str = "immediate") -> None:
        self._control("-m", mode, "stop")

    def url(self, database: str = "postgres", user: str = OWNER) -> str:
        return f"postgresql://{user}@/{database}?host={self._folder}"

    def create(self) -> str:
        """The address of a new database."""
        name = f"cloud_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def ask_password(self, user: str) -> None:
        """From the next connection on, a user has to give its password."""
        rules = self._data / "pg_hba.conf"
        rules.write_text(f"local all {user} scram-sha-256\n{rules.read_text()}")
        self.execute("SELECT pg_reload_conf()")

    def execute(self, sql: str, url: str = "") -> None:
        with psycopg.connect(url or self.url(), autocommit=True) as db:
            db.execute(sql.encode())


class TimescaleServer(Server):
    """One with the extension, whose databases belong to a role without privileges."""

    def __init__(self, folder: Path, *options: str) -> None:
        library = "shared_preload_libraries=timescaledb"
        super().__init__(folder, *(options or ("fsync=off",)), library)
        self.execute(f"CREATE ROLE {RECEIVER} LOGIN")
        # Closed: the extension's own worker would connect and keep it from being copied.
        self.execute("CREATE DATABASE with_timescale")
        self.execute("CREATE EXTENSION timescaledb", self.url("with_timescale"))
        self.execute("ALTER DATABASE with_timescale WITH ALLOW_CONNECTIONS false")
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = 'with_timescale'"
        )

    def _find_programs(self, folder: Path) -> Path:
        if not (timescale_packages.PLACE / "ready").exists():
            lacking("PostgreSQL with TimescaleDB")
        root = timescale_packages.PLACE / "root"
        folder.chmod(0o755)
        if os.getuid() == 0:
            reach = subprocess.run(["test", "-r", str(root / "usr")], check=False, user="postgres")
            if reach.returncode:  # the tree is nobody else's, as below a home folder
                root = Path(shutil.copytree(root, folder / "root", symlinks=True))
        return _newest(root / "usr/lib/postgresql")

    def create(self) -> str:
        name = f"cloud_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE with_timescale OWNER {RECEIVER}")
        return self.url(name, RECEIVER)


def _newest(versions: Path) -> Path:
    return max(versions.iterdir(), key=lambda path: int(path.name)) / "bin"


@contextmanager
def running(*options: str, kind: type[Server] = Server) -> Iterator[Server]:
    """A server that stops when the block ends; options: of the server, else none is synced."""
    with TemporaryDirectory(prefix="carbontally-pg-") as name:
        server = kind(Path(name), *options)
        try:
            yield server
        finally:
            server.stop()
