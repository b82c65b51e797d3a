"""The demonstration as a newcomer runs it, and a verdict that can fail."""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from hashlib import sha256

import msgpack
import pytest

from edge.core.errors import StoreError
from edge.core.errors.table import describe
from hil_tests.demo.verdict import reach_verdict, verdict_lines

TIMEOUT_S = 120


def run_demo(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "edge", "demo", *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )


def verdict_of(done):
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """One run of 20 s whose databases are kept."""
    folder = tmp_path_factory.mktemp("demo") / "kept"
    done = run_demo("--seconds", "20", "--plain", "--dir", str(folder))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return folder, done


@pytest.fixture
def copied(kept, tmp_path):
    """A copy of the kept run that a test may spoil."""
    folder = tmp_path / "copy"
    shutil.copytree(kept[0], folder)
    return folder


def spoil(path, statement, *values):
    with sqlite3.connect(path) as db:
        changed = db.execute(statement, values).rowcount
        db.commit()
    db.close()
    assert changed > 0, "the test spoilt nothing"


def test_plain_prints_a_line_a_second_and_the_verdict(kept):
    lines = kept[1].stdout.splitlines()
    assert sum("stations 7/7 good" in line for line in lines) >= 10
    assert any(line.startswith("verdict    HOLDS") for line in lines)
    assert any("lost 0  duplicated 0  wrong 0" in line for line in lines)


def test_the_sql_commands_it_prints_work(kept):
    commands = [line.strip() for line in kept[1].stdout.splitlines() if "sqlite3 " in line]
    assert len(commands) >= 2
    for command in commands[:2]:
        _, path, statement = command.split(" ", 2)
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            assert len(db.execute(statement.strip("'")).fetchall()) >= 3
        db.close()


def test_stack_grid_and_steam_all_emit(kept):
    verdict = reach_verdict(kept[0])
    emitted = {stream.name: stream.emission_mg for stream in verdict.streams}
    assert emitted["stack"] > 0 and emitted["grid_import"] > 0 and emitted["steam"] > 0
    assert emitted["pv"] == emitted["line1"] == 0
    assert all(stream.intervals >= 3 for stream in verdict.streams)


def test_a_reading_that_is_missing_in_the_cloud_is_lost(copied):
    spoil(
        copied / "cloud.db",
        "DELETE FROM polls WHERE seq = (SELECT max(seq) FROM polls WHERE device = 0)",
    )
    verdict = reach_verdict(copied)
    assert verdict.readings.lost > 0 and not verdict.holds


def test_a_reading_with_another_value_is_wrong(copied):
    spoil(
        copied / "cloud.db",
        "UPDATE polls SET mantissas = json_set(mantissas, '$[0]', (mantissas ->> 0) + 1)"
        " WHERE seq = (SELECT min(seq) FROM polls WHERE device = 1)",
    )
    verdict = reach_verdict(copied)
    assert verdict.readings.wrong > 0 and not verdict.holds


def test_a_point_that_the_gateway_says_it_has_not_read_is_neither_lost_nor_wrong(copied):
    before = reach_verdict(copied).readings
    spoil(
        copied / "cloud.db",
        "UPDATE polls SET mantissas = json_set(mantissas, '$[0]', NULL), qualities ="
        " (SELECT json_group_array(CASE key WHEN 0 THEN 3 ELSE 0 END) FROM json_each(mantissas))"
        " WHERE seq = (SELECT min(seq) FROM polls WHERE device = 1)",
    )
    after = reach_verdict(copied).readings
    assert (after.lost, after.wrong) == (0, 0)
    assert (after.stored, after.unread) == (before.stored - 1, before.unread + 1)


def test_a_reading_that_is_there_twice_is_duplicated(copied):
    spoil(
        copied / "cloud.db",
        "INSERT INTO polls SELECT journal, 100000, device, mantissas, qualities"
        " FROM polls WHERE seq = (SELECT max(seq) FROM polls WHERE device = 2)",
    )
    verdict = reach_verdict(copied)
    assert verdict.readings.duplicated > 0 and not verdict.holds


def test_a_record_with_another_byte_breaks_the_chain(copied):
    spoil(
        copied / "cloud.db", "UPDATE records SET body = CAST(body || x'00' AS BLOB) WHERE seq = 30"
    )
    verdict = reach_verdict(copied)
    assert verdict.records_altered == 1
    assert not verdict.chain_verified and not verdict.holds


def test_a_record_that_never_arrived_is_lost(copied):
    spoil(copied / "cloud.db", "DELETE FROM records WHERE seq = 30")
    assert reach_verdict(copied).records_lost == 1


