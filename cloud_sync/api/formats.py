"""Rows as JSON, NDJSON or CSV, and which of them a request accepts."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cloud_sync.api.resources import EXACT, TEXT
from cloud_sync.csv_cell import as_cell
from edge.core.errors import UsageError

JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
FORMATS = (JSON, NDJSON, CSV)

NUMBER_MAX = (1 << 53) - 1

#: Rows that are encoded at once.
_CHUNK = 500


def choose(accept: str) -> str:
    """The offered type that an Accept header likes best; UsageError "api.accept" for none."""
    best, best_q = "", 0.0
    for offered in FORMATS:
        q = _liking(accept or "*/*", offered)
        if q > best_q:
            best, best_q = offered, q
    if not best:
        raise UsageError("api.accept", found=accept)
    return best


def _liking(accept: str, offered: str) -> float:
    """q of the most specific range that covers the type (RFC 9110, 12.5.1)."""
    found, found_rank = 0.0, -1
    for item in accept.split(","):
        name, *parameters = [part.strip() for part in item.lower().split(";")]
        rank = {offered: 2, offered.partition("/")[0] + "/*": 1, "*/*": 0}.get(name, -1)
        if rank > found_rank:
            found, found_rank = _quality(parameters), rank
    return found


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return min(1.0, max(0.0, float(parameter[2:])))
            except ValueError:
                return 0.0
    return 1.0


def as_objects(columns: dict[str, str], rows: Iterable[Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Rows as JSON objects; a quantity is decimal text, whatever type the database gave it.

    A count or time that no reader of JSON has exactly, as of a broken clock, is null.
    """
    for row in rows:
        named = zip(columns.items(), row, strict=True)
        yield {name: _as_json(kind, value) for (name, kind), value in named}


def _as_json(kind: str, value: Any) -> Any:
    if value is None or kind == TEXT:
        return value
    if kind == EXACT:
        return str(value)
    return value if -NUMBER_MAX <= value <= NUMBER_MAX else None


def write_ndjson(columns: dict[str, str], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """One object a line."""
    for chunk in _chunks(as_objects(columns, rows)):
        lines = [json.dumps(item, ensure_ascii=False, separators=(",", ":")) for item in chunk]
        yield ("\n".join(lines) + "\n").encode()


def write_csv(columns: dict[str, str], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """RFC 4180 with a head; null is an empty field, a formula is made text."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(columns)
    # The head comes with the first rows: until they are there, the answer can still be a refusal.
    for chunk in _chunks(rows):
        writer.writerows([as_cell(value) for value in row] for row in chunk)
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue().encode()


def _chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    chunk = []
    for item in items:
        chunk.append(item)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
