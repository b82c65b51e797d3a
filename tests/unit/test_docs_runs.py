"""What the guides show of running programs: queries, tables, status keys, another master."""

import json
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from cloud_sync.keys import Keys
from cloud_sync.receiver import Receiver
from cloud_sync.store.contract import REFUSALS_MAX, REFUSALS_PER_OWNER_MAX
from cloud_sync.store.sqlite import SqliteStore
from cloud_sync.verify import verify_store
from edge.app.service import Service
from edge.app.status import status_of
from hil_tests.micropython.prerequisite import require_command

from .docs_text import DOCS, blocks, cells, cells_under
from .receiver_journal import GATEWAY, KEY, NOW_MS, TENANT, TOPIC, factory
from .source_tree import ROOT

RECEIVER = DOCS / "receiver.md"


@pytest.fixture
def cloud(tmp_path: Path) -> Path:
    """A real store that has received all of a journal but records 10 to 14."""
    journal = factory()
    store = SqliteStore(tmp_path / "cloud.db")
    receiver = Receiver(store, Keys({(TENANT, GATEWAY): KEY}), lambda: NOW_MS)
    last = len(journal.records) - 1
    for payload in (journal.batch(0, 9), journal.batch(15, last), b"no batch"):
        receiver.receive(TOPIC, payload)
    store.close()
    return tmp_path / "cloud.db"


def names_in(database: Path) -> set[str]:
    with closing(sqlite3.connect(database)) as db:
        found = db.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
        return {name for (name,) in found}


def test_every_table_and_view_of_the_store_is_in_the_guide(cloud: Path):
    assert {row[0].strip("`") for row in cells_under(RECEIVER, "Tables")} == names_in(cloud)


def test_every_query_of_the_guide_finds_rows_in_a_real_store(cloud: Path):
    queries = blocks("sql")
    assert len(queries) >= 3
    with closing(sqlite3.connect(f"file:{cloud}?mode=ro", uri=True)) as db:
        found = [db.execute(query.text).fetchall() for query in queries]
    assert all(found)
    assert ("gw-1", b"epoch-01".hex(), 10, 14) in found[-1], "the gap that was left"


def test_the_bounds_and_the_verdict_of_the_guide_are_those_of_the_store(cloud: Path):
    text = RECEIVER.read_text("utf-8")
    assert f"{REFUSALS_PER_OWNER_MAX} rows a gateway, {REFUSALS_MAX} in all" in text
    (journal,) = verify_store(cloud).journals
    assert journal.ok and journal.missing == 5, "a gap breaks nothing, says the guide"


def test_the_status_object_has_the_keys_of_the_guide(tmp_path: Path):
    (tmp_path / "device.key").write_text("ab" * 32)
    (tmp_path / "device.key").chmod(0o600)
    (tmp_path / "gateway.toml").write_text(blocks("toml gateway")[0].text)
    service = Service(tmp_path / "gateway.toml")
    try:
        status = json.loads(json.dumps(status_of(service.gateway, 1)))
    finally:
        for poller in service.gateway.pollers:
            poller.link.close()
        service.store.close()
    said = [row[0].strip("`") for row in cells(DOCS / "gateway.md", "status")]
    assert said == list(leaves(status, ""))


def leaves(value: dict, path: str) -> Iterator[str]:
    for key, inside in value.items():
        if isinstance(inside, dict) and key != "values":
            yield from leaves(inside, f"{path}{key}.")
        elif isinstance(inside, list):
            yield from leaves(inside[0], f"{path}{key}[].")
        else:
            yield path + key


@contextmanager
def emulate(folder: Path, *arguments: str) -> Iterator[None]:
    """`carbontally emulate` in `folder`, from its first ready line to SIGTERM."""
    command = [sys.executable, "-m", "edge", "emulate", *arguments]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == first_output()
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
    assert process.returncode == 0


def first_output() -> str:
    """What the guide says the emulator prints when it is ready."""
    return next(block.text for block in blocks("text") if block.page.name == "emulator.md")


@pytest.mark.system
def test_mbpoll_reads_the_emulator_with_the_command_of_the_guide(tmp_path: Path):
    program = require_command("mbpoll")
    (line,) = [b.text for b in blocks("sh") if b.text.startswith("mbpoll ")]
    with emulate(tmp_path, "--link-dir", ".", "--ledger", "ledger.db"):
        run = subprocess.run(
            [program, *shlex.split(line)[1:]],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert run.returncode == 0, run.stderr
    volts = [float(value) for value in re.findall(r"^\[\d+\]:\s+(\S+)$", run.stdout, re.M)]
    assert len(volts) == 3 and all(220 < volt < 240 for volt in volts)
    (query,) = blocks("sql ledger")
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as db:
        assert db.execute(query.text).fetchall() == [(1, "clean", 1)]
    said = cells_under(DOCS / "emulator.md", "The ledger")
    assert {row[0].strip("`") for row in said} == names_in(tmp_path / "ledger.db")
