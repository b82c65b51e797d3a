"""What a kind of stream means for the account."""

from collections import namedtuple

#: What a kind means. scope: 1 direct, 2 bought energy, 0 memo; dimension of its activity, "any"
#: where the unit decides; emission, consumption: the sign with which it enters the emission total
#: and the electricity consumed inside the boundary.
Meaning = namedtuple("Meaning", ("scope", "dimension", "emission", "consumption"))

KINDS = {
    "grid_import": Meaning(2, "energy", 1, 1),
    "grid_export": Meaning(2, "energy", -1, -1),
    "green_direct": Meaning(2, "energy", 1, 1),
    "certificate": Meaning(2, "energy", -1, 0),
    "pv": Meaning(2, "energy", 1, 1),
    "pv_self_use": Meaning(2, "energy", 1, 1),
    "battery_charge": Meaning(0, "energy", 0, -1),
    "battery_discharge": Meaning(0, "energy", 0, 1),
    "heat_import": Meaning(2, "heat", 1, 0),
    "heat_export": Meaning(2, "heat", -1, 0),
    "fuel": Meaning(1, "any", 1, 0),
    "process_output": Meaning(1, "any", 1, 0),
    "conversion_input": Meaning(1, "any", 1, 0),
    "conversion_output": Meaning(1, "any", -1, 0),
    "stack_co2": Meaning(1, "co2", 1, 0),
    "memo": Meaning(0, "any", 0, 0),
}

#: Kinds whose electricity is the site's own green supply, for matching it with consumption.
GREEN = ("green_direct", "pv", "pv_self_use")


def scope_of(kind: str) -> int:
    """The scope that a kind's emissions are in, 0 for none."""
    return int(KINDS[kind].scope)
