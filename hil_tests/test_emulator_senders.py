"""Senders that talk when they should not: late, twice, unasked, without end, over each other."""

import time
from fractions import Fraction
from pathlib import Path

from hil_tests.emulator.effects import Draft
from hil_tests.emulator.faults import Fault, Strike
from hil_tests.emulator.frame import encode_reply
from hil_tests.emulator.ledger import read_incidents, read_replies, read_unanswered
from hil_tests.emulator.noise import Noise
from hil_tests.emulator.talkers import ForeignMaster, ForeignSpec
from hil_tests.emulator.timing import plan_timing
from hil_tests.ptys import TtyMaster, read_request
from hil_tests.troubled_bus import GOOD, OTHER, OTHER_GOOD, REQUEST, listen, running, trouble
from tests.contract.brokers import wait_until

TWIN_GOOD = encode_reply(1, 3, b"\x0f\x0f" + bytes(6))


def answer_s(master: TtyMaster) -> float:
    """Seconds from a request to the end of its good answer."""
    begin_s = time.monotonic()
    assert master.ask(REQUEST, len(GOOD)) == GOOD
    return time.monotonic() - begin_s


def lateness_s(fault: Fault, number: int) -> float:
    draft = Draft(GOOD)
    assert Strike(fault, Noise(3, "s", number)).apply(draft) == "late"
    return draft.delay_s


def test_lateness_spreads_from_half_to_three_timeouts() -> None:
    spread = [lateness_s(Fault(1, "late_timeout_ms", 200), n) for n in range(2000)]
    assert 0.1 <= min(spread) < 0.105
    assert 0.595 < max(spread) <= 0.6
    # Half of them lie beyond the middle, 0.35 s; standard deviation 22.
    assert 900 < sum(late_s > 0.35 for late_s in spread) < 1100
    pair = [lateness_s(Fault(1, "late_ms", (20, 30)), n) for n in range(500)]
    assert 0.02 <= min(pair) < 0.0205
    assert 0.0295 < max(pair) <= 0.03


def test_a_late_answer_comes_within_its_spread(tmp_path: Path) -> None:
    with running(tmp_path, trouble("[[bus.fault]]; late_ms = [60, 120]")) as (_, master):
        taken_s = [answer_s(master) for _ in range(6)]
    assert min(taken_s) >= 0.06
    # The spread is seen: two of six differ by more than a scheduler's moods.
    assert max(taken_s) - min(taken_s) > 0.01
    rows = read_replies(tmp_path / "ledger.db", "b", 1)
    assert [row.fault for row in rows] == ["late"] * 6


def test_a_slow_station_jitters(tmp_path: Path) -> None:
    slow = "turnaround_ms = 80\njitter_ms = 60"
    with running(tmp_path, trouble(one=slow)) as (_, master):
        taken_s = [answer_s(master) for _ in range(8)]
        begin_s = time.monotonic()
        master.ask(OTHER, 7)
        other_s = time.monotonic() - begin_s
    assert min(taken_s) >= 0.08
    assert max(taken_s) - min(taken_s) > 0.015
    assert other_s < min(taken_s)


def test_an_answer_held_back_comes_after_the_next_request_has_begun(tmp_path: Path) -> None:
    fault = "[[bus.fault]]; station = 1; after_next_ms = 0; times = 1"
    with running(tmp_path, trouble(fault)) as (emulator, master):
        master.send(REQUEST)
        assert listen(master, 0.2) == b""
        # The adapter gives it out whole, and the request of now is heard as ever.
        assert master.ask(OTHER, 13 + 7) == GOOD + OTHER_GOOD
        listen(master)
        assert emulator.summary()["b"]["unanswered"] == {}
        assert master.ask(REQUEST, 13) == GOOD
    faults = [row.fault for row in read_replies(tmp_path / "ledger.db", "b", 1)]
    assert faults == ["after_next", None]


def test_a_request_over_a_reply_spoils_both(tmp_path: Path) -> None:
    # At 300 baud the reply is 433 ms long: the second request surely falls into it.
    scenario = trouble(baud=300)
    with running(tmp_path, scenario) as (emulator, master):
        first = master.ask(REQUEST, 2)
        master.send(OTHER)
        heard = first + listen(master, 0.7)
        assert heard[:2] == GOOD[:2]
        assert heard != GOOD
        assert len(heard) == len(GOOD)
        assert emulator.summary()["b"]["unanswered"] == {"collision": 1}
        assert master.ask(OTHER, 7) == OTHER_GOOD
    (row,) = read_replies(tmp_path / "ledger.db", "b", 1)
    assert row.fault == "collision"
    (silence,) = read_unanswered(tmp_path / "ledger.db")
    assert (silence.reason, silence.frame) == ("collision", OTHER)


def twin(turnaround_ms: int) -> str:
    points = "points = { a = 0x0f0f, b = 2 }"
    habits = f"turnaround_ms = {turnaround_ms}; twin = true"
    return f'[[bus.station]]; station = 1; name = "t"; profile = "tiny.toml"; {points}; {habits}'


def test_twins_that_answer_together_mix_on_the_pair(tmp_path: Path) -> None:
    with running(tmp_path, trouble(twin(5))) as (_, master):
        master.send(REQUEST)
        heard = listen(master)
    assert heard == bytes(a & b for a, b in zip(GOOD, TWIN_GOOD, strict=True))
    rows = read_replies(tmp_path / "ledger.db", "b", 1)
    assert [row.fault for row in rows] == ["collision", "collision"]