@pytest.mark.parametrize("stream", ["grid_import", "stack", "steam"])
def test_a_carbon_figure_that_cannot_be_recomputed_is_wrong(copied, stream):
    spoil(
        copied / "cloud.db",
        "UPDATE interval_streams SET emission_mg = emission_mg + 1, cumulative = cumulative + 1"
        " WHERE stream = (SELECT number FROM streams WHERE name = ?)"
        " AND seq = (SELECT max(seq) FROM interval_streams)",
        stream,
    )
    verdict = reach_verdict(copied)
    assert verdict.wrong > 0 and not verdict.holds


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE interval_emissions SET emission_mg = emission_mg + 1 WHERE position = 2",
        "UPDATE interval_bases SET scope2_mg = scope2_mg + 1 WHERE basis = 'market'",
        "UPDATE interval_bases SET intensity_mg_per_kwh = 1 WHERE basis = 'national'",
        "UPDATE intervals SET scope1_mg = scope1_mg + 1",
        "UPDATE interval_streams SET activity = activity + 1"
        " WHERE stream = (SELECT number FROM streams WHERE name = 'rest')",
        "DELETE FROM streams WHERE name = 'stack'",
    ],
)
def test_every_basis_total_and_stream_is_judged(copied, change):
    spoil(copied / "cloud.db", change)
    assert sum(stream.wrong for stream in reach_verdict(copied).streams) > 0


def recomputed(folder):
    """(exit status, outcomes) of `recompute` with the gateway's own configuration."""
    done = subprocess.run(
        [sys.executable, "-m", "edge", "recompute", "--json"]
        + ["--store", f"sqlite:///{folder / 'cloud.db'}", "--config", folder / "gateway.toml"],
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def relink(path, seq):
    """Hashes from a record on as of a gateway that sent these bytes."""
    with sqlite3.connect(path) as db:
        ((digest,),) = db.execute("SELECT hash FROM records WHERE seq = ?", (seq - 1,))
        rows = db.execute(
            "SELECT seq, body FROM records WHERE seq >= ? ORDER BY seq", (seq,)
        ).fetchall()
        for number, body in rows:
            digest = sha256(digest + body).digest()
            db.execute("UPDATE records SET hash = ? WHERE seq = ?", (digest, number))
    db.close()


def test_the_cloud_computes_every_interval_again_bit_for_bit(copied):
    status, outcomes = recomputed(copied)
    assert status == 0 and len(outcomes) >= 3
    assert {(one["status"], tuple(one["given"])) for one in outcomes} == {("equal", ())}
    with sqlite3.connect(copied / "cloud.db") as db:
        ((body,),) = db.execute(
            "SELECT r.body FROM records r JOIN devices d ON d.name = 'stack' WHERE r.kind = 1"
            " AND r.seq = (SELECT seq FROM readings WHERE device = d.number LIMIT 1 OFFSET 50)"
        ).fetchall()
    db.close()
    fields = msgpack.unpackb(body)
    fields[6][1] = [None if value is None else value + 1 for value in fields[6][1]]
    spoil(
        copied / "cloud.db",
        "UPDATE records SET body = ? WHERE seq = ?",
        *(msgpack.packb(fields), fields[1]),
    )
    relink(copied / "cloud.db", fields[1])
    status, outcomes = recomputed(copied)
    wrong = [one for one in outcomes if one["status"] == "differs"]
    assert status == 65 and "stack" in {item["stream"] for item in wrong[0]["differences"]}
    # What the mass is made with is in the record: no configuration can change it.
    config = copied / "gateway.toml"
    config.write_text(re.sub(r'area_m2 = "[^"]*"', 'area_m2 = "7.5"', config.read_text()))
    assert recomputed(copied) == (65, outcomes)


def test_a_directory_in_use_and_impossible_options_are_refused(tmp_path):
    (tmp_path / "something").touch()
    for arguments in (
        ("--seconds", "5", "--dir", str(tmp_path)),
        ("--seconds", "5", "--outage", "--broker", "1883"),
        ("--seconds", "1"),
        ("--nonsense",),
    ):
        done = run_demo(*arguments)
        assert done.returncode == 2, arguments
        assert done.stdout == ""


@pytest.mark.parametrize("folder", ["/dev/null", "/dev/null/below", "/proc"])
def test_a_folder_that_cannot_be_used_is_named_in_one_line(folder):
    done = run_demo("--seconds", "5", "--plain", "--dir", folder)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error[usage.value]: --dir is {folder};")


def test_the_verdict_names_what_was_held_or_not_read(copied):
    assert reach_verdict(copied).doubts == []
    for name, flags in (("pv", 0), ("steam", 4)):
        spoil(
            copied / "cloud.db",
            "UPDATE interval_streams SET flags = ?, good = 0, expected = 5"
            " WHERE stream = (SELECT number FROM streams WHERE name = ?)",
            flags,
            name,
        )
    verdict = reach_verdict(copied)
    assert [doubt.split(" in ")[0] for doubt in verdict.doubts] == ["pv not read", "steam held"]
    line = verdict_lines(verdict, copied)[-1]
    assert "incomplete" in line and "steam held" in line
    assert verdict.as_object()["doubts"] == verdict.doubts


def test_a_ledger_that_cannot_be_read_is_named_and_there_is_no_verdict(copied):
    (copied / "ledger.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError) as caught:
        reach_verdict(copied)
    assert caught.value.code == "demo.unjudged"
    told = describe(caught.value)[0]
    assert "no verdict" in told and "ledger.db" in told and "journal" not in told.split(":")[0]
