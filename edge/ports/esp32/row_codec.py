"""Records in few bytes: each number as a digit of its own radix, all in one large number.

A meter's values move within the range they have moved in lately. A record of a kind and shape
seen before is told by how far each of its numbers moved: one digit of as many values as that range
has, so that what stands still takes no space. What moves further is an exception, told after the
digits; a record of a shape not seen before is told as it is. Ranges are those of the last RANGE
to 2 x RANGE records. Writer and reader keep the same models; they begin anew in every segment.
"""

import hashlib

from edge.core.journal.record import Kind, Record, decode_record, encode_record

RANGE = 32

#: A number that in its first moves went a little one way is expected to go as far the other way.
FIRST = 4
SMALL = 4

#: Shapes remembered in one segment; each takes about a kilobyte of memory at 30 points.
MODELS_MAX = 24

#: A poll that is older than the one before it by so much was recorded before, and thinned.
OLD_MS = 300_000

#: Kinds whose numbers repeat; the rest is told as it is.
_REPEATED = (Kind.POLL, Kind.INTERVAL)

#: Byte strings up to this length are numbers (raw registers are), longer ones part of the shape.
_SHORT_BYTES = 8

#: How a row begins: what followed last time with or without exceptions, or something else.
_FOLLOWS, _FOLLOWS_FURTHER, _OTHER = range(3)
_SIZES = 20  # half bytes of an exception
_LITERAL_MAX = 1 << 13


