"""What lies where a SQLite journal should be, or beside it."""

import shutil
from pathlib import Path

import pytest

from edge.core.errors import StoreError
from edge.core.journal.record import Kind

from .test_store import STORES, add, change, reopen

__all__ = ["reopen"]


def test_a_log_without_its_database_is_not_replayed_into_a_new_one(reopen, tmp_path: Path):
    store = reopen()
    add(store, *[Kind.POLL] * 5)
    saved = tmp_path / "saved-wal"
    shutil.copy(tmp_path / "journal.db-wal", saved)
    store.close()
    (tmp_path / "journal.db").unlink()
    saved.rename(tmp_path / "journal.db-wal")
    again = reopen()
    assert again.next_seq == 0
    assert len(list(tmp_path.glob("journal.db.aside-*-wal"))) == 1


def test_a_ballast_lies_beside_the_journal(reopen, tmp_path: Path):
    store = reopen(ballast_bytes=100_000)
    assert (tmp_path / "journal.db.ballast").stat().st_blocks * 512 >= 100_000
    store.close()


def test_what_cannot_be_opened_is_store_open(tmp_path: Path):
    (tmp_path / "journal.db").mkdir()
    with pytest.raises(StoreError) as caught:
        STORES["sqlite"](tmp_path)
    assert caught.value.code == "store.open"


def test_another_version_of_the_file_is_refused_and_left_alone(reopen, tmp_path: Path):
    reopen().close()
    change(tmp_path, "PRAGMA user_version = 99")
    size = (tmp_path / "journal.db").stat().st_size
    with pytest.raises(StoreError) as caught:
        reopen()
    assert "newer version" in str(caught.value.fields["reason"])
    assert (tmp_path / "journal.db").stat().st_size == size
