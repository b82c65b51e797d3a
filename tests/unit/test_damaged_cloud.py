"""A damaged SQLite file gives the figures of a sound one, or a coded error."""

import random
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from cloud_sync.raw import find_journals
from cloud_sync.recompute import EQUAL, UNPROVEN, Recomputer
from cloud_sync.store.compaction import compact
from cloud_sync.store.sqlite import SqliteStore
from edge.__main__ import main
from edge.core.errors import TallyError

from .recorded_site import cloud_of, records_of, six_hours
from .source_tree import ROOT

LATER_MS = 2**62

#: Places that are damaged, over all pages of the file.
PLACES = 150


@pytest.fixture(scope="module", params=["as it came", "compacted"])
def sound(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "cloud.db"
    store, _ = cloud_of(path, records_of(six_hours()))
    store.close()
    if request.param == "compacted":
        assert compact(path, LATER_MS) > 0
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    return path


def figures(path: Path) -> list[tuple]:
    """What each interval is, by the raw records."""
    store = SqliteStore(path, read_only=True)
    try:
        return [
            (journal.owner, journal.epoch, *outcome[:4], outcome.differences)
            for journal in find_journals(store)
            for outcome in Recomputer(store, journal).run()
        ]
    finally:
        store.close()


def test_recomputed_figures_are_those_of_the_sound_file_or_none(sound: Path, tmp_path: Path):
    wanted = figures(sound)
    assert wanted and {one[3] for one in wanted} == {EQUAL}
    kept = [one[:4] for one in wanted]
    image = sound.read_bytes()
    draw = random.Random(11)
    path = tmp_path / "cloud.db"
    refused: dict[str, int] = {}
    for number in range(PLACES):
        at = len(image) * number // PLACES + draw.randrange(4096)
        damaged = bytearray(image)
        for byte in range(at, min(at + draw.choice((1, 16, 512)), len(image))):
            damaged[byte] ^= draw.randrange(1, 256)
        path.write_bytes(damaged)
        try:
            found = figures(path)
        except TallyError as error:
            refused[error.code] = refused.get(error.code, 0) + 1
            continue
        # A record that is gone is counted, and may leave its interval unproven: no figure.
        strange = [one for one in found if one[3] == EQUAL and one[:4] not in kept]
        assert not strange, f"at byte {at}: {[one[2].seq for one in strange]}"
        assert all(one[3] in (EQUAL, UNPROVEN) for one in found), f"at byte {at}"
    assert refused.get("cloud.damaged", 0) > 10, refused


def test_the_verb_ends_with_the_error_and_its_status(sound: Path, tmp_path: Path):
    path = tmp_path / "cloud.db"
    shutil.copy(sound, path)
    with closing(sqlite3.connect(path)) as db:
        db.execute(
            "UPDATE polls SET mantissas = replace(mantissas, '1', '2')"
            " WHERE seq = (SELECT max(seq) FROM polls WHERE mantissas LIKE '%1%')"
        )
        db.execute("UPDATE records SET body = body || x'00' WHERE kind = 1 AND seq % 40 = 0")
        db.commit()
    for language, words in (("C", "damaged"), ("zh_CN.UTF-8", "损坏")):
        done = subprocess.run(
            [sys.executable, "-m", "edge", "recompute", "--store", f"sqlite:///{path}"],
            cwd=ROOT,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": language, "PYTHONUTF8": "1"},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 65 and "cloud.damaged" in done.stderr
        assert words in done.stderr and "verify" in done.stderr


@pytest.mark.parametrize("verb", ["compact", "verify", "gaps", "recompute", "report"])
def test_every_verb_says_the_same_of_a_damaged_schema(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str
):
    path = tmp_path / "cloud.db"
    data = bytearray(sound.read_bytes())
    page_bytes = int.from_bytes(data[16:18], "big")
    data[108:page_bytes] = b"\xff" * (page_bytes - 108)
    path.write_bytes(data)
    words = ("--of", "2026-11", "--to", str(tmp_path / "out")) if verb == "report" else ()
    assert main([verb, "--store", f"sqlite:///{path}", *words]) == 65
    assert "error[cloud.damaged]" in capsys.readouterr().err
    assert path.read_bytes() == data