def test_twins_that_answer_one_after_the_other_are_both_heard(tmp_path: Path) -> None:
    with running(tmp_path, trouble(twin(40))) as (_, master):
        master.send(REQUEST)
        assert listen(master) == GOOD + TWIN_GOOD
        assert master.ask(OTHER, 7) == OTHER_GOOD
    rows = read_replies(tmp_path / "ledger.db", "b", 1)
    assert [(row.fault, row.registers) for row in rows] == [
        (None, GOOD[3:-2]),
        ("twin", TWIN_GOOD[3:-2]),
    ]


FOREIGN = "[[bus.foreign]]; function = 3; address = 0; count = 1; every_ms = 100"


def test_another_master_and_its_slave_are_heard(tmp_path: Path) -> None:
    foreign = read_request(2, 3, 0, 1)
    with running(tmp_path, trouble(f"{FOREIGN}; station = 2; to_s = 2.0")) as (_, master):
        heard = master.receive(3 * 15, 2.0)
        assert heard[: 3 * 15] == 3 * (foreign + OTHER_GOOD)
        listen(master, 2.0)
        assert master.ask(OTHER, 7) == OTHER_GOOD
    rows = read_replies(tmp_path / "ledger.db", "b", 2)
    incidents = read_incidents(tmp_path / "ledger.db")
    # Ours is the only reply that a judge may count.
    assert [row.fault for row in rows] == ["foreign"] * len(incidents) + [None]
    assert {(row.name, row.station, row.frame) for row in incidents} == {("foreign", 2, foreign)}


def test_another_master_comes_when_the_seed_says() -> None:
    spec = ForeignSpec(2, 3, 0, 1, 100, Fraction(1), Fraction(3))
    runs = []
    for seed in (1, 1, 2):
        master = ForeignMaster(spec, OTHER, seed, lambda *_: None)
        runs.append([ms for ms in range(5000) if master.speak(0.0, ms / 1000)])
    assert runs[0] == runs[1] != runs[2]
    for moments_ms in runs:
        assert len(moments_ms) == 20
        within_ms = [ms - 1000 - 100 * n for n, ms in enumerate(moments_ms)]
        assert all(0 <= ms <= 51 for ms in within_ms)
        assert len(set(within_ms)) > 10


def test_another_master_that_asks_nobody_is_only_heard(tmp_path: Path) -> None:
    with running(tmp_path, trouble(f"{FOREIGN}; station = 99")) as (emulator, master):
        assert master.receive(16, 2.0)[:16] == 2 * read_request(99, 3, 0, 1)
        assert emulator.summary()["b"]["stations"] == {}


def test_two_masters_talk_over_each_other(tmp_path: Path) -> None:
    # At 300 baud a foreign request takes 267 ms and comes each 600 ms: ours falls into one.
    foreign = "[[bus.foreign]]; station = 2; function = 3; address = 0; count = 1; every_ms = 600"
    with running(tmp_path, trouble(foreign, baud=300)) as (emulator, master):
        assert master.receive(1, 3.0) == read_request(2, 3, 0, 1)[:1]
        master.send(REQUEST)
        wait_until(lambda: emulator.summary()["b"]["unanswered"], "ours was not heard")
        assert emulator.summary()["b"]["unanswered"] == {"collision": 1}
        assert "1" not in emulator.summary()["b"]["stations"]


def test_a_babbling_station_fills_the_line_and_stops(tmp_path: Path) -> None:
    baud, duration_s = 57_600, 0.6
    fault = f"[[bus.fault]]; station = 1; times = 1; babble_s = {duration_s}"
    with running(tmp_path, trouble(fault, baud=baud)) as (emulator, master):
        master.send(REQUEST)
        noise = master.receive(13)
        begin_s = time.monotonic()
        assert noise[:13] == GOOD
        noise = noise[13:] + master.receive(1000, 2.0)
        # Whoever speaks meanwhile is not heard.
        master.send(OTHER)
        noise += listen(master, 0.3)
        babbled_s = time.monotonic() - begin_s - 0.3
        assert master.ask(OTHER, 7) == OTHER_GOOD
        summary = emulator.summary()["b"]
    possible = duration_s / plan_timing(baud, "8N1").character_s
    assert 0.9 * possible < len(noise) <= possible + 64
    assert len(set(noise)) > 200
    assert duration_s * 0.9 < babbled_s < duration_s + 1
    assert summary["unanswered"] == {"collision": 1}
    assert summary["incidents"] == {"babble": 1, "babble_end": 1}
    names = [(row.name, row.station) for row in read_incidents(tmp_path / "ledger.db")]
    assert names == [("babble", 1), ("babble_end", 1)]


def test_a_babble_has_no_pause(tmp_path: Path) -> None:
    baud = 115_200
    fault = "[[bus.fault]]; station = 1; times = 1; babble_s = 100"
    with running(tmp_path, trouble(fault, baud=baud)) as (_, master):
        master.send(REQUEST)
        master.receive(13)
        begin_s = time.monotonic()
        count = baud // 20
        assert len(master.receive(count)) >= count
        taken_s = time.monotonic() - begin_s
    # Half a second of characters; a wait for each chunk would make it more than two.
    assert 0.45 < taken_s < 1.2
