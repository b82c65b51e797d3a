"""Opening the cloud's PostgreSQL database: made ours, brought up to date, or refused."""

import hashlib
import re
from typing import Any

from cloud_sync.store import comments
from cloud_sync.store.dialect import (
    postgres_drops,
    postgres_migration,
    postgres_tables,
    postgres_views,
    read_script,
)
from cloud_sync.store.postgres_layout import create_layout, renew_layout, sorting
from cloud_sync.store.postgres_refusal import ask_refusal
from cloud_sync.store.sqlite_file import APPLICATION_ID, BUSY_MS, SCHEMA_VERSION
from edge.core.errors import StoreError, UsageError
from edge.core.journal import clock
from edge.core.numbers import quality
from edge.core.numbers.fixed import PLACES_MAX

SERVER_VERSION_MIN = 15

#: The first version that a PostgreSQL database of ours had.
FIRST_VERSION = 3

CONNECT_TIMEOUT_S = 5

#: After so long the server lets go of the locks of a receiver that hangs within a transaction,
#: and of one whose machine is gone.
IDLE_MS = 60_000
_KEEPALIVES = {
    "tcp_keepalives_idle": 10,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 4,
}

#: A server or a network that is silent for so long counts as away.
_SILENCE_MS = 10_000

#: Classes of SQLSTATE that pass: connections, conflicts, resources, locks, an operator at work.
_PASSING = ("08", "40", "53", "55", "57")

#: Those of them that a server refuses a connection with: too many, starting or stopping.
_REFUSING = ("53", "57")

#: For whoever reads by other programs: the views have hundreds of expressions, row security has
#: more, and to compile them takes ten seconds where the rows take none. Not ours: left as it is.
_WITHOUT_JIT = """
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET jit = off', current_database());
EXCEPTION WHEN insufficient_privilege THEN NULL;
END $$"""


def load_psycopg() -> Any:
    """The driver, which is an extra; UsageError "usage.missing_extra"."""
    try:
        import psycopg
    except ImportError as error:
        raise UsageError("usage.missing_extra", package="psycopg", extra="postgres") from error
    return psycopg


def public_name(url: str) -> str:
    """An address without user and password."""
    return re.sub(r"([?&])(user|password)=[^&]*", r"\1", re.sub(r"//[^@/]*@", "//", url))


def reason_of(error: Exception) -> str:
    """The first line of what the driver says."""
    return next(iter(str(error).splitlines()), "") or "the connection is gone"


def connect(url: str, read_only: bool = False) -> Any:
    """A connection in autocommit mode to a database of ours, of this program's version.

    read_only: transactions see one moment and change nothing; what is not up to date is refused.
    Raises StoreError "cloud.unavailable" where waiting may help, else "cloud.open".
    """
    psycopg = load_psycopg()
    db, code = None, "cloud.open"
    try:
        db = psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT_S,
            tcp_user_timeout=_SILENCE_MS,
            keepalives_idle=_SILENCE_MS // 1000,
            options=_options(read_only),
        )
        reason = _check_server(db)
        if not reason and not read_only:
            with db.transaction():
                reason = _prepare(db)
        reason = reason or _objection(db)
        if not reason and read_only:
            reason = _objection_to_views(db)
    except psycopg.Error as error:
        reason = reason_of(error)
        if _is_away(url, error) if db is None else _may_pass(error):
            code = "cloud.unavailable"
    if reason:
        if db is not None:
            db.close()
        raise StoreError(code, file=public_name(url), reason=reason)
    return db


def _options(read_only: bool) -> str:
    """Settings of a session, as the server takes them when it begins."""
    settings = {"timezone": "UTC", "lock_timeout": BUSY_MS, "jit": "off"}
    settings["client_min_messages"] = "warning"
    settings.update(_KEEPALIVES)
    if read_only:
        settings["default_transaction_read_only"] = "on"
        settings["default_transaction_isolation"] = "repeatable\\ read"
    else:
        settings["idle_in_transaction_session_timeout"] = IDLE_MS
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


def _may_pass(error: Any) -> bool:
    """True for what a statement met by bad luck; a connection that is lost has no SQLSTATE."""
    return error.sqlstate is None or error.sqlstate[:2] in _PASSING


def _is_away(url: str, error: Exception) -> bool:
    """True when no connection came about because the server is away, starting, stopping or full.

    The driver's words differ by language, so the server is asked again, for that alone.
    """
    psycopg = load_psycopg()
    if isinstance(error, psycopg.errors.ConnectionTimeout):
        return True
    try:
        asked = psycopg.conninfo.make_conninfo(url, connect_timeout=CONNECT_TIMEOUT_S)
    except psycopg.Error:
        return False
    pq = psycopg.pq
    if pq.PGconn.ping(asked.encode()) in (pq.Ping.NO_RESPONSE, pq.Ping.REJECT):
        return True
    refusal = ask_refusal(pq, asked, CONNECT_TIMEOUT_S)
    return refusal is None or refusal[:2] in _REFUSING


