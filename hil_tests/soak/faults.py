"""The faults: what can go wrong, how often, and for how long.

Each kind has a random sequence of its own, drawn from the seed and its name, so that leaving one
out changes nothing about when the others strike: that is what makes a failing seed shrink.
"""

import random
from collections.abc import Callable
from typing import NamedTuple

from edge.core.journal.clock import ClockQuality
from hil_tests.soak.site import DAY_MS, GATEWAY, HOUR_MS, MINUTE_MS
from hil_tests.soak.world import World

Strike = Callable[[World, random.Random], None]


class Fault(NamedTuple):
    """One kind. mean_h: mean time between two of them."""

    name: str
    mean_h: int
    strike: Strike
    text: str


def _span(rng: random.Random, least_ms: int, most_ms: int) -> int:
    """A duration between the two, the short ones as likely as the long ones."""
    share = rng.random()
    return int(least_ms * (most_ms / least_ms) ** share)


def _crash(world: World, rng: random.Random) -> None:
    name = rng.choice(("", "append", "appended", "ack", "acked", "uplink.send", "link.start"))
    world.doom = (name, rng.randrange(40) if name == "" else rng.randrange(3))


def _outage(world: World, rng: random.Random) -> None:
    world.broker.bar(GATEWAY, _span(rng, 10_000, 3 * DAY_MS))


def _clock_step(world: World, rng: random.Random) -> None:
    size_ms = _span(rng, 100, HOUR_MS)
    if rng.random() < 0.05:
        size_ms = rng.choice((2, 400)) * DAY_MS
    world.clock.set(rng.choice((-1, 1)) * size_ms, ClockQuality.SYNCED)
    world.timeline.after(_span(rng, MINUTE_MS, DAY_MS), lambda: _put_right(world))


def _put_right(world: World) -> None:
    world.clock.set(0, ClockQuality.SYNCED)


FAULTS = (
    Fault("crash", 12, _crash, "the gateway loses power at any call of any port"),
    Fault("outage", 24, _outage, "the gateway has no network, seconds to days"),
    Fault("clock_step", 36, _clock_step, "the clock is set wrong, and right again later"),
)
BY_NAME = {fault.name: fault for fault in FAULTS}
NAMES = tuple(fault.name for fault in FAULTS)


def plant(world: World, seed: int, kinds: tuple[str, ...], until_ms: int) -> int:
    """Put the faults of a seed on the timeline; return how many."""
    count = 0
    for fault in FAULTS:
        if fault.name not in kinds:
            continue
        rng = random.Random(f"{seed}/{fault.name}")
        at_ms = 0
        while True:
            at_ms += int(rng.expovariate(1) * fault.mean_h * HOUR_MS)
            own = random.Random(rng.getrandbits(64))
            if at_ms >= until_ms:
                break
            world.timeline.at(at_ms, _bound(world, fault, own))
            count += 1
    return count


def _bound(world: World, fault: Fault, rng: random.Random) -> Callable[[], None]:
    def strike() -> None:
        if not world.is_calm:
            world.note(f"fault {fault.name}")
            fault.strike(world, rng)

    return strike
