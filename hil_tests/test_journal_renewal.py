"""A journal that is salvaged while polling goes on: what is read meanwhile waits in memory."""

import threading
from pathlib import Path

import pytest

from edge.core.errors import StoreError
from edge.ports.linux import replacement
from edge.ports.linux.sqlite_store import SqliteStore
from hil_tests.crash_judge import GATEWAY
from hil_tests.test_journal_faults import Site
from tests.contract.brokers import wait_until


def test_polling_goes_on_while_a_large_journal_is_salvaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go_on = threading.Event()
    prepare = replacement.Replacement.prepare

    def prepare_later(self: replacement.Replacement, *args: object) -> None:
        assert may_go_on.wait(60)
        prepare(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(replacement.Replacement, "prepare", prepare_later)
    monkeypatch.setattr(replacement, "LARGE_BYTES", 0)
    site = Site(SqliteStore(tmp_path / "journal.db", GATEWAY, 64 << 10))
    for _ in range(20):
        assert site.second()
    store, epoch = site.recorder.store, site.recorder.store.epoch
    site.recorder.renew("damaged", site.clock.now_ms)
    for _ in range(30):
        assert site.recorder.is_renewing and not site.second()
    for write in (lambda: store.ack(3), lambda: store.renew("damaged")):
        with pytest.raises(StoreError) as caught:
            write()
        assert caught.value.code == "store.renewing"
    assert site.recorder.waiting == 30 and store.epoch == epoch
    may_go_on.set()
    wait_until(site.second, "the journal is a new one")
    assert store.epoch != epoch and not site.recorder.is_renewing
    assert site.committed() == list(range(1, site.polls + 1))
    assert site.second() and "store.recovered" in site.events()
    assert site.events().count("journal.salvaged") == 1
    store.close()


def test_a_stop_while_a_large_journal_is_salvaged_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replacement, "LARGE_BYTES", 0)
    path = tmp_path / "journal.db"
    site = Site(SqliteStore(path, GATEWAY, 64 << 10))
    for _ in range(20):
        assert site.second()
    site.recorder.renew("damaged", site.clock.now_ms)
    site.recorder.store.close()
    site.recorder.store = SqliteStore(path, GATEWAY, 64 << 10)
    assert site.committed() == list(range(1, 21))
    site.recorder.store.close()
