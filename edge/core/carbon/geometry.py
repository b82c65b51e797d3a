"""What a stack's mass is made with, out of its definition in the journal, proven by its digest."""

from collections import namedtuple

from edge.core.carbon.cems import Stack
from edge.core.carbon.eu_mrr import method_of
from edge.core.carbon.sources import Rules, Source, source_digest

#: stack: `cems.Stack`; accepted: status values that mean measuring; rules: `sources.Rules`.
Geometry = namedtuple("Geometry", ("stack", "accepted", "rules"))

#: Fields of a stream's part that says what its stack is made with, and the place of that.
_TELLING_FORM = 20
_TOLD = 18
_TOLD_FIELDS = 10
_DIGEST = 11

#: Inputs of `cems.Sample`; a status comes behind them.
_INPUTS = 5


def told(part: list) -> Geometry | None:
    """What a stream's definition says of its stack; None when it is none, or of another form.

    Raises KeyError for a method that is not known here.
    """
    if len(part) < _TELLING_FORM or part[_TOLD] is None or len(part[_TOLD]) != _TOLD_FIELDS:
        return None
    method, area, ambient_pa, basis, accepted, family, potential, states = part[_TOLD][:8]
    coefficient, fuel = part[_TOLD][8:]
    stack = Stack(method_of(method), (area[0], area[1]), ambient_pa, basis)
    flags = tuple([(state[0], state[1]) for state in states])
    known = None if fuel is None else tuple([(factor[0], factor[1]) for factor in fuel])
    rules = Rules(family, potential, flags, (coefficient[0], coefficient[1]), known)
    return Geometry(stack, tuple(accepted), rules)


def find_source(
    part: list, places: list[list[tuple[int, int, list]]], geometries: list[Geometry]
) -> tuple[Source, Rules] | None:
    """The source of a stack's stream and its rules, proven by its digest; None when none fits.

    part: the stream's definition; places: for each of its inputs the (device number, point index,
    device definition) that may be it, the likeliest first; geometries: what to try.
    """
    for choice in _choices(places):
        said = [[device[2], device[6], device[8][at][0]] for _, at, device in choice]
        for stack, accepted, rules in geometries:
            if source_digest(said, list(accepted), stack, rules) != part[_DIGEST]:
                continue
            inputs = tuple([(number, at, device[8][at][2]) for number, at, device in choice])
            status = None
            if len(inputs) > _INPUTS:
                status = (inputs[_INPUTS][0], inputs[_INPUTS][1], accepted)
            return Source(inputs[:_INPUTS], status, stack), rules
    return None


def _choices(places: list[list[tuple[int, int, list]]]) -> list[list[tuple[int, int, list]]]:
    """Every way to take one of each."""
    found: list[list[tuple[int, int, list]]] = [[]]
    for options in places:
        found = [taken + [option] for taken in found for option in options]
    return found
