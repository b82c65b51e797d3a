"""Does a bus have the time for what is asked of it, and what would make it fit.

All times are predictions on the wire: requests, replies, silences, turnaround. Shares are parts
per million of the bus's time.
"""

from collections import namedtuple

from edge.core.bus.plan import Timing, block_us

MILLION = 1_000_000

#: Share of the time that a plan may take; the rest is for retries, probes and operators.
FULL_PPM = 900_000

#: Rates that meters offer, slowest first.
BAUDS = (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)

#: What one device costs. reads: (function, count) per block; period_ms: its poll period.
Load = namedtuple("Load", ("reads", "period_ms"))


def poll_us(load: Load, timing: Timing) -> int:
    """Wire time of one poll of a device."""
    return sum(block_us(count, timing, function) for function, count in load.reads)


def cycle_us(loads: tuple[Load, ...], timing: Timing) -> int:
    """Wire time of one poll of every device."""
    return sum(poll_us(load, timing) for load in loads)


def share_ppm(loads: tuple[Load, ...], timing: Timing) -> int:
    """Share of the bus's time that polling at the periods takes; above MILLION it does not fit."""
    return sum(poll_us(load, timing) * 1000 // load.period_ms for load in loads)


def dead_station_ppm(loads: tuple[Load, ...], timing: Timing, dead: int, limit_ppm: int) -> int:
    """Share with device `dead` silent: its own polls fall away, its probes take `limit_ppm`."""
    alive = tuple(load for index, load in enumerate(loads) if index != dead)
    return share_ppm(alive, timing) + limit_ppm


def slowest_baud(loads: tuple[Load, ...], timing_at: dict[int, Timing]) -> int | None:
    """The lowest rate at which the loads fit; None when none does.

    timing_at: baud -> timing, for the rates of BAUDS.
    """
    for baud in BAUDS:
        if share_ppm(loads, timing_at[baud]) <= FULL_PPM:
            return baud
    return None


def stretch_permille(loads: tuple[Load, ...], timing: Timing) -> int:
    """By how much all periods must grow to fit: 1000 is "not at all", 2500 is 2.5 times."""
    return max(1000, -(-share_ppm(loads, timing) * 1000 // FULL_PPM))
