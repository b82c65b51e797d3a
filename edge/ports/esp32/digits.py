"""Digits of mixed radix, all in one large number, and byte strings in front of it."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: Digits are put together up to here before they meet the large number: small integers take no
#: memory on a device.
_SMALL = 1 << 30

#: Half bytes of a number that may be any.
_SIZES = 20

#: First byte of what is encoded: byte strings follow, or none; the rest of it is the caller's.
_STRINGS = 0x80
_MORE = 0x8000


class Digits:
    """To be put, then encoded; or taken from what was encoded, in the same order."""

    def __init__(self, data: "bytes | bytearray" = b"\0") -> None:
        """data: as `encode` gave it."""
        self.count = data[0] & ~_STRINGS
        self._pieces: list[int] = []  # number and radix, and so on
        self._number, self._radix = 0, 1
        self._strings: list[bytes] = []
        at, is_more = 1, bool(data[0] & _STRINGS)
        while is_more:
            length = int.from_bytes(data[at : at + 2], "big")
            is_more = bool(length & _MORE)
            length &= _MORE - 1
            at += 2 + length
            self._strings.append(bytes(data[at - length : at]))
        self._rest = int.from_bytes(data[at:], "big")

    def put(self, digit: int, radix: int) -> None:
        """Add a digit 0..radix - 1."""
        if self._radix * radix > _SMALL:
            self._pieces.append(self._number)
            self._pieces.append(self._radix)
            self._number, self._radix = 0, 1
        self._number += digit * self._radix
        self._radix *= radix

    def take(self, radix: int) -> int:
        """The next digit, in the order they were put."""
        if radix < 2:
            return 0
        self._rest, digit = divmod(self._rest, radix)
        return digit

    def take_each(self, radices: "Sequence[int]") -> list[int]:
        """The next digits, one for each radix."""
        found = []
        at, end = 0, len(radices)
        while at < end:
            first, product = at, radices[at]
            at += 1
            while at < end and product * radices[at] <= _SMALL:
                product *= radices[at]
                at += 1
            self._rest, number = divmod(self._rest, product)
            for radix in radices[first:at]:
                number, digit = divmod(number, radix)
                found.append(digit)
        return found

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
        far = self.take(1 << (4 * self.take(_SIZES)))
        return -((far + 1) >> 1) if far & 1 else far >> 1

    def put_bytes(self, data: bytes) -> None:
        """Add a byte string of less than 32 KiB."""
        self._strings.append(data)

    def take_bytes(self) -> bytes:
        """The next byte string."""
        return self._strings.pop(0)

    def encode(self, count: int = 0) -> bytes:
        """All of it; count: 0..127, given back as `count`."""
        out = bytearray((count | (_STRINGS if self._strings else 0),))
        left = len(self._strings)
        for data in self._strings:
            left -= 1
            out.extend((len(data) | (_MORE if left else 0)).to_bytes(2, "big"))
            out.extend(data)
        number = self._number
        for at in range(len(self._pieces) - 2, -1, -2):
            number = number * self._pieces[at + 1] + self._pieces[at]
        out.extend(number.to_bytes((len(hex(number)) - 1) // 2, "big"))
        return bytes(out)
