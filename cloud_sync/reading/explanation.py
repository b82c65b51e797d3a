"""One stream's figure in one interval, from its records: readings, moves, counts, products.

The chain is that of `edge.core.carbon.trail`, which knows records alone; this adds names, exact
text and the factor's publication.
"""

from typing import Any

from cloud_sync.reading.calendar import instant
from cloud_sync.reading.database import Database
from cloud_sync.reading.factor_sets import FactorSets
from cloud_sync.sound import has_span, sound_parts
from edge.core.carbon.interval import CUMULATIVE
from edge.core.carbon.trail import Book, Product, Trail, activity_of, follow
from edge.core.carbon.trail_told import tell_figure, tell_product
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
    if not has_span(interval):
        raise UsageError("api.not_found", what=f"a figure in interval {seq}")
    earlier = database.rows(_BEFORE, **where, seq=seq)
    before = decode_record(earlier[0][1]) if earlier else None
    if before is not None and not has_span(before):
        raise UsageError("api.not_found", what=f"what interval {seq} follows")
    parts: list[Any] = []
    for (body,) in database.stream(_TABLES, **where):
        parts.extend(sound_parts(decode_record(body).body))
    book = Book(parts)
    if any(entry[0] not in book.streams for entry in interval.body[2]):
        raise UsageError("api.not_found", what=f"what the streams of interval {seq} mean")
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
        **tell_figure(trail, interval, digest, instant),
        "parts": [
            {"stream": name, "weight": weight, "start": str(first), "end": str(last)}
            for name, weight, first, last in trail.parts
        ],
        "count_start": None if trail.start is None else _count(trail.start, trail.places),
        "count_end": _count(trail.end, trail.places) if has_figure else None,
        "activity": None if activity_of(trail) is None else str(activity_of(trail)),
        "records_between": sum(record.kind == Kind.POLL for record in between),
        "products": [_product(product, sets) for product in trail.products],
        "same": trail.is_same if has_figure else None,
    }


def _count(count: tuple[int, int], places: int) -> dict[str, Any]:
    """mantissa + rest / 3600000 is C exactly; the rest is that of a stack."""
    shown = format_decimal(count[0], places)
    return {"shown": shown, "mantissa": str(count[0]), "rest": str(count[1])}


def _product(product: Product, sets: FactorSets) -> dict[str, Any]:
    """Masses as text: a browser's numbers end at 2^53."""
    told = tell_product(product, sets.tell(product.factor, product.factor_digest.hex()))
    masses = [name for name in told if name.endswith("_mg") and told[name] is not None]
    return {**told, **{name: str(told[name]) for name in masses}}
