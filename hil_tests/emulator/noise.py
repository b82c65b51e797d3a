"""Repeatable noise: integers that depend on a seed and a position, never on history."""

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
