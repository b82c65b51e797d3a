"""Results of other factors: rows beside those that were recorded, which stay as they are."""

import json
from pathlib import Path

import pytest

from cloud_sync.recompute import Recomputer
from cloud_sync.results import ResultRows
from cloud_sync.revise import Revision, read_set
from cloud_sync.store.address import open_store

from .recorded_site import cloud_of, records_of, six_hours
from .test_recompute import revised_set, run
from .virtual_site import Site


@pytest.fixture(scope="module")
def site() -> Site:
    return six_hours()


def revised_rows(path: Path, *words: object) -> tuple[int, str, list[tuple]]:
    """What `recompute` with these words says, and the emissions of every result after it."""
    done = run("recompute", "--store", f"sqlite:///{path}", *words)
    store = open_store(path)
    rows = store.query(
        "SELECT result, seq, stream, basis, emission_mg, recorded_mg, factor_digest"
        " FROM v_result_emissions ORDER BY result, seq, stream, basis"
    )
    store.close()
    return done.returncode, done.stdout + done.stderr, rows


def test_a_result_of_other_factors_stands_beside_what_was_recorded(site: Site, tmp_path: Path):
    path, out = tmp_path / "cloud.db", tmp_path / "revised.ndjson"
    store, _ = cloud_of(path, records_of(site))
    tables = ("intervals", "interval_streams", "interval_emissions", "interval_bases", "records")
    before = [store.query(f"SELECT * FROM {table}") for table in tables]
    store.close()
    newer = ("--factors", revised_set(tmp_path, "0.5366"))
    status, told, rows = revised_rows(path, *newer, "--result", "2027 factors", "--out", out)
    assert status == 0 and "24 with cn_park_910_2025" in told and "2027 factors" in told
    expected = [
        ("2027 factors", line["seq"], one["stream"], one["basis"])
        + (one["emission_mg"], one["recorded_mg"], one["factor_digest"])
        for line in map(json.loads, out.read_text("utf-8").splitlines())
        for one in line["figures"]
    ]
    assert rows == sorted(expected) and len(rows) > 24
    store = open_store(path)
    assert [store.query(f"SELECT * FROM {table}") for table in tables] == before
    (sums,) = store.query(
        "SELECT count(*), sum(t.scope2_mg), sum(b.scope2_mg) FROM v_result_totals t"
        " JOIN v_bases b ON b.epoch = t.epoch AND b.seq = t.seq AND b.basis = t.basis"
        " WHERE t.basis <> 'national'"
    )
    assert sums[0] == 24 and 0 < sums[1] < sums[2]
    store.close()
    status, told, again = revised_rows(path, *newer, "--result", "2027 factors")
    assert status == 2 and "none is changed" in told and again == rows
    status, _, both = revised_rows(path, *newer, "--result", "other", "--from", "2026-01-01")
    assert status == 0 and {row[0] for row in both} == {"2027 factors", "other"}
    assert [row for row in both if row[0] == "2027 factors"] == rows


def test_a_result_that_was_not_ended_is_not_seen_and_made_anew(site: Site, tmp_path: Path):
    records = records_of(site)
    revision = Revision(read_set(str(revised_set(tmp_path, "0.5366"))))
    store, journal = cloud_of(tmp_path / "cloud.db", records)
    for is_ended in (False, True):
        rows = ResultRows(store, [journal], "cut", revision)
        for outcome in Recomputer(store, journal, revision.stream).run():
            rows.take(journal, outcome)
        if is_ended:
            rows.end(1)
        else:
            rows._flush()
        stored = store.query("SELECT count(*), count(DISTINCT seq) FROM result_emissions")
        assert stored[0][1] == 24
        seen = store.query("SELECT count(*) FROM v_result_emissions")
        assert seen == ([stored[0][:1]] if is_ended else [(0,)])
        assert store.query("SELECT count(*) FROM v_results") == [(int(is_ended),)]
    store.close()
