"""What is expected of the numbers of one shape, see `row_shape`.

A span is the lowest move and how many more there are, in one integer: a small one, which takes
no memory of its own on a device, for all but the widest.
"""

from edge.core.errors import DataError
from edge.core.journal.record import Kind
from edge.core.numbers import pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: Numbers that sleep together: what has more of them is never awake as a whole, nor in one piece.
_PIECE = 40
_PIECE_ROOM = 224

#: Records after which what has not moved lately is expected less.
WINDOW = 64

#: A number that in its first moves went a little one way is expected to go as far the other way.
FIRST = 4
SMALL = 4

#: A width is a mantissa of twelve bits, times a power of four.
_MANTISSA = 0xFFF
_WIDEST = _MANTISSA << 30


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


class Numbers:
    """Some numbers of a shape, in the order of its records.

    last: those of the newest one; spans: of the moves of each number.
    """

    def __init__(self, count: int) -> None:
        self.last = [0] * count
        self.spans = [0] * count
        self._is_new = True  # nothing is known of the spans
        self._count = 0
        # Lowest and highest move of this window, above that of the span, in units of `_unit`.
        self._seen = bytearray(2 * count)

    def restart(self, last: list[int], spans: list[int]) -> None:
        """Go on from these."""
        self.last, self.spans = last[:], spans[:]  # a list that grew has room to spare
        self._is_new = False
        self._count = 0
        for at in range(len(self._seen)):
            self._seen[at] = 0

    def packed(self) -> bytes:
        """All of it in few bytes: the numbers, and of each that moves where it is, its span, what
        was seen. Raises DataError for a number of more than 64 bits.
        """
        out = pack.with_room(_PIECE_ROOM)
        for number in (1 if self._is_new else 0, self._count, len(self.last)):
            pack.put_int(out, number)
        for number in self.last:
            pack.put_int(out, number)
        for at in range(len(self.last)):
            span = self.spans[at]
            if span:
                pack.put_int(out, at)
                pack.put_int(out, span >> 16)
                pack.put_int(out, span & 0xFFFF)
                pack.put_int(out, self._seen[2 * at])
                pack.put_int(out, self._seen[2 * at + 1])
        return bytes(out)

    def unpack(self, data: bytes) -> None:
        """Be as `packed` was, with as many numbers."""
        reader = pack.Reader(data)
        self._is_new, self._count = bool(reader.integer()), reader.integer()
        for at in range(reader.integer()):
            self.last[at] = reader.integer()
        while reader.at < len(data):
            at = reader.integer()
            low = reader.integer()
            self.spans[at] = low << 16 | reader.integer()
            self._seen[2 * at] = reader.integer()
            self._seen[2 * at + 1] = reader.integer()

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


class PollModel(Numbers):
    """The model of a poll in the segment that is written: it is used each minute, and awake.

    follower: index of the model that came next, last time.
    """

    def __init__(self, shape: bytes, count: int) -> None:
        super().__init__(count)
        self.shape = shape
        self.count = self.piece = count
        self.follower = 0

    def part(self, at: int) -> Numbers:
        """The numbers from `at` on, `piece` of them or what is left."""
        return self

    def keep(self, at: int, part: Numbers) -> None:
        """Take back what `part` gave: it was changed."""

    def numbers(self) -> "Iterator[int]":
        """Those of the newest record."""
        return iter(self.last)


class SleepingModel:
    """A model of the same form that sleeps, in little memory, but for the part that is used.

    An interval has hundreds of numbers, few of which move. Numbers and ranges beyond 31 bits are
    objects on a device, and whoever reads has models beside those of the writer.
    """

    piece = _PIECE

    def __init__(self, shape: bytes, count: int) -> None:
        self.shape = shape
        self.count = count
        self.follower = 0
        self._parts: list[bytes | Numbers] = []
        for at in range(0, count, _PIECE):
            self._parts.append(Numbers(min(_PIECE, count - at)).packed())

    def part(self, at: int) -> Numbers:
        data = self._parts[at // _PIECE]
        if isinstance(data, Numbers):
            return data
        part = Numbers(min(_PIECE, self.count - at))
        part.unpack(data)
        return part

    def keep(self, at: int, part: Numbers) -> None:
        try:
            self._parts[at // _PIECE] = part.packed()
        except DataError:
            self._parts[at // _PIECE] = part  # a number of more than 64 bits

    def numbers(self) -> "Iterator[int]":
        for at in range(0, self.count, _PIECE):
            yield from self.part(at).last


def new_model(shape: bytes, count: int, is_read: bool = False) -> "PollModel | SleepingModel":
    """A model of nothing but zeros, of a reader or of the writer."""
    if is_read or shape[0] != Kind.POLL:
        return SleepingModel(shape, count)
    return PollModel(shape, count)


def _unit(width: int) -> int:
    """The power of two in which moves within a width are seen: each fits a byte."""
    unit = 0
    while width >> unit > 0xFF:
        unit += 1
    return unit
