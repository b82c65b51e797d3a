"""Intervals computed again in the cloud: what a real gateway recorded comes out bit for bit."""

import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from cloud_sync.raw import ALWAYS, Period, find_journals
from cloud_sync.recompute import DIFFERS, EQUAL, UNPROVEN, Outcome, Recomputer
from cloud_sync.revise import SHIPPED, Revision, read_set
from edge.core.journal.record import Kind, Record, decode_record, encode_record
from edge.core.journal.retain import thin_polls

from .receiver_journal import TOPIC, World, factory
from .recorded_site import GATEWAY, STREAMS, cloud_of, records_of, six_hours
from .source_tree import ROOT
from .virtual_site import HOUR_MS, INTERVAL_MS, Site


@pytest.fixture(scope="module")
def site() -> Site:
    return six_hours()


def outcomes(path: Path, records: list[Record], *holes, period: Period = ALWAYS) -> list[Outcome]:
    store, journal = cloud_of(path, records, holes)
    try:
        return list(Recomputer(store, journal).run(period))
    finally:
        store.close()


def test_what_a_gateway_recorded_comes_out_bit_for_bit(site: Site, tmp_path: Path):
    found = outcomes(tmp_path / "cloud.db", records_of(site))
    assert len(found) == 6 * HOUR_MS // INTERVAL_MS == len(site.intervals())
    assert [one.status for one in found] == [EQUAL] * len(found), found[0].differences
    assert not any(one.lost or one.given or one.reason for one in found)
    entries = [entry for one in found for entry in one.record.body[2]]
    assert any(entry[7] & 4 for entry in entries), "a register was held"
    assert any(entry[7] & 1 for entry in entries), "a gap was caught up"
    assert len({entry[0] for entry in entries}) == len(STREAMS)


def test_a_period_computes_its_intervals_only(site: Site, tmp_path: Path):
    records = records_of(site)
    whole = outcomes(tmp_path / "a.db", records)
    start_ms = whole[4].record.body[1]
    period = Period(start_ms, start_ms + 2 * INTERVAL_MS)
    found = outcomes(tmp_path / "b.db", records, period=period)
    assert [one.record.seq for one in found] == [one.record.seq for one in whole[5:7]]
    assert {one.status for one in found} == {EQUAL}


def changed(records: list[Record], seq: int, change) -> list[Record]:
    """The records with the body of one changed; a gateway that lies, with an honest chain."""
    record = decode_record(encode_record(records[seq]))
    change(record.body)
    return [*records[:seq], record, *records[seq + 1 :]]


@pytest.mark.parametrize("field", range(1, 11))
def test_every_field_of_an_entry_that_is_wrong_is_named_with_both_figures(
    site: Site, tmp_path: Path, field: int
):
    records = records_of(site)
    seq = [record.seq for record in records if record.kind == Kind.INTERVAL][7]

    def lie(body: list) -> None:
        entry = body[2][0]
        entry[field] = [1] if isinstance(entry[field], list) else (entry[field] or 0) + 1

    found = outcomes(tmp_path / "cloud.db", changed(records, seq, lie))
    wrong = [one for one in found if one.status == DIFFERS]
    assert wrong[0].record.seq == seq and len(wrong) <= 2, "and it does not run on"
    honest = records[seq].body[2][0][field]
    names = [item.field for item in wrong[0].differences if item.stream == "grid"]
    assert len(names) == 1
    (difference,) = [item for item in wrong[0].differences if item.stream == "grid"]
    assert difference.computed == honest != difference.recorded


@pytest.mark.parametrize("total", range(8))
def test_every_total_that_is_wrong_is_named(site: Site, tmp_path: Path, total: int):
    records = records_of(site)
    seq = [record.seq for record in records if record.kind == Kind.INTERVAL][3]

    def lie(body: list) -> None:
        value = body[3][total]
        body[3][total] = [] if isinstance(value, list) else (value or 0) + 1

    (wrong,) = [
        one
        for one in outcomes(tmp_path / "cloud.db", changed(records, seq, lie))
        if one.status == DIFFERS
    ]
    assert [(item.stream, item.computed) for item in wrong.differences] == [
        ("", records[seq].body[3][total])
    ]


def test_a_poll_that_was_changed_changes_figures(site: Site, tmp_path: Path):
    records = records_of(site)
    last = [record.seq for record in records if record.kind == Kind.INTERVAL][2]
    seq = max(r.seq for r in records[:last] if r.kind == Kind.POLL and r.body[0] == 0)

    def lie(body: list) -> None:
        body[1][0] += 1

    found = outcomes(tmp_path / "cloud.db", changed(records, seq, lie))
    wrong = [one for one in found if one.status == DIFFERS]
    assert wrong[0].record.seq == last
    assert {"cumulative", "activity", "emission_mg", "others"} <= {
        item.field for item in wrong[0].differences
    }


def test_streams_that_do_not_say_their_inputs_are_not_proven(tmp_path: Path):
    """Definitions in the first form: there is nothing to compute from, and no claim is made."""
    journal = factory(polls=20)
    world = World(tmp_path / "cloud.db")
    world.receiver.receive(TOPIC, journal.batch(0, len(journal.records) - 1))
    (stored,) = find_journals(world.store)
    found = list(Recomputer(world.store, stored).run())
    world.store.close()
    assert len(found) == 2 and {one.status for one in found} == {UNPROVEN}
    assert {one.given for one in found} == {("grid",)}


def test_a_definition_longer_than_is_understood_is_taken_as_given(site: Site, tmp_path: Path):
    records = records_of(site)
    table = next(r for r in records if r.kind == Kind.TABLE and r.body[0][:3] == [3, 0, "grid"])

    def lengthen(body: list) -> None:
        body[0].append([["what is to come"]])

    found = outcomes(tmp_path / "cloud.db", changed(records, table.seq, lengthen))
    # The sums over it are given with it, and nothing is said to differ.
    assert {one.status for one in found} == {EQUAL}
    assert {one.given for one in found} == {("grid", "rest")}


