"""What an authentic gateway recorded, but cannot mean: raw records keep it, readers pass it over.

The receiver has an alarm of each such record ("data.record"); nobody else has to fail of it.
"""

from collections.abc import Iterable
from typing import Any

from cloud_sync.rows import Rows
from edge.core.journal.record import Kind, Part, Record, is_integer

#: Fields of a stream's part that every form has; what a newer gateway adds behind may be anything.
_STREAM_FIELDS = 12


def sound_parts(parts: Iterable[Any]) -> list[list[Any]]:
    """The parts of a TABLE that are what they say; those of newer gateways are none of them."""
    return [part for part in parts if isinstance(part, list) and part and _is_laid(part)]


def _is_laid(part: list[Any]) -> bool:
    is_stream = is_integer(part[0]) and part[0] == Part.STREAM
    return can_be_laid(
        Record(Kind.TABLE, 0, 0, 0, 0, 0, [part[:_STREAM_FIELDS] if is_stream else part])
    )


def can_be_laid(record: Record) -> bool:
    """True for a record whose body fits the tables of a store."""
    rows = Rows()
    rows.add(record)
    return not rows.refused


def has_span(record: Record) -> bool:
    """True for an INTERVAL that has times and entries by stream."""
    start_ms, end_ms, entries, _ = record.body
    is_listed = isinstance(entries, list) and all(
        isinstance(entry, list) and entry and is_integer(entry[0]) for entry in entries
    )
    return is_integer(start_ms) and is_integer(end_ms) and is_listed


def inputs_of(part: list[Any]) -> list[tuple[str, str]]:
    """(owner, point) of what a stream is counted from; none of a form without them."""
    listed = part[16] if len(part) > 16 and isinstance(part[16], list) else []
    pairs = [tuple(pair) for pair in listed if isinstance(pair, list)]
    return [pair for pair in pairs if [type(name) for name in pair] == [str, str]]
