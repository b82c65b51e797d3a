"""The loop of a board: what it does while a reply comes, and when it looks at everything."""

from types import SimpleNamespace
from typing import Any

import pytest

from edge.app.program import BUSY_MS, LOOK_MS, REST_MS, Program

from .port_doubles import ManualClock


class Line:
    """A link that says what a test says."""

    def __init__(self, rest_ms: int | None) -> None:
        self.rest = rest_ms

    @property
    def is_busy(self) -> bool:
        return self.rest is not None

    def rest_ms(self) -> int:
        assert self.rest is not None
        return self.rest


class Loop:
    """A program over lines. steps: when it made a step of everything; due_ms: as that says."""

    def __init__(self, *rests: int | None) -> None:
        self.clock = ManualClock()
        self.lines = [Line(rest_ms) for rest_ms in rests]
        self.steps: list[int] = []
        self.due_ms = 1_000_000
        board: Any = SimpleNamespace(clock=self.clock, join=lambda ssid, now_ms: None)
        pollers = [SimpleNamespace(link=line) for line in self.lines]
        gateway: Any = SimpleNamespace(pollers=pollers, step=self._step)
        self.program = Program(board, gateway, 45_000, None, None)
        self.program._progress_ms = 1_000_000

    def _step(self, now_ms: int) -> int:
        self.steps.append(now_ms)
        return self.due_ms

    def run_until(self, until_ms: int) -> None:
        while self.clock.mono < until_ms:
            self.clock.mono += self.program.step()


def test_it_rests_while_no_frame_can_be_whole():
    loop = Loop(30)
    assert [loop.program.step() for _ in range(3)] == [30, 30, 30]
    assert loop.steps == [0], "one step of everything, then the line alone"


def test_the_line_that_is_first_ends_the_rest():
    assert Loop(30, None, 12).program.step() == 12
    assert Loop(30, 0).program.step() == BUSY_MS


def test_a_line_that_may_have_a_frame_gets_a_step_at_once():
    loop = Loop(30)
    loop.program.step()
    loop.lines[0].rest = 0
    loop.clock.mono = 1
    assert loop.program.step() == BUSY_MS and loop.steps == [0, 1]


@pytest.mark.parametrize("rest_ms", [1, 8, 40, 120, 5_000])
def test_everything_is_looked_at_all_the_same(rest_ms: int):
    loop = Loop(rest_ms)
    loop.run_until(1_000)
    gaps = {after - before for before, after in zip(loop.steps, loop.steps[1:], strict=False)}
    assert max(gaps) <= LOOK_MS + BUSY_MS and len(loop.steps) <= 1_000 // LOOK_MS


def test_what_is_due_earlier_ends_a_rest():
    loop = Loop(40)
    loop.due_ms = 17
    assert loop.program.step() == 17


def test_what_is_due_at_once_does_not_keep_it_from_sleeping():
    loop = Loop(40)
    loop.due_ms = 0
    assert loop.program.step() == BUSY_MS


def test_without_a_reply_to_wait_for_it_sleeps_until_something_is_due():
    loop = Loop(None)
    assert loop.program.step() == REST_MS
    loop.due_ms = 20
    assert loop.program.step() == 20
    assert loop.steps == [0, 0]
