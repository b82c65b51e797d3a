"""A real PostgreSQL on a socket of its own, run by a user without privileges."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from hil_tests.micropython.prerequisite import require_command

OWNER = "owner"


class Server:
    """Starts on creation; `create` gives an empty database of it."""

    def __init__(self, folder: Path, *options: str) -> None:
        require_command("pg_ctlcluster")  # of the package that has the rest
        versions = Path("/usr/lib/postgresql").iterdir()
        self._programs = max(versions, key=lambda path: int(path.name)) / "bin"
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


@contextmanager
def running(*options: str) -> Iterator[Server]:
    """A server that stops when the block ends; options: of the server, else none is synced."""
    with TemporaryDirectory(prefix="carbontally-pg-") as name:
        server = Server(Path(name), *options)
        try:
            yield server
        finally:
            server.stop()
