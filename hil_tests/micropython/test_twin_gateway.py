"""One plan, two interpreters, the same bytes; and what the gateway takes of an ESP32's heap."""

from pathlib import Path

import pytest

from edge.app.service import read_settings
from edge.core.journal.record import Kind
from hil_tests.micropython.programs.twin_gateway import HOUR_MS
from hil_tests.micropython.twins import (
    RECORDS_MAX,
    run_in_device,
    run_on_cpython,
    said,
    settings_of,
    twin_of_settings,
    twin_plan,
)
from hil_tests.witness import decode_entry
from tests.unit.test_docs_configs import gateway_texts, place_site

pytestmark = pytest.mark.system

HOURS = 2
#: Code included, as it is loaded from .mpy files.
HEAP_BYTES = 264 * 1024
LIVE_BYTES_MAX = 36 * 1024
#: All rooms of carbon at once, and a plan that names every one of them.
EXAMPLE_HEAP_BYTES = 420 * 1024


def test_micropython_makes_the_bytes_that_cpython_makes(tmp_path: Path) -> None:
    settings = settings_of(twin_plan())
    last = run_in_device(tmp_path, settings, HOURS, HEAP_BYTES)
    assert last["reason"] == "finished", last
    made = said(last, "made")
    assert made == run_on_cpython(settings, HOURS)
    kinds = {line.split(":")[0] for line in made if line.startswith("kind")}
    wanted = (Kind.TABLE, Kind.POLL, Kind.INTERVAL, Kind.EVENT, Kind.CLOCK)
    assert kinds == {f"kind {kind}" for kind in wanted}
    assert int(made[-1].split()[1]) > 60 * HOURS  # batches
    live = [int(line) for line in said(last, "live")]
    assert len(live) == HOURS and live[-1] - live[0] < 1024 and max(live) < LIVE_BYTES_MAX


def test_every_form_of_record_is_the_same_on_both(tmp_path: Path) -> None:
    """The documented example: stacks, tariffs, standard coal, windows, facts, swaps, two buses."""
    place_site(tmp_path, gateway_texts()[0])
    settings, _ = read_settings(tmp_path / "gateway.toml")
    assert settings.tariffs and settings.swaps and settings.facts and settings.windows
    # As often as the example polls makes more of the same, and costs a minute.
    settings.devices = [device._replace(poll_ms=120_000) for device in settings.devices]
    last = run_in_device(tmp_path, settings, HOURS, EXAMPLE_HEAP_BYTES)
    assert last["reason"] == "finished", last
    twin = twin_of_settings(settings, RECORDS_MAX)
    twin.run(HOURS * HOUR_MS, lambda: None)
    assert said(last, "made") == twin.lines()
    body = decode_entry(twin.store.last_of_kind(Kind.INTERVAL) or b"").body
    figures = {stream[0]: stream for stream in body[2]}
    assert len(figures) == len(settings.streams) >= 10
    assert {len(stream) for stream in figures.values()} > {11}, (
        "stacks, tariffs and coal add theirs"
    )


def test_another_figure_is_seen() -> None:
    """What the comparison is worth: one register's rate, and every digest after it differs."""
    plan = twin_plan()
    before = run_on_cpython(settings_of(plan), 1)
    plan["profiles"]["meter"]["points"][0]["scale"] = "0.02"
    after = run_on_cpython(settings_of(plan), 1)
    same = {line.split(":")[0] for line in set(before) & set(after)}
    assert same <= {f"kind {Kind.CLOCK}", f"kind {Kind.EVENT}"}
