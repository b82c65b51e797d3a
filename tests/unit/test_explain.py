"""`carbontally explain` on a journal and on a store, as a verifier types it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge.core.carbon.account import Accountant
from edge.core.journal import chain
from edge.core.journal.record import Kind, encode_record
from edge.ports.linux.sqlite_store import SqliteStore
from tests.core.test_trail import T0, journal, site

from .receiver_journal import GATEWAY, TENANT, TOPIC, Journal, World
from .source_tree import ROOT


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run in both files: a glitch, then a steady meter, two intervals."""
    path = tmp_path_factory.mktemp("explain")
    records = journal([13_423_700] * 20 + [0] + [13_423_800 + at for at in range(90)])
    store = SqliteStore(path / "journal.db", GATEWAY)
    link = chain.Chain(0, chain.genesis(GATEWAY, store.epoch))
    rows = [(r.seq, r.kind, encode_record(r)) for r in records]
    store.append([(*row, link.extend(row[2])) for row in rows])
    store.close()
    cloud = Journal()
    for record in records:
        cloud.append(record.kind, record.body, record.wall_ms)
    world = World(path / "cloud.db")
    world.receiver.receive(TOPIC, cloud.batch(0, len(records) - 1))
    assert world.count("intervals") == 2 and world.count("alarms") == 0
    world.store.close()
    return path


def explain(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge", "explain", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def in_store(folder: Path) -> tuple[str, ...]:
    return "--store", f"sqlite:///{folder / 'cloud.db'}", "--gateway", f"{TENANT}/{GATEWAY}"


def test_a_journal_and_its_copy_in_the_cloud_tell_the_same(folder: Path):
    instant = "2027-01-15T08:00:30Z"
    assert T0 == 1_800_000_000_000, "which is 2027-01-15 08:00:00 UTC"
    told = []
    for source in (("--journal", str(folder / "journal.db")), in_store(folder)):
        done = explain(*source, "--stream", "grid", "--interval", instant, "--json")
        assert done.returncode == 0, done.stderr
        told.append(json.loads(done.stdout))
    for story in told:
        assert story["same"] and story["start"] == "2027-01-15T08:00:00.000Z"
        assert len(story["readings"]) == 60
        assert story["readings"][20] == {
            "record": 21,
            "time": "2027-01-15T08:00:20.000Z",
            "register": "0.000",
            "move": None,
            "events": ["data.backwards"],
        }
        assert story["count_start"]["shown"] == "13423.700"
        assert story["count_end"]["shown"] == "13423.838"
        assert story["activity"] == 138
        main, national = story["products"]
        assert main["mg_per_count"] == "832500000/1000000"
        assert main["emission_mg"] == round(13_423_838 * 832.5) - round(13_423_700 * 832.5)
        assert national["basis"] == "national"
    assert [s["readings"] for s in told[:1]] == [s["readings"] for s in told[1:]]


def test_the_text_leads_from_register_to_rounding(folder: Path):
    done = explain("--journal", str(folder / "journal.db"), "--stream", "grid")
    assert done.returncode == 0
    heads = [line.split()[0] for line in done.stdout.splitlines()]
    for head in ("reading", "count", "activity", "basis", "factor", "product", "figure"):
        assert head in heads, head
    assert done.stdout.splitlines()[-1].split() == ["verdict", "the", "same"]


def test_a_record_can_be_named_by_its_number(folder: Path):
    seqs = [r.seq for r in journal([0] * 111) if r.kind == Kind.INTERVAL]
    done = explain(*in_store(folder), "--stream", "half", "--interval", str(seqs[0]), "--json")
    story = json.loads(done.stdout)
    assert story["record"] == seqs[0] and story["parts"][0]["stream"] == "grid"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--stream", "grid"), "--journal"),
        (("--journal", "{}/journal.db", "--stream", "grdi"), "grid, half"),
        (("--journal", "{}/journal.db", "--stream", "grid", "--interval", "soon"), "soon"),
        (("--journal", "{}/journal.db", "--stream", "grid", "--interval", "9999"), "9999"),
        (("--store", "{}/cloud.db", "--stream", "grid"), "sqlite:///"),
        (("--store", "sqlite:///{}/cloud.db", "--gateway", "x", "--stream", "grid"), "--gateway"),
    ],
)
def test_what_cannot_be_explained_is_said(folder: Path, arguments: tuple[str, ...], named: str):
    done = explain(*(argument.format(folder) for argument in arguments))
    assert done.returncode == 2 and named in done.stderr


