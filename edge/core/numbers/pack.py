"""MessagePack for what a record may hold: None, bool, int, bytes, str and arrays, shortest form.

Source: the MessagePack specification (formats nil, bool, fixint to int 64, bin, str, array).
Maps, floats and extension types do not exist here: decoding one is an error. On CPython the
`msgpack` package does the same work faster; a test keeps the bytes identical.
"""

from edge.core.errors import DataError

#: Nesting a record or batch may have; deeper input is refused before it is read.
DEPTH_MAX = 8


def _head(
    out: bytearray, length: int, fix: int, fix_limit: int, codes: tuple[int, int, int]
) -> None:
    if length < fix_limit:
        out.append(fix | length)
    elif length < 1 << 8 and codes[0]:
        out.append(codes[0])
        out.append(length)
    elif length < 1 << 16:
        out.append(codes[1])
        out.extend(length.to_bytes(2, "big"))
    else:
        out.append(codes[2])
        out.extend(length.to_bytes(4, "big"))


def _put_four(out: bytearray, value: int) -> None:
    # Registers are of this size: no bytes are made of each.
    high, low = value >> 16, value & 0xFFFF
    out.append(high >> 8)
    out.append(high & 0xFF)
    out.append(low >> 8)
    out.append(low & 0xFF)


def put_array(out: bytearray, count: int) -> None:
    """Append the head of an array; so many items have to follow."""
    _head(out, count, 0x90, 16, (0, 0xDC, 0xDD))


def put_int(out: bytearray, value: int) -> None:
    """Append an integer; raises DataError "data.range" for one beyond 64 bits."""
    if value >= 0:
        if value < 1 << 7:
            out.append(value)
        elif value < 1 << 8:
            out.append(0xCC)
            out.append(value)
        elif value < 1 << 16:
            out.append(0xCD)
            out.append(value >> 8)
            out.append(value & 0xFF)
        elif value < 1 << 32:
            out.append(0xCE)
            _put_four(out, value)
        elif value < 1 << 64:
            out.append(0xCF)
            out.extend(value.to_bytes(8, "big"))
        else:
            raise DataError("data.range", what="integer", value=value)
    elif value >= -32:
        out.append(value & 0xFF)
    elif value >= -(1 << 7):
        out.append(0xD0)
        out.append(value & 0xFF)
    elif value >= -(1 << 15):
        out.append(0xD1)
        out.extend((value & 0xFFFF).to_bytes(2, "big"))
    elif value >= -(1 << 31):
        out.append(0xD2)
        out.extend((value & 0xFFFFFFFF).to_bytes(4, "big"))
    elif value >= -(1 << 63):
        out.append(0xD3)
        out.extend((value & ((1 << 64) - 1)).to_bytes(8, "big"))
    else:
        raise DataError("data.range", what="integer", value=value)


def put(out: bytearray, value: object, depth: int = 0) -> None:
    """Append any value; raises DataError "data.pack" or "data.range"."""
    if value is None:
        out.append(0xC0)
    elif value is True or value is False:
        out.append(0xC3 if value else 0xC2)
    elif isinstance(value, int):
        put_int(out, value)
    elif isinstance(value, (bytes, bytearray)):
        _head(out, len(value), 0, 0, (0xC4, 0xC5, 0xC6))
        out.extend(value)
    elif isinstance(value, str):
        text = value.encode("utf-8")
        _head(out, len(text), 0xA0, 32, (0xD9, 0xDA, 0xDB))
        out.extend(text)
    elif isinstance(value, (list, tuple)):
        if depth >= DEPTH_MAX:
            raise DataError("data.pack", reason="nested too deep")
        put_array(out, len(value))
        for item in value:
            if type(item) is int:  # most of what a poll has, in few steps
                if 0 <= item < 1 << 7:
                    out.append(item)
                else:
                    put_int(out, item)
            else:
                put(out, item, depth + 1)
    else:
        raise DataError("data.pack", reason="a type that records do not have")


def with_room(size: int) -> bytearray:
    """Nothing yet, with room for `size` bytes: MicroPython keeps the place of what is taken out.

    There an array grows by eight bytes at a time, each time maybe to somewhere else.
    """
    out = bytearray(size)
    out[:] = b""
    return out


def encode(value: object, size: int = 0) -> bytes:
    """Pack `value`, which is about so long; raises DataError "data.pack" or "data.range"."""
    out = with_room(size)
    put(out, value)
    return bytes(out)


