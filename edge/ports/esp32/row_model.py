"""Records as shapes and numbers, and what is expected of the numbers of one shape.

Two records of a shape differ in nothing but their numbers.

A span is the lowest move and how many more there are, in one integer: a small one, which takes
no memory of its own on a device, for all but the widest.
"""

from edge.core.errors import DataError
from edge.core.journal.record import Kind, Record, are_integers
from edge.core.numbers import pack

#: Byte strings up to this length are numbers (raw registers are), longer ones part of the shape.
_SHORT_BYTES = 8

#: Numbers of a record that lie before those of its body: boot, mono_ms, wall_ms less that, clock.
HEADER = 4

_LIST, _NUMBERS, _NUMBER, _NONE, _TRUE, _FALSE, _SHORT, _BYTES, _TEXT = b"[Iintfbys"
_END = 0x3A  # of a length

#: Numbers that sleep together, in one small piece of memory.
_PIECE = 32

#: Records after which what has not moved lately is expected less.
WINDOW = 64

#: A number that in its first moves went a little one way is expected to go as far the other way.
FIRST = 4
SMALL = 4

#: A width is a mantissa of twelve bits, times a power of four.
_MANTISSA = 0xFFF
_WIDEST = _MANTISSA << 30


def take_apart(record: Record, is_old: bool) -> tuple[bytes, list[int]]:
    """(shape, numbers). is_old: told out of its order, which makes it a shape of its own."""
    numbers = [record.boot, record.mono_ms, record.wall_ms - record.mono_ms, record.clock]
    shape = bytearray((record.kind, 1 if is_old else 0))
    _flatten(record.body, numbers, shape)
    return bytes(shape), numbers


def put_together(shape: bytes, numbers: list[int], seq: int) -> Record:
    """The record of a shape and numbers."""
    boot, mono_ms, ahead_ms, clock = numbers[:HEADER]
    body = _Filling(shape, numbers).value()
    return Record(shape[0], seq, boot, mono_ms, mono_ms + ahead_ms, clock, body)


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


class _Filling:
    """Fills a shape with the numbers of a record."""

    def __init__(self, shape: bytes, numbers: list[int]) -> None:
        self._shape, self._numbers = shape, numbers
        self._at, self._used = 2, HEADER

    def value(self) -> object:
        """The next value of the shape."""
        code = self._shape[self._at]
        self._at += 1
        if code == _NUMBER:
            self._used += 1
            return self._numbers[self._used - 1]
        if code == _NONE:
            return None
        if code == _TRUE:
            return True
        if code == _FALSE:
            return False
        length = self._length()
        if code == _NUMBERS:
            self._used += length
            return self._numbers[self._used - length : self._used]
        if code == _LIST:
            items = []
            for _ in range(length):
                items.append(self.value())
            return items
        if code == _SHORT:
            self._used += 1
            return self._numbers[self._used - 1].to_bytes(length, "big")
        data = self._shape[self._at : self._at + length]
        self._at += length
        return data if code == _BYTES else data.decode()

    def _length(self) -> int:
        """The number that stands there, up to its end."""
        shape, at, length = self._shape, self._at, 0
        while shape[at] != _END:
            length = 10 * length + shape[at] - 0x30
            at += 1
        self._at = at + 1
        return length


def low_of(span: int) -> int:
    """The lowest move of a span."""
    return span >> 16


def width_of(span: int) -> int:
    """The highest move less the lowest."""
    return (span & _MANTISSA) << ((span >> 11) & 0x1E)


def make_span(low: int, width: int) -> int:
    """A span of at least this width, which `width_of` then gives; width: up to 2^42."""
    power = 0
    while width + (1 << power) - 1 >> power > _MANTISSA:
        power += 2
    return low << 16 | power << 11 | (width + (1 << power) - 1 >> power)


