"""Opening the cloud's SQLite file: made with its tables, brought up to date, or refused."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from cloud_sync.store.dialect import statements
from cloud_sync.store.sqlite_polls import teach
from edge.core.errors import StoreError
from edge.core.journal import clock
from edge.core.numbers import quality
from edge.core.numbers.fixed import PLACES_MAX

SCHEMA_VERSION = 7

#: "cata" in ASCII: what PRAGMA application_id says of our files.
APPLICATION_ID = 0x63617461

#: How long another process may hold the file before a write gives up.
BUSY_MS = 1_000


def open_database(path: Path, read_only: bool = False) -> sqlite3.Connection:
    """Open the file in autocommit mode; whoever uses it begins and ends transactions.

    read_only: change nothing, and refuse a file that is not there.
    Raises StoreError "cloud.open": no such place, no database of ours, or another schema;
    "cloud.damaged": pages that make no sense; "cloud.unavailable": another process holds it.
    """
    mode = "ro" if read_only else "rwc"
    try:
        if not read_only:
            _keep_private(path)
        db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        raise StoreError("cloud.open", file=str(path), reason=str(error))
    code = "cloud.open"
    try:
        reason = _check_only(db) if read_only else _prepare(db)
    except FAILURES as error:
        reason = str(error)
        found = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if found == sqlite3.SQLITE_BUSY:
            code = "cloud.unavailable"
        elif found == sqlite3.SQLITE_CORRUPT or isinstance(error, UnicodeDecodeError):
            code = "cloud.damaged"
    if reason:
        db.close()
        raise StoreError(code, file=str(path), reason=reason)
    teach(db)
    return db


def _keep_private(path: Path) -> None:
    """Let a file that is made be its owner's alone, and with it what SQLite puts beside it."""
    with suppress(OSError):  # SQLite says why
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))


#: What a statement fails with: SQLite's words about a damaged schema may be no text.
FAILURES = (sqlite3.Error, UnicodeDecodeError)


def failure(error: Exception, path: Path, code: str = "cloud.write") -> StoreError:
    """What a failed statement is called: no room, pages that make no sense, or `code`."""
    found = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if found == sqlite3.SQLITE_FULL:
        return StoreError("cloud.full", file=str(path))
    is_nonsense = isinstance(error, UnicodeDecodeError)
    if is_nonsense or found in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreError("cloud.damaged", file=str(path), reason=str(error))
    return StoreError(code, file=str(path), reason=str(error))


def _number(db: sqlite3.Connection, sql: str) -> int:
    return int(db.execute(sql).fetchone()[0])


def _check_only(db: sqlite3.Connection) -> str:
    # Whoever checks a damaged file must be able to read it.
    db.text_factory = lambda data: data.decode("utf-8", "replace")
    db.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    return _objection(db)


def _objection(db: sqlite3.Connection) -> str:
    """Why this file cannot be used, "" when it can."""
    if _number(db, "PRAGMA application_id") != APPLICATION_ID:
        return "it is no carbontally cloud database"
    version = _number(db, "PRAGMA user_version")
    if version != SCHEMA_VERSION:
        return f"its schema is version {version}, this program knows {SCHEMA_VERSION}"
    return ""


def _prepare(db: sqlite3.Connection) -> str:
    """Make an empty file ours; say what stands against using it."""
    db.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    # Journal mode is stored in the file: a file that is not ours is left as it was.
    db.execute("BEGIN IMMEDIATE")
    if not _number(db, "SELECT count(*) FROM sqlite_master"):
        _create(db)
    elif _number(db, "PRAGMA application_id") == APPLICATION_ID:
        _migrate(db)
        _renew_views(db)
    reason = _objection(db)
    db.execute("ROLLBACK" if reason else "COMMIT")
    if not reason:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA cell_size_check = ON")
    return reason


def _create(db: sqlite3.Connection) -> None:
    for name in ("schema.sql", "views.sql"):
        _run_script(db, name)
    for table, names in (("quality_names", quality.NAMES), ("clock_names", clock.NAMES)):
        db.executemany(f"INSERT INTO {table} VALUES (?, ?)", list(enumerate(names)))
    scales = [(places, "0" * (places + 1)) for places in range(PLACES_MAX + 1)]
    db.executemany("INSERT INTO scales VALUES (?, ?)", scales)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _migrate(db: sqlite3.Connection) -> None:
    """Version by version, within the transaction of the opening: all of it or nothing."""
    version = _number(db, "PRAGMA user_version")
    if not 1 <= version < SCHEMA_VERSION:
        return
    _drop_views(db)
    for step in range(version + 1, SCHEMA_VERSION + 1):
        _run_script(db, f"migrate_{step}.sql")
    names = list(enumerate(quality.NAMES))
    db.executemany("INSERT OR IGNORE INTO quality_names VALUES (?, ?)", names)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def are_views_current(db: sqlite3.Connection) -> bool:
    """True when the file's views are those of this program."""
    found = db.execute("SELECT sql FROM sqlite_master WHERE type = 'view'").fetchall()
    # What stands before CREATE is a comment, which the file does not keep.
    wanted = [text[text.index("CREATE VIEW") :].strip(";\n") for text in statements("views.sql")]
    return set(found) == {(text,) for text in wanted}


def _renew_views(db: sqlite3.Connection) -> None:
    """Views hold nothing: those of another program are made anew."""
    if _number(db, "PRAGMA user_version") == SCHEMA_VERSION and not are_views_current(db):
        _drop_views(db)
        _run_script(db, "views.sql")


def _drop_views(db: sqlite3.Connection) -> None:
    for (view,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'view'").fetchall():
        db.execute(f"DROP VIEW {view}")


def _run_script(db: sqlite3.Connection, name: str) -> None:
    """The statements of a file beside this one, in the transaction that is open."""
    for statement in statements(name):
        db.execute(statement)
