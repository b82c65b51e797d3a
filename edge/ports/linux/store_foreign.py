"""Whether a file that `gateway.journal` names can be a journal at all.

A wrong path must not cost the file that lies there: what is damaged is set aside and replaced,
which for a device key or another program's database would be the loss of it.
"""

import contextlib
import sqlite3
from pathlib import Path

from edge.core.errors import StoreError

_MAGIC = b"SQLite format 3\0"

#: Tables that no version of the journal is without.
_OWN_TABLES = {"journal", "meta"}

#: Files that only a gateway leaves: the head mark, and a journal that is ready to take the place
#: of this one, for which the mark is removed before the exchange.
_OWN_ENDINGS = (".head", ".ready")


def refuse_foreign(path: Path) -> None:
    """Raise StoreError "store.foreign" for a file that was never a journal; writes nothing.

    An empty file and one that begins with zeros pass: a cut can leave a first creation so. What
    cannot be read passes as well, because the opening that follows says why.
    """
    if not path.is_file():
        return
    if any(path.with_name(path.name + ending).exists() for ending in _OWN_ENDINGS):
        return
    try:
        with path.open("rb") as stream:
            begin = stream.read(len(_MAGIC))
    except OSError:
        return
    is_foreign = begin.strip(b"\0") != b""
    if begin == _MAGIC:
        tables = _tables(path)
        is_foreign = bool(tables) and not tables >= _OWN_TABLES
    if is_foreign:
        raise StoreError(
            "store.foreign", file=str(path), found="another program", expected="carbontally"
        )


def _tables(path: Path) -> set[str]:
    """Names of the tables; none where damage keeps SQLite from reading them."""
    # A read-only connection makes an index for the log; without a log it can do without.
    log = path.with_name(path.name + "-wal")
    uri = f"{path.resolve().as_uri()}?mode=ro" + ("" if log.exists() else "&immutable=1")
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as db:
            rows = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    except (sqlite3.Error, ValueError):
        return set()
    return {str(name) for (name,) in rows}
