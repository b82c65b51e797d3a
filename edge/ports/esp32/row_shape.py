"""Records as shapes and numbers: two records of a shape differ in nothing but their numbers."""

from edge.core.journal.record import Record, are_integers
from edge.core.numbers import pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: Byte strings up to this length are numbers (raw registers are), longer ones part of the shape.
_SHORT_BYTES = 8

#: Numbers of a record that lie before those of its body: boot, mono_ms, wall_ms less that, clock.
HEADER = 4

_LIST, _NUMBERS, _NUMBER, _NONE, _TRUE, _FALSE, _SHORT, _BYTES, _TEXT = b"[Iintfbys"
_END = 0x3A  # of a length

#: Bytes that are put together at once, with room for a list of numbers: a heap that is nearly full
#: has no room for a long record in one piece more often than once.
_AT_ONCE = 192
_ROOM = 256
_FIELDS = 7


def take_apart(record: Record, is_old: bool) -> tuple[bytes, list[int]]:
    """(shape, numbers). is_old: told out of its order, which makes it a shape of its own."""
    numbers = [record.boot, record.mono_ms, record.wall_ms - record.mono_ms, record.clock]
    shape = bytearray((record.kind, 1 if is_old else 0))
    _flatten(record.body, numbers, shape)
    return bytes(shape), numbers


def _flatten(value: object, numbers: list[int], shape: bytearray) -> None:
    if isinstance(value, list):
        if are_integers(value):
            _put_head(shape, _NUMBERS, len(value))
            numbers.extend(value)
            return
        _put_head(shape, _LIST, len(value))
        for item in value:
            _flatten(item, numbers, shape)
    elif value is None:
        shape.append(_NONE)
    elif value is True or value is False:
        shape.append(_TRUE if value else _FALSE)
    elif isinstance(value, int):
        shape.append(_NUMBER)
        numbers.append(value)
    elif isinstance(value, bytes) and len(value) <= _SHORT_BYTES:
        _put_head(shape, _SHORT, len(value))
        numbers.append(int.from_bytes(value, "big"))
    else:
        data = value if isinstance(value, bytes) else str(value).encode()
        _put_head(shape, _BYTES if isinstance(value, bytes) else _TEXT, len(data))
        shape.extend(data)


def _put_head(shape: bytearray, code: int, length: int) -> None:
    shape.append(code)
    if length < 10:
        shape.append(0x30 + length)
    else:
        shape.extend(str(length).encode())
    shape.append(_END)


def put_together(shape: bytes, numbers: "Iterator[int]", seq: int) -> tuple[Record, bytes]:
    """(the record of a shape and numbers, without its body; its canonical bytes).

    No value of the body is made: what has hundreds of them goes from numbers to bytes.
    """
    boot, mono_ms, ahead_ms, clock = [next(numbers) for _ in range(HEADER)]
    record = Record(shape[0], seq, boot, mono_ms, mono_ms + ahead_ms, clock, None)
    out = pack.with_room(_ROOM)
    pack.put_array(out, _FIELDS)
    for field in record[: _FIELDS - 1]:
        pack.put_int(out, field)
    done: list[bytes] = []
    at = 2
    while at < len(shape):
        at = _put_value(out, shape, at, numbers)
        if len(out) > _AT_ONCE:
            done.append(bytes(out))
            out[:] = b""
    done.append(bytes(out))
    return record, b"".join(done) if len(done) > 1 else done[0]


def _put_value(out: bytearray, shape: bytes, at: int, numbers: "Iterator[int]") -> int:
    """Append the value that stands there, or the head of a list; where the next one stands."""
    code = shape[at]
    at += 1
    if code == _NUMBER:
        pack.put_int(out, next(numbers))
        return at
    if code in (_NONE, _TRUE, _FALSE):
        pack.put(out, None if code == _NONE else code == _TRUE)
        return at
    length = 0
    while shape[at] != _END:
        length = 10 * length + shape[at] - 0x30
        at += 1
    at += 1
    if code == _LIST:
        pack.put_array(out, length)
    elif code == _NUMBERS:
        pack.put_array(out, length)
        for _ in range(length):
            number = next(numbers)
            if 0 <= number < 0x80:
                out.append(number)
            else:
                pack.put_int(out, number)
    elif code == _SHORT:
        pack.put(out, next(numbers).to_bytes(length, "big"))
    else:
        data = shape[at : at + length]
        at += length
        pack.put(out, data if code == _BYTES else data.decode())
    return at
