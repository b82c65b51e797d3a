"""A file that was never a journal is refused and left as it is; a torn own one is accepted."""

import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from edge.core.errors import StoreError
from edge.core.journal.record import Kind, decode_record
from edge.ports.linux.journal_reader import open_reader
from edge.ports.linux.sqlite_store import SqliteStore
from edge.ports.linux.store_foreign import refuse_foreign
from tests.contract.test_store import add

GATEWAY = "gw-1"


def sheet(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")


def database(path: Path, mode: str = "DELETE") -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA journal_mode = {mode}")
        db.executescript(
            "CREATE TABLE meta (a); CREATE TABLE ranges (b); INSERT INTO meta VALUES (1)"
        )


FOREIGN: dict[str, Callable[[Path], object]] = {
    "a key": lambda path: path.write_text("00" * 32),
    "a configuration": lambda path: path.write_text("version = 1\n"),
    "one byte": lambda path: path.write_bytes(b"x"),
    "a sheet": sheet,
    "a database": database,
    "a database with a log": lambda path: database(path, "WAL"),
}


def beside(folder: Path) -> dict[str, bytes]:
    return {item.name: item.read_bytes() for item in folder.iterdir()}


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("opened", [lambda path: SqliteStore(path, GATEWAY), open_reader])
def test_a_foreign_file_is_refused_and_nothing_is_touched(kind: str, opened, tmp_path: Path):
    path = tmp_path / "file"
    FOREIGN[kind](path)
    before = beside(tmp_path)
    with pytest.raises(StoreError) as caught:
        opened(path)
    assert caught.value.code == "store.foreign"
    assert caught.value.fields["file"] == str(path)
    assert beside(tmp_path) == before


def test_a_foreign_database_in_use_is_known_by_the_tables_in_its_log(tmp_path: Path):
    path = tmp_path / "cloud.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE ranges (a)")
        before = path.read_bytes()
        with pytest.raises(StoreError) as caught:
            SqliteStore(path, GATEWAY)
        assert caught.value.code == "store.foreign" and path.read_bytes() == before
        assert db.execute("SELECT count(*) FROM ranges").fetchone() == (0,)


@pytest.mark.parametrize("torn", [b"", bytes(7), bytes(4096), bytes(8192)])
def test_a_torn_first_creation_is_accepted(torn: bytes, tmp_path: Path):
    path = tmp_path / "journal.db"
    path.write_bytes(torn)
    with closing(SqliteStore(path, GATEWAY, 0)) as store:
        add(store, Kind.TABLE, Kind.POLL)


def test_a_first_creation_cut_before_its_tables_is_accepted(tmp_path: Path):
    path = tmp_path / "journal.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
    assert path.read_bytes().startswith(b"SQLite format 3\0")
    with closing(SqliteStore(path, GATEWAY, 0)) as store:
        add(store, Kind.TABLE, Kind.POLL)


def made(path: Path) -> None:
    with closing(SqliteStore(path, GATEWAY, 0)) as store:
        add(store, Kind.TABLE, *[Kind.POLL] * 9)


def told(store: SqliteStore) -> list[str]:
    # What salvage did is a record of the new journal already; the rest waits to become one.
    kept = [decode_record(data) for data in store.of_kind(Kind.EVENT)]
    return [record.body[0] for record in kept] + [code for code, _ in store.findings()]


def test_our_own_with_its_header_gone_is_salvaged(tmp_path: Path):
    path = tmp_path / "journal.db"
    made(path)
    path.write_bytes(b"x" * 100 + path.read_bytes()[100:])
    with closing(SqliteStore(path, GATEWAY, 0)) as store:
        assert "journal.salvaged" in told(store)
        assert store.next_seq >= 10


def test_our_own_without_a_mark_is_opened_and_with_damage_salvaged(tmp_path: Path):
    path = tmp_path / "journal.db"
    made(path)
    (tmp_path / "journal.db.head").unlink()
    with closing(SqliteStore(path, GATEWAY, 0)) as store:
        assert store.next_seq == 10 and "journal.salvaged" not in told(store)
    (tmp_path / "journal.db.head").unlink()
    path.write_bytes(path.read_bytes()[:100] + b"x" * 400 + path.read_bytes()[500:])
    with closing(SqliteStore(path, GATEWAY, 0)) as store:
        assert "journal.salvaged" in told(store)


def test_an_exchange_that_was_cut_between_mark_and_rename_goes_on(tmp_path: Path):
    path = tmp_path / "journal.db"
    made(path)
    path.rename(tmp_path / "journal.db.ready")
    (tmp_path / "journal.db.head").unlink()
    path.write_bytes(b"damaged" * 1000)
    with closing(SqliteStore(path, GATEWAY, 0)) as store:
        assert store.next_seq == 10


def test_what_cannot_be_a_file_is_left_to_the_opening(tmp_path: Path):
    refuse_foreign(tmp_path / "none")
    refuse_foreign(tmp_path)
    with pytest.raises(StoreError) as caught:
        SqliteStore(tmp_path, GATEWAY)
    assert caught.value.code == "store.open"
