"""Evidence out of a store, and its proof by a file that was copied away."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cloud_sync.evidence import plan_span, write_evidence
from cloud_sync.raw import Period, find_journals
from cloud_sync.verifier import verify
from edge.core.errors import StoreError
from edge.core.journal.record import Kind
from edge.core.journal.retain import Tombstone

from .receiver_journal import GATEWAY, KEY, START_MS, TENANT, TOPIC, Journal, World, factory
from .source_tree import ROOT

VERIFIER = ROOT / "cloud_sync" / "verifier.py"


def stored(path: Path, *payloads: bytes) -> World:
    world = World(path)
    for payload in payloads:
        world.receiver.receive(TOPIC, payload)
    return world


def evidence_of(world: World, period: Period) -> tuple[tuple[int, int], list[dict], dict]:
    """(span, lines, verdict) of the first journal's evidence."""
    journal = find_journals(world.store)[0]
    span = plan_span(world.store, journal, period)
    assert span is not None
    out = io.BytesIO()
    write_evidence(world.store, [(journal, span, KEY)], out)
    (found,) = verify(io.BytesIO(out.getvalue()), KEY)
    return span, [json.loads(line) for line in out.getvalue().splitlines()], found


def run(*words: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *(str(word) for word in words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd)


def test_a_period_is_its_records_chained_to_the_one_before(tmp_path: Path):
    journal = factory(polls=20)
    world = stored(tmp_path / "cloud.db", journal.batch(0, len(journal.records) - 1))
    span, lines, found = evidence_of(world, Period(START_MS + 5_000, START_MS + 9_000))
    assert span == (5, 8) and found["status"] == "proven" and found["sealed"]
    assert lines[1] == {"from": 5, "hash": journal.hashes[4].hex()}
    assert found["head"] == journal.hashes[8].hex()
    journal_row = find_journals(world.store)[0]
    assert plan_span(world.store, journal_row, Period(START_MS - 2, START_MS - 1)) is None


def test_what_has_not_arrived_is_named_missing(tmp_path: Path):
    journal = factory(polls=20)
    parts = [journal.batch(first, last) for first, last in ((0, 4), (8, 9), (12, 15))]
    _, _, found = evidence_of(stored(tmp_path / "cloud.db", *parts), Period())
    assert (found["status"], found["missing"]) == ("incomplete", [[5, 7], [10, 11]])


def with_loss(inside: tuple[int, int] | None) -> tuple[Journal, list[bytes]]:
    """A journal whose records 5..9 are gone; some of them had been sent before."""
    journal = factory(polls=20)
    tomb = Tombstone(5, 9, "dropped", 1, 2, 5, journal.hashes[4], journal.hashes[9])
    seq = journal.append(Kind.TOMBSTONE, list(tomb))
    sent = [journal.batch(0, 4)] + ([journal.batch(*inside)] if inside else [])
    return journal, [*sent, journal.batch(10, seq)]


@pytest.mark.parametrize(
    ("inside", "lost", "unproven"), [(None, 5, 0), ((6, 7), 3, 1), ((5, 6), 3, 0), ((8, 9), 3, 1)]
)
def test_a_removed_range_is_lost_with_its_tombstone(tmp_path: Path, inside, lost, unproven):
    journal, payloads = with_loss(inside)
    world = stored(tmp_path / "cloud.db", *payloads)
    last = len(journal.records) - 1
    span, _, found = evidence_of(world, Period(START_MS + 3_000, START_MS + 12_000))
    assert span == (3, last), "as far as the record that explains the hole"
    for period in (Period(), Period(START_MS + 3_000, START_MS + 12_000)):
        _, _, found = evidence_of(world, period)
        assert (found["status"], found["lost"]) == ("proven", lost)
        assert found["unproven"] == unproven


def test_a_tombstone_that_does_not_fit_the_chain_breaks_it(tmp_path: Path):
    journal = factory(polls=20)
    before, after = journal.hashes[4], journal.hashes[9]
    for wrong in ((bytes(32), after), (before, bytes(32))):
        other = factory(polls=20)
        seq = other.append(Kind.TOMBSTONE, [5, 9, "dropped", 1, 2, 5, *wrong])
        path = tmp_path / f"{wrong[0].hex()[:4]}.db"
        _, _, found = evidence_of(stored(path, other.batch(0, 4), other.batch(10, seq)), Period())
        assert (found["status"], found["code"]) == ("broken", "tombstone")


def test_the_copied_verifier_proves_with_nothing_but_python(tmp_path: Path):
    journal = factory(polls=20)
    last = len(journal.records) - 1
    path = tmp_path / "cloud.db"
    stored(path, journal.batch(0, last)).store.close()
    keys, key = tmp_path / "keys.toml", tmp_path / "device.key"
    keys.write_text(f'[{TENANT}.{GATEWAY}]\nkey = "{KEY.hex()}"\n')
    key.write_text(KEY.hex().upper() + "\n")
    for secret in (keys, key):
        secret.chmod(0o600)
    made = run("-m", "edge", "evidence", "--store", f"sqlite:///{path}", "--gateway", GATEWAY)
    assert made.returncode == 2 and "--out" in made.stderr
    command = ["-m", "edge", "evidence", "--store", f"sqlite:///{path}", "--gateway", GATEWAY]
    for name in ("plain.ndjson", "packed.ndjson.gz"):
        made = run(*command, "--out", tmp_path / name, "--keys", keys, "--json")
        assert made.returncode == 0, made.stderr
        assert json.loads(made.stdout)["records"] == last + 1
    away = tmp_path / "auditor"
    away.mkdir()
    shutil.copy(VERIFIER, away / "check.py")
    alone = ["-I", "-S", "check.py", "../packed.ndjson.gz", "--key-file", key, "--json"]
    done = run(*alone, "--head", last, journal.hashes[last].hex(), cwd=away)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "proven" and json.loads(done.stdout)["sealed"]
    verify = ["-m", "edge", "verify", "--evidence", tmp_path / "plain.ndjson", "--key-file", key]
    ours = run(*verify, "--head", f"{last}:{journal.hashes[last].hex()}")
    assert ours.returncode == 0 and "PROVEN" in ours.stdout
    ours = run(*verify, "--head", f"{last}:{bytes(32).hex()}")
    assert ours.returncode == 65 and f"record {last} is not the one noted" in ours.stdout

    data = (tmp_path / "plain.ndjson").read_bytes().splitlines(keepends=True)
    damaged = tmp_path / "damaged.ndjson"
    damaged.write_bytes(b"".join(data[:9] + data[10:]))
    done = run("-I", "check.py", damaged, "--lang", "zh", cwd=away)
    assert done.returncode == 65 and "记录 7 的位置上是另一条记录" in done.stdout
    assert run("-m", "edge", "verify", "--evidence", damaged).returncode == 65
    assert run("-I", "check.py", "nothing.ndjson", cwd=away).returncode == 74
    wrong = [("--head", *words) for words in (("x", "00"), (last, "no hash"), (last, "ab" * 31))]
    (tmp_path / "no.key").write_text("no key")
    for words in ((), *((damaged, *words) for words in (*wrong, ("--key-file", "../no.key")))):
        done = run("-I", "check.py", *words, cwd=away)
        assert done.returncode == 2 and "Traceback" not in done.stderr and done.stdout == ""
    assert "64 hexadecimal digits" in done.stderr
    (tmp_path / "no.gz").write_bytes(b"no gzip")
    assert run("-I", "check.py", tmp_path / "no.gz", cwd=away).returncode == 74
    done = run("-m", "edge", "verify", "--evidence", tmp_path / "no.gz")
    assert done.returncode == 74 and "cloud.file" in done.stderr


def test_a_period_of_a_store_is_verified_alone(tmp_path: Path):
    journal = factory(polls=20)
    path = tmp_path / "cloud.db"
    world = stored(path, journal.batch(0, len(journal.records) - 1))
    world.query("UPDATE records SET body = x'00' WHERE seq = 5")
    world.store.close()
    for since, until, status in (("05", "08", 65), ("06", "08", 0), ("00", "05", 0)):
        day = "2026-05-28T20:26:"
        done = run(
            *("-m", "edge", "verify", "--store", f"sqlite:///{path}", "--json"),
            *("--from", f"{day}{int(since) + 40}Z", "--to", f"{day}{int(until) + 40}Z"),
        )
        assert done.returncode == status, done.stdout + done.stderr
        assert json.loads(done.stdout)["broken"] == (5 if status else None)
        assert json.loads(done.stdout)["records"] == int(until) - int(since)


def test_wrong_uses_are_refused_plainly(tmp_path: Path):
    path = tmp_path / "cloud.db"
    stored(path, factory(polls=2).batch(0, 3)).store.close()
    store = ("--store", f"sqlite:///{path}")
    out = ("--out", tmp_path / "e.ndjson")
    for words in (
        ("verify",),
        ("verify", *store, "--evidence", "x"),
        ("verify", *store, "--key-file", "x"),
        ("verify", *store, "--head", "x"),
        ("verify", "--evidence", "x", "--head", "7:abcd"),
        ("verify", "--evidence", "x", "--from", "2026-01-01"),
        ("verify", *store, "--from", "soon"),
        ("verify", *store, "--from", "2026-01-02", "--to", "2026-01-01"),
        ("evidence", *store, "--gateway", "gw-9", *out),
        ("evidence", *store, "--gateway", GATEWAY, "--to", "2020-01-01", *out),
    ):
        done = run("-m", "edge", *words)
        assert done.returncode == 2 and "error[usage.value]" in done.stderr, done.stderr
    assert not (tmp_path / "e.ndjson").exists()
    done = run(
        *("-m", "edge", "evidence", *store, "--gateway", GATEWAY),
        *("--out", tmp_path / "nowhere" / "e.ndjson"),
    )
    assert done.returncode == 74 and "error[cloud.file]" in done.stderr
    assert StoreError("cloud.file", file="x", reason="y").code == "cloud.file"
