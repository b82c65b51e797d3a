"""Standard coal: activity to coal equivalents, by an accounting that is always named.

One kilogram of coal equivalent is 29 307.6 kJ (7000 kcal, GB/T 2589). Electricity counts by its
heat ("equivalent", 当量) or by the coal that a plant burns for it ("equal_value", 等价): the two
differ by 2.5 times, so nothing here has a default. Ratios are exact and in lowest terms.
"""

from collections import namedtuple

from edge.core.carbon.fuels import Fuel, energy_ratio, multiply
from edge.core.errors import ConfigError
from edge.core.numbers.units import ratio_to
from edge.core.schema import nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.core.carbon.factors import FactorSet

#: A published conversion: g of coal equivalent per canonical unit of `dimension`.
#: accounting: "equivalent", "equal_value", or "either" where the publication makes no difference.
Equivalent = namedtuple(
    "Equivalent", ("id", "dimension", "accounting", "numerator", "denominator")
)

ACCOUNTINGS = ("equivalent", "equal_value")

#: unit -> (dimension, numerator, denominator) towards g of coal equivalent per canonical unit
COAL_UNITS = {
    "kg{ce}/kW.h": ("energy", 1, 1),
    "kg{ce}/MJ": ("heat", 1, 1),
    "kg{ce}/kg": ("mass", 1, 1),
    "kg{ce}/t": ("mass", 1, 1000),
    "kg{ce}/m3": ("volume", 1, 1),
}

#: kJ in one g of coal equivalent: 29.3076.
KJ_PER_G = (293_076, 10_000)


def calorific_ratio(unit: str) -> tuple[int, int]:
    """g of coal equivalent in one `unit` of heat or energy, by its joules alone.

    Not the printed 0.1229 kg/kW.h of GB/T 2589, which is 0.05 % more: a set has that.
    """
    return multiply(ratio_to(unit, "heat"), (KJ_PER_G[1], KJ_PER_G[0]))


def fuel_coal_ratio(fuel: Fuel, unit: str) -> tuple[int, int]:
    """g of coal equivalent in one `unit` of a fuel, by its lower heating value."""
    return multiply(energy_ratio(fuel, unit), (KJ_PER_G[1], KJ_PER_G[0]))


def coal_factor(found: "FactorSet", name: str, unit: str, accounting: str) -> tuple[int, int]:
    """g of coal equivalent per canonical unit of the equivalent's own dimension.

    unit: what the stream is in; it has to measure that dimension, W.h counting as heat too.
    name: id of an equivalent of the set; accounting: one of ACCOUNTINGS, said by whoever reports.
    Raises ConfigError "config.value" for another accounting, "config.reference" for a name that
    the set does not have under it, DataError "data.range" for a unit that does not fit.
    """
    check_accounting(accounting, found.id, "accounting")
    usable = [e for e in found.equivalents if e.accounting in (accounting, "either")]
    for item in usable:
        if item.id == name:
            ratio_to(unit, item.dimension)
            return item.numerator, item.denominator
    known = [item.id for item in usable]
    guess = nearest(name, known) or "one of " + ", ".join(known)
    key = "coal." + accounting
    raise ConfigError("config.reference", file=found.id, key=key, found=name, nearest=guess)


def check_accounting(accounting: str, file: str, key: str) -> None:
    """Refuse an accounting that is not named exactly: ConfigError "config.value"."""
    if accounting not in ACCOUNTINGS:
        expected = "one of " + ", ".join(ACCOUNTINGS)
        raise ConfigError("config.value", file=file, key=key, found=accounting, expected=expected)
