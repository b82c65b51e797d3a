"""The Wuxi indicators for zero-carbon parks that metered data and stated facts can give.

Source: 无锡市零碳园区建设三年行动方案（2025—2027年）, annex; numbers are those of its table.
Values are exact ratios and are compared with a target as such, never as rounded.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from cloud_sync.reports.energy import Coal, Flows
from edge.core.carbon.intensity import cover

_G_PER_T = 10**6
_MG_PER_T = 10**9
_WH_PER_MWH = 10**6

#: Units of value added that mean 10,000 yuan.
_WAN_YUAN = ("10*4.CNY", "万元")
_MWH = {"MW.h": 1, "MWh": 1, "1": 1}  # a certificate is 1 MWh


class Inputs(NamedTuple):
    """What the indicators are made from, all of one period. Facts are in their target's unit.

    is_whole: every interval has a figure; a ratio of parts would look like one of wholes.
    """

    park_mg: int
    coal: Coal
    flows: Flows
    value_added: Fraction | None
    certificates_mwh: Fraction | None
    days: Fraction
    is_whole: bool


class Indicator(NamedTuple):
    """value: None where an input is not there; needs: what that is, a key of the labels.

    near, long: (comparison, bound) or None; of: what went in, as (label key, value, unit).
    """

    number: int
    key: str
    unit: str
    value: Fraction | None
    near: tuple[str, Fraction] | None
    long: tuple[str, Fraction] | None
    of: Sequence[tuple[str, Fraction | None, str]]
    needs: str = ""


def meets(value: Fraction | None, target: tuple[str, Fraction] | None) -> bool | None:
    """Whether a value reaches a target; None where one of them is not there."""
    if value is None or target is None:
        return None
    return value <= target[1] if target[0] == "<=" else value >= target[1]


def indicators(given: Inputs) -> list[Indicator]:
    """Every indicator that meters have a part in, in the order of the table."""
    found = [make(given) for make in _MAKERS]
    if given.is_whole:
        return found
    return [item._replace(value=None, needs=item.needs or "figures") for item in found]


def facts_of(facts: list[dict[str, Any]], period: str) -> tuple[Fraction | None, Fraction | None]:
    """(value added in 10,000 yuan, certificates in MWh) of exactly this period, None for none.

    A fact of another period or in another unit is not used.
    """
    added = certified = None
    for fact in facts:
        if fact["period"] != period:
            continue
        value = Fraction(fact["value"], 10 ** fact["places"])
        if fact["kind"] == "value_added" and fact["unit"] in _WAN_YUAN:
            added = value if added is None else added + value
        if fact["kind"] == "certificate" and fact["unit"] in _MWH:
            certified = value if certified is None else certified + value
    return added, certified


def _ratio(up: Fraction | int | None, down: Fraction | int | None) -> Fraction | None:
    """None rather than a division by nothing."""
    if up is None or down is None or down <= 0:
        return None
    return Fraction(up) / Fraction(down)


def _at_most(bound: str) -> tuple[str, Fraction]:
    return "<=", Fraction(bound)


def _at_least(bound: str) -> tuple[str, Fraction]:
    return ">=", Fraction(bound)


def _tonnes(given: Inputs) -> Fraction:
    return Fraction(given.park_mg, _MG_PER_T)


def _tce(given: Inputs) -> Fraction | None:
    total = given.coal.total
    return None if total is None else total / _G_PER_T


def _yearly_tce(given: Inputs) -> Fraction | None:
    tce = _tce(given)
    return None if tce is None else tce * 365 / given.days


def _scale(given: Inputs) -> Indicator:
    tce = _tce(given)
    of = [
        ("electricity", given.coal.electricity / _G_PER_T, "tce"),
        ("heat", given.coal.heat / _G_PER_T, "tce"),
        ("fuel", given.coal.fuel / _G_PER_T, "tce"),
    ]
    needs = "" if tce is not None else "heating_value"
    return Indicator(1, "scale", "tce", tce, None, None, of, needs)


def _per_energy(given: Inputs) -> Indicator:
    tce, yearly = _tce(given), _yearly_tce(given)
    long = _at_most("0.3" if yearly is not None and yearly >= 10**6 else "0.2")
    of = [("park", _tonnes(given), "t"), ("energy", tce, "tce")]
    needs = "" if tce else "heating_value" if tce is None else "energy"
    value = _ratio(_tonnes(given), tce)
    return Indicator(2, "per_energy", "t/tce", value, _at_most("1"), long, of, needs)


def _energy_per_value(given: Inputs) -> Indicator:
    tce = _tce(given)
    of = [("energy", tce, "tce"), ("value_added", given.value_added, "万元")]
    needs = "" if given.value_added else "value_added"
    value = _ratio(tce, given.value_added)
    bounds = _at_most("0.35"), _at_most("0.25")
    return Indicator(3, "energy_per_value", "tce/万元", value, *bounds, of, needs)


def _carbon_per_value(given: Inputs) -> Indicator:
    of = [("park", _tonnes(given), "t"), ("value_added", given.value_added, "万元")]
    needs = "" if given.value_added else "value_added"
    value = _ratio(_tonnes(given), given.value_added)
    bounds = _at_most("0.6"), _at_most("0.1")
    return Indicator(4, "carbon_per_value", "t/万元", value, *bounds, of, needs)


def _renewable_wh(given: Inputs) -> Fraction:
    """Own green supply used here, and certificates as far as the offtake goes (622号)."""
    certificates_wh = int((given.certificates_mwh or 0) * _WH_PER_MWH)
    recognised, _ = cover(given.flows.offtake, 0, certificates_wh)
    return Fraction(given.flows.own_green + recognised)


def _non_fossil(given: Inputs) -> Indicator:
    """By heat. The share of non-fossil power in the grid's mix is not in it: a lower bound."""
    tce, renewable = _tce(given), _renewable_wh(given)
    flows = given.flows
    used = flows.offtake - flows.export + flows.green
    part = _ratio(given.coal.electricity * renewable, used)
    of = [("renewable", renewable / _WH_PER_MWH, "MWh"), ("energy", tce, "tce")]
    share = None if part is None or tce is None else _ratio(part / _G_PER_T * 100, tce)
    needs = "" if tce else "heating_value" if tce is None else "energy"
    return Indicator(5, "non_fossil", "%", share, _at_least("20"), _at_least("80"), of, needs)