def test_an_interval_whose_polls_have_not_arrived_is_unproven(site: Site, tmp_path: Path):
    records = records_of(site)
    seqs = [record.seq for record in records if record.kind == Kind.INTERVAL]
    hole = (seqs[4] + 1, seqs[5] - 1)
    found = outcomes(tmp_path / "cloud.db", records, hole)
    assert [one.status for one in found].count(UNPROVEN) == 1
    assert found[5].status == UNPROVEN and found[5].lost == hole[1] - hole[0] + 1
    assert found[5].differences and found[5].reason == "records of it are gone"


def test_thinned_polls_give_the_figures_of_their_interval(site: Site, tmp_path: Path):
    """Retention records what it keeps anew at the head; energy and carbon stay exact."""
    records = records_of(site)
    seqs = [record.seq for record in records if record.kind == Kind.INTERVAL]
    first, last = seqs[1] + 1, seqs[2] - 1
    gone = [record for record in records[first : last + 1] if record.kind == Kind.POLL]
    kept = thin_polls(gone, 900_000, {0: (0,), 1: (0,)})
    assert 0 < len(kept) < len(gone)
    again = [record._replace(seq=len(records) + at) for at, record in enumerate(kept)]
    found = outcomes(tmp_path / "cloud.db", records + again, (first, last))
    assert [one.status for one in found] == [EQUAL] * len(found)
    assert found[2].lost and not found[3].lost


def revised_set(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "newer.toml"
    shipped = (SHIPPED / "cn_park_910_2025.toml").read_text("utf-8")
    path.write_text(shipped.replace('value = "0.8325"', f'value = "{text}"'), "utf-8")
    return path


def test_another_factor_set_makes_another_result_of_the_same_activity(site: Site, tmp_path: Path):
    factors = read_set(str(revised_set(tmp_path, "0.5366")))
    revision = Revision(factors)
    store, journal = cloud_of(tmp_path / "cloud.db", records_of(site))
    found = list(Recomputer(store, journal, revision.stream).run())
    store.close()
    assert {one.status for one in found} == {EQUAL} and revision.kept == set()
    total, activity = 0, 0
    for one in found:
        streams, entries, totals = one.revised
        recorded = one.record.body[2]
        assert [entry[1:4] for entry in entries] == [entry[1:4] for entry in recorded]
        assert streams[0].factor_digest == factors.digest != one.streams[0].factor_digest
        assert totals[1] == entries[0][4]
        total += entries[0][4]
        activity += entries[0][3]
    # mg: the sum telescopes, so that only the two ends of the whole time are rounded.
    assert abs(total - Fraction("0.5366") * 1000 * activity) <= 1
    same = Revision(read_set("cn_park_910_2025"))
    store, journal = cloud_of(tmp_path / "same.db", records_of(site))
    for one in Recomputer(store, journal, same.stream).run():
        assert one.revised is not None
        assert [list(entry) for entry in one.revised[1]] == one.record.body[2]
        assert one.revised[2] == one.record.body[3]
    store.close()


def run(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge", *(str(word) for word in words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def test_the_command_lists_what_differs_and_never_writes_over_a_result(site: Site, tmp_path: Path):
    records = records_of(site)
    seqs = [record.seq for record in records if record.kind == Kind.INTERVAL]

    def lie(body: list) -> None:
        body[2][0][4] += 5

    store, _ = cloud_of(tmp_path / "cloud.db", changed(records, seqs[3], lie))
    store.close()
    path, out = f"sqlite:///{tmp_path / 'cloud.db'}", tmp_path / "revised.ndjson"
    done = run("recompute", "--store", path)
    assert done.returncode == 65, done.stderr
    honest = records[seqs[3]].body[2][0][4]
    assert f"  grid emission_mg: recorded {honest + 5}, computed {honest}" in done.stdout
    assert f"{len(seqs) - 1} intervals equal, 1 differ, 0 unproven" in done.stdout
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "edge", "recompute", "--store", path]
    terminal = {**os.environ, "TERM": "xterm"}
    shown = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=theirs, text=True, cwd=ROOT, env=terminal
    )
    os.close(theirs)
    bar = os.read(ours, 65_536)
    os.close(ours)
    assert shown.stdout == done.stdout and b"intervals" in bar, "a bar beside whole results"
    new = ("--factors", revised_set(tmp_path, "0.5366"), "--out", out)
    done = run("recompute", "--store", path, "--gateway", GATEWAY, "--json", *new)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 65 and [line["status"] for line in lines].count("equal") == 23
    assert all(len(figure["digests"][0]) in (0, 64) for figure in lines[0]["figures"])
    results = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert len(results) == 23 and seqs[3] not in {result["seq"] for result in results}
    figure = results[0]["figures"][0]
    assert figure["factor_digest"] == results[0]["set_digest"] != figure["recorded_digest"]
    assert figure["recorded_mg"] == records[seqs[0]].body[2][0][4] != figure["emission_mg"]
    before = out.read_bytes()
    done = run("recompute", "--store", path, *new)
    assert done.returncode == 74 and "error[cloud.file]" in done.stderr
    assert out.read_bytes() == before
    for words, code in (
        (("--factors", "cn_park_910_2025"), "usage.value"),
        (("--factors", "cn_park_911", "--out", tmp_path / "x"), "config.reference"),
        (("--gateway", "gw-9"), "usage.value"),
    ):
        done = run("recompute", "--store", path, *words)
        assert done.returncode in (2, 78) and f"error[{code}]" in done.stderr, done.stderr
