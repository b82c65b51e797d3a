"""The flue-gas equations of HJ 212-2017 Annex D.2, (18) to (34), as exact fractions.

Quantities are (numerator, denominator) pairs, see `ratio`: m, s, m3/h, Pa, Cel, percent, umol/mol,
mg/m3, mg/h. Nothing is rounded here. A mass is made from a `MassConcentration`; the O2 reference
corrections (26) to (28) give a `LimitConcentration`, which no mass takes.

The means (23), (24), (25) are in `stack_hours`.
"""

from collections import namedtuple

from edge.core.carbon import ratio
from edge.core.errors import DataError

#: Constants that a result depends on; they are part of the method id that goes with it.
#: kelvin_offset: absolute temperature of 0 Cel, and of the reference state, as (mantissa, places);
#: molar_volume_l: L/mol at the reference state; molar_mass_g: g/mol; pressure_pa: reference.
Method = namedtuple(
    "Method", ("id", "kelvin_offset", "molar_volume_l", "molar_mass_g", "pressure_pa")
)

#: mg/m3 of dry gas at the reference state: what (33) multiplies with the dry standard flow.
MassConcentration = namedtuple("MassConcentration", ("numerator", "denominator"))

#: Oxygen in dry air as (26) to (28) write it, percent.
AIR_O2_PERCENT = (21, 1)


def _method(
    kelvin: str,
    offset: tuple[int, int],
    volume: str,
    volume_l: tuple[int, int],
    mass: str,
    mass_g: tuple[int, int],
) -> Method:
    """44 g/mol is what the standard's own examples take; only another value is in the id."""
    name = "hj212-2017/" + kelvin + "/" + volume + mass
    return Method(name, offset, volume_l, mass_g, 101_325)


METHODS: dict[str, Method] = {
    made.id: made
    for made in [
        _method(kelvin, offset, volume, volume_l, mass, mass_g)
        for kelvin, offset in (("273", (273, 0)), ("273.15", (27_315, 2)))
        for volume, volume_l in (("22.4", (224, 1)), ("22.414", (22_414, 3)))
        for mass, mass_g in (("", (44, 0)), ("/44.0095", (440_095, 4)))
    ]
}


class LimitConcentration:
    """A concentration at the reference O2, for comparing with a limit and for nothing else.

    It is no pair on purpose: `mass_rate` refuses it, and so does a type checker.
    """

    def __init__(self, mg_per_m3: tuple[int, int]) -> None:
        self._value = mg_per_m3

    def exceeds(self, limit_mg_per_m3: tuple[int, int]) -> bool:
        """True if the exact value is above the limit, a decimal (mantissa, places)."""
        up, down = ratio.of(limit_mg_per_m3)
        return self._value[0] * down > up * self._value[1]

    def shown(self, places: int) -> int:
        """The mantissa for a display, half-even; never compare it with a limit."""
        return ratio.rounded(self._value, places)


def _kelvin(method: Method, celsius: tuple[int, int]) -> tuple[int, int]:
    return ratio.total(ratio.of(method.kelvin_offset), celsius)


def _dry_part(moisture_percent: tuple[int, int]) -> tuple[int, int]:
    """1 - Xsw; DataError "data.range" for moisture outside 0 to below 100 %."""
    up, down = moisture_percent
    if not 0 <= up < 100 * down:
        raise DataError("data.range", what="moisture_percent", value=up)
    return 100 * down - up, 100 * down


def standard_concentration(
    method: Method,
    actual: tuple[int, int],
    absolute_pa: tuple[int, int],
    celsius: tuple[int, int],
) -> tuple[int, int]:
    """(18) Csn = Cs x 101325/(Ba + Ps) x (273 + ts)/273, in the same wet or dry state."""
    thinner = ratio.quotient((method.pressure_pa, 1), absolute_pa)
    zero = ratio.of(method.kelvin_offset)
    warmer = ratio.quotient(_kelvin(method, celsius), zero)
    return ratio.product(actual, thinner, warmer)


def dry(wet: tuple[int, int], moisture_percent: tuple[int, int]) -> tuple[int, int]:
    """(19) Cdry = Cwet/(1 - Xsw); for O2 as well."""
    return ratio.quotient(wet, _dry_part(moisture_percent))