class Reader:
    """Takes one value after the other from packed bytes, `at` being where the next one begins."""

    def __init__(self, data: bytes, items_max: int = 1 << 20) -> None:
        self.data = data
        self.at = 0
        self.items_left = items_max

    def take(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self.data):
            raise DataError("data.pack", reason="ends too early")
        part = self.data[self.at : end]
        self.at = end
        return part

    def byte(self) -> int:
        at = self.at
        if at >= len(self.data):
            raise DataError("data.pack", reason="ends too early")
        self.at = at + 1
        return self.data[at]

    def number(self, width: int) -> int:
        if width > 4:
            return int.from_bytes(self.take(width), "big")
        at, data = self.at, self.data
        self.at = end = at + width
        if end > len(data):
            raise DataError("data.pack", reason="ends too early")
        found = data[at]
        while at + 1 < end:
            at += 1
            found = found << 8 | data[at]
        return found

    def integer(self) -> int:
        """The next value, known to be an integer."""
        value = self.value()
        if not isinstance(value, int):
            raise DataError("data.pack", reason="no integer")
        return value

    def array(self, count: int, depth: int) -> list[object]:
        # Each item takes a byte at least, so a longer count is a lie told to make us allocate.
        if depth >= DEPTH_MAX:
            raise DataError("data.pack", reason="nested too deep")
        self.items_left -= count
        if self.items_left < 0 or count > len(self.data) - self.at:
            raise DataError("data.pack", reason="too many items")
        items: list[object] = [None] * count
        data = self.data
        last = len(data) - 4
        for index in range(count):
            at = self.at
            if at < last:  # most of what a record has, without a call
                code = data[at]
                if code < 0x80:
                    items[index] = code
                    self.at = at + 1
                    continue
                if code == 0xCD:
                    items[index] = data[at + 1] << 8 | data[at + 2]
                    self.at = at + 3
                    continue
                if code == 0xCE:
                    high = data[at + 1] << 8 | data[at + 2]
                    items[index] = high << 16 | data[at + 3] << 8 | data[at + 4]
                    self.at = at + 5
                    continue
            items[index] = self.value(depth + 1)
        return items

    def count(self) -> int:
        """The items of an array, which are to be taken next one by one; 0 for anything else."""
        code = self.byte()
        if code in (0xDC, 0xDD):
            return self.number(2 if code == 0xDC else 4)
        return code & 0x0F if 0x90 <= code < 0xA0 else 0

    def value(self, depth: int = 0) -> object:
        """The next value; raises DataError "data.pack"."""
        code = self.byte()
        if code < 0x80:
            return code
        if code >= 0xE0:
            return code - 0x100
        if 0x90 <= code < 0xA0:
            return self.array(code & 0x0F, depth)
        if 0xA0 <= code < 0xC0:
            return self.text(code & 0x1F)
        return self.wide(code, depth)

    def wide(self, code: int, depth: int) -> object:
        if code == 0xC0:
            return None
        if code in (0xC2, 0xC3):
            return code == 0xC3
        if 0xC4 <= code <= 0xC6:
            return self.take(self.number(1 << (code - 0xC4)))
        if 0xCC <= code <= 0xCF:
            return self.number(1 << (code - 0xCC))
        if 0xD0 <= code <= 0xD3:
            width = 1 << (code - 0xD0)
            number = self.number(width)
            return number - (1 << (8 * width)) if number >> (8 * width - 1) else number
        if 0xD9 <= code <= 0xDB:
            return self.text(self.number(1 << (code - 0xD9)))
        if code in (0xDC, 0xDD):
            return self.array(self.number(2 if code == 0xDC else 4), depth)
        raise DataError("data.pack", reason="a format that records do not have")

    def text(self, length: int) -> str:
        try:
            return self.take(length).decode("utf-8")
        except (UnicodeError, ValueError):
            raise DataError("data.pack", reason="text is not UTF-8")


def decode(data: bytes, items_max: int = 1 << 20) -> object:
    """Unpack exactly one value that fills `data`.

    items_max: most array items in total, checked before any is read.
    Raises DataError "data.pack".
    """
    reader = Reader(data, items_max)
    value = reader.value()
    if reader.at != len(data):
        raise DataError("data.pack", reason="bytes after the end")
    return value
