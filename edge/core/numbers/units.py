"""UCUM codes that streams may be measured in, and their exact ratio to the canonical unit.

Canonical units (one per dimension): energy W.h, heat kJ, volume L, mass g.
"""

from edge.core.errors import DataError

#: UCUM code -> (dimension, numerator, denominator) towards the canonical unit of the dimension
RATIOS = {
    "W.h": ("energy", 1, 1),
    "kW.h": ("energy", 1_000, 1),
    "MW.h": ("energy", 1_000_000, 1),
    "kJ": ("heat", 1, 1),
    "MJ": ("heat", 1_000, 1),
    "GJ": ("heat", 1_000_000, 1),
    "L": ("volume", 1, 1),
    "m3": ("volume", 1_000, 1),
    "g": ("mass", 1, 1),
    "kg": ("mass", 1_000, 1),
    "t": ("mass", 1_000_000, 1),
}

CANONICAL = {"energy": "W.h", "heat": "kJ", "volume": "L", "mass": "g"}


def ratio_to(unit: str, dimension: str) -> tuple[int, int]:
    """The exact (numerator, denominator) that turns `unit` into the canonical unit.

    Energy counts as heat too (1 W.h = 3.6 kJ): steam and heat meters often total in kW.h.
    Raises DataError "data.range" when the unit does not measure `dimension`.
    """
    if unit in RATIOS:
        found, numerator, denominator = RATIOS[unit]
        if found == dimension:
            return numerator, denominator
        if found == "energy" and dimension == "heat":
            return numerator * 18, denominator * 5
    raise DataError("data.range", what="unit of " + dimension, value=unit)
