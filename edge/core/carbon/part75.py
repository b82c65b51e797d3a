"""US EPA 40 CFR Part 75: CO2 mass, CO2 from O2, moisture and heat input, with its rounding.

Equations by the names that the agency's check engine gives them. Quantities are (numerator,
denominator) pairs: percent by volume, scfh (standard cubic feet an hour at 68 F and 29.92 inHg).
Results are tenths, half away from zero: 1 decimal is what the agency compares with. Flow reaches
these equations wet, as it is measured.
"""

from edge.core.carbon import ratio
from edge.core.errors import DataError
from edge.core.numbers.fixed import HALF_AWAY, div_round

#: Short tons of CO2 per scf and percent, the constant of F-11.
TONS_PER_SCF_PERCENT = (57, 100_000_000)

#: Oxygen in dry air as Part 75 writes it, percent.
AIR_O2_PERCENT = (209, 10)

#: mg in a tenth of a short ton: 200 lb of 453.59237 g, exactly.
MG_PER_TENTH = 90_718_474

#: Standard state: 68 F is 293.15 K; 29.92 inHg of 3386.389 Pa; a cubic foot in m3, exactly.
STANDARD_KELVIN = (29_315, 2)
STANDARD_PA = (10_132_075_888, 5)
M3_PER_SCF = (28_316_846_592, 12)

#: Decimals of CO2 that is made from O2.
CO2_PLACES = 6

_HUNDRED = (100, 1)


def tenths(value: tuple[int, int]) -> int:
    """A fraction as tenths, half away from zero."""
    return ratio.rounded(value, 1, HALF_AWAY)


def flow_scfh(
    actual_m3_h: tuple[int, int], kelvin: tuple[int, int], absolute_pa: tuple[int, int]
) -> tuple[int, int]:
    """Wet flow in scfh from m3/h at the temperature and pressure in the stack."""
    colder = ratio.quotient(ratio.of(STANDARD_KELVIN), kelvin)
    denser = ratio.quotient(absolute_pa, ratio.of(STANDARD_PA))
    feet = ratio.quotient(actual_m3_h, ratio.of(M3_PER_SCF))
    return ratio.product(feet, colder, denser)


def dry_part(h2o_percent: tuple[int, int]) -> tuple[int, int]:
    """(100 - %H2O)/100; DataError "data.range" outside 0 to below 100 %."""
    up, down = h2o_percent
    if not 0 <= up < 100 * down:
        raise DataError("data.range", what="h2o_percent", value=up)
    return 100 * down - up, 100 * down


def f11_tenths(co2_wet_percent: tuple[int, int], scfh: tuple[int, int]) -> int:
    """F-11: CO2 in short tons an hour from a wet analyzer."""
    return tenths(ratio.product(TONS_PER_SCF_PERCENT, co2_wet_percent, scfh))


def f2_tenths(
    co2_dry_percent: tuple[int, int], scfh: tuple[int, int], h2o_percent: tuple[int, int]
) -> int:
    """F-2: CO2 in short tons an hour from a dry analyzer."""
    wet = ratio.product(co2_dry_percent, dry_part(h2o_percent))
    return f11_tenths(wet, scfh)


def hour_mg(rate_tenths: int, minutes: int) -> int:
    """The mass of an hour in mg: the rounded rate x operating time (0..60 minutes of it)."""
    return div_round(rate_tenths * MG_PER_TENTH * minutes, 60, HALF_AWAY)


def f14a(
    o2_dry_percent: tuple[int, int], fc: tuple[int, int], fd: tuple[int, int]
) -> tuple[int, int]:
    """F-14A: CO2d = 100 Fc/Fd (20.9 - O2d)/20.9, percent dry; below zero it is zero."""
    left = ratio.less(AIR_O2_PERCENT, o2_dry_percent)
    return _diluent(left, fc, fd)


def f14b(
    o2_wet_percent: tuple[int, int],
    h2o_percent: tuple[int, int],
    fc: tuple[int, int],
    fd: tuple[int, int],
) -> tuple[int, int]:
    """F-14B: CO2w = 100/20.9 Fc/Fd (20.9 (100 - H2O)/100 - O2w); below zero it is zero."""
    left = ratio.less(ratio.product(AIR_O2_PERCENT, dry_part(h2o_percent)), o2_wet_percent)
    return _diluent(left, fc, fd)


def _diluent(left: tuple[int, int], fc: tuple[int, int], fd: tuple[int, int]) -> tuple[int, int]:
    share = ratio.quotient(left, AIR_O2_PERCENT)
    found = ratio.product(_HUNDRED, ratio.quotient(fc, fd), share)
    return found if found[0] > 0 else (0, 1)


def co2_of_o2(
    o2: tuple[int, int] | None,
    moisture: tuple[int, int] | None,
    wet: bool,
    fuel: tuple[tuple[int, int], tuple[int, int]],
) -> tuple[int, int] | None:
    """CO2 in 10^-6 % as a decimal from O2 in percent, by F-14A, for a wet analyzer by F-14B.

    fuel: (Fc, Fd). All are decimals (mantissa, places); off by 5e-7 % of CO2 at most. None when
    a reading is missing, a share is none, or O2 is negative or above 100 %.
    """
    if o2 is None or moisture is None:
        return None
    share, water = ratio.of(o2), ratio.of(moisture)
    fc, fd = ratio.of(fuel[0]), ratio.of(fuel[1])
    if not 0 <= share[0] <= 100 * share[1]:
        return None
    try:
        found = f14b(share, water, fc, fd) if wet else f14a(share, fc, fd)
    except DataError:
        return None
    return ratio.rounded(found, CO2_PLACES), CO2_PLACES


def f31(o2_dry_percent: tuple[int, int], o2_wet_percent: tuple[int, int]) -> tuple[int, int]:
    """F-31: H2O = 100 (O2d - O2w)/O2d, percent."""
    water = ratio.less(o2_dry_percent, o2_wet_percent)
    return ratio.product(_HUNDRED, ratio.quotient(water, o2_dry_percent))


def f15_tenths(
    scfh: tuple[int, int], co2_wet_percent: tuple[int, int], fc: tuple[int, int]
) -> int:
    """F-15: heat input in mmBtu/h from wet CO2."""
    return tenths(
        ratio.quotient(ratio.product(scfh, co2_wet_percent), ratio.product(fc, _HUNDRED))
    )


def f16_tenths(
    scfh: tuple[int, int],
    co2_dry_percent: tuple[int, int],
    h2o_percent: tuple[int, int],
    fc: tuple[int, int],
) -> int:
    """F-16: heat input in mmBtu/h from dry CO2."""
    return f15_tenths(scfh, ratio.product(co2_dry_percent, dry_part(h2o_percent)), fc)


def f18_tenths(
    scfh: tuple[int, int],
    o2_dry_percent: tuple[int, int],
    h2o_percent: tuple[int, int],
    fd: tuple[int, int],
) -> int:
    """F-18: heat input in mmBtu/h from dry O2."""
    left = ratio.less(AIR_O2_PERCENT, o2_dry_percent)
    dry = ratio.product(scfh, dry_part(h2o_percent), left)
    return tenths(ratio.quotient(dry, ratio.product(AIR_O2_PERCENT, fd)))
