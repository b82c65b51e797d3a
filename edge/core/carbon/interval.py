"""The body of an INTERVAL record: what one closed interval says, and how it is laid out.

[start_ms, end_ms, streams, totals]

streams: per stream [number, cumulative, rest, activity, emission_mg, good, expected, flags,
         substituted, others, state]
         cumulative: the count C in the register's mantissa (mg for a stack); rest: what a stack
         has beyond whole mg, in mg.ms/h; activity in the stream's unit; emission_mg on the main
         basis; good of expected polls counted; flags: `counter.Flag`; substituted: the part of
         the activity that was not measured; others: emission_mg on the further bases in the order
         of the stream's rates; state: what the meter needs to go on, see `tally`
         C, activity and emissions are None before a first reading.
         An entry that has more to tell ends with [figures, times]: figures as below, of the
         stream; times: per rate by tariff what it needs to go on, see `timed`.
totals:  [scope1_mg, scope2_mg, electricity_mg, consumption_wh, intensity_mg_per_kwh, green_wh,
         storage_wh, bases]
         green_wh: own green supply; storage_wh: charged less discharged, which over a full cycle
         is the loss; bases: per further basis [name, scope1_mg, scope2_mg, electricity_mg,
         intensity_mg_per_kwh]. A total is None when a stream it needs has no figure; an intensity
         also when nothing was consumed. Totals of a site that has stated coal or facts end with
         a list of figures, see `figures`.

figure:  [name, subject, basis, value, places, unit]; of a stream:
         hours         subject: valid, filled, missing or pending, of a stack by whole hours
         samples       subject: flag of HJ 212-2017 Table 8, see `flags`
         filled_hours  subject: the rule of substitution
         filled        subject: the rule; mg that it stands for
         fallback      subject: the tariff; activity at factors of a later layer than its first

Bodies of the first form end an entry after `expected` and the totals after the intensity.
"""

from edge.core.carbon.streams import GREEN, KINDS, Stream
from edge.core.numbers.fixed import div_round

#: Places of an entry's items.
NUMBER = 0
CUMULATIVE = 1
REST = 2
ACTIVITY = 3
EMISSION = 4
GOOD = 5
EXPECTED = 6
FLAGS = 7
SUBSTITUTED = 8
OTHERS = 9
STATE = 10
FIGURES = 11
TIMES = 12

#: Place of the further bases in the totals, and of the figures behind them.
BASES = 7
TOTAL_FIGURES = 8

ENTRY_FIELDS = 11
FULL_ENTRY_FIELDS = 13
OLD_ENTRY_FIELDS = 7
TOTAL_FIELDS = 8
OLD_TOTAL_FIELDS = 5


def bases_of(streams: tuple[Stream, ...]) -> list[str]:
    """The further bases that any stream has a rate for, in the order of their first mention."""
    found: list[str] = []
    for stream in streams:
        for rate in stream.rates:
            if rate.basis not in found:
                found.append(rate.basis)
    return found


def emission_on(stream: Stream, entry: list, basis: str) -> int | None:
    """A stream's emission on a further basis; its main one where it has no rate for it."""
    for at, rate in enumerate(stream.rates):
        if rate.basis == basis:
            other: int | None = entry[OTHERS][at]
            return other
    main: int | None = entry[EMISSION]
    return main


def totals_of(streams: tuple[Stream, ...], entries: list[list], bases: list[str]) -> list[object]:
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


def _emissions(streams: tuple[Stream, ...], emissions: list) -> list[int | None]:
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