def mass_concentration(method: Method, umol_per_mol: tuple[int, int]) -> MassConcentration:
    """(20) CQ = M/22.4 x CV, mg/m3 from umol/mol (ppm by volume) of dry gas."""
    heavier = ratio.quotient(ratio.of(method.molar_mass_g), ratio.of(method.molar_volume_l))
    numerator, denominator = ratio.product(heavier, umol_per_mol)
    return MassConcentration(numerator, denominator)


def volume_concentration(method: Method, mass: MassConcentration) -> tuple[int, int]:
    """(20) the other way: umol/mol from mg/m3."""
    lighter = ratio.quotient(ratio.of(method.molar_volume_l), ratio.of(method.molar_mass_g))
    return ratio.product((mass.numerator, mass.denominator), lighter)


def excess_air(o2_dry_percent: tuple[int, int]) -> tuple[int, int]:
    """(27) alpha = 21/(21 - O2dry)."""
    return ratio.quotient(AIR_O2_PERCENT, ratio.less(AIR_O2_PERCENT, o2_dry_percent))


def limit_by_excess_air(
    found: MassConcentration, o2_dry_percent: tuple[int, int], alpha_s: tuple[int, int]
) -> LimitConcentration:
    """(26) C = Csn x alpha/alpha_s, alpha_s the excess air that the limit is written for."""
    relative = ratio.quotient(excess_air(o2_dry_percent), alpha_s)
    return LimitConcentration(ratio.product((found.numerator, found.denominator), relative))


def limit_by_o2(
    found: MassConcentration, o2_dry_percent: tuple[int, int], o2_s_percent: tuple[int, int]
) -> LimitConcentration:
    """(28) C = Csn x (21 - O2s)/(21 - O2dry), O2s the content that the limit is written for."""
    wanted = ratio.less(AIR_O2_PERCENT, o2_s_percent)
    relative = ratio.quotient(wanted, ratio.less(AIR_O2_PERCENT, o2_dry_percent))
    return LimitConcentration(ratio.product((found.numerator, found.denominator), relative))


def velocity(factor: tuple[int, int], at_point_m_s: tuple[int, int]) -> tuple[int, int]:
    """(29) Vs = Kv x Vp: mean of the cross-section from the velocity at the probe."""
    return ratio.product(factor, at_point_m_s)


def actual_flow(area_m2: tuple[int, int], mean_m_s: tuple[int, int]) -> tuple[int, int]:
    """(30) Qsh = 3600 x F x Vs, m3/h of wet gas at the state in the stack."""
    return ratio.product((3600, 1), area_m2, mean_m_s)


def standard_flow(
    method: Method,
    actual_m3_h: tuple[int, int],
    celsius: tuple[int, int],
    absolute_pa: tuple[int, int],
    moisture_percent: tuple[int, int],
) -> tuple[int, int]:
    """(31) Qsn = Qsh x 273/(273 + ts) x (Ba + Ps)/101325 x (1 - Xsw), m3/h of dry gas."""
    colder = ratio.quotient(ratio.of(method.kelvin_offset), _kelvin(method, celsius))
    denser = ratio.quotient(absolute_pa, (method.pressure_pa, 1))
    return ratio.product(actual_m3_h, colder, denser, _dry_part(moisture_percent))


def day_flow(hours_m3_h: list[tuple[int, int]]) -> tuple[int, int]:
    """(32) Qd = sum of the Qsn of the day's hours, m3."""
    return ratio.total(*hours_m3_h)


def mass_rate(concentration: MassConcentration, standard_m3_h: tuple[int, int]) -> tuple[int, int]:
    """(33) Gh = CQ x Qsn, in mg/h; the standard has kg/h and a factor of 10^-6.

    Raises TypeError for anything but a MassConcentration: a concentration at the reference O2
    would change the mass by the excess air.
    """
    if not isinstance(concentration, MassConcentration):
        raise TypeError("a mass is made from a MassConcentration")
    return ratio.product((concentration.numerator, concentration.denominator), standard_m3_h)


def day_mass(hours_mg: list[int]) -> int:
    """(34) Gd = sum of the day's Gh.

    The standard prints another factor of 10^-6, which (33) has applied already: a misprint, not
    executed.
    """
    return sum(hours_mg)
