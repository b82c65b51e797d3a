"""The totals of an interval, from its entries; see `interval` for what they say."""

from edge.core.carbon.interval import ACTIVITY, EMISSION, OTHERS
from edge.core.carbon.kinds import GREEN, KINDS
from edge.core.numbers.fixed import div_round

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.core.carbon.streams import Stream
    from edge.core.carbon.tally import Tally


def bases_of(streams: "Sequence[Stream | Tally]") -> list[str]:
    """The further bases that any stream has a rate for, in the order of their first mention."""
    found: list[str] = []
    for stream in streams:
        for rate in stream.rates:
            if rate.basis not in found:
                found.append(rate.basis)
    return found


def emission_on(stream: "Stream | Tally", entry: list, basis: str) -> int | None:
    """A stream's emission on a further basis; its main one where it has no rate for it."""
    for at, rate in enumerate(stream.rates):
        if rate.basis == basis:
            other: int | None = entry[OTHERS][at]
            return other
    main: int | None = entry[EMISSION]
    return main


def totals_of(
    streams: "Sequence[Stream | Tally]", entries: list[list], bases: list[str]
) -> list[object]:
    """The totals of an interval from its entries, which are in the order of `streams`."""
    consumption: int | None = 0
    green: int | None = 0
    storage: int | None = 0
    for stream, entry in zip(streams, entries):
        sign = KINDS[stream.kind].consumption
        activity = entry[ACTIVITY]
        if sign:
            consumption = _add(consumption, activity, sign)
        if stream.kind in GREEN:
            green = _add(green, activity, 1)
        if stream.kind in ("battery_charge", "battery_discharge"):
            storage = _add(storage, activity, -sign)
    main = _emissions(streams, [entry[EMISSION] for entry in entries])
    others: list[object] = []
    for basis in bases:
        pairs = zip(streams, entries)
        sums = _emissions(streams, [emission_on(stream, entry, basis) for stream, entry in pairs])
        others.append([basis] + sums + [_intensity(sums[2], consumption)])
    return main + [consumption, _intensity(main[2], consumption), green, storage, others]


def _emissions(streams: "Sequence[Stream | Tally]", emissions: list) -> list[int | None]:
    """[scope 1, scope 2, electricity] in mg."""
    scope1: int | None = 0
    scope2: int | None = 0
    electricity: int | None = 0
    for stream, emission in zip(streams, emissions):
        meaning = KINDS[stream.kind]
        if meaning.scope == 1:
            scope1 = _add(scope1, emission, 1)
        if meaning.scope == 2:
            scope2 = _add(scope2, emission, 1)
            if meaning.dimension == "energy":
                electricity = _add(electricity, emission, 1)
    return [scope1, scope2, electricity]


def _intensity(electricity: int | None, consumption: int | None) -> int | None:
    if electricity is None or consumption is None or consumption <= 0:
        return None
    return div_round(electricity * 1000, consumption)


def _add(total: int | None, value: object, sign: int) -> int | None:
    if total is None or not isinstance(value, int):
        return None
    return total + sign * value
