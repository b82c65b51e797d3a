"""One figure of a report as a chain: register counts, factor with document, product, rounding.

Emissions of intervals telescope, so those of a day or a month are R(end x factor) - R(start x
factor): two counts, each in an interval record that the hash chain proves. A factor by time has no
such pair: its figure is the sum of the interval records.
"""

from typing import Any

from cloud_sync.reading.calendar import Period
from cloud_sync.reading.factor_sets import FactorSets
from cloud_sync.reports.figures import Cell, Definition, Mark, Run, StreamFigures
from edge.core.carbon.streams import KINDS, TARIFF
from edge.core.numbers import pack
from edge.core.numbers.fixed import div_round, format_decimal

_MS_PER_HOUR = 3_600_000

#: (numerator, denominator, factor, digest in hexadecimal) of a stream on one basis.
Rate = tuple[int, int, str, str]

#: A device's point: unit and places of its register.
Points = dict[tuple[str, str, str, str], tuple[str, int]]


def rate_of(definition: Definition, basis: str) -> Rate:
    """How a stream is multiplied on a basis; on its main one where it has no other rate."""
    if basis and definition.basis != basis and definition.details:
        details: Any = pack.decode(definition.details)
        for name, numerator, denominator, factor, digest in details[0]:
            if name == basis:
                return numerator, denominator, factor, digest.hex()
    return (
        definition.numerator,
        definition.denominator,
        definition.factor,
        definition.factor_digest,
    )


def explain_cell(
    figures: StreamFigures, cell: Cell, part: Period, basis: str, points: Points, sets: FactorSets
) -> dict[str, Any]:
    """The explanation as an object; every number in it is an integer or exact text.

    same: False when the counts do not give the sum of the interval records.
    """
    runs = [_explain_run(run, basis, points, sets) for run in cell.runs]
    return {
        "gateway": figures.gateway,
        "stream": figures.stream,
        "period": part.name,
        "intervals": cell.intervals,
        "activity": cell.activity,
        "unit": figures.definition.unit,
        "emission_mg": cell.emission_mg,
        "emission_kg": format_decimal(cell.emission_mg, 6),
        "polls": {"good": cell.good, "expected": cell.expected},
        "flags": cell.flags,
        "unknown": cell.unknown,
        "runs": runs,
        "same": all(run["same"] for run in runs),
    }


def _explain_run(run: Run, basis: str, points: Points, sets: FactorSets) -> dict[str, Any]:
    definition = run.definition
    numerator, denominator, factor, digest = rate_of(definition, basis)
    sign = KINDS[definition.kind].emission
    told: dict[str, Any] = {
        "epoch": definition.epoch,
        "kind": definition.kind,
        "method": definition.method,
        **_meter(definition, points),
        "first_record": run.first_seq,
        "intervals": run.intervals,
        "factor": sets.tell(factor, digest),
        "mg_per_count": f"{numerator}/{denominator}",
        "sign": sign,
        "rounding": "half to even, 1 mg",
        "emission_mg": run.emission_mg,
        "start": None,
        "end": None,
        "first_mg": None,
        "same": True,
    }
    if factor.startswith(TARIFF):
        # Two counts say nothing of it: each interval has its own sum of moves times factors.
        told["mg_per_count"] = None
        told["rounding"] = "moves times the factor of their time; half to even, 1 mg, per interval"
        return told
    if run.end is None:
        return told
    end_mg = _product(run.end, numerator, denominator)
    places = told["places"]
    told["end"] = _mark(run.end, end_mg, places)
    if run.start is None:
        # Counting began within the first interval: its own record has that one's figure.
        told["first_mg"] = run.first_mg
    start = run.start or run.first_end or run.end
    start_mg = _product(start, numerator, denominator)
    told["start"] = _mark(start, start_mg, places)
    made_mg = (told["first_mg"] or 0) + sign * (end_mg - start_mg)
    told["same"] = made_mg == run.emission_mg
    return told


def _product(mark: Mark, numerator: int, denominator: int) -> int:
    count = mark.cumulative * _MS_PER_HOUR + mark.rest
    return div_round(count * numerator, denominator * _MS_PER_HOUR)


def _mark(mark: Mark, product_mg: int, places: int) -> dict[str, Any]:
    return {
        "record": mark.seq,
        "count": format_decimal(mark.cumulative, places),
        "mantissa": mark.cumulative,
        "rest_mg_ms_per_h": mark.rest,
        "product_mg": product_mg,
    }


def _meter(definition: Definition, points: Points) -> dict[str, Any]:
    """The register behind a count; a virtual meter and a stack name their inputs alone."""
    details: Any = pack.decode(definition.details) if definition.details else [[], None, []]
    inputs = details[2]
    names = [f"{owner}.{point}" for owner, point in inputs]
    unit, places = definition.unit, 0
    if len(inputs) == 1:
        owner, point = inputs[0]
        for (gateway, epoch, device, name), found in points.items():
            is_own = device == owner or device.startswith(f"{owner}-")
            if (gateway, epoch, name) == (definition.gateway, definition.epoch, point) and is_own:
                unit, places = found
    elif definition.kind == "stack_co2":
        unit = "mg"
    return {"inputs": names, "count_unit": unit, "places": places}