def _renewable(given: Inputs) -> Indicator:
    used = given.flows.consumption
    of = [
        ("own_green", Fraction(given.flows.own_green, _WH_PER_MWH), "MWh"),
        ("certificates", given.certificates_mwh, "MWh"),
        ("consumption", Fraction(used, _WH_PER_MWH), "MWh"),
        ("hourly_match", _ratio(Fraction(given.flows.matched * 100), used), "%"),
    ]
    value = _ratio(_renewable_wh(given) * 100, used)
    bounds = _at_least("30"), _at_least("70")
    return Indicator(19, "renewable", "%", value, *bounds, of, "" if used > 0 else "consumption")


def _electrification(given: Inputs) -> Indicator:
    tce = _tce(given)
    electric = given.coal.electricity / _G_PER_T
    of = [("electricity", electric, "tce"), ("energy", tce, "tce")]
    value = _ratio(electric * 100, tce)
    needs = "" if tce else "heating_value" if tce is None else "energy"
    bounds = _at_least("50"), _at_least("70")
    return Indicator(20, "electrification", "%", value, *bounds, of, needs)


def _daily(given: Inputs) -> list[tuple[str, Fraction | None, str]]:
    mean = Fraction(given.flows.consumption, _WH_PER_MWH) / given.days
    return [("daily_use", mean, "MWh"), ("peak", given.flows.peak_w / 1000, "kW")]


def _demand_response(given: Inputs) -> Indicator:
    of = _daily(given)
    return Indicator(23, "demand_response", "%", None, _at_least("8"), None, of, "capability")


def _storage(given: Inputs) -> Indicator:
    bounds = _at_least("8"), _at_least("10")
    return Indicator(24, "storage", "%", None, *bounds, _daily(given), "capacity")


_MAKERS: tuple[Callable[[Inputs], Indicator], ...] = (
    *(_scale, _per_energy, _energy_per_value, _carbon_per_value, _non_fossil),
    *(_renewable, _electrification, _demand_response, _storage),
)
