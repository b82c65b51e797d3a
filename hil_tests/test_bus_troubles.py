"""Faults F01 to F10 on the way from the registers to the poller: nothing wrong is ever good.

The emulator's ledger judges: a value that the poller calls good was served, by that station, in
a reply of that very poll.
"""

import pytest

from hil_tests.trouble_bus import Outcome, TroubleBus

UNPACED = "--unpaced"
TIMEOUT_MS = 60


def fault(text: str) -> str:
    return "".join(f"[[bus.fault]]\n{line}\n" for line in text.split(" | "))


def run(tmp_path, trouble: str, frames: int, *options: str, timeout_ms: int = TIMEOUT_MS):
    bus = TroubleBus(tmp_path, trouble, timeout_ms, *options)
    bus.run(frames)
    return bus.finish()


def check(outcome: Outcome, frames: int) -> None:
    print(outcome.frames, outcome.polls, outcome.good, sorted(outcome.codes), outcome.findings)
    assert outcome.wrong == []
    assert outcome.frames >= frames
    assert outcome.good > 0


@pytest.mark.parametrize(
    ("rate", "frames", "least"),
    [("0.000001", 800, 0.99), ("0.0001", 1100, 0.9), ("0.002", 150, 0.0)],
)
def test_f01_bit_errors(tmp_path, rate, frames, least):
    trouble = fault(f'bit_errors = {rate}\non = "reply" | bit_errors = {rate}\non = "request"')
    outcome = run(tmp_path, trouble.replace(" | ", "\n"), frames, UNPACED)
    check(outcome, frames)
    assert outcome.good >= least * 3 * outcome.polls


@pytest.mark.parametrize(
    "kind",
    ["drop = 1", "insert = 1", "swap = true", "leading_00 = 1", "trailing_ff = 1", "truncate = 4"],
)
def test_f02_bytes_lost_added_and_changed(tmp_path, kind):
    outcome = run(tmp_path, fault(f"{kind}\nprobability = 0.2"), 350, UNPACED)
    check(outcome, 350)
    assert outcome.good >= 0.75 * 3 * outcome.polls  # the retry brings back what is lost once


@pytest.mark.parametrize(
    "kind", ["wrong_station = 9", "wrong_function = 6", "wrong_count = 2", "wrong_byte_count = 9"]
)
def test_f03_another_answers(tmp_path, kind):
    check(run(tmp_path, fault(f"{kind}\nprobability = 0.3"), 150, UNPACED), 150)


def test_f03_two_devices_with_one_number_are_named_and_not_believed(tmp_path):
    twin = (
        '[[bus.station]]\nstation = 2\nname = "twin"\nprofile = "acrel_adw300"\n'
        "turnaround_ms = 40\ntwin = true\n"
    )
    outcome = run(tmp_path, twin, 120)
    assert "bus.two_answers" in outcome.findings
    # Before the second answer is heard nobody can know; after it nothing of station 2 is good.
    assert len(outcome.wrong) <= 6 and {wrong[0] for wrong in outcome.wrong} <= {2}
    assert outcome.good <= 3 * outcome.polls - 45


def test_f04_a_late_answer_never_passes_for_that_of_another_request(tmp_path):
    # Late by more than a machine may hold up the timeout itself: a reply in it is no late one.
    late = fault(f"late_ms = [{TIMEOUT_MS + 30}, {2 * TIMEOUT_MS}]\nprobability = 0.2")
    outcome = run(tmp_path, late, 700)
    check(outcome, 700)
    assert "bus.late" in outcome.findings


def test_f04_an_answer_held_back_until_the_next_request_never_passes_for_another(tmp_path):
    held = fault("after_next_ms = 1\nprobability = 0.1")
    check(run(tmp_path, held, 300), 300)


def test_f05_a_babbler_is_named_and_survived(tmp_path):
    outcome = run(tmp_path, fault("babble_s = 3\nstation = 3\nevery = 12"), 120)
    check(outcome, 100)
    assert "bus.noise" in outcome.codes


def test_f06_another_master_is_named(tmp_path):
    foreign = (
        "[[bus.foreign]]\nstation = 2\nfunction = 3\naddress = 20\ncount = 3\nevery_ms = 300\n"
    )
    bus = TroubleBus(tmp_path, foreign, TIMEOUT_MS)
    # Most of its requests collide with ours; one that is heard whole tells who it is.
    while "bus.foreign_master" not in bus.outcome.findings and bus.outcome.frames < 3000:
        bus.run(bus.outcome.frames + 100)
    outcome = bus.finish()
    check(outcome, 100)
    assert "bus.foreign_master" in outcome.findings


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6, 8, 10, 11])
def test_f07_each_exception_is_a_code_and_costs_no_timeout(tmp_path, number):
    outcome = run(tmp_path, fault(f"exception = {number}\nstation = 1"), 60, UNPACED)
    check(outcome, 60)
    assert any(code.startswith("device.") for code in outcome.codes)
    assert "bus.timeout" not in outcome.codes


def test_f08_an_adapter_that_goes_and_comes_back(tmp_path):
    outcome = run(tmp_path, fault("unplug_s = 0.3\nevery = 60"), 400)
    check(outcome, 300)
    assert "bus.port" in outcome.codes


def test_f09_an_echo_that_comes_and_goes(tmp_path):
    outcome = run(tmp_path, fault("echo = true\nprobability = 0.5"), 300)
    check(outcome, 300)
    assert "bus.echo" in outcome.findings
    assert outcome.good >= 0.95 * 3 * outcome.polls


def test_f10_a_counter_that_restarts_is_looked_at_twice(tmp_path):
    reboot = 'reboot_s = 0.2\nstation = 2\nevery = 40\ncounters = "restart"'
    check(run(tmp_path, fault(reboot), 300), 250)
