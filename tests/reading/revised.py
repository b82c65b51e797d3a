"""A result of other factors for every journal of a park: electricity at two thirds."""

from pathlib import Path

from cloud_sync.raw import find_journals
from cloud_sync.recompute import Recomputer
from cloud_sync.results import ResultRows
from cloud_sync.revise import SHIPPED, Revision, read_set
from cloud_sync.store.address import open_store

NAME, OLD, NEW = "with two thirds", "0.8325", "0.5550"
MADE_MS = 1_795_400_000_000


def add_result(place: Path | str, folder: Path) -> None:
    """The result in a database that has the park's records."""
    text = (SHIPPED / "cn_park_910_2025.toml").read_text("utf-8")
    assert text.count(f'value = "{OLD}"') == 1
    path = folder / "newer.toml"
    path.write_text(text.replace(f'value = "{OLD}"', f'value = "{NEW}"'), "utf-8")
    revision = Revision(read_set(str(path)))
    store = open_store(place)
    journals = find_journals(store)
    rows = ResultRows(store, journals, NAME, revision)
    for journal in journals:
        for outcome in Recomputer(store, journal, revision.stream).run():
            rows.take(journal, outcome)
    rows.end(MADE_MS)
    store.close()
