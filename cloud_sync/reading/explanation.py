"""One stream's figure in one interval, from its records: readings, moves, counts, products.

The chain is that of `edge.core.carbon.trail`, which knows records alone; this adds names, exact
text and the factor's publication.
"""

from typing import Any

from cloud_sync.reading.calendar import instant
from cloud_sync.reading.database import Database
from cloud_sync.reading.factor_sets import FactorSets
from edge.core.carbon.interval import CUMULATIVE
from edge.core.carbon.trail import Book, Product, Step, Trail, activity_of, follow
from edge.core.errors import UsageError
from edge.core.journal.record import Kind, Record, decode_record
from edge.core.numbers.fixed import format_decimal

#: Records between two intervals that are followed; more are for `carbontally explain`.
RECORDS_MAX = 20_000

_JOURNAL = "FROM v_records WHERE tenant = :tenant AND gateway = :gateway AND epoch = :epoch"
_ONE = f"SELECT hash, body {_JOURNAL} AND kind = 2 AND seq = :seq"
_BEFORE = f"SELECT seq, body {_JOURNAL} AND kind = 2 AND seq < :seq ORDER BY seq DESC LIMIT 1"
_TABLES = f"SELECT body {_JOURNAL} AND kind = 0 ORDER BY seq"
_BETWEEN = f"""SELECT body {_JOURNAL} AND kind IN (0, 1) AND seq > :first AND seq < :seq
    ORDER BY seq LIMIT :limit"""


def explain_interval(
    database: Database, tenant: str, gateway: str, epoch: str, seq: int, stream: str
) -> dict[str, Any]:
    """The explanation as an object; counts are those of the register, figures in mg.

    same: False when what comes out is not what is recorded, None where there is no figure.
    Raises UsageError: "api.not_found" for no such interval or stream, "api.query" for one with
    too many records.
    """
    where = {"tenant": tenant, "gateway": gateway, "epoch": epoch}
    found = database.rows(_ONE, **where, seq=seq)
    if not found:
        raise UsageError("api.not_found", what=f"interval {seq} of {gateway}")
    interval = decode_record(found[0][1])
    earlier = database.rows(_BEFORE, **where, seq=seq)
    before = decode_record(earlier[0][1]) if earlier else None
    parts: list[Any] = []
    for (body,) in database.stream(_TABLES, **where):
        parts.extend(decode_record(body).body)
    book = Book(parts)
    if stream not in [book.streams[entry[0]][2] for entry in interval.body[2]]:
        raise UsageError("api.not_found", what=f"stream {stream} in interval {seq}")
    first = earlier[0][0] if earlier else -1
    values = {**where, "first": first, "seq": seq, "limit": RECORDS_MAX + 1}
    between = [decode_record(body) for (body,) in database.stream(_BETWEEN, **values)]
    if len(between) > RECORDS_MAX:
        reason = f"more than {RECORDS_MAX} records: use `carbontally explain`"
        raise UsageError("api.query", name="seq", reason=reason)
    trail = follow(book, stream, before, between, interval)
    return _told(trail, interval, bytes(found[0][0]), between, FactorSets())


def _told(
    trail: Trail, interval: Record, digest: bytes, between: list[Record], sets: FactorSets
) -> dict[str, Any]:
    has_figure = trail.entry[CUMULATIVE] is not None
    return {
        "stream": trail.name,
        "kind": trail.definition[3],
        "scope": trail.definition[4],
        "method": trail.definition[10],
        "record": interval.seq,
        "record_hash": digest.hex(),
        "start": instant(interval.body[0]),
        "end": instant(interval.body[1]),
        "unit": trail.unit,
        "readings": [_reading(step, trail.places) for step in trail.steps],
        "parts": [
            {"stream": name, "weight": weight, "start": str(first), "end": str(last)}
            for name, weight, first, last in trail.parts
        ],
        "count_start": None if trail.start is None else _count(trail.start, trail.places),
        "count_end": _count(trail.end, trail.places) if has_figure else None,
        "activity": None if activity_of(trail) is None else str(activity_of(trail)),
        "activity_unit": trail.definition[5],
        "polls": {"good": trail.entry[5], "expected": trail.entry[6]},
        "records_between": sum(record.kind == Kind.POLL for record in between),
        "products": [_product(product, sets) for product in trail.products],
        "same": trail.is_same if has_figure else None,
    }


def _reading(step: Step, places: int) -> dict[str, Any]:
    return {
        "record": step.seq,
        "time": instant(step.wall_ms),
        "register": format_decimal(step.register, places),
        "move": None if step.move is None else format_decimal(step.move, places),
        "events": step.told,
    }


def _count(count: tuple[int, int], places: int) -> dict[str, Any]:
    """mantissa + rest / 3600000 is C exactly; the rest is that of a stack."""
    shown = format_decimal(count[0], places)
    return {"shown": shown, "mantissa": str(count[0]), "rest": str(count[1])}


def _product(product: Product, sets: FactorSets) -> dict[str, Any]:
    return {
        "basis": product.basis,
        "factor": sets.tell(product.factor, product.factor_digest.hex()),
        "mg_per_count": f"{product.numerator}/{product.denominator}",
        "sign": product.sign,
        "rounding": "half to even, 1 mg",
        "start_mg": str(product.start_mg),
        "end_mg": str(product.end_mg),
        "emission_mg": str(product.emission_mg),
        "recorded_mg": None if product.recorded_mg is None else str(product.recorded_mg),
    }
