"""Every verb over a store, as whoever types it wrong meets it: a code, a way on, nothing lost."""

import json
import sqlite3
from pathlib import Path

import pytest

from cloud_sync.api.tokens import add_token
from edge.__main__ import main

from .receiver_journal import GATEWAY, KEY, TENANT, TOPIC, World, factory

VERBS = {
    "verify": (),
    "evidence": ("--gateway", GATEWAY, "--out", "made/e.ndjson"),
    "recompute": ("--factors", "cn_park_910_2025", "--result", "other"),
    "gaps": (),
    "compact": (),
    "quarantine list": (),
    "quarantine show 1": (),
    "quarantine replay": ("--keys", "keys.toml"),
    "export": ("--to", "made"),
    "report": ("--of", "2026-05", "--to", "made"),
    "serve": ("--tokens", "tokens.json", "--port", "0"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with a gateway, one without, and files that are none."""
    monkeypatch.chdir(tmp_path)
    World(tmp_path / "empty.db").store.close()
    world = World(tmp_path / "cloud.db")
    journal = factory()
    world.receiver.receive(TOPIC, journal.batch(0, len(journal.records) - 1))
    world.store.close()
    (tmp_path / "text.db").write_text("no database " * 100)
    (tmp_path / "zero.db").touch()
    with sqlite3.connect(tmp_path / "other.db") as db:
        db.execute("CREATE TABLE theirs (a)")
    db.close()
    (tmp_path / "keys.toml").write_text(f'[{TENANT}.{GATEWAY}]\nkey = "{KEY.hex()}"\n')
    (tmp_path / "keys.toml").chmod(0o600)
    add_token(tmp_path / "tokens.json", TENANT, "somebody", 1)
    return tmp_path


def content(folder: Path) -> dict[str, bytes]:
    """Every file but what a reader of SQLite leaves beside one."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(at): at.read_bytes() for at in files if not at.name.endswith(("-wal", "-shm"))}


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = main(list(words))
    return (status, *capsys.readouterr())


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_store_that_is_none_is_named_and_nothing_is_made(
    folder: Path, capsys: pytest.CaptureFixture[str], verb: str, options: tuple[str, ...]
):
    before = content(folder)
    for store, status, code in (
        ("sqlite:///none.db", 74, "cloud.open"),
        ("sqlite:///none/none.db", 74, "cloud.open"),
        ("sqlite:///text.db", 74, "cloud.open"),
        ("sqlite:///zero.db", 74, "cloud.open"),
        ("sqlite:///other.db", 74, "cloud.open"),
        ("cloud.db", 2, "usage.value"),
        ("", 2, "usage.value"),
        ("mysql://me:secret@h/x", 2, "usage.value"),
    ):
        found = told(capsys, *verb.split(), "--store", store, *VERBS[verb], *options)
        assert found[0] == status, (store, found)
        objects = [json.loads(line) for line in found[1].splitlines()]
        assert [one["code"] for one in objects] == ([code] if options else []), (store, found)
        assert f"error[{code}]: " in found[2] and "\nnext: " in found[2], (store, found)
        assert "secret" not in found[1] + found[2] and "is ;" not in found[2], (store, found)
    assert content(folder) == before


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("verify", "--gateway", "gw-9"), "--gateway"),
        (("recompute", "--gateway", "other/gw-1"), "--gateway"),
        (("gaps", "--gateway", "gw-9"), "--gateway"),
        (("gaps", "--offset", "8"), "--offset"),
        (("recompute", "--result", "other"), "--factors"),
        (("recompute", "--factors", "cn_park_910_2025", "--result", "a\tb"), "--result"),
        (("verify", "--from", "2026-05-02", "--to", "2026-05-01"), "--to"),
        (("recompute", "--from", "2026-13-01"), "--from"),
        (("gaps", "--to", "soon"), "--to"),
        (("compact", "--before", "soon"), "--before"),
        (("export", "--to", "made", "--tenant", "nobody"), "--tenant"),
        (("export", "--to", "made", "--from", "2026-05-02", "--until", "2026-05-01"), "--until"),
        (("report", "--to", "made", "--of", "2026-13"), "--of"),
        (("report", "--to", "made", "--of", "2030"), "--of"),
        (("report", "--to", "made", "--of", "2026-05", "--tenant", "nobody"), "--tenant"),
        (("quarantine", "show", "9" * 30), "ID"),
    ],
)
def test_what_the_store_does_not_have_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], option: str
):
    before = content(folder)
    status, out, error = told(capsys, *words, "--store", "sqlite:///cloud.db")
    assert (status, out) == (2, "") and f"error[usage.value]: {option} is " in error
    assert content(folder) == before


@pytest.mark.parametrize(
    ("verb", "line"),
    [
        ("verify", "no journal in this store"),
        ("gaps", "no journal in this store"),
        ("recompute", "0 intervals equal, 0 differ, 0 unproven\nnone with cn_park_910_2025"),
        ("quarantine list", "nothing in quarantine of this store"),
        ("quarantine replay", "0 of 0 stored, 0 stay in quarantine"),
        ("compact", "0 polls compacted"),
        ("export", "made: 0 files, 0 rows"),
    ],
)
def test_an_empty_store_is_said_to_be_empty(
    folder: Path, capsys: pytest.CaptureFixture[str], verb: str, line: str
):
    words = (*verb.split(), "--store", "sqlite:///empty.db", *VERBS[verb])
    status, out, error = told(capsys, *words)
    assert (status, error) == (0, "") and out.startswith(line)
    status, out, error = told(capsys, *words, "--json")
    assert (status, error) == (0, "") and all(json.loads(row) for row in out.splitlines())
