"""Stations as they are before their first poll, and their reads when one has taught something."""

from edge.app.station import Layout, Station, place_of
from edge.core.bus.block import NOTHING_LEARNED
from edge.core.bus.holes import merge_learned
from edge.core.bus.patience import Patience
from edge.core.bus.plain import NOT_PLAIN
from edge.core.bus.plain_rule import plan_rule
from edge.core.bus.plan import character_bits, line_timing, plan_blocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.app.config import Bus, Device
    from edge.core.bus.block import Block, Learned
    from edge.core.bus.model import Model
    from edge.core.bus.plan import Timing
    from edge.core.bus.points import Point


def plan_station(
    number: int,
    device: "Device",
    bus: "Bus",
    learned: "Learned" = NOTHING_LEARNED,
    remembered_ms: int | None = None,
    blocks: "tuple[Block, ...]" = (),
    others: "Sequence[Station]" = (),
) -> Station:
    """A station with its reads planned for the bus.

    blocks: those of a station that has taught nothing, where they are known already. others:
    stations that may be of the same model.
    """
    if not blocks or learned != NOTHING_LEARNED:
        blocks = _plan_reads(device, learned, bus_timing(bus))
    patience = Patience(bus.reply_timeout_ms, remembered_ms)
    station = Station(number, device, _layout(device, others), patience, blocks)
    if learned != NOTHING_LEARNED:
        station.learned = learned
    if remembered_ms is not None:
        station.remembered = (station.learned, remembered_ms)
    return station


def learn(station: Station, found: "Learned", bus: "Bus") -> None:
    """Take in what a hunt found; the next poll is planned with it."""
    station.learned = merge_learned(station.learned, found)
    station.taught = True
    station.blocks = _plan_reads(station.device, station.learned, bus_timing(bus))


def bus_timing(bus: "Bus") -> "Timing":
    """Timing of a bus by its settings."""
    return line_timing(bus.baud, character_bits(bus.format))


def _plan_reads(device: "Device", learned: "Learned", timing: "Timing") -> "tuple[Block, ...]":
    points = tuple([p for p in device.points if p.name not in learned.missing])
    # A station that refuses everything is asked for everything: it may be another day's fault.
    points = points or tuple(device.points)
    return plan_blocks(points, device.profile, timing, learned.holes, learned.limit)


def _layout(device: "Device", others: "Sequence[Station]") -> Layout:
    for other in others:
        if other.device.points is device.points and other.device.profile is device.profile:
            return other.layout
    known: dict[tuple, tuple] = {}
    places, rules, evidence, counters = [], [], [], []
    for index, point in enumerate(device.points):
        rule = rule_of(point, device.profile)
        places.append(place_of(point))
        rules.append(known.setdefault(rule, rule))
        if point.evidence:
            evidence.append((index, point.span))
        if point.point_class == "counter":
            counters.append(index)
    return Layout(tuple(places), tuple(rules), tuple(evidence), tuple(counters))


def rule_of(point: "Point", profile: "Model") -> tuple:
    """The rule of a point that is plain; of any other it says the span alone."""
    return plan_rule(point, profile) or (point.span, NOT_PLAIN, 0, 0, ())