class Model:
    """One shape in the order of its records.

    last: the numbers of the newest one; spans: of the moves of each number; follower: index of the
    model that came next, last time. An interval has hundreds of numbers, few of which move: its
    model is asleep, in a tenth of the memory, but while it is used.
    """

    def __init__(self, shape: bytes, numbers: list[int]) -> None:
        self.shape = shape
        self.last = numbers[:]  # a list that grew has room to spare, its copy has none
        self.spans = [0] * len(numbers)
        self.follower = 0
        self._is_new = True  # nothing is known of the spans
        self._count = 0
        # Lowest and highest move of this window, above that of the span, in units of `_unit`.
        self._seen = bytearray(2 * len(numbers))
        self._asleep: tuple[bytes, ...] = ()

    def sleep(self) -> None:
        """Take little memory until `wake`."""
        if self.shape[0] == Kind.POLL or self._asleep:
            return
        pieces = []
        try:
            for first in range(0, len(self.last), _PIECE):
                pieces.append(pack.encode(self._piece(first)))
        except DataError:
            return  # a number of more than 64 bits
        self._asleep = tuple(pieces)
        self.last = self.spans = []
        self._seen = bytearray()

    def _piece(self, first: int) -> list[object]:
        """Numbers, and of each that moves: where it is, its span, what was seen."""
        last = self.last[first : first + _PIECE]
        piece: list[object] = [len(self.last), last]
        for at in range(len(last)):
            span = self.spans[first + at]
            if span:
                piece.append(at)
                piece.append(span >> 16)
                piece.append(span & 0xFFFF)
                piece.append(self._seen[2 * (first + at)])
                piece.append(self._seen[2 * (first + at) + 1])
        return piece

    def wake(self) -> None:
        """Be as before `sleep`."""
        first = 0
        for data in self._asleep:
            piece: list = pack.decode(data)  # type: ignore[assignment]
            if not first:
                self.last, self.spans = [0] * piece[0], [0] * piece[0]
                self._seen = bytearray(2 * piece[0])
            for at in range(len(piece[1])):
                self.last[first + at] = piece[1][at]
            for begin in range(2, len(piece), 5):
                at = first + piece[begin]
                self.spans[at] = piece[begin + 1] << 16 | piece[begin + 2]
                self._seen[2 * at] = piece[begin + 3]
                self._seen[2 * at + 1] = piece[begin + 4]
            first += _PIECE
        self._asleep = ()

    def restart(self, shape: bytes, numbers: list[int], spans: list[int]) -> None:
        """Go on from these; shape: its own, of which there may be one for several models."""
        self.shape = shape
        self.last, self.spans = numbers[:], spans[:]
        self._is_new = False
        self._count = 0
        for at in range(len(self._seen)):
            self._seen[at] = 0

    def note(self, moves: list[int]) -> None:
        """A record was told with these moves."""
        if self._count == WINDOW:
            self._narrow()
        self._count += 1
        is_first, is_early = self._count == 1, self._is_new and self._count <= FIRST
        spans, seen = self.spans, self._seen
        for at in range(len(moves)):
            move, span = moves[at], spans[at]
            if not span and not move:
                continue
            if move:
                self.last[at] += move
            if is_first and self._is_new:
                span = spans[at] = make_span(move, 0)
            low, width = span >> 16, width_of(span) if span & 0xFFFF else 0
            if is_early or not 0 <= move - low <= width:
                high = max(low + width, move)
                low = min(low, move)
                far = max(high, -low)
                if is_early and far <= SMALL:
                    low, high = -far, far
                width = high - low
                if width > _WIDEST:
                    continue
                self._widen(at, low, width)
            offset = move - low
            if width > 0xFF:
                offset >>= _unit(width)
            if is_first or offset < seen[2 * at]:
                seen[2 * at] = offset
            if is_first or offset > seen[2 * at + 1]:
                seen[2 * at + 1] = offset

    def _widen(self, at: int, low: int, width: int) -> None:
        """Expect more of a number; what was seen of it in this window stays so."""
        old = self.spans[at]
        new = self.spans[at] = make_span(low, width)
        unit, new_unit = _unit(width_of(old)), _unit(width_of(new))
        more = (old >> 16) - low
        seen = 2 * at
        lowest = (self._seen[seen] << unit) + more
        highest = min((self._seen[seen + 1] + 1 << unit) - 1, width_of(old)) + more
        self._seen[seen] = lowest >> new_unit
        self._seen[seen + 1] = highest >> new_unit

    def _narrow(self) -> None:
        """Expect what was seen in the window that ends."""
        for at in range(len(self.spans)):
            span = self.spans[at]
            if span:
                width = width_of(span)
                unit = _unit(width)
                lowest = self._seen[2 * at] << unit
                highest = min((self._seen[2 * at + 1] + 1 << unit) - 1, width)
                self.spans[at] = make_span((span >> 16) + lowest, highest - lowest)
                self._seen[2 * at] = self._seen[2 * at + 1] = 0
        self._is_new = False
        self._count = 0


def _unit(width: int) -> int:
    """The power of two in which moves within a width are seen: each fits a byte."""
    unit = 0
    while width >> unit > 0xFF:
        unit += 1
    return unit
