"""Reading a batch fast: the same answer as `edge.core.sync.batch`, by the msgpack package.

What is plain is read by columns in C; whatever is not, and every error, is left to the core's own
decoder, which is the judge. A property test holds both to the same answer.
"""

from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import accumulate
from operator import add
from typing import Any, NamedTuple

import msgpack

from edge.core.errors import TallyError
from edge.core.journal import chain
from edge.core.journal.record import Kind, Record, check_record, encode_record
from edge.core.numbers import pack
from edge.core.numbers.fixed import INT64_MAX, INT64_MIN
from edge.core.sync import batch as core
from edge.core.sync.columns import RECORDS_MAX

_MAC_BYTES = 2 + chain.HASH_BYTES
_INTEGERS = {int}
_VALUES = {int, type(None)}


class Opened(NamedTuple):
    """A `Batch`, and the canonical bytes of each record."""

    gateway: str
    epoch: bytes
    first: int
    hash_before: bytes
    records: tuple[Record, ...]
    hashes: tuple[bytes, ...]
    encoded: tuple[bytes, ...]


class _NotPlainError(Exception):
    """For the core's decoder."""


#: What hostile bytes can end in before the core's decoder has its say.
_DOUBTS = (
    _NotPlainError,
    TallyError,
    msgpack.UnpackException,
    ValueError,
    TypeError,
    LookupError,
    OverflowError,
    StopIteration,
)


def decode_batch(payload: bytes, key: bytes) -> Opened:
    """Verify and read a payload; raises and answers as `edge.core.sync.batch.decode_batch`."""
    try:
        return _read(payload, key)
    except _DOUBTS:
        pass
    batch = core.decode_batch(payload, key)
    return Opened(*batch, tuple(encode_record(record) for record in batch.records))


def _refuse(*_: Any) -> Any:
    raise _NotPlainError


def _read(payload: bytes, key: bytes) -> Opened:
    if len(payload) > core.PAYLOAD_MAX_BYTES:
        raise _NotPlainError
    signed = payload[:-_MAC_BYTES]
    seal = pack.encode(chain.mac(key, chain.BATCH_PURPOSE, signed))
    if not chain.same(payload[-_MAC_BYTES:], seal):
        raise _NotPlainError
    fields = msgpack.unpackb(payload, ext_hook=_refuse, object_hook=_refuse)
    if type(fields) is not list or len(fields) != 12:
        raise _NotPlainError
    version, gateway, epoch, first, before, *columns, hash_last, _ = fields
    shape = (type(version), type(gateway), type(epoch), type(first), type(before))
    if shape != (int, str, bytes, int, bytes) or version != core.VERSION or first < 0:
        raise _NotPlainError
    if len(epoch) != chain.EPOCH_BYTES or len(before) != chain.HASH_BYTES:
        raise _NotPlainError
    records = _records(first, columns)
    encoded = _encode(records)
    head, hashes = before, []
    for data in encoded:
        head = sha256(head + data).digest()
        hashes.append(head)
    if head != hash_last:
        raise _NotPlainError
    return Opened(gateway, epoch, first, before, records, tuple(hashes), tuple(encoded))


def _records(first: int, columns: list[Any]) -> tuple[Record, ...]:
    clocks, times, order, blocks, bodies = columns
    count = len(order)
    if not 0 < count <= RECORDS_MAX or len(times) != count or len(clocks) % 4:
        raise _NotPlainError
    for column in (clocks, times, order):
        if type(column) is not list or not set(map(type, column)) <= _INTEGERS:
            raise _NotPlainError
    # The body of another kind is nested as deep here as it was in the payload.
    pack.encode([bodies])
    polls = {block[0]: _bodies(*block) for block in blocks}
    if len(polls) != len(blocks):
        raise _NotPlainError
    others = iter(bodies)
    found = []
    stamps = _stamps(clocks)
    run = 0
    for at, (mono_ms, device) in enumerate(zip(accumulate(times), order, strict=True)):
        if not run:
            run, boot, offset_ms, clock = next(stamps)
        run -= 1
        if device >= 0:
            kind, body = Kind.POLL, next(polls[device])
        else:
            kind, body = -1 - device, next(others)
        if kind == Kind.POLL and device < 0:
            raise _NotPlainError
        record = Record(kind, first + at, boot, mono_ms, mono_ms + offset_ms, clock, body)
        if device < 0:
            check_record(record)
        found.append(record)
    if run or any(True for rest in (stamps, others, *polls.values()) for _ in rest):
        raise _NotPlainError  # some column is longer than the others
    return tuple(found)


def _stamps(flat: list[int]) -> Iterator[tuple[int, int, int, int]]:
    for at in range(0, len(flat), 4):
        run, boot, offset_ms, quality = flat[at : at + 4]
        if run <= 0 or boot < 0 or not 0 <= quality <= 2:
            raise _NotPlainError
        yield run, boot, offset_ms, quality


def _bodies(
    device: Any, points: Any, deltas: Any, qualities: Any, evidence: Any
) -> Iterator[list[Any]]:
    """Poll bodies of one device, in order."""
    if type(device) is not int or type(points) is not int or type(deltas) is not list:
        raise _NotPlainError
    if device < 0 or points < 1 or not deltas or len(deltas) % points:
        raise _NotPlainError
    if qualities != [] or evidence != [] or not set(map(type, deltas)) <= _VALUES:
        raise _NotPlainError
    found = _summed_where_known(deltas, points) if None in deltas else _summed(deltas, points)
    return iter([[device, values, [], []] for values in found])


def _summed(deltas: list[int], points: int) -> Iterator[list[int]]:
    """The values of each poll from its differences to the one before."""
    values = [0] * points
    for at in range(0, len(deltas), points):
        values = list(map(add, values, deltas[at : at + points]))
        _check_bounds(values)
        yield values


def _summed_where_known(deltas: list[int | None], points: int) -> Iterator[list[int | None]]:
    """The same where a point's difference is to its last value that is there."""
    columns = []
    for point in range(points):
        column = deltas[point::points]
        known = list(accumulate(delta for delta in column if delta is not None))
        if known:
            _check_bounds(known)
        values = iter(known)
        columns.append([None if delta is None else next(values) for delta in column])
    return map(list, zip(*columns, strict=True))


def _check_bounds(values: list[int]) -> None:
    if min(values) < INT64_MIN or max(values) > INT64_MAX:
        raise _NotPlainError  # it wrapped


def _encode(records: tuple[Record, ...]) -> list[bytes]:
    """Canonical bytes; polls are known to hold nothing but integers and nil."""
    return [
        _pack(list(record)) if record.kind == Kind.POLL else encode_record(record)
        for record in records
    ]


def new_packer() -> Callable[[Any], bytes]:
    """Canonical bytes of arrays of integers, nil and bytes, five times as fast as the core's.

    What else is packed is not refused, and not canonical.
    """
    found: Callable[[Any], bytes] = msgpack.Packer(autoreset=True).pack
    return found


_pack = new_packer()
