"""Energy of a park: electricity interval by interval, and all of it in coal equivalents."""

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from cloud_sync.reading.calendar import Period
from cloud_sync.reading.database import Database
from cloud_sync.reading.factor_sets import FactorSets
from cloud_sync.reports.figures import StreamFigures
from edge.core.carbon.coal import coal_factor, fuel_coal_ratio
from edge.core.carbon.intensity import HourlyMatch
from edge.core.carbon.kinds import GREEN, KINDS

#: GB/T 2589 by the heat of electricity: 0.1229 kgce/kWh and 0.03412 kgce/MJ.
COAL_SET = "cn_coal_2589_2020"
ACCOUNTING = "equivalent"

_FLOWS = """
    SELECT start_ms, end_ms, kind, activity FROM v_streams
    WHERE tenant = :tenant AND start_ms >= :start AND start_ms < :end AND unit = 'W.h'
          AND kind <> 'memo'
    ORDER BY start_ms, end_ms"""


@dataclass
class Flows:
    """Electricity of the whole park in Wh. None: an interval has no figure for it.

    own_green: own green supply that was used within the park. What is exported in an interval is
    taken from the green supply of that interval first, so surplus of one hour covers no other.
    peak_w: the largest mean power of an interval. matched: own green supply against consumption
    hour by hour, what is over in one hour covering nothing in another (24/7).
    """

    offtake: int = 0
    export: int = 0
    green: int = 0
    own_green: int = 0
    consumption: int = 0
    peak_w: Fraction = Fraction(0)
    unknown: int = 0
    matched: int = 0


def read_flows(database: Database, tenant: str, period: Period) -> Flows:
    """Sum the park's electricity over a period; meters of all gateways, interval by interval."""
    flows, match = Flows(), HourlyMatch()
    span = {"tenant": tenant, "start": period.start_ms, "end": period.end_ms}
    key: tuple[int, int] | None = None
    parts: dict[str, int] = {}
    for start_ms, end_ms, kind, activity in database.stream(_FLOWS, **span):
        if key is not None and (start_ms, end_ms) != key:
            _settle(flows, match, parts, key)
            parts = {}
        key = (start_ms, end_ms)
        if activity is None:
            flows.unknown += 1
        else:
            parts[kind] = parts.get(kind, 0) + activity
    if key is not None:
        _settle(flows, match, parts, key)
    match.settle()
    flows.matched = match.matched_wh
    return flows


def _settle(
    flows: Flows, match: HourlyMatch, parts: dict[str, int], span: tuple[int, int]
) -> None:
    export = parts.get("grid_export", 0)
    green = sum(parts.get(kind, 0) for kind in GREEN)
    # A certificate is no flow, and a store gives back what it took.
    consumption = sum(KINDS[kind].consumption * value for kind, value in parts.items())
    flows.offtake += parts.get("grid_import", 0)
    flows.export += export
    flows.green += green
    flows.own_green += max(0, green - export)
    flows.consumption += consumption
    match.add(span[0], green, consumption)
    power = Fraction(consumption * 3_600_000, max(1, span[1] - span[0]))
    flows.peak_w = max(flows.peak_w, power)


class Coal(NamedTuple):
    """Grams of coal equivalent by carrier; unknown: streams without a heating value."""

    electricity: Fraction
    heat: Fraction
    fuel: Fraction
    unknown: list[tuple[str, str]]

    @property
    def total(self) -> Fraction | None:
        """None when a stream's energy is not known: a part is not the whole."""
        return None if self.unknown else self.electricity + self.heat + self.fuel


def read_coal(streams: list[StreamFigures], flows: Flows, sets: FactorSets) -> Coal:
    """All energy consumed, by its heat (当量值): electricity, net heat, fuels less products."""
    found = sets.by_id(COAL_SET).parsed
    per_wh = Fraction(*coal_factor(found, "electricity", "W.h", ACCOUNTING))
    per_kj = Fraction(*coal_factor(found, "heat", "kJ", ACCOUNTING))
    heat = fuel = Fraction(0)
    unknown: list[tuple[str, str]] = []
    for figures in streams:
        kind, activity = figures.definition.kind, figures.total("activity")
        sign = KINDS[kind].emission
        if kind in ("heat_import", "heat_export"):
            heat += sign * activity * per_kj
        elif kind in ("fuel", "conversion_input", "conversion_output"):
            ratio = _fuel_ratio(figures, sets)
            if ratio is None:
                unknown.append((figures.gateway, figures.stream))
            else:
                fuel += sign * activity * ratio
    used = flows.offtake - flows.export + flows.green
    return Coal(used * per_wh, heat, fuel, unknown)


def _fuel_ratio(figures: StreamFigures, sets: FactorSets) -> Fraction | None:
    """Grams of coal equivalent in one unit of a stream's fuel, by its lower heating value."""
    definition = figures.definition
    published = sets.find(definition.factor_digest)
    fuels = () if published is None else published.parsed.fuels
    for fuel in fuels:
        if fuel.id == definition.factor and fuel.ncv is not None:
            return Fraction(*fuel_coal_ratio(fuel, definition.unit))
    return None
