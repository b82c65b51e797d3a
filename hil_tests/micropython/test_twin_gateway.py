"""One plan, two interpreters, the same bytes; and what the gateway takes of an ESP32's heap."""

from pathlib import Path

import pytest

from edge.core.journal.record import Kind
from hil_tests.micropython.twins import run_in_device, run_on_cpython, said, twin_plan

pytestmark = pytest.mark.system

HOURS = 2
#: So many records a batch fit the memory of a board, see `docs/device_in_a_test.md`.
RECORDS_MAX = 8
#: Code included, as it is loaded from .mpy files; less is too little as things are.
HEAP_BYTES = 416 * 1024
LIVE_BYTES_MAX = 52 * 1024


def test_micropython_makes_the_bytes_that_cpython_makes(tmp_path: Path) -> None:
    plan = twin_plan(RECORDS_MAX)
    last = run_in_device(tmp_path, plan, HOURS, HEAP_BYTES)
    assert last["reason"] == "finished", last
    made = said(last, "made")
    assert made == run_on_cpython(plan, HOURS)
    kinds = {line.split(":")[0] for line in made if line.startswith("kind")}
    wanted = (Kind.TABLE, Kind.POLL, Kind.INTERVAL, Kind.EVENT, Kind.CLOCK)
    assert kinds == {f"kind {kind}" for kind in wanted}
    assert int(made[-1].split()[1]) > 60 * HOURS  # batches
    live = [int(line) for line in said(last, "live")]
    assert len(live) == HOURS and live[-1] - live[0] < 1024 and max(live) < LIVE_BYTES_MAX


def test_another_figure_is_seen() -> None:
    """What the comparison is worth: one register's rate, and every digest after it differs."""
    plan = twin_plan(RECORDS_MAX)
    before = run_on_cpython(plan, 1)
    plan["profiles"]["meter"]["points"][0]["scale"] = "0.02"
    after = run_on_cpython(plan, 1)
    same = {line.split(":")[0] for line in set(before) & set(after)}
    assert same <= {f"kind {Kind.CLOCK}", f"kind {Kind.EVENT}"}
