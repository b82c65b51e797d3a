"""One run: a seed, faults for some hours, peace, and the verdict."""

from contextlib import nullcontext
from typing import NamedTuple

from edge.core.sync.bounds import DEAF_MAX_MS
from hil_tests.soak.codec import fast_codec
from hil_tests.soak.faults import NAMES, plant
from hil_tests.soak.ledger import Violation
from hil_tests.soak.site import DAY_MS, HOUR_MS, MINUTE_MS, POLL_MS
from hil_tests.soak.verdict import check_typed, judge
from hil_tests.soak.world import World

YEAR_MS = 365 * DAY_MS


class Outcome(NamedTuple):
    """What came of a run. digest: of everything that happened in it."""

    seed: int
    kinds: tuple[str, ...]
    hours: int
    violations: tuple[Violation, ...]
    digest: str
    counts: dict[str, int]

    @property
    def ok(self) -> bool:
        return not self.violations


def simulate(
    seed: int,
    hours: int,
    kinds: tuple[str, ...] = NAMES,
    lines: list[str] | None = None,
    is_fast: bool = True,
) -> Outcome:
    """Run one world. lines: takes the readable trace; is_fast: with the library's MessagePack."""
    with fast_codec() if is_fast else nullcontext():
        return _simulate(seed, hours, kinds, lines)


def _simulate(seed: int, hours: int, kinds: tuple[str, ...], lines: list[str] | None) -> Outcome:
    world = World(seed, lines)
    faults = plant(world, seed, kinds, hours * HOUR_MS)
    world.run(hours * HOUR_MS)
    if world.ledger.is_clean:
        world.calm()
        _check_liveness(world)
    stored = world.cloud.rows()
    if world.ledger.is_clean:  # else it was left where it broke, and nothing else is proved
        judge(world.ledger, stored)
        check_typed(world.ledger, world.cloud.store, stored)
    for epoch in sorted(stored):
        head = max(stored[epoch])
        world.note(f"{epoch.hex()} {len(stored[epoch])} {stored[epoch][head][0].hex()}")
    counts = {
        "faults": faults,
        "boots": world.boots,
        "steps": world.steps,
        "polls": world.ledger.polls,
        "intervals": world.ledger.account.intervals,
        "epochs": len(world.ledger.epochs),
        "messages": world.broker.published,
        "receiver crashes": world.cloud.crashes,
    }
    return Outcome(
        seed, kinds, hours, tuple(world.ledger.violations), world.trace.hexdigest(), counts
    )


def _check_liveness(world: World) -> None:
    """I5: with the faults gone, polling resumes within two periods and the backlog drains."""
    polls = world.ledger.polls
    begun_ms = world.timeline.now_ms
    world.run(begun_ms + 2 * POLL_MS)
    if world.ledger.polls < polls + 2:
        world.ledger.violation("I5", "no poll within two periods after the faults")
    # A session that has lost its subscription is found out, in the end.
    if not world.settle(world.settings.linger_ms + 5 * MINUTE_MS + DEAF_MAX_MS):
        world.ledger.violation("I5", "the backlog does not drain")
        return
    world.finish()
