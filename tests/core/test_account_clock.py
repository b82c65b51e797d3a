"""An account whose clock was wrong by more than a day."""

from edge.core.carbon import streams
from edge.core.carbon.account import BACK_MS, Accountant
from edge.core.carbon.counter import Flag
from edge.core.carbon.interval import ACTIVITY, CUMULATIVE, FLAGS
from edge.core.carbon.resume import restore

GRID = streams.Factor("grid", "energy", 832500, "test", bytes(32))
MINUTE = 60_000
DAY = 86_400_000
T0 = 1_800_000_000_000  # a whole minute


class Site:
    """A gateway with one meter that grows by 10 a second; wrong_ms: of its clock."""

    def __init__(self):
        self.account = self.new_account()
        self.now_ms, self.wrong_ms = 0, 0
        self.bodies = []

    def new_account(self):
        grid = streams.counter_stream(0, "grid", "grid_import", GRID, "kW.h", 3, 1000, (0, 0), b"")
        return Accountant((grid,), MINUTE)

    def run(self, seconds):
        for _ in range(seconds):
            self.now_ms += 1000
            wall_ms = T0 + self.now_ms + self.wrong_ms
            body = self.account.close(wall_ms)
            if body is not None:
                self.bodies.append(body)
            self.account.observe(0, 1, self.now_ms, wall_ms, [self.now_ms // 100], {})

    def restart(self):
        self.account = self.new_account()
        restore(self.account, self.bodies[-1], {})

    def activity(self):
        return sum([body[2][0][ACTIVITY] for body in self.bodies])


def test_a_clock_that_was_years_ahead_costs_no_interval():
    for wrong_ms in (400 * DAY, 2 * DAY, 30 * 365 * DAY):
        for is_restarted in (False, True):
            site = Site()
            site.run(600)
            site.wrong_ms = wrong_ms
            site.run(300)
            if is_restarted:
                site.restart()
            site.wrong_ms = 0
            before, back_ms = len(site.bodies), T0 + site.now_ms + 1000
            site.run(600)
            after = site.bodies[before:]
            assert len(after) == 10
            assert after[0][0] == back_ms and after[0][2][0][FLAGS] & Flag.LATE
            for at in range(1, len(after)):
                assert after[at][0] == after[at - 1][1] and after[at][2][0][FLAGS] == 0
            # Nothing is counted twice or lost: the counts go on over all of it.
            first, last = 10, after[-1][2][0][CUMULATIVE]
            assert last == site.now_ms // 100 - 10
            assert site.activity() == last - first, wrong_ms


def test_up_to_a_day_the_running_interval_waits_for_the_clock():
    for wrong_ms in (BACK_MS, 10 * MINUTE):
        site = Site()
        site.run(600)
        site.wrong_ms = wrong_ms
        site.run(120)
        site.wrong_ms = 0
        before = site.account.start_ms
        site.run(120)
        assert site.account.start_ms == before
