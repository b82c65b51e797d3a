"""Fuels and steam to CO2 as exact rationals: nothing is rounded here.

AD x NCV x CC x OF x 44/12, with 44/12 = 11/3 in the denominator until somebody divides once.
Sources: GB/T 32151.34-2024 equations (1)-(3), (7), (13); the park method 910 of 2025, conversion
by carbon balance with an oxidation of 100 %; IPCC 2006 volume 2, chapter 1.

A decimal is (mantissa, places); a ratio is (numerator, denominator) in lowest terms. A balance
that comes out negative stays negative: default coke carries more carbon than default washed coal.
"""

from collections import namedtuple

from edge.core.carbon import ratio
from edge.core.errors import ConfigError, DataError
from edge.core.numbers.fixed import format_decimal, power_of_ten
from edge.core.numbers.units import CANONICAL, dimension_of, ratio_to, reduce_ratio
from edge.core.schema import nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.core.carbon.factors import FactorSet

#: per: "t" or "10*4.m3" (volume at 0 Cel, 101.325 kPa); ncv: GJ per that; carbon: tC/TJ, which is
#: kgC/GJ and mgC/kJ; oxidation: percent, None where the publication has none. Decimals.
#: biogenic: its CO2 is a memo item that counts 0 in totals; the ratios below still tell it.
Fuel = namedtuple("Fuel", ("id", "per", "ncv", "carbon", "oxidation", "biogenic"))

#: What a fuel may be, both ends in: a wrong power of ten lies outside.
NCV_GJ = {"t": (2, 55), "10*4.m3": (30, 400)}
CARBON_T_PER_TJ = (12, 75)
OXIDATION_PERCENT = (0, 100)

#: Oxidation of the carbon that a conversion takes up: all of it.
FULL = (100, 0)

CO2_PER_CARBON = (11, 3)
CO2_PER_METHANE = (11, 4)


def to_ratio(decimal: tuple[int, int]) -> tuple[int, int]:
    """A decimal as a ratio."""
    return reduce_ratio(*ratio.of(decimal))


def multiply(*ratios: tuple[int, int]) -> tuple[int, int]:
    """The product of ratios."""
    return reduce_ratio(*ratio.product(*ratios))


def add(*ratios: tuple[int, int]) -> tuple[int, int]:
    """The sum of ratios, its sign kept."""
    return reduce_ratio(*ratio.total(*ratios))


def negate(value: tuple[int, int]) -> tuple[int, int]:
    """The ratio with the other sign."""
    return -value[0], value[1]


def range_fault(fuel: Fuel) -> tuple[str, str, str] | None:
    """(key, value found, what was expected) of the first impossible parameter, or None."""
    for key, decimal, limits, unit in (
        ("ncv", fuel.ncv, NCV_GJ[fuel.per], "GJ/" + fuel.per),
        ("carbon", fuel.carbon, CARBON_T_PER_TJ, "t/TJ"),
        ("oxidation_percent", fuel.oxidation, OXIDATION_PERCENT, "%"),
    ):
        if decimal is None:
            continue
        mantissa, places = decimal
        scale = power_of_ten(places)
        if not limits[0] * scale <= mantissa <= limits[1] * scale:
            expected = "%d to %d %s" % (limits[0], limits[1], unit)
            return key, format_decimal(mantissa, places), expected
    return None


def energy_ratio(fuel: Fuel, unit: str) -> tuple[int, int]:
    """kJ of lower heating value in one `unit` of a fuel.

    unit: UCUM code of mass for a fuel per t, of volume for one per 10*4.m3, of heat for both.
    Raises DataError "data.range" for another unit or a parameter out of its range.
    """
    fault = range_fault(fuel)
    if fault is not None:
        raise DataError("data.range", what=fault[0] + " of " + fuel.id, value=fault[1])
    if dimension_of(unit) in ("heat", "energy"):
        return reduce_ratio(*ratio_to(unit, "heat"))
    dimension = dimension_of(fuel.per)
    # GJ/t is kJ/g; GJ/10*4.m3 is a tenth of a kJ/L.
    scale = (1, 1) if dimension == "mass" else (1, 10)
    return multiply(ratio_to(unit, dimension), to_ratio(fuel.ncv), scale)


def emission_ratio(
    fuel: Fuel, unit: str, oxidation: tuple[int, int] | None = None
) -> tuple[int, int]:
    """mg of CO2 from one `unit` of a fuel.

    oxidation: percent, in place of the fuel's own; FULL in a conversion.
    Raises DataError "data.range" as `energy_ratio` does, and for a fuel without oxidation.
    """
    burnt = fuel.oxidation if oxidation is None else oxidation
    if burnt is None or not 0 <= burnt[0] <= 100 * power_of_ten(burnt[1]):
        shown = "none" if burnt is None else format_decimal(*burnt)
        raise DataError("data.range", what="oxidation_percent of " + fuel.id, value=shown)
    energy = energy_ratio(fuel, unit)
    return multiply(energy, to_ratio(fuel.carbon), to_ratio(burnt), (1, 100), CO2_PER_CARBON)


