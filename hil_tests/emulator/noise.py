"""Repeatable noise: integers that depend on a seed and a position, never on history."""

import math
from functools import lru_cache

_MASK = (1 << 64) - 1
FULL = 1 << 64


@lru_cache(maxsize=4096)
def hash64(seed: int, stream: str, position: int) -> int:
    """A 64-bit integer that looks random; the same for the same arguments everywhere."""
    state = seed & _MASK
    for part in (*stream.encode(), position):
        # One splitmix64 round for each part.
        state = (state + 0x9E3779B97F4A7C15 + part) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state


def pick(seed: int, stream: str, position: int, low: int, high: int) -> int:
    """An integer low..high, both included."""
    return low + hash64(seed, stream, position) % (high - low + 1)


def wander(seed: int, stream: str, second: int, period_s: int, low: int, high: int) -> int:
    """A line that moves between random heights low..high, a new one every `period_s`."""
    index, part = divmod(second, period_s)
    before = pick(seed, stream, index, low, high)
    after = pick(seed, stream, index + 1, low, high)
    return before + (after - before) * part // period_s


def random_bytes(seed: int, stream: str, position: int, count: int) -> bytes:
    """`count` bytes of noise."""
    return bytes(hash64(seed, stream, (position << 16) + index) & 0xFF for index in range(count))


class Noise:
    """A stream of draws that depends on (seed, stream, position) alone."""

    def __init__(self, seed: int, stream: str, position: int) -> None:
        self._seed = seed
        self._stream = stream
        self._next = position << 20

    def draw(self) -> int:
        """0..FULL - 1."""
        self._next += 1
        return hash64(self._seed, self._stream, self._next)

    def pick(self, low: int, high: int) -> int:
        """An integer low..high, both included."""
        return low + self.draw() % (high - low + 1)

    def data(self, count: int) -> bytes:
        """`count` random bytes."""
        return bytes(self.draw() & 0xFF for _ in range(count))

    def skips(self, probability: float) -> int:
        """How many trials fail before the first that succeeds with `probability`, 0..1."""
        if probability >= 1:
            return 0
        return int(math.log((self.draw() + 1) / FULL) / math.log1p(-probability))
