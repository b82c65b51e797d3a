"""Loops of what a gateway's code is made of, run on MicroPython by `esp32_model`."""

from struct import unpack_from

_TABLE = [at * 40961 & 0xFFFF for at in range(256)]
_FRAME = bytes(range(64))


def table() -> int:
    """A check sum of a frame."""
    found = 0xFFFF
    for _ in range(3):
        for byte in _FRAME:
            found = found >> 8 ^ _TABLE[(found ^ byte) & 0xFF]
    return found


class _Kept:
    def __init__(self) -> None:
        self.last = 0
        self.spans = [0] * 30

    def take(self, at: int, value: int) -> bool:
        """Keep a value in its place."""
        self.spans[at] = value - self.last
        self.last = value
        return value > 0


_KEPT = _Kept()


def methods() -> None:
    """A number to each place of an object."""
    kept = _KEPT
    for at in range(30):
        kept.take(at, 3 * at)


def long_integers() -> int:
    """Products and quotients beyond a machine word."""
    found = 123_456_789_012
    for at in range(40):
        found = (found * 1_000_003 + at) // 7 & 0x3FFF_FFFF_FFFF_FFFF
    return found


def registers() -> list[int]:
    """Numbers of a reply, two registers each."""
    read = unpack_from(">30H", _FRAME, 0)
    found = []
    for _ in range(2):
        for at in range(0, 30, 2):
            found.append(read[at] << 16 | read[at + 1])
    return found


def by_key() -> list[int]:
    """What is kept by number, in order."""
    kept: dict[int, list[int]] = {}
    for at in range(30):
        kept.setdefault(at & 7, []).append(at)
    return sorted(kept)


def guarded() -> int:
    """What may fail, and doesn't."""
    done = 0
    for at in range(50):
        try:
            done += len(_FRAME) - at
        except ValueError:
            done = 0
    return done


def packed() -> bytes:
    """Bytes of small numbers, appended one by one."""
    out = bytearray()
    for value in _FRAME:
        if value < 0x80:
            out.append(value)
        else:
            out.extend(value.to_bytes(2, "big"))
    return bytes(out)


LOOPS = {
    "table": table,
    "methods": methods,
    "long_integers": long_integers,
    "registers": registers,
    "by_key": by_key,
    "guarded": guarded,
    "packed": packed,
}

#: Turns between which the build as shipped may collect garbage.
TURNS = 200


def turn(name: str) -> None:
    """One loop, TURNS times."""
    loop = LOOPS[name]
    for _ in range(TURNS):
        loop()
