"""What emissions are divided by, and what hourly supply covers: report figures from intervals.

Inputs are sums of interval records, so integers; each figure is one exact ratio, rounded once,
half-even. An intensity without a denominator is None, never 0. Nothing is clamped: a site that
exports more than it buys has a negative figure.
"""

from edge.core.errors import DataError
from edge.core.numbers.fixed import HALF_EVEN, div_round, power_of_ten

MS_PER_HOUR = 3_600_000

MG_PER_KG = 1_000_000
MG_PER_T = 1_000_000_000


def mg_per_kwh(emission_mg: int | None, energy_wh: int | None) -> int | None:
    """kgCO2/kWh as mg/kWh; None where nothing was consumed or a figure is missing."""
    if emission_mg is None or energy_wh is None or energy_wh <= 0:
        return None
    return div_round(emission_mg * 1000, energy_wh)


def coal_grams(activities: list[tuple[int, tuple[int, int]]]) -> tuple[int, int]:
    """Grams of coal equivalent as (numerator, denominator).

    activities: (activity in the canonical unit, (numerator, denominator) g per unit) pairs, the
    ratios of `coal.coal_factor` or `coal.fuel_coal_ratio` under one accounting that the report
    names; imports positive, exports negative.
    """
    numerator, denominator = 0, 1
    for activity, ratio in activities:
        numerator = numerator * ratio[1] + activity * ratio[0] * denominator
        denominator = denominator * ratio[1]
    return numerator, denominator


def per_coal(
    emission_mg: int, grams: tuple[int, int], places: int = 4, mode: int = HALF_EVEN
) -> int | None:
    """tCO2/tce as a mantissa with `places`; None without energy.

    mg per g is kg/t: a thousandth of t/t.
    """
    if grams[0] <= 0:
        return None
    scale = power_of_ten(places)
    return div_round(emission_mg * grams[1] * scale, grams[0] * 1000, mode)


def per_fact(
    emission_mg: int, mantissa: int, fact_places: int, places: int = 6, mode: int = HALF_EVEN
) -> int | None:
    """kgCO2 per unit of a stated quantity, as a mantissa with `places`; None for a quantity of 0.

    mantissa, fact_places: of the fact: product, m2, or value added. Both cover the same period;
    who prints the figure prints the fact's period and vintage beside it.
    Raises DataError "data.range" for a negative quantity.
    """
    if mantissa < 0:
        raise DataError("data.range", what="denominator", value=mantissa)
    if mantissa == 0:
        return None
    scale = power_of_ten(places + fact_places)
    return div_round(emission_mg * scale, mantissa * MG_PER_KG, mode)


class HourlyMatch:
    """Own green supply against consumption, hour by hour (24/7 score).

    Surplus of one hour covers nothing in another: daily or annual netting overstates it.
    """

    def __init__(self) -> None:
        self.matched_wh = 0
        self.consumed_wh = 0
        self.green_wh = 0
        self._hour = -1
        self._green = 0
        self._consumed = 0

    def add(self, start_ms: int, green_wh: int, consumed_wh: int) -> None:
        """Take one interval in; in order of time, none longer than an hour.

        Raises DataError "data.range" for one that lies before the hour under way.
        """
        hour = start_ms // MS_PER_HOUR
        if hour < self._hour:
            raise DataError("data.range", what="hour", value=hour)
        if hour != self._hour:
            self.settle()
            self._hour = hour
        self._green += green_wh
        self._consumed += consumed_wh

    def settle(self) -> None:
        """Close the hour under way."""
        self.matched_wh += max(0, min(self._green, self._consumed))
        self.consumed_wh += max(0, self._consumed)
        self.green_wh += self._green
        self._green = self._consumed = 0

    def score_ppm(self) -> int | None:
        """Matched share of the consumption in parts per million; None without consumption."""
        if self.consumed_wh == 0:
            return None
        return div_round(self.matched_wh * 1_000_000, self.consumed_wh)


def cover(offtake_wh: int, traded_wh: int, certificates_wh: int) -> tuple[int, int]:
    """(recognised, not recognised) Wh of green trade and cancelled certificates.

    Recognised up to the offtake from the grid (发改能源〔2026〕622号); what is beyond stays
    visible.
    """
    claimed = traded_wh + certificates_wh
    recognised = min(claimed, max(0, offtake_wh))
    return recognised, claimed - recognised


def non_fossil_wh(
    physical_wh: int, recognised_wh: int, offtake_wh: int, share_ppm: int
) -> tuple[int, int]:
    """Non-fossil use as (numerator, denominator) Wh: physical + recognised + the grid's share.

    share_ppm: the province's published coefficient; it applies to the offtake that neither trade
    nor certificates cover (发改能源〔2026〕622号).
    """
    rest_wh = offtake_wh - recognised_wh
    return (physical_wh + recognised_wh) * 1_000_000 + rest_wh * share_ppm, 1_000_000


def round_trip(charged_wh: int, discharged_wh: int) -> tuple[int, int | None]:
    """(loss in Wh, efficiency in ppm or None) of a store over a span that ends as it began."""
    loss_wh = charged_wh - discharged_wh
    if charged_wh <= 0:
        return loss_wh, None
    return loss_wh, div_round(discharged_wh * 1_000_000, charged_wh)
