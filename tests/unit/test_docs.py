"""The documentation says what is: links, commands, tables and parts made from code.

`python -m tests.unit.test_docs` writes the parts that are made from code. The configurations in
the pages are tried by test_docs_configs, queries and programs by test_docs_runs, the worked
example of the wire contract by test_docs_golden.
"""

import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from edge.__main__ import VERBS
from edge.app.uploader import RECORDS_MAX as SENT_RECORDS_MAX
from edge.core.carbon.streams import KINDS
from edge.core.errors.table import TABLE
from edge.core.numbers import pack
from edge.core.numbers.quality import NAMES as QUALITIES
from edge.core.sync import ack, batch, columns, patience, uplink

from .docs_text import (
    DOCS,
    PAGES,
    REGENERATE,
    WRITERS,
    blocks,
    cells,
    cells_under,
    generated_parts,
    regenerate,
    slugs,
)
from .source_tree import ROOT

CONTRACT = DOCS / "contract" / "batch.md"
PATH = re.compile(r"`((?:edge|cloud_sync|boards|hil_tests|tests|docs)/[\w./-]+)`")
#: Without the list of verbs, which is as long as it is.
README_LINES_MAX = 80
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`((?:api|bus|cloud|device|config|usage|data|store|sync|demo)\.[a-z_]+)`")
#: Codes of events that are no errors, and what only looks like a code.
EVENTS = ("device.recovered", "store.recovered", "device.point", "demo.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_resolves(page: Path):
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.S)
    for target in LINK.findall(text):
        path, _, anchor = target.partition("#")
        if "://" in path:
            continue
        found = page.parent / path if path else page
        assert found.exists(), target
        if anchor:
            assert anchor in slugs(found), target


def test_every_path_of_the_tree_that_is_named_exists():
    for page in PAGES:
        named = set(PATH.findall(page.read_text("utf-8")))
        assert [path for path in named if not (ROOT / path).exists()] == [], page


def test_readme_stays_short():
    text = (ROOT / "README.md").read_text("utf-8")
    lines = re.sub(r"<!-- generated.*?<!-- end -->", "", text, flags=re.S).splitlines()
    assert len(lines) <= README_LINES_MAX


def commands() -> list[tuple[str, list[str]]]:
    """(page, words) of every command line of ours in a sh block."""
    found = []
    for block in blocks("sh"):
        for line in block.text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0] in ("carbontally", "./run"):
                found.append((block.page.name, words))
    return found


@cache
def help_of(*command: str) -> str:
    environment = {**os.environ, "COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"}
    environment.pop("FORCE_COLOR", None)
    run = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    return run.stdout


def test_every_command_line_has_a_verb_and_options_that_its_help_knows():
    run_verbs = set(re.findall(r"^  ([a-z]+) {2}", help_of("./run", "help"), re.M))
    assert {"demo", "test"} <= run_verbs
    assert len(commands()) > 5
    for page, (program, verb, *rest) in commands():
        known = run_verbs | set(VERBS) if program == "./run" else set(VERBS)
        assert verb in known, (page, verb)
        if verb not in VERBS:
            continue
        text = help_of(sys.executable, "-m", "edge", verb, "--help")
        options = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text))
        for word in rest:
            assert not word.startswith("-") or word.partition("=")[0] in options, (page, word)


def test_the_options_of_the_emulator_are_those_of_its_help():
    said = {row[0].strip("`").split()[0] for row in cells_under(DOCS / "emulator.md", "Start it")}
    text = help_of(sys.executable, "-m", "edge", "emulate", "--help")
    assert said == set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)) - {"--help"}


@pytest.mark.parametrize("page, name, text", generated_parts(), ids=lambda part: str(part)[-20:])
def test_a_generated_part_is_what_the_code_makes(page: Path, name: str, text: str):
    assert text == WRITERS[name](), f"{page.relative_to(ROOT)}: run {REGENERATE}"


def test_every_writer_has_its_place():
    assert sorted(name for _, name, _ in generated_parts()) == sorted(WRITERS)


def test_every_code_in_the_text_is_in_the_table():
    known = {*TABLE, *EVENTS}
    for page in PAGES:
        assert set(CODE.findall(page.read_text("utf-8"))) <= known, page


def test_the_table_of_stream_kinds_is_that_of_the_account():
    rows = {row[0].strip("`"): row[1:5] for row in cells(DOCS / "gateway.md", "kinds")}
    assert rows == {name: [str(part) for part in meaning] for name, meaning in KINDS.items()}


def test_the_table_of_qualities_is_that_of_the_records():
    rows = [(int(row[0]), row[1].strip("`")) for row in cells(CONTRACT, "qualities")]
    assert rows == list(enumerate(QUALITIES))


def test_the_limits_of_the_contract_are_those_of_the_code():
    assert [int(row[1]) for row in cells(CONTRACT, "limits")] == [
        batch.PAYLOAD_MAX_BYTES,
        batch.ITEMS_MAX,
        columns.RECORDS_MAX,
        SENT_RECORDS_MAX,
        uplink.WINDOW,
        patience.RETRY_FIRST_MS,
        patience.RETRY_MIN_MS,
        patience.RETRY_MAX_MS,
        ack.PAYLOAD_MAX_BYTES,
        ack.GAPS_MAX,
        pack.DEPTH_MAX,
    ]


if __name__ == "__main__":
    regenerate()
