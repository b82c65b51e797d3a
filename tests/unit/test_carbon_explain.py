"""What `explain` tells of stacks by whole hours and of factors by time."""

import io
import json
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from edge.__main__ import main
from edge.app.cli.explain import explain
from edge.core.carbon.interval import FIGURES
from edge.core.journal import chain
from edge.core.journal.record import Kind, encode_record
from edge.ports.linux.sqlite_store import SqliteStore

from .carbon_site import Works, eleven_hours, rows
from .recorded_site import cloud_of, records_of


@pytest.fixture(scope="module")
def works() -> Works:
    return eleven_hours()


def journal_of(works: Works, path: Path) -> Path:
    """The gateway's records in a file, as `explain` reads it."""
    store = SqliteStore(path / "journal.db", "gw-1")
    link = chain.Chain(0, chain.genesis("gw-1", store.epoch))
    rows = []
    for record in records_of(works):
        data = encode_record(record)
        rows.append((record.seq, record.kind, data, link.extend(data)))
    store.append(rows)
    store.close()
    return path / "journal.db"


def test_explain_computes_a_stack_again_and_tells_what_became_of_its_hours(works: Works, tmp_path):
    path = journal_of(works, tmp_path)
    seqs = [record.seq for record in records_of(works) if record.kind == Kind.INTERVAL]
    for at, seq in enumerate(seqs):
        done = explained(path, "boiler", seq)
        entry = works.entry("boiler", at)
        assert done["same"] and done["count_recomputed"] == entry[1], at
        valid = [row for row in done["figures"] if row["subject"] == "valid"]
        assert valid[0]["value"] == str(rows(entry[FIGURES], "hours")[("valid", "")])
    text = explained(path, "boiler", seqs[5], as_text=True)
    assert "told       samples D: 718 1" in text and "computed again" in text
    text = explained(path, "grid", seqs[3], as_text=True)
    assert "changes with time" in text and "verdict    the same" in text


def test_explain_sees_a_sum_by_tariff_that_is_not_the_emission(works: Works, tmp_path):
    path = journal_of(works, tmp_path)
    seqs = [record.seq for record in records_of(works) if record.kind == Kind.INTERVAL]
    done = explained(path, "grid", seqs[3])
    by_time = [product for product in done["products"] if product["by_time"]]
    assert [one["emission_mg"] for one in by_time] == works.entry("grid", 3)[9]


def explained(path: Path, stream: str, seq: int, as_text: bool = False):
    out = io.StringIO()
    with redirect_stdout(out):
        assert explain(stream, str(seq), path, json=not as_text) == 0
    return out.getvalue() if as_text else json.loads(out.getvalue())


def test_a_report_adds_intervals_up_where_two_counts_say_nothing(works: Works, tmp_path, capsys):
    store, _ = cloud_of(tmp_path / "cloud.db", records_of(works))
    store.close()
    asked = ["report", "--store", f"sqlite:///{tmp_path / 'cloud.db'}", "--tenant", "wuxi"]
    asked += ["--of", "2027-01", "--basis", "hourly"]
    assert main([*asked, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (grid,) = [one for one in told["streams"] if one["stream"] == "grid"]
    emitted = sum(works.entry("grid", at)[9][0] for at in range(len(works.intervals())))
    assert grid["same"] and grid["emission_mg"] == emitted
    runs = [
        run for cell in grid["cells"] if cell["explanation"] for run in cell["explanation"]["runs"]
    ]
    assert runs and all(run["mg_per_count"] is None for run in runs)
    assert main([*asked, "--to", str(tmp_path / "report")]) == 0
    (page,) = (tmp_path / "report").glob("*.html")
    assert "moves times the factor of their time" in page.read_text("utf-8")