def find_fuel(fuels: tuple[Fuel, ...], name: str, file: str, key: str) -> Fuel:
    """The fuel called `name`; ConfigError "config.reference" says who asked and what is near."""
    for fuel in fuels:
        if fuel.id == name:
            return fuel
    known = [fuel.id for fuel in fuels]
    guess = nearest(name, known) or "one of " + ", ".join(known)
    raise ConfigError("config.reference", file=file, key=key, found=name, nearest=guess)


def fuel_factor(found: "FactorSet", name: str, unit: str) -> tuple[int, int]:
    """mg of CO2 per canonical unit of what `unit` measures: per g, per L or per kJ.

    A stream's cumulative times its ratio to the canonical unit times this is mg of CO2.
    unit: as for `energy_ratio`; W.h and its multiples count as heat.
    Raises ConfigError "config.reference", DataError "data.range".
    """
    fuel = find_fuel(found.fuels, name, found.id, "fuel")
    dimension = dimension_of(unit)
    return emission_ratio(fuel, CANONICAL["heat" if dimension == "energy" else dimension])


def conversion_ratio(
    inputs: tuple[tuple[Fuel, tuple[int, int], str], ...],
    outputs: tuple[tuple[Fuel, tuple[int, int], str], ...],
) -> tuple[int, int]:
    """mg of CO2 of a conversion (coking, gas making, refining): inputs less outputs.

    inputs, outputs: (fuel, quantity, its unit). Negative when more carbon comes out than went in:
    the figure is then wrong in its factors or its quantities and has to be shown as it is.
    Source: park method 910, E = sum(in x EF) - sum(out x EF), oxidation 100 %.
    """
    total = (0, 1)
    for fuel, quantity, unit in inputs:
        total = add(total, multiply(to_ratio(quantity), emission_ratio(fuel, unit, FULL)))
    for fuel, quantity, unit in outputs:
        burnt = multiply(to_ratio(quantity), emission_ratio(fuel, unit, FULL))
        total = add(total, negate(burnt))
    return total


def balance_ratio(
    inputs: tuple[tuple[tuple[int, int], tuple[int, int]], ...],
    outputs: tuple[tuple[tuple[int, int], tuple[int, int]], ...],
) -> tuple[int, int]:
    """CO2 of a carbon balance, in the unit of mass that the quantities are in.

    inputs, outputs: (quantity, carbon per quantity), decimals. May be negative.
    Source: GB/T 32151.34-2024 equations (7) and (8), first bracket.
    """
    carbon = add(
        *[multiply(to_ratio(quantity), to_ratio(content)) for quantity, content in inputs],
        *[negate(multiply(to_ratio(quantity), to_ratio(part))) for quantity, part in outputs],
    )
    return multiply(carbon, CO2_PER_CARBON)


def normal_volume_ratio(celsius: tuple[int, int], pressure_pa: int) -> tuple[int, int]:
    """What a gas volume stated at another reference state is at 0 Cel and 101 325 Pa.

    The ideal gas law with 273.15 K. A meter of GB/T 21446 states volume at 20 Cel, 101 325 Pa.
    Raises DataError "data.range" at absolute zero or vacuum.
    """
    scale = power_of_ten(celsius[1])
    kelvin = 27_315 * scale + celsius[0] * 100
    if kelvin <= 0 or pressure_pa <= 0:
        raise DataError("data.range", what="reference state", value=format_decimal(*celsius))
    return reduce_ratio(27_315 * scale * pressure_pa, kelvin * 101_325)


def steam_heat_ratio(enthalpy: tuple[int, int], deducted: tuple[int, int]) -> tuple[int, int]:
    """kJ of heat in one g of steam or hot water.

    enthalpy, deducted: kJ/kg. GB/T 32151.34-2024 equation (13) deducts nothing; guides that count
    from water at 20 Cel deduct 83.74: the difference is about 3 %, so it is said each time.
    """
    return multiply(add(to_ratio(enthalpy), negate(to_ratio(deducted))), (1, 1000))


def interpolate(
    at: tuple[int, int],
    low: tuple[tuple[int, int], tuple[int, int]],
    high: tuple[tuple[int, int], tuple[int, int]],
) -> tuple[int, int]:
    """The value at `at` on the straight line between two rows of a printed table.

    low, high: (argument, value), decimals, ascending in their argument.
    Raises DataError "data.range" outside the two rows: a table is not continued.
    """
    start, end = to_ratio(low[0]), to_ratio(high[0])
    ahead = add(to_ratio(at), negate(start))
    width = add(end, negate(start))
    left = add(end, negate(to_ratio(at)))
    if ahead[0] < 0 or left[0] < 0 or width[0] <= 0:
        raise DataError("data.range", what="row of the table", value=format_decimal(*at))
    rise = add(to_ratio(high[1]), negate(to_ratio(low[1])))
    return add(to_ratio(low[1]), multiply(rise, ahead, (width[1], width[0])))
