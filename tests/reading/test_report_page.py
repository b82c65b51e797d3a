"""The page of a report stands alone; the register says what is proved."""

import csv
import io
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from cloud_sync.reports.labels import KIND_LABELS, kinds, words
from cloud_sync.reports.render import seconds, tonnes, write_table
from edge.__main__ import main
from edge.core.carbon.streams import KINDS

from . import park, revised
from .test_reports import report


class Page(HTMLParser):
    """Ids, links and tags of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        given = dict(attrs)
        self.ids += [given["id"]] if given.get("id") else []
        self.links += [given["href"]] if tag == "a" and given.get("href") else []
        self.fetched += [value for name in ("src", "srcset") if (value := given.get(name))]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_stands_alone_and_every_figure_leads_to_its_explanation(
    cloud: Path, tmp_path: Path, capsys, language: str
):
    site = tmp_path / "gateway.toml"
    site.write_bytes(park.SITE_FILE)
    options = ["--to", str(tmp_path), "--lang", language, "--config", str(site)]
    document = report(cloud, capsys, "2026-11", *options)
    text = (tmp_path / "report.html").read_text("utf-8")
    page = Page(text)
    assert not page.tags & {"script", "link", "img", "iframe"} and page.fetched == []
    cells = [c for s in document["streams"] for c in s["cells"] if c["explanation"]]
    targets = [link[1:] for link in page.links]
    assert len(targets) == len(cells) == len(set(targets)) > 30
    assert all(link.startswith("#") for link in page.links) and set(targets) <= set(page.ids)
    assert all(kinds(language)[stream["kind"]] in text for stream in document["streams"])
    assert words(language)["title"] in text and "<b>energy office</b>" not in text
    assert tonnes(document["scope2_mg"]) in text
    assert (">万吨<" in text) == (language == "zh")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "figures.csv").read_text("utf-8-sig"))))
    assert {row["explanation"] for row in rows} == {f"report.html#{name}" for name in targets}
    assert sum(int(r["emission_mg"]) for r in rows if r["scope"] == "2") == document["scope2_mg"]


@pytest.mark.parametrize("place", ["cloud", "url"])
def test_a_result_of_other_factors_is_shown_beside_what_was_recorded(
    request: pytest.FixtureRequest, tmp_path: Path, place: str, capsys
):
    found = request.getfixturevalue(place)
    store = f"sqlite:///{found}" if place == "cloud" else found
    asked = ["report", "--store", store, "--tenant", park.TENANT, "--of", "2026-11", "--json"]
    assert main([*asked, "--to", str(tmp_path)]) == 0
    document = json.loads(capsys.readouterr().out)
    (told,) = document["results"]
    assert (told["result"], told["unknown"]) == (revised.NAME, 0) and told["intervals"] > 300
    assert told["recorded_scope1_mg"] == told["scope1_mg"] == document["scope1_mg"]
    assert told["recorded_scope2_mg"] == document["scope2_mg"]
    (grid,) = (one for one in document["streams"] if one["stream"] == "grid_import")
    # The set's electricity is two thirds; each end of the period is rounded.
    assert abs(3 * (told["recorded_scope2_mg"] - told["scope2_mg"]) - grid["emission_mg"]) <= 3
    assert revised.NAME in (tmp_path / "report.html").read_text("utf-8")
    text = (tmp_path / "results.csv").read_text("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(text))
    assert int(row["scope2_mg"]) == told["scope2_mg"] and row["basis"] == document["basis"]


def test_every_kind_has_a_name_and_units_are_plain():
    assert set(KIND_LABELS) == set(KINDS)
    assert [seconds(ms) for ms in (450_000, 1_500, 5)] == ["450 s", "1.5 s", "0.005 s"]


def test_a_spreadsheet_computes_nothing_of_a_table():
    cells = ["=1+1", "+1", "@x", "-1+1", "-2", "-0.5", "\tx", "gw-1", 7, None]
    (row,) = csv.reader(io.StringIO(write_table(iter([cells])).removeprefix("\ufeff")))
    kept = ["-2", "-0.5", "gw-1", "7", ""]
    assert row == ["'=1+1", "'+1", "'@x", "'-1+1", *kept[:2], "'\tx", *kept[2:]]


def test_the_register_says_what_was_stated_and_whether_that_is_proved(
    cloud: Path, tmp_path: Path, capsys
):
    site = tmp_path / "gateway.toml"
    site.write_bytes(park.SITE_FILE)
    rows = report(cloud, capsys, "2026-11", "--config", str(site))["register"]
    by_name = {(row["gateway"], row["instrument"]): row for row in rows}
    grid = by_name["gw-mill", "grid"]
    assert (grid["accuracy_class"], grid["calibration_due"]) == ("0.5S", "2026-11-01")
    assert grid["poll_ms"] == 450_000 and grid["proof"]["record"] == 1
    assert by_name["gw-boiler", "stack"]["location"] == "" and len(rows) == 8
    site.write_bytes(park.SITE_FILE.replace(b"0.5S", b"0.2S"))
    rows = report(cloud, capsys, "2026-11", "--config", str(site))["register"]
    changed = next(row for row in rows if row["instrument"] == "grid")
    assert changed["accuracy_class"] == "0.2S" and changed["proof"] is None
