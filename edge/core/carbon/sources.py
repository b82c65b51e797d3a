"""Where a stream's values come from: registers, a stack's instruments and the rules for them."""

import hashlib
from collections import namedtuple

from edge.core.numbers import pack
from edge.core.numbers.fixed import ONE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.core.carbon.cems import Stack

#: Where a stream's values come from. inputs: (device, point, places) triples: one register of a
#: counter, or the fields of `cems.Sample` in their order; none for a virtual meter. status:
#: (device, point, accepted values) or None. stack: `cems.Stack`, None for a counter.
Source = namedtuple("Source", ("inputs", "status", "stack"))

#: How a stack's samples become mass. family: "hold" or a family of `stack_family`; potential:
#: largest possible CO2 in 10^-6 % or None, see `substitute.part75`; states: (status value, flag)
#: pairs, a value that is not among them being a fault; coefficient: of the velocity field, Kv of
#: HJ 212-2017 (29), (mantissa, places); fuel: None, or (Fc, Fd) as decimals where the gas analyzer
#: tells O2 and CO2 comes from it by F-14A or F-14B of 40 CFR Part 75.
Rules = namedtuple("Rules", ("family", "potential", "states", "coefficient", "fuel"))

UNIFORM = ONE

#: Every accepted status is a measurement, every other one interrupts.
HOLD = Rules("hold", None, (), UNIFORM, None)


def source_digest(
    places: list[list[object]], accepted: list[int], stack: "Stack | None", rules: Rules = HOLD
) -> bytes:
    """SHA-256 over where a stream's values come from: other wiring is another source.

    places: [device name, profile digest, point name] per input, a status last; for a virtual
    meter [stream name, source digest, weight] per summand. accepted: status values that mean
    measuring. rules: of a stack.
    """
    parts: list[object] = [places, accepted]
    if stack is not None:
        parts.append([stack.method.id, list(stack.area_m2), stack.ambient_pa, stack.basis])
    if rules != HOLD:
        states = [list(state) for state in rules.states]
        fuel = None if rules.fuel is None else [list(factor) for factor in rules.fuel]
        parts.append([rules.family, rules.potential, states, list(rules.coefficient), fuel])
    return hashlib.sha256(pack.encode(parts)).digest()