def _check_server(db: Any) -> str:
    major = db.info.server_version // 10_000
    if major < SERVER_VERSION_MIN:
        return f"the server is PostgreSQL {major}, version {SERVER_VERSION_MIN} is the oldest"
    return ""


def _number(db: Any, sql: str) -> int:
    return int(db.execute(sql).fetchone()[0])


def _is_ours(db: Any) -> bool:
    return bool(_number(db, "SELECT (to_regclass('carbontally_schema') IS NOT NULL)::int"))


def _objection(db: Any) -> str:
    """Why this database cannot be used, "" when it can."""
    if not _is_ours(db):
        return "it is no carbontally cloud database"
    found = _number(db, "SELECT version FROM carbontally_schema")
    if found != SCHEMA_VERSION:
        return f"its schema is version {found}, this program knows {SCHEMA_VERSION}"
    return ""


def _objection_to_views(db: Any) -> str:
    if db.execute("SELECT views FROM carbontally_schema").fetchone()[0] != _digest():
        return "its views are not those of this program: let `carbontally receive` open it"
    return ""


def _prepare(db: Any) -> str:
    """Make a database ours or bring it up to date; others that open it meanwhile wait."""
    db.execute(f"SELECT pg_advisory_xact_lock({APPLICATION_ID})")
    if not _is_ours(db):
        if _number(db, "SELECT (to_regclass('gateways') IS NOT NULL)::int"):
            return "it has a table of another program that is called gateways"
        create_tables(db)
        db.execute("INSERT INTO carbontally_schema VALUES (%s, '')", (SCHEMA_VERSION,))
    found = _number(db, "SELECT version FROM carbontally_schema")
    if FIRST_VERSION <= found < SCHEMA_VERSION:
        _migrate(db, found)
    elif found != SCHEMA_VERSION:
        return ""  # the objection says it
    wanted = _digest()
    if db.execute("SELECT views FROM carbontally_schema").fetchone()[0] != wanted:
        _drop_views(db)
        renew_layout(db)
        _make_views(db)
        db.execute(_WITHOUT_JIT)
        db.execute("UPDATE carbontally_schema SET views = %s", (wanted,))
    return ""


def _digest() -> str:
    texts = [*postgres_views(), sorting(), read_script(comments.FILE)]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def hold_schema(db: Any, version: int, name: str) -> None:
    """No migration while this transaction lasts, and none that has made us too old.

    version: what the program knows; name: of the database. Raises StoreError "cloud.open".
    """
    db.execute("SELECT pg_advisory_xact_lock_shared(%s)", (APPLICATION_ID,))
    found = _number(db, "SELECT version FROM carbontally_schema")
    if found != version:
        reason = f"its schema became version {found}, this program knows {version}"
        raise StoreError("cloud.open", file=name, reason=reason)


def create_tables(db: Any) -> None:
    """Every table of this version, with what its names mean."""
    for statement in postgres_tables("schema.sql"):
        db.execute(statement)
    create_layout(db)
    db.execute(read_script("postgres_readers.sql"))
    with db.cursor() as cursor:
        for table, names in (("quality_names", quality.NAMES), ("clock_names", clock.NAMES)):
            sql = f"INSERT INTO {table} VALUES (%s, %s)"
            cursor.executemany(sql, list(enumerate(names)))
        scales = [(places, "0" * (places + 1)) for places in range(PLACES_MAX + 1)]
        cursor.executemany("INSERT INTO scales VALUES (%s, %s)", scales)


def _migrate(db: Any, found: int) -> None:
    _drop_views(db)
    for step in range(found + 1, SCHEMA_VERSION + 1):
        for statement in postgres_migration(step):
            db.execute(statement)
    for table, names in (("quality_names", quality.NAMES), ("clock_names", clock.NAMES)):
        sql = f"INSERT INTO {table} VALUES (%s, %s) ON CONFLICT DO NOTHING"
        for row in enumerate(names):
            db.execute(sql, row)
    db.execute("UPDATE carbontally_schema SET version = %s, views = ''", (SCHEMA_VERSION,))


def _drop_views(db: Any) -> None:
    for statement in postgres_drops():
        db.execute(statement)


def _make_views(db: Any) -> None:
    for statement in postgres_views():
        db.execute(statement)
    comments.write_comments(db)
    db.execute("SELECT guard_tables(), grant_readers()")
