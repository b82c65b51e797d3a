"""`carbontally buffer` on a journal that a gateway has open, and on one it has left."""

import json
import subprocess
import sys
from pathlib import Path

import msgpack
import pytest

from edge.app.cli.check import find_all
from edge.core.journal.record import Kind
from edge.core.sync.batch import decode_batch
from edge.ports.linux.sqlite_store import SqliteStore
from tests.contract.test_store import add
from tests.unit.source_tree import ROOT

GATEWAY = "gw-1"
CONFIG = f"""
version = 1

[gateway]
id = "{GATEWAY}"
tenant = "park"
key_file = "gateway.key"
journal = "journal.db"

[uplink]
broker = "mqtt://127.0.0.1:1883"

[[bus]]
name = "bus"
port = "tty"
baud = 9600

[[device]]
name = "meter"
bus = "bus"
station = 1
profile = "eastron_sdm630"
poll_ms = 1000
"""


@pytest.fixture()
def site(tmp_path: Path) -> Path:
    (tmp_path / "gateway.toml").write_text(CONFIG)
    (tmp_path / "gateway.key").write_text("00" * 32)
    (tmp_path / "gateway.key").chmod(0o600)
    return tmp_path


def run(site: Path, *words: str, status: int = 0) -> str:
    command = [sys.executable, "-m", "edge", "buffer", *words, "-c", str(site / "gateway.toml")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=30)
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


def fill(site: Path) -> SqliteStore:
    store = SqliteStore(site / "journal.db", GATEWAY, 0)
    add(store, Kind.TABLE, *[Kind.POLL] * 30)
    add(store, Kind.INTERVAL, Kind.POLL, Kind.POLL)
    store.ack(9)
    return store


@pytest.mark.parametrize("running", [True, False])
def test_stats_and_verify_while_the_gateway_runs_and_after(site: Path, running: bool):
    store = fill(site)
    if not running:
        store.close()
    stats = json.loads(run(site, "stats", "--json"))
    assert (stats["head_seq"], stats["acked_seq"], stats["depth"]) == (33, 9, 24)
    assert stats["records"] == {"table": 1, "poll": 32, "interval": 1}
    assert stats["epoch"] == store.epoch.hex() and stats["oldest_unacked_ms"] == 1_800_000_010_000
    proved = json.loads(run(site, "verify", "--json"))
    assert (proved["ok"], proved["records"]) == (True, 34)
    assert proved["head_hash"] == store.head.hex()
    assert "acked_seq" in run(site, "stats")
    if running:
        add(store, Kind.POLL)  # nobody was kept from writing
        store.close()


def test_verify_names_the_first_record_that_is_wrong(site: Path):
    store = fill(site)
    store.file.query("UPDATE journal SET record = x'00' WHERE seq = 12")
    assert "store.corrupt" in run(site, "verify", status=74)
    store.close()


def test_export_gives_every_record_as_a_line(site: Path):
    store = fill(site)
    lines = [json.loads(line) for line in run(site, "export").splitlines()]
    assert [line["seq"] for line in lines] == list(range(10, 34))
    assert lines[0]["kind"] == "poll" and lines[0]["body"][1] == [10, 3]
    out = site / "all.ndjson"
    run(site, "export", "--first", "0", "--last", "3", "--out", str(out))
    assert [json.loads(line)["seq"] for line in out.read_text().splitlines()] == [0, 1, 2, 3]
    assert json.loads(out.read_text().splitlines()[2])["hash"] == store.hash_at(2).hex()
    store.close()


def test_export_gives_batches_that_a_receiver_would_take(site: Path):
    store = fill(site)
    folder = site / "usb" / "batches"
    run(site, "export", "--payloads", "--out", str(folder))
    files = sorted(folder.iterdir())
    batches = [decode_batch(file.read_bytes(), bytes(32)) for file in files]
    seqs = [record.seq for batch in batches for record in batch.records]
    assert seqs == list(range(10, 34)) and batches[-1].hashes[-1] == store.head
    assert msgpack.unpackb(files[0].read_bytes())[1] == GATEWAY
    assert "--out" in run(site, "export", "--payloads", status=2)
    store.close()


def test_export_overwrites_no_file(site: Path):
    fill(site).close()
    out = site / "accounts.xlsx"
    out.write_text("years of work")
    for words in ([], ["--payloads"]):
        assert "usage.value" in run(site, "export", *words, "--out", str(out), status=2)
    assert "usage.value" in run(site, "export", "--out", str(site / "no" / "file"), status=2)
    assert out.read_text() == "years of work"


def test_export_of_a_range_that_is_none_is_refused(site: Path):
    store = fill(site)
    for words in (["--first", "12", "--last", "11"], ["--first", "34"]):
        errors = run(site, "export", *words, status=2)
        assert "usage.value" in errors and "--first" in errors
    assert run(site, "export", "--first", "33", "--last", "99").count("\n") == 1
    store.ack(33)
    assert run(site, "export") == "", "nothing waits, which is no mistake"
    store.close()


def test_thin_only_says_what_it_would_do(site: Path):
    store = fill(site)
    steps = json.loads(run(site, "thin", "--dry-run", "--json"))["steps"]
    assert steps["acked"]["records_gone"] == 9, "the table stays"
    assert steps["minute"]["records_gone"] == 21 and steps["minute"]["records_carried"] == 2
    assert store.gap_from(0) is None
    assert "--dry-run" in run(site, "thin", status=2)
    store.close()


def test_wrong_words_and_missing_files_are_named(site: Path):
    assert "stats" in run(site, "stat", status=2)
    assert "store.open" in run(site, "stats", status=74)


def test_a_file_that_never_was_a_journal_is_called_that(site: Path):
    (site / "journal.db").write_text("a table of tariffs\n")
    before = sorted(site.iterdir())
    assert "store.foreign" in run(site, "verify", status=74)
    found = next(f for f in find_all(site / "gateway.toml") if f.about == "journal")
    assert found.error is not None and found.error.code == "store.foreign"
    assert sorted(site.iterdir()) == before
    assert (site / "journal.db").read_text() == "a table of tariffs\n"
