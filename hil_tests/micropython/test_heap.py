"""How little memory is enough for what `build esp32` makes: a bound that may only go down."""

from pathlib import Path

import pytest

from hil_tests.micropython.built import LEAN_HEAP_BYTES, board_with, built
from hil_tests.site import FACTORY

pytestmark = pytest.mark.system

LIVE_BYTES_MAX = 136 * 1024
RUN_MS = 12_000


def test_a_program_in_place_starts_and_goes_on_with_its_journal_in_so_much(tmp_path: Path):
    device = board_with(built(), tmp_path / "device", None, LEAN_HEAP_BYTES)
    meters = {str(station): {"counter": [1000, 1]} for _, station, _ in FACTORY}
    for boot in (1, 2):
        last = device.run(
            uarts={"2": {"de_pin": 4, "bus": {"meters": meters}}},
            clock={"virtual": True, "rtc_unix_ms": 1_800_000_000_000},
            stop_after_ms=RUN_MS,
            network={"up": False},
        )
        assert last["reason"] == "time", last
        assert f" boot {boot} " in last["lines"][0] and len(last["lines"]) == 1, last
        assert last["heap"]["live_bytes"] < LIVE_BYTES_MAX, last
