"""How little is enough for what `build esp32` makes of the day: bounds that may only go down."""

import json

import pytest

from hil_tests.micropython.built import LEAN_HEAP_BYTES, START_HEAP_BYTES
from hil_tests.micropython.day import workload
from hil_tests.micropython.device import shim_bytes
from hil_tests.micropython.least import KIB, least_kib, run_starts
from hil_tests.micropython.told import chain, explained

pytestmark = pytest.mark.system

#: The aims of the project are 40 and 120 KiB.
CORE_BYTES = 22 * KIB
PROGRAM_BYTES = 96 * KIB
LIVE_BYTES_MAX = 64 * KIB
#: Each is followed by a step of the loop, most of them a look at the UART alone.
RESTS_OF_POLL = 18


def test_the_program_is_within_its_budget() -> None:
    told = workload().told
    assert told["core_bytes"] <= CORE_BYTES
    assert told["program_bytes"] <= PROGRAM_BYTES


def test_a_program_in_place_starts_and_goes_on_with_its_journal_in_so_much() -> None:
    last = run_starts(workload(), START_HEAP_BYTES // KIB)
    assert last["reason"] == "time", last
    assert " boot 2 " in last["lines"][0] and len(last["lines"]) == 1, last
    assert last["heap"]["live_bytes"] - shim_bytes() < LIVE_BYTES_MAX, last


def test_the_loop_rests_while_a_frame_comes() -> None:
    """Of 130 ms each, one poll every 500 ms: it sleeps 50 ms at most between two of them."""
    last = run_starts(workload(is_hurried=True), LEAN_HEAP_BYTES // KIB, until_ms=(120_000,))
    polls = last["serial"]["requests"]["answered"]
    assert polls == 240 and last["rests"] <= RESTS_OF_POLL * polls, last


@pytest.mark.parametrize("least", [68, 100, 508, 512])
def test_the_search_finds_the_least_that_works(least: int) -> None:
    tried: list[int] = []
    assert least_kib(lambda kib: tried.append(kib) or kib >= least) == least
    assert len(tried) <= 7


def test_what_a_device_says_is_told_in_the_names_of_the_sources() -> None:
    names = workload().out / "names.json"
    (short, meant), *_ = json.loads(names.read_text())["app"].items()
    line = f'  File "app", line 1, in {short}'
    assert explained(names, line).startswith(f"{line}  [{meant[0]}")


def test_of_a_name_of_many_what_the_caller_may_call_is_told() -> None:
    here = "hil_tests.micropython.told."
    outer, inner = [here + "explained", here + "_few"], [here + "chain", "edge.app.device.run"]
    assert chain([outer, inner]) == [outer[:1], inner[:1]]
    assert chain([outer, ["edge.nothing"]]) == [outer, ["edge.nothing"]], "rather too many"
