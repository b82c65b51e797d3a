"""A real PostgreSQL that holds the views of a SQLite store as tables of the same columns."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from hil_tests.micropython.prerequisite import require_command

_TYPES = {int: "bigint", float: "double precision", bytes: "bytea", str: "text"}


def _programs() -> Path:
    require_command("pg_ctlcluster")  # of the package that has the rest
    return max(Path("/usr/lib/postgresql").iterdir(), key=lambda path: int(path.name)) / "bin"


@contextmanager
def postgres(source: Path) -> Iterator[str]:
    """The URL of a server on a socket of its own, filled from a SQLite store."""
    with TemporaryDirectory(prefix="carbontally-pg-") as name:
        yield from _serve(Path(name), source)


def _serve(folder: Path, source: Path) -> Iterator[str]:
    programs, data = _programs(), folder / "data"
    run: dict = {"check": True, "capture_output": True, "cwd": folder}
    if os.getuid() == 0:  # it refuses to run as root
        run["user"] = "postgres"
        shutil.chown(folder, "postgres")
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "reader", "-A", "trust", "-N", "-E", "UTF8"]
        + ["--locale", "C.UTF-8"],
        **run,
    )
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    control = [programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-s"]
    subprocess.run([*control, "-o", options, "start"], **run)
    try:
        url = f"postgresql://reader@/postgres?host={folder}"
        _fill(url, source)
        yield url
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], **run)


def _fill(url: str, source: Path) -> None:
    with closing(sqlite3.connect(source)) as db, psycopg.connect(url) as target:
        views = db.execute("SELECT name FROM sqlite_master WHERE type = 'view'").fetchall()
        for (view,) in views:
            found = db.execute(f"SELECT * FROM {view}")
            names = [column[0] for column in found.description]
            rows = found.fetchall()
            kinds = [_kind(rows, at, name) for at, name in enumerate(names)]
            columns = ", ".join(f'"{n}" {k}' for n, k in zip(names, kinds, strict=True))
            target.execute(f"CREATE TABLE {view} ({columns})".encode())
            with target.cursor().copy(f"COPY {view} FROM STDIN".encode()) as copy:
                for row in rows:
                    copy.write_row(row)


def _kind(rows: list[tuple], at: int, name: str) -> str:
    """The type of a column's first value; of a column without any by its name."""
    numbers = ("first_missing", "last_missing", "rest", "flags", "substituted")
    nothing = 0 if name in numbers or name.endswith(("_mg", "_wh")) else ""
    return _TYPES[type(next((row[at] for row in rows if row[at] is not None), nothing))]