class Digits:
    """Digits of mixed radix, to be one number, or taken from one."""

    def __init__(self, data: "bytes | bytearray" = b"") -> None:
        self._digits: list[int] = []
        self._radices: list[int] = []
        self._rest = int.from_bytes(data, "big")

    def put(self, digit: int, radix: int) -> None:
        """Add a digit 0..radix - 1."""
        if radix > 1:
            self._digits.append(digit)
            self._radices.append(radix)

    def take(self, radix: int) -> int:
        """The next digit, in the order they were put."""
        if radix < 2:
            return 0
        self._rest, digit = divmod(self._rest, radix)
        return digit

    def encode(self) -> bytes:
        """The number, big-endian, without leading zeros."""
        number = 0
        for at in range(len(self._digits) - 1, -1, -1):
            number = number * self._radices[at] + self._digits[at]
        return number.to_bytes((len(hex(number)) - 1) // 2, "big")


class _Ranges:
    """Lowest and highest move of each number, None before its first one.

    Two lists, not pairs: on a device a pair is 16 bytes more for each number.
    """

    def __init__(self, count: int) -> None:
        self.low: list[int | None] = [None] * count
        self.high: list[int | None] = [None] * count

    def at(self, index: int) -> tuple[int, int] | None:
        """(lowest, highest) of a number."""
        low, high = self.low[index], self.high[index]
        return None if low is None or high is None else (low, high)


class _Model:
    """One shape: its newest record, and the range of each number's moves."""

    def __init__(self, template: list[object], numbers: list[int]) -> None:
        self.template = template
        self.last = numbers
        self.follower = 0
        self._count = 0
        self._now = _Ranges(len(numbers))
        self._before = _Ranges(len(numbers))

    def span(self, at: int) -> tuple[int, int]:
        """(lowest, highest) move of a number lately."""
        now, before = self._now.at(at), self._before.at(at)
        if now is None:
            return before or (0, 0)
        if before is None:
            return now
        return min(now[0], before[0]), max(now[1], before[1])

    def note(self, moves: list[int]) -> None:
        """A record was told with these moves."""
        if self._count == RANGE:
            self._count = 0
            self._before = self._now
            self._now = _Ranges(len(moves))
        self._count += 1
        for at in range(len(moves)):
            move = moves[at]
            self.last[at] += move
            low, high = self._now.at(at) or (move, move)
            low, high = min(low, move), max(high, move)
            if self._before.low[at] is None and self._count <= FIRST and max(high, -low) <= SMALL:
                low, high = -max(high, -low), max(high, -low)
            self._now.low[at], self._now.high[at] = low, high


class RowCodec:
    """The models of one segment, of its writer or of one reader."""

    def __init__(self) -> None:
        self._models: list[_Model] = []
        self._by_shape: dict[bytes, int] = {}
        self._newest = -1
        self._boot = 0
        self._mono_ms = 0

    def put(self, digits: Digits, data: bytes, is_kept: bool = False) -> Record:
        """Tell a record by its canonical bytes; return it. is_kept: out of its order."""
        record = decode_record(data)
        numbers, key = _take_apart(record, is_kept or self._is_old(record))
        index = self._by_shape.get(key) if key is not None else None
        if index is None:
            digits.put(_OTHER, 3)
            digits.put(len(self._models), len(self._models) + 1)
            _put_bytes(digits, data)
            self._add(record, numbers, key)
            return record
        model = self._models[index]
        moves = [new - old for new, old in zip(numbers, model.last)]
        further = [at for at in range(len(moves)) if not _is_within(model.span(at), moves[at])]
        if index == self._expected():
            digits.put(_FOLLOWS_FURTHER if further else _FOLLOWS, 3)
        else:
            digits.put(_OTHER, 3)
            digits.put(index, len(self._models) + 1)
            digits.put(1 if further else 0, 2)
        for at in range(len(moves)):
            low, high = model.span(at)
            digits.put(moves[at] - low if low <= moves[at] <= high else 0, high - low + 1)
        if further:
            digits.put(len(further), len(moves) + 1)
            for at in further:
                digits.put(at, len(moves))
                _put_move(digits, moves[at])
        self._told(index, moves)
        return record

    def take(self, digits: Digits, seq: int, is_kept: bool = False) -> tuple[Record, bytes]:
        """(the next record, its canonical bytes); its seq is known from where it is."""
        how = digits.take(3)
        index, has_further = self._expected(), how == _FOLLOWS_FURTHER
        if how == _OTHER:
            index = digits.take(len(self._models) + 1)
            if index == len(self._models):
                data = _take_bytes(digits)
                record = decode_record(data)
                self._add(record, *_take_apart(record, is_kept))
                return record, data
            has_further = bool(digits.take(2))
        model = self._models[index]
        moves = []
        for at in range(len(model.last)):
            low, high = model.span(at)
            moves.append(low + digits.take(high - low + 1))
        if has_further:
            for _ in range(digits.take(len(moves) + 1)):
                at = digits.take(len(moves))
                moves[at] = _take_move(digits)
        self._told(index, moves)
        record = _put_together(model, seq)
        return record, encode_record(record)

    def _is_old(self, record: Record) -> bool:
        """True for a poll that is told again: its numbers are not those that move now."""
        if record.kind != Kind.POLL:
            return False
        is_old: bool = record.boot < self._boot or record.mono_ms + OLD_MS < self._mono_ms
        if not is_old:
            self._boot, self._mono_ms = record.boot, record.mono_ms
        return is_old

    def _expected(self) -> int:
        return self._models[self._newest].follower if self._newest >= 0 else 0

    def _told(self, index: int, moves: list[int]) -> None:
        self._models[index].note(moves)
        self._follow(index)

    def _follow(self, index: int) -> None:
        if self._newest >= 0:
            self._models[self._newest].follower = index
        self._newest = index

    def _add(self, record: Record, numbers: list[int], key: bytes | None) -> None:
        if key is None or len(self._models) >= MODELS_MAX:
            return
        self._by_shape[key] = len(self._models)
        self._models.append(_Model([record.kind, record.body], numbers))
        self._follow(len(self._models) - 1)


def _is_within(span: tuple[int, int], move: int) -> bool:
    return span[0] <= move <= span[1]


def _put_bytes(digits: Digits, data: bytes) -> None:
    digits.put(len(data), _LITERAL_MAX)
    digits.put(int.from_bytes(data, "big"), 1 << (8 * len(data)))


def _take_bytes(digits: Digits) -> bytes:
    size = digits.take(_LITERAL_MAX)
    return digits.take(1 << (8 * size)).to_bytes(size, "big")


def _put_move(digits: Digits, move: int) -> None:
    far = 2 * move if move >= 0 else -2 * move - 1
    size = 0
    while far >> (4 * size):
        size += 1
    digits.put(size, _SIZES)
    digits.put(far, 1 << (4 * size))


def _take_move(digits: Digits) -> int:
    far = digits.take(1 << (4 * digits.take(_SIZES)))
    return -((far + 1) >> 1) if far & 1 else far >> 1


def _take_apart(record: Record, is_kept: bool) -> tuple[list[int], bytes | None]:
    """(the numbers of a record, what names its shape: None for a kind that is told as it is)."""
    if record.kind not in _REPEATED:
        return [], None
    numbers = [record.boot, record.mono_ms, record.wall_ms - record.mono_ms, record.clock]
    shape = bytearray((record.kind, 1 if is_kept else 0))
    if record.kind == Kind.POLL:
        shape.extend(str(record.body[0]).encode())
    _flatten(record.body, numbers, shape)
    return numbers, hashlib.sha256(shape).digest()[:8]


def _flatten(value: object, numbers: list[int], shape: bytearray) -> None:
    if isinstance(value, list):
        shape.extend(b"[" + str(len(value)).encode() + b":")
        for item in value:
            _flatten(item, numbers, shape)
    elif value is None or value is True or value is False:
        shape.extend(b"n" if value is None else b"t" if value else b"f")
    elif isinstance(value, int):
        shape.extend(b"i")
        numbers.append(value)
    elif isinstance(value, bytes) and len(value) <= _SHORT_BYTES:
        shape.extend(b"b" + str(len(value)).encode())
        numbers.append(int.from_bytes(value, "big"))
    else:
        data = value if isinstance(value, bytes) else str(value).encode()
        shape.extend(b"y" if isinstance(value, bytes) else b"s")
        shape.extend(str(len(data)).encode() + b":" + data)


def _put_together(model: _Model, seq: int) -> Record:
    kind, body = model.template
    numbers = iter(model.last)
    boot, mono_ms, ahead_ms, clock = [next(numbers) for _ in range(4)]
    made = _filled(body, numbers)
    return Record(kind, seq, boot, mono_ms, mono_ms + ahead_ms, clock, made)


def _filled(value: object, numbers: "object") -> object:
    if isinstance(value, list):
        return [_filled(item, numbers) for item in value]
    if value is None or value is True or value is False:
        return value
    if isinstance(value, int):
        return next(numbers)  # type: ignore[call-overload]
    if isinstance(value, bytes) and len(value) <= _SHORT_BYTES:
        return next(numbers).to_bytes(len(value), "big")  # type: ignore[call-overload]
    return value
