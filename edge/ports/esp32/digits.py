"""Digits of mixed radix, all in one large number, and byte strings in front of it.

The large number is never in one piece: it takes three times its length to divide it, and a heap
that is nearly full has no kilobyte in one piece.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Digits are put together up to here before they meet the large number: small integers take no
#: memory on a device. Each division of the large number makes another: it gives so much at once.
_SMALL = 1 << 30
_AT_ONCE = 1 << 240

#: Pieces that wait to be put together, each with its radix.
_PIECES_MAX = 2 * 60

#: Half bytes of a number that may be any.
_SIZES = 20

#: Numbers that may be any, and their half bytes, taken at once.
_ANY_AT_ONCE = 6
_HALF_BYTES_AT_ONCE = 24

#: First byte of what is encoded: byte strings follow, or none; the rest of it is the caller's.
_STRINGS = 0x80
_MORE = 0x8000

#: The large number is a list of limbs of so many bytes, the lowest first.
_LIMB_BYTES = 256
_LIMB_BITS = 8 * _LIMB_BYTES
_LIMB = (1 << _LIMB_BITS) - 1


class Digits:
    """To be put, then encoded; or taken from what was encoded, in the same order."""

    def __init__(
        self,
        read: "Callable[[int, int], bytes | bytearray | memoryview] | None" = None,
        size: int = 0,
    ) -> None:
        """read: gives (from where, how many) bytes of the `size` that `encode` gave."""
        self.count = 0
        self._pieces: list[int] = []  # number and radix, and so on
        self._settled = 0  # of them are put together
        self._number, self._radix = 0, 1
        self._reserved, self._unit = 0, 0
        self._strings: list[bytes] = []
        self._rest = [0]
        if read is not None:
            self._take_in(read, size)

    def _take_in(
        self, read: "Callable[[int, int], bytes | bytearray | memoryview]", size: int
    ) -> None:
        head = read(0, 1)[0]
        self.count = head & ~_STRINGS
        at, is_more = 1, bool(head & _STRINGS)
        while is_more:
            length = int.from_bytes(read(at, 2), "big")
            is_more = bool(length & _MORE)
            length &= _MORE - 1
            self._strings.append(bytes(read(at + 2, length)))
            at += 2 + length
        self._rest = []
        while size > at or not self._rest:
            begin = max(at, size - _LIMB_BYTES)
            self._rest.append(int.from_bytes(read(begin, size - begin), "big"))
            size = begin

    def put(self, digit: int, radix: int) -> None:
        """Add a digit 0..radix - 1."""
        if self._radix * radix > _SMALL:
            if len(self._pieces) - self._settled == _PIECES_MAX:
                self._settle()
            self._close_piece()
        self._number += digit * self._radix
        self._radix *= radix

    def _close_piece(self) -> None:
        self._pieces.append(self._number)
        self._pieces.append(self._radix)
        self._number, self._radix = 0, 1

    def reserve(self, radix: int) -> None:
        """Add a digit 0 that `raise_one` may still make 1."""
        self.put(0, radix)
        self._reserved, self._unit = len(self._pieces), self._radix // radix

    def raise_one(self) -> None:
        """Make the digit that was reserved last one more."""
        if self._reserved == len(self._pieces):
            self._number += self._unit
        else:
            self._pieces[self._reserved] += self._unit

    def _settle(self) -> None:
        """Put the pieces together to one, so that there is a short list of them."""
        first = self._settled
        if self._reserved == len(self._pieces):
            self._reserved = first + 2
        elif self._reserved >= first:
            for at in range(first + 1, self._reserved, 2):
                self._unit *= self._pieces[at]
            self._reserved = first
        self._pieces[first:] = _together(self._pieces[first:])
        self._settled = len(self._pieces)

    def take(self, radix: int) -> int:
        """The next digit, in the order they were put."""
        return self._divide(radix) if radix >= 2 else 0

    def _divide(self, divisor: int) -> int:
        """Take what is left of the large number at this division."""
        rest = self._rest
        at = len(rest) - 1
        rest[at], left = divmod(rest[at], divisor)
        while at:
            at -= 1
            rest[at], left = divmod(left << _LIMB_BITS | rest[at], divisor)
        if len(rest) > 1 and not rest[-1]:
            rest.pop()
        return left

    def _left(self, divisor: int) -> int:
        """What `_divide` would take."""
        rest = self._rest
        left = rest[-1] % divisor
        for at in range(len(rest) - 2, -1, -1):
            left = (left << _LIMB_BITS | rest[at]) % divisor
        return left

    def take_each(self, radices: list[int]) -> list[int]:
        """The next digits, one for each radix, in its place."""
        at, end = 0, len(radices)
        while at < end:
            behind, product = _fitting(radices, at, end, _AT_ONCE)
            part = self._divide(product)
            while at < behind:
                stop, product = _fitting(radices, at, behind, _SMALL)
                part, number = divmod(part, product)
                while at < stop:
                    radix = radices[at]
                    radices[at] = number % radix
                    number //= radix
                    at += 1
        return radices

    def put_any(self, number: int) -> None:
        """Add any integer of up to 64 bits and sign."""
        far = 2 * number if number >= 0 else -2 * number - 1
        size = 0
        while far >> (4 * size):
            size += 1
        self.put(size, _SIZES)
        self.put(far, 1 << (4 * size))

    def take_any(self) -> int:
        """The next integer that `put_any` added."""
        return self.take_any_each(1)[0]

    def take_any_each(self, count: int, radix: int = 1) -> list[int]:
        """The next integers; before each, if it is not 1, a digit of this radix."""
        found: list[int] = []
        each = radix * _SIZES
        most = each**_ANY_AT_ONCE << 4 * _HALF_BYTES_AT_ONCE
        while count:
            part, half_bytes, times = self._left(most), 0, 0
            while times < min(count, _ANY_AT_ONCE):
                rest, digit = divmod(part, each)
                size = digit // radix
                if half_bytes + size > _HALF_BYTES_AT_ONCE:
                    break
                if radix > 1:
                    found.append(digit % radix)
                far = rest & (1 << 4 * size) - 1
                found.append(-((far + 1) >> 1) if far & 1 else far >> 1)
                part = rest >> 4 * size
                half_bytes += size
                times += 1
            self._divide(each**times << 4 * half_bytes)
            count -= times
        return found

    def put_bytes(self, data: bytes) -> None:
        """Add a byte string of less than 32 KiB."""
        self._strings.append(data)

    def take_bytes(self) -> bytes:
        """The next byte string."""
        return self._strings.pop(0)

    def encode(self, count: int = 0) -> list[bytes]:
        """All of it, in parts that follow one another.

        count: 0..127, given back as `count`.
        """
        out = bytearray((count | (_STRINGS if self._strings else 0),))
        parts: list[bytes] = []
        left = len(self._strings)
        for data in self._strings:
            left -= 1
            out.extend((len(data) | (_MORE if left else 0)).to_bytes(2, "big"))
            parts.append(bytes(out))
            parts.append(data)
            out[:] = b""
        parts.append(bytes(out))
        self._close_piece()
        self._settle()
        limbs = _large(self._pieces)
        data = limbs.pop().to_bytes(_LIMB_BYTES, "big")
        first = 0
        while first < _LIMB_BYTES - 1 and not data[first]:
            first += 1
        parts.append(data[first:])
        while limbs:
            parts.append(limbs.pop().to_bytes(_LIMB_BYTES, "big"))
        return parts


def _fitting(radices: list[int], first: int, end: int, limit: int) -> tuple[int, int]:
    """(end, product) of the radices from the first on whose product is up to the limit."""
    product = radices[first]
    for at in range(first + 1, end):
        radix = radices[at]
        if radix > 1:
            more = product * radix
            if more > limit:
                return at, product
            product = more
    return end, product


def _together(pieces: list[int]) -> list[int]:
    """The number of them, and its radix: like sizes meet, so that few are large."""
    while len(pieces) > 2:
        joined = []
        for at in range(0, len(pieces) - 2, 4):
            radix = pieces[at + 1]
            joined.append(pieces[at] + radix * pieces[at + 2])
            joined.append(radix * pieces[at + 3])
        pieces = joined + pieces[len(pieces) - len(pieces) % 4 :]
    return pieces


def _large(pieces: list[int]) -> list[int]:
    """The limbs of the large number, none of them a zero in front of another."""
    limbs: list[int] = []
    for at in range(len(pieces) - 2, -1, -2):
        carry, radix = pieces[at], pieces[at + 1]
        for place in range(len(limbs)):
            carry += limbs[place] * radix
            limbs[place] = carry & _LIMB
            carry >>= _LIMB_BITS
        while carry or not limbs:
            limbs.append(carry & _LIMB)
            carry >>= _LIMB_BITS
    return limbs
