"""The quota of the journal: its range, and that it reaches the store."""

from pathlib import Path

import pytest

from edge.app.cli.check import check
from edge.app.cli.status import read_report
from edge.app.service import Service
from edge.ports.linux.sqlite_store import SqliteStore

from .test_config import read, refusal
from .test_status_losses import filled

JOURNAL = 'journal = "journal.db"'


def quota(text: str) -> tuple[str, str]:
    return (JOURNAL, f"{JOURNAL}\nquota_bytes = {text}")


@pytest.mark.parametrize("size", [10_000_000, 1_000_000_000_000])
def test_quotas_within_the_range_are_taken(tmp_path: Path, size: int):
    assert read(tmp_path, quota(str(size))).quota_bytes == size


@pytest.mark.parametrize(
    "text", ["0", "-1", "9_999_999", "1_000_000_000_001", "1e8", '"2 GB"', "true"]
)
def test_others_are_refused_by_name(tmp_path: Path, text: str):
    code, line = refusal(tmp_path, quota(text))
    assert code == "config.value" and "gateway.quota_bytes" in line


@pytest.mark.parametrize("size", [None, 20_000_000])
def test_the_store_keeps_to_what_is_configured(tmp_path: Path, size: int | None):
    read(tmp_path, *([] if size is None else [quota(str(size))]))
    (tmp_path / "device.key").write_text("00" * 32)
    (tmp_path / "device.key").chmod(0o600)
    service = Service(tmp_path / "gateway.toml")
    try:
        assert isinstance(service.store, SqliteStore)
        assert service.store.remover.quota_bytes == size
        assert service.store.remover.limit_bytes() == (None if size is None else size * 9 // 10)
    finally:
        service.supervision.close()
        for poller in service.gateway.pollers:
            poller.link.close()
        service.store.close()


def test_the_room_that_is_told_is_that_of_the_quota(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    filled(tmp_path / "journal.db", 500, 400).close()
    hours = []
    for size in (10_000_000, 20_000_000):
        settings = read(tmp_path, quota(str(size)))
        report = read_report(settings, tmp_path / "journal.db", "no_port")
        hours.append(report["buffer"]["hours_left"])
        check(tmp_path / "gateway.toml")
        assert f"room for {hours[-1]} hours" in capsys.readouterr().out
    assert 10_000_000 // report["buffer"]["bytes_per_hour"] - 1 <= hours[1] - hours[0]
