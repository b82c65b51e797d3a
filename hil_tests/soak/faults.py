"""The faults: what can go wrong and how often, and their places on the timeline of a seed.

Each kind has a random sequence of its own, drawn from the seed and its name, so that leaving one
out changes nothing about when the others strike: that is what makes a failing seed shrink.
"""

import random
from collections.abc import Callable
from typing import NamedTuple

from hil_tests.soak import faults_gateway as gateway
from hil_tests.soak import faults_network as network
from hil_tests.soak.site import HOUR_MS
from hil_tests.soak.world import World


class Fault(NamedTuple):
    """One kind. mean_h: mean time between two of them; strike: does it, its first line says what;
    table: the row of the fault table it is there for.
    """

    name: str
    mean_h: int
    strike: Callable[[World, random.Random], None]
    table: str


FAULTS = (
    Fault("crash", 24, gateway.crash, "F20"),
    Fault("brown_out", 300, gateway.brown_out, "F60"),
    Fault("disk_error", 120, gateway.disk_error, "F24 F25"),
    Fault("disk_doubt", 120, gateway.disk_doubt, "F25"),
    Fault("disk_lie", 300, gateway.disk_lie, "F22"),
    Fault("disk_copy", 600, gateway.disk_copy, "F28"),
    Fault("disk_gone", 900, gateway.disk_gone, "F28"),
    Fault("bit_flip", 300, gateway.bit_flip, "F23"),
    Fault("small_disk", 300, gateway.small_disk, "F24"),
    Fault("long_night", 600, gateway.long_night, "F24 F41"),
    Fault("clock_step", 60, gateway.clock_step, "F51"),
    Fault("clock_drift", 200, gateway.clock_drift, "F51"),
    Fault("no_clock", 300, gateway.no_clock, "F50"),
    Fault("silent", 72, gateway.silent, "F04"),
    Fault("noisy", 72, gateway.noisy, "F01 F02 F07"),
    Fault("wrong", 72, gateway.wrong, "F10"),
    Fault("outage", 48, network.outage, "F41"),
    Fault("cuts", 48, network.cuts, "F40"),
    Fault("half_open", 96, network.half_open, "F40"),
    Fault("deaf", 200, network.deaf, "F43"),
    Fault("slow", 200, network.slow, "F40"),
    Fault("broker_restart", 96, network.broker_restart, "F43"),
    Fault("forgetful", 96, network.forgetful, "F42 F43"),
    Fault("garbled", 150, network.garbled, "F42"),
    Fault("memory_error", 150, network.memory_error, "F83"),
    Fault("replay", 150, network.replay, "F42 F44"),
    Fault("forged", 96, network.forged, "F44"),
    Fault("receiver_crash", 48, network.receiver_crash, "F80"),
    Fault("receiver_away", 96, network.receiver_away, "F81"),
    Fault("receiver_restore", 400, network.receiver_restore, "F28"),
)
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
