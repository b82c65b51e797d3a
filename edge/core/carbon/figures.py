"""What an interval's emissions are divided by: standard coal under each accounting, stated facts.

A figure is [name, subject, basis, value, places, unit]; value: a mantissa, None when a quantity
that it needs is missing or the denominator is 0.

coal      subject: the accounting; grams of coal equivalent that came in, less what went out
per_coal  subject: the accounting; tCO2/tce on a basis, scopes 1 and 2
per_fact  subject: the fact's name; kgCO2 per its unit on a basis: what this interval adds to the
          figure of the fact's whole period
"""

from edge.core.carbon.intensity import coal_grams, per_coal, per_fact
from edge.core.carbon.interval import ACTIVITY, BASES
from edge.core.carbon.kinds import KINDS
from edge.core.numbers.fixed import div_round

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.core.carbon.streams import Stream
    from edge.core.carbon.tally import Tally

PER_COAL_PLACES = 6
PER_FACT_PLACES = 9

#: Places in a FACT part of a TABLE, see `journal.record`; the first form has no period in ms.
_NAME = 1
_KIND = 2
_UNIT = 5
_START = 9
_END = 10

#: Facts that something is divided by; a certificate is not one of them.
_DIVISORS = ("product", "floor_area", "value_added")


def facts_at(facts: list[list], start_ms: int) -> list[list]:
    """The facts whose period has this moment in it, of each name the one stated last."""
    found: list[list] = []
    for fact in facts:
        if len(fact) <= _END or fact[_KIND] not in _DIVISORS:
            continue
        if fact[_START] <= start_ms < fact[_END]:
            found = [other for other in found if other[_NAME] != fact[_NAME]]
            found.append(fact)
    return found


def figures_of(
    streams: "Sequence[Stream | Tally]", entries: list[list], totals: list, facts: list[list]
) -> list[list[object]]:
    """The figures of an interval; entries in the order of `streams`, totals of the same interval.

    facts: FACT parts that hold, see `facts_at`.
    """
    main = next((stream.basis for stream in streams), "")
    emissions = [(main, _sum(totals[0], totals[1]))]
    for basis, scope1_mg, scope2_mg, _, _ in totals[BASES]:
        emissions.append((basis, _sum(scope1_mg, scope2_mg)))
    rows: list[list[object]] = []
    for accounting in _accountings(streams):
        rows += _coal_rows(accounting, streams, entries, emissions)
    for fact in facts:
        unit = "kg/" + fact[_UNIT]
        for basis, emission_mg in emissions:
            value = None
            if emission_mg is not None:
                value = per_fact(emission_mg, fact[3], fact[4], PER_FACT_PLACES)
            rows.append(["per_fact", fact[_NAME], basis, value, PER_FACT_PLACES, unit])
    return rows


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _accountings(streams: "Sequence[Stream | Tally]") -> list[str]:
    found: list[str] = []
    for stream in streams:
        for coal in stream.coal:
            if coal.accounting not in found:
                found.append(coal.accounting)
    return found


def _coal_rows(
    accounting: str,
    streams: "Sequence[Stream | Tally]",
    entries: list[list],
    emissions: list[tuple[str, int | None]],
) -> list[list[object]]:
    activities: list[tuple[int, tuple[int, int]]] | None = []
    for stream, entry in zip(streams, entries):
        for coal in stream.coal:
            if coal.accounting != accounting or activities is None:
                continue
            if entry[ACTIVITY] is None:
                activities = None
                continue
            sign = KINDS[stream.kind].emission
            ratio = (coal.numerator, coal.denominator)
            activities.append((sign * entry[ACTIVITY], ratio))
    grams = None if activities is None else coal_grams(activities)
    shown = None if grams is None else div_round(grams[0], grams[1])
    rows: list[list[object]] = [["coal", accounting, "", shown, 0, "g"]]
    for basis, emission_mg in emissions:
        value = None
        if grams is not None and emission_mg is not None:
            value = per_coal(emission_mg, grams, PER_COAL_PLACES)
        rows.append(["per_coal", accounting, basis, value, PER_COAL_PLACES, "t/t"])
    return rows
