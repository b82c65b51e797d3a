"""UCUM codes that streams may be measured in, and their exact ratio to the canonical unit.

Canonical units (one per dimension): energy W.h, heat kJ, volume L, mass g. What people write in
their place (kWh, 度, 万立方米) is understood on input by `parse_unit` and never written.
"""

from edge.core.errors import DataError

#: UCUM code -> (dimension, numerator, denominator) towards the canonical unit of the dimension
RATIOS = {
    "W.h": ("energy", 1, 1),
    "kW.h": ("energy", 1_000, 1),
    "MW.h": ("energy", 1_000_000, 1),
    "GW.h": ("energy", 1_000_000_000, 1),
    "10*4.kW.h": ("energy", 10_000_000, 1),
    "J": ("heat", 1, 1_000),
    "kJ": ("heat", 1, 1),
    "MJ": ("heat", 1_000, 1),
    "GJ": ("heat", 1_000_000, 1),
    "TJ": ("heat", 1_000_000_000, 1),
    "L": ("volume", 1, 1),
    "m3": ("volume", 1_000, 1),
    "10*4.m3": ("volume", 10_000_000, 1),
    "mg": ("mass", 1, 1_000),
    "g": ("mass", 1, 1),
    "kg": ("mass", 1_000, 1),
    "t": ("mass", 1_000_000, 1),
    "10*4.t": ("mass", 10_000_000_000, 1),
}

CANONICAL = {"energy": "W.h", "heat": "kJ", "volume": "L", "mass": "g"}

#: What people write -> UCUM code. A normal cubic metre is m3: the reference state belongs to the
#: factor that the volume is multiplied with.
ALIASES = {
    "Wh": "W.h",
    "瓦时": "W.h",
    "kWh": "kW.h",
    "度": "kW.h",
    "千瓦时": "kW.h",
    "MWh": "MW.h",
    "兆瓦时": "MW.h",
    "GWh": "GW.h",
    "万kWh": "10*4.kW.h",
    "万度": "10*4.kW.h",
    "万千瓦时": "10*4.kW.h",
    "焦": "J",
    "千焦": "kJ",
    "兆焦": "MJ",
    "吉焦": "GJ",
    "百万千焦": "GJ",
    "太焦": "TJ",
    "l": "L",
    "升": "L",
    "m³": "m3",
    "Nm3": "m3",
    "Nm³": "m3",
    "方": "m3",
    "标方": "m3",
    "立方米": "m3",
    "标准立方米": "m3",
    "1e4Nm3": "10*4.m3",
    "10^4Nm3": "10*4.m3",
    "万m3": "10*4.m3",
    "万m³": "10*4.m3",
    "万Nm3": "10*4.m3",
    "万Nm³": "10*4.m3",
    "万方": "10*4.m3",
    "万立方米": "10*4.m3",
    "万标准立方米": "10*4.m3",
    "毫克": "mg",
    "克": "g",
    "千克": "kg",
    "公斤": "kg",
    "吨": "t",
    "万吨": "10*4.t",
}


def parse_unit(text: str) -> str:
    """The UCUM code of a unit as people write it; blanks do not matter, letter case does.

    Raises DataError "data.range" for a unit that is not known.
    """
    name = text.replace(" ", "")
    if name in RATIOS:
        return name
    if name in ALIASES:
        return ALIASES[name]
    raise DataError("data.range", what="unit", value=text)


def dimension_of(unit: str) -> str:
    """What a UCUM code measures; DataError "data.range" for one that is not in the table."""
    if unit not in RATIOS:
        raise DataError("data.range", what="unit", value=unit)
    return RATIOS[unit][0]


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


def reduce_ratio(numerator: int, denominator: int) -> tuple[int, int]:
    """The same ratio in lowest terms, its denominator positive; denominator: not 0."""
    left, right = abs(numerator), abs(denominator)
    while right:
        left, right = right, left % right
    if denominator < 0:
        left = -left
    return numerator // left, denominator // left
