"""Factor sets: published numbers as exact integers, named by their digest."""

import hashlib

from edge.core.carbon.streams import Factor
from edge.core.errors import ConfigError
from edge.core.numbers import pack
from edge.core.numbers.fixed import parse_decimal, power_of_ten

#: unit -> (dimension, power of ten towards micrograms per canonical unit)
#: kg/kW.h = 10^9 ug per 10^3 W.h; t/GJ = 10^12 ug per 10^6 kJ.
_UNITS = {"kg/kW.h": ("energy", 6), "t/GJ": ("heat", 6)}


def parse_factors(document: dict[str, object], file: str) -> tuple[Factor, ...]:
    """Read a factor set whose shape the schema has checked.

    Raises ConfigError "config.value" for a factor finer than 1 ug per canonical unit, and
    "config.duplicate".
    """
    items = document["factors"]
    found: dict[str, tuple[str, int]] = {}
    for item in items if isinstance(items, list) else []:
        name = str(item["id"])
        dimension, power = _UNITS[str(item["unit"])]
        mantissa, places = parse_decimal(str(item["value"]))
        if places > power:
            raise ConfigError(
                "config.value",
                file=file,
                key=name,
                found=item["value"],
                expected="at most %d decimal places" % power,
            )
        if name in found:
            raise ConfigError("config.duplicate", file=file, key="factors.id", found=name)
        found[name] = (dimension, mantissa * power_of_ten(power - places))
    set_id = str(document["id"])
    names = sorted(found, key=str)
    digest = hashlib.sha256(
        pack.encode([set_id, [[name, found[name][0], found[name][1]] for name in names]])
    ).digest()
    return tuple(Factor(name, found[name][0], found[name][1], set_id, digest) for name in names)