def test_a_file_that_is_no_journal_is_refused(folder: Path):
    (folder / "text").write_text("no database " * 100)
    for path in (folder / "text", folder / "absent", folder / "cloud.db"):
        done = explain("--journal", str(path), "--stream", "grid")
        assert done.returncode == 74, done.stderr


@pytest.mark.parametrize("keeps", [100, 4096, 8192])
def test_a_damaged_file_is_called_what_it_is(folder: Path, tmp_path: Path, keeps: int):
    """keeps: bytes at the beginning that are whole."""
    for name, option, code, status, wrong in (
        ("journal.db", "--journal", "store.", 74, "database"),
        ("cloud.db", "--store", "cloud.damaged]", 65, "journal"),
    ):
        data = (folder / name).read_bytes()
        damaged = tmp_path / "damaged.db"
        damaged.write_bytes(data[:keeps] + b"\xff" * (len(data) - keeps))
        place = f"sqlite:///{damaged}" if option == "--store" else str(damaged)
        done = explain(option, place, "--stream", "grid")
        happened = done.stderr.partition(str(damaged))[0]
        assert done.returncode == status and f"error[{code}" in happened, done.stderr
        assert wrong not in happened


def test_the_last_interval_is_the_one_that_ended_last(tmp_path: Path):
    world = World(tmp_path / "cloud.db")
    for epoch, shift_ms in ((b"epoch-01", 0), (b"epoch-02", 86_400_000)):
        cloud = Journal(epoch=epoch)
        for record in journal([13_423_700 + at for at in range(110)]):
            body = record.body
            if record.kind == Kind.INTERVAL:
                body = [body[0] - shift_ms, body[1] - shift_ms, *body[2:]]
            cloud.append(record.kind, body, record.wall_ms - shift_ms)
        world.receiver.receive(TOPIC, cloud.batch(0, len(cloud.records) - 1))
    assert world.count("intervals") == 4
    world.store.close()
    done = explain(*in_store(tmp_path), "--stream", "grid", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["end"] == "2027-01-15T08:02:00.000Z"


def silent(path: Path, read_s: int) -> Path:
    """A journal of 110 polls of a steady meter, of which those after `read_s` brought nothing."""
    account = Accountant(site(), 60_000)
    account.close(T0)
    store = SqliteStore(path / "journal.db", GATEWAY)
    link = chain.Chain(0, chain.genesis(GATEWAY, store.epoch))
    rows = []
    for record in journal([13_423_700] * 110):
        if record.kind == Kind.POLL:
            bad = {} if record.mono_ms < 1000 * read_s else {0: 3, 1: 3}
            values = [None, None] if bad else record.body[1]
            account.observe(4, 1, record.mono_ms, record.wall_ms, values, bad)
            flat = [item for at in bad for item in (at, bad[at])]
            record = record._replace(body=[4, values, flat, []])
        elif record.kind == Kind.INTERVAL:
            record = record._replace(body=account.close(record.body[1]))
        data = encode_record(record)
        rows.append((record.seq, record.kind, data, link.extend(data)))
    store.append(rows)
    store.close()
    return path / "journal.db"


@pytest.mark.parametrize("stream", ["grid", "half"])
def test_what_was_never_read_has_no_figure(tmp_path: Path, stream: str):
    file = str(silent(tmp_path, 0))
    done = explain("--journal", file, "--stream", stream)
    assert done.returncode == 0, done.stderr
    assert "no reading" in done.stdout and "NO FIGURE" in done.stdout
    assert "None" not in done.stdout and " 0.000" not in done.stdout
    assert "verdict    the same" not in done.stdout
    story = json.loads(explain("--journal", file, "--stream", stream, "--json").stdout)
    assert story["count_end"] is None and story["activity"] is None and story["same"] is None
    assert "no reading" in story["note"] and story["products"] == []


def test_an_interval_without_a_reading_says_so(tmp_path: Path):
    file = str(silent(tmp_path, 30))
    done = explain("--journal", file, "--stream", "grid")
    assert done.returncode == 0 and "no reading in the interval" in done.stdout
    story = json.loads(explain("--journal", file, "--stream", "grid", "--json").stdout)
    assert story["readings"] == [] and story["count_end"] == story["count_start"]
