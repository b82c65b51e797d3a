"""The columns of a batch, its delta-coded heart, and the way back from them to records.

Five columns, each an array:

clocks  flat runs [records, boot, wall_ms - mono_ms, quality, ...]
times   mono_ms of the first record, then the difference from record to record
order   per record: the device number of a poll, or -1 - kind
polls   per device [device, points, deltas, qualities, evidence]
        deltas: the device's polls one after the other, each value as the difference to the last
        value of that point (the first one whole) modulo 2^64, None where there is no value
        qualities, evidence: flat [poll, point, code or raw bytes, ...], polls counted from 0
bodies  bodies of the records that are no polls, in order
"""

from edge.core.errors import DataError
from edge.core.journal.record import Kind, Record, check_record, is_integer
from edge.core.sync.row_columns import wrapped

#: Most records in one batch.
RECORDS_MAX = 10_000


def _refuse(reason: str) -> DataError:
    return DataError("data.record", seq=-1, reason=reason)


def _array(value: object) -> list[object]:
    if not isinstance(value, list):
        raise _refuse("a column is no array")
    return value


def _integers(value: object) -> list[int]:
    items: list[int] = []
    for item in _array(value):
        if not isinstance(item, int) or not is_integer(item):
            raise _refuse("a column holds what is no integer")
        items.append(item)
    return items


def _stamps(flat: list[int], count: int) -> list[tuple[int, int, int]]:
    """(boot, offset_ms, quality) for each of `count` records."""
    stamps: list[tuple[int, int, int]] = []
    for at in range(0, len(flat) - len(flat) % 4, 4):
        run, boot, offset_ms, quality = flat[at : at + 4]
        if not 0 < run <= count - len(stamps):
            raise _refuse("clock runs do not add up")
        stamps.extend([(boot, offset_ms, quality)] * run)
    if len(stamps) != count or len(flat) % 4:
        raise _refuse("clock runs do not add up")
    return stamps


def _values(points: int, deltas: list[object]) -> list[list[object]]:
    """Undo the deltas: one list of values per poll."""
    last = [0] * points
    polls: list[list[object]] = []
    for start in range(0, len(deltas), points):
        values: list[object] = []
        for index in range(points):
            delta = deltas[start + index]
            if delta is None:
                values.append(None)
            elif isinstance(delta, int) and is_integer(delta):
                last[index] = wrapped(last[index] + delta)
                values.append(last[index])
            else:
                raise _refuse("a delta is neither integer nor nil")
        polls.append(values)
    return polls


def _spread(triples: list[object], polls: int) -> list[list[object]]:
    """Flat [poll, point, item, ...] to flat [point, item, ...] per poll."""
    if len(triples) % 3:
        raise _refuse("qualities or evidence are incomplete")
    found: list[list[object]] = [[] for _ in range(polls)]
    for at in range(0, len(triples), 3):
        poll = triples[at]
        if not isinstance(poll, int) or not is_integer(poll) or not 0 <= poll < polls:
            raise _refuse("a quality or evidence points nowhere")
        found[poll].append(triples[at + 1])
        found[poll].append(triples[at + 2])
    return found


def _decode_block(block: object) -> tuple[int, list[list[object]]]:
    """(device number, its poll bodies in order)."""
    fields = _array(block)
    if len(fields) != 5:
        raise _refuse("a poll block has a wrong shape")
    device, points = _integers(fields[:2])
    deltas, qualities, evidence = [_array(part) for part in fields[2:]]
    if device < 0 or points < 1 or not deltas or len(deltas) % points:
        raise _refuse("a poll block has a wrong head")
    values = _values(points, deltas)
    marks = _spread(qualities, len(values))
    raws = _spread(evidence, len(values))
    return device, [[device, values[i], marks[i], raws[i]] for i in range(len(values))]


def decode_columns(first: int, columns: list[object]) -> tuple[Record, ...]:
    """Rebuild the records from five columns; `first` is the seq of the first one.

    Every type, length and reference is checked. Raises DataError "data.record".
    """
    times = _integers(columns[1])
    order = _integers(columns[2])
    if not 0 < len(order) <= RECORDS_MAX or len(times) != len(order):
        raise _refuse("columns of different lengths")
    stamps = _stamps(_integers(columns[0]), len(order))
    waiting: dict[int, list[object]] = {}
    for block in _array(columns[3]):
        device, bodies = _decode_block(block)
        if device in waiting:
            raise _refuse("a device has two blocks")
        waiting[device] = list(reversed(bodies))
    others = list(reversed(_array(columns[4])))
    mono_ms = 0
    records = []
    for index, code in enumerate(order):
        boot, offset_ms, quality = stamps[index]
        mono_ms += times[index]
        source = others if code < 0 else waiting.get(code, [])
        if not source:
            raise _refuse("a record has no body")
        kind = Kind.POLL if code >= 0 else -1 - code
        record = Record(
            kind, first + index, boot, mono_ms, mono_ms + offset_ms, quality, source.pop()
        )
        check_record(record)
        records.append(record)
    if others or any(waiting[device] for device in waiting):
        raise _refuse("bodies without a record")
    return tuple(records)
