"""What a journal record is, and its canonical bytes.

A record is the MessagePack array [kind, seq, boot, mono_ms, wall_ms, clock, body]; the body is an
array whose fields have a fixed order by kind:

TABLE     [part, ...]: definitions; numbers are never given another meaning in one epoch
          config  [0, config digest, software version]
          device  [1, number, name, bus, station, profile id, profile digest, poll_ms,
                   [[point, unit, places, class], ...]]
          factors [2, set id, set digest]
          stream  [3, number, name, kind, scope, unit, numerator, denominator, factor id,
                   factor set digest, method id, source digest, basis, rates, place, limits,
                   inputs, summands, stack, coal]; the first form ends after the source digest,
                   that of a counter without coal after the summands
                  rates: [[basis, numerator, denominator, factor id, set digest], ...]
                  limits: [modulus or nil, most per hour, rated 0 or 1, step] or nil
                  inputs: [[device name, point name], ...], a status last
                  summands: [[stream number, weight], ...] of a virtual meter
                  stack: [method id, [mantissa, places] of the area in m2, ambient Pa, basis,
                          accepted status values, family, potential in 10^-6 % or nil,
                          [[status value, flag], ...], velocity coefficient as [mantissa, places],
                          [Fc, Fd] likewise or nil] or nil
                  coal: [[accounting, numerator, denominator, id, set digest], ...]
          learned [4, device number, most registers or 0, [function, first, last, ...] holes,
                   [missing point, ...], reply timeout in ms]; the newest one holds
          swap    [5, device name, point name, old register or nil, new register, time text, why,
                   note]: an operator confirms a step; it takes effect at this record
          fact    [6, name, kind, mantissa, places, unit, period, vintage, source, start_ms,
                   end_ms] of its period; the first form ends after the source
          windows [7, [[stream name, start_ms, end_ms, flag, note], ...]]: declared windows of
                   stacks; the newest one holds
          serial  [8, device name, serial number of its meter]; the newest one holds
POLL      [device, values, qualities, evidence]
          values: mantissa or None per point in table order
          qualities: flat [point, code, ...] for values that are not good
          evidence: flat [point, raw register bytes, ...] for points marked evidence
INTERVAL  [start_ms, end_ms, streams, totals], see `carbon.interval`
EVENT     [code, flat [field, value, ...] ascending by field]
CLOCK     [boot, mono_ms, wall_ms, uncertainty_ms, source]
TOMBSTONE [first seq, last seq, reason, start_ms, end_ms, count, hash before, hash at end]
"""

from collections import namedtuple

from edge.core.errors import DataError
from edge.core.numbers import pack


class Kind:
    """Record kinds; part of the wire format."""

    TABLE = 0
    POLL = 1
    INTERVAL = 2
    EVENT = 3
    CLOCK = 4
    TOMBSTONE = 5


KIND_NAMES = ("table", "poll", "interval", "event", "clock", "tombstone")

#: Why the range of a TOMBSTONE is gone, by step of `journal.retain`; part of the wire format.
REASONS = ("acked", "minute", "quarter", "dropped", "dropped")

#: Polls that found no room in memory while the store failed; they never had a seq.
MEMORY = "memory"


class Part:
    """Parts of a TABLE body."""

    CONFIG = 0
    DEVICE = 1
    FACTORS = 2
    STREAM = 3
    LEARNED = 4
    SWAP = 5
    FACT = 6
    WINDOWS = 7
    SERIAL = 8


#: seq: 0, 1, 2, ... within an epoch; boot: start count of the gateway; mono_ms: since that boot;
#: wall_ms: Unix time as far as known then; clock: quality code of `journal.clock`.
Record = namedtuple("Record", ("kind", "seq", "boot", "mono_ms", "wall_ms", "clock", "body"))

_BODY_FIELDS = (None, 4, 4, 2, 5, 8)


def encode_record(record: Record, size: int = 0) -> bytes:
    """Canonical bytes of a record: what the chain hashes and the journal stores.

    size: about how many there are.
    """
    return pack.encode(
        [
            record.kind,
            record.seq,
            record.boot,
            record.mono_ms,
            record.wall_ms,
            record.clock,
            record.body,
        ],
        size,
    )


def decode_record(data: bytes) -> Record:
    """Read canonical bytes back.

    Raises DataError "data.pack" or "data.record".
    """
    fields = pack.decode(data)
    if not isinstance(fields, list) or len(fields) != 7:
        raise DataError("data.record", seq=-1, reason="not seven fields")
    record = Record(*fields)
    check_record(record)
    return record


def check_record(record: Record) -> None:
    """Check the shape of a record: types, ranges, and the outer shape of its body.

    Raises DataError "data.record".
    """
    for value in record[:6]:
        if not is_integer(value):
            _refuse(record.seq, "a header field is no integer")
    if not 0 <= record.kind < len(KIND_NAMES):
        _refuse(record.seq, "unknown kind")
    if record.seq < 0 or record.boot < 0 or not 0 <= record.clock <= 2:
        _refuse(record.seq, "a header field is out of range")
    body = record.body
    if not isinstance(body, list) or not body:
        _refuse(record.seq, "the body is no array")
    fields = _BODY_FIELDS[record.kind]
    if fields is not None and len(body) != fields:
        _refuse(record.seq, "the body has the wrong number of fields")
    if record.kind == Kind.POLL:
        _check_poll(record)


def is_integer(value: object) -> bool:
    """True for an integer that is no bool."""
    return isinstance(value, int) and value is not True and value is not False


def are_integers(values: list) -> bool:
    """True for a list of nothing but integers, none of them a bool."""
    for value in values:
        if type(value) is not int:
            return False
    return True


def _check_poll(record: Record) -> None:
    device, values, qualities, evidence = record.body
    if not is_integer(device) or device < 0:
        _refuse(record.seq, "the device number is no number")
    for part in (values, qualities, evidence):
        if not isinstance(part, list):
            _refuse(record.seq, "a poll field is no array")
    for value in values:
        if value is not None and type(value) is not int:
            _refuse(record.seq, "a value is neither integer nor nil")
    if len(qualities) % 2 or not are_integers(qualities):
        _refuse(record.seq, "qualities are not pairs")
    if len(evidence) % 2:
        _refuse(record.seq, "evidence is not pairs")


def _refuse(seq: object, reason: str) -> None:
    raise DataError("data.record", seq=seq, reason=reason)


def event_body(code: str, fields: dict[str, object]) -> list[object]:
    """Body of an EVENT: fields flattened in ascending order, so that its bytes are canonical."""
    flat: list[object] = []
    for name in sorted(fields, key=str):
        value = fields[name]
        flat.append(name)
        flat.append(value if value is None or isinstance(value, (int, bytes)) else str(value))
    return [code, flat]
