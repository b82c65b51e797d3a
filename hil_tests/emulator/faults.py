"""Faults of a bus or of one station: what goes wrong, and when, repeatable from the seed."""

from dataclasses import dataclass
from fractions import Fraction

from hil_tests.emulator.noise import FULL, hash64, pick, random_bytes

KINDS = ("silent", "exception", "crc", "garbage", "truncate", "late_ms")

#: Names in the ledger. The first two leave the reply itself intact.
LATE, GARBAGE_BEFORE = "late", "garbage_before"
INTACT_FAULTS = (LATE, GARBAGE_BEFORE)

_MOST_NOISE_BYTES = 8


@dataclass(frozen=True)
class Fault:
    """One fault; without a trigger it strikes every request in its time window.

    station: whose replies it hits, None for every station of the bus.
    kind: one of KINDS; value: the exception code, the bytes kept, the delay in ms, or "before"
    or "instead" for garbage.
    every: strikes each Nth request; probability: 0..1, by the seed.
    from_s, to_s: seconds since the start in which it is active; to_s None: for ever.
    """

    station: int | None
    kind: str
    value: int | str = 0
    every: int | None = None
    probability: Fraction | None = None
    from_s: Fraction = Fraction(0)
    to_s: Fraction | None = None

    @property
    def label(self) -> str:
        """Its name in the ledger."""
        if self.kind == "garbage":
            return f"garbage_{self.value}"
        return LATE if self.kind == "late_ms" else self.kind


class FaultPlan:
    """Decides for each request of a bus which fault strikes, the first of the list winning."""

    def __init__(self, faults: tuple[Fault, ...], seed: int) -> None:
        self._faults = faults
        self._seed = seed
        self._asked = [0] * len(faults)

    def next(self, station: int, elapsed_s: float) -> Fault | None:
        """The fault for the next request to `station`, `elapsed_s` after the start."""
        struck = None
        for index, fault in enumerate(self._faults):
            if fault.station not in (None, station) or elapsed_s < fault.from_s:
                continue
            if fault.to_s is not None and elapsed_s >= fault.to_s:
                continue
            self._asked[index] += 1
            if struck is None and self._strikes(index):
                struck = fault
        return struck

    def _strikes(self, index: int) -> bool:
        fault, asked = self._faults[index], self._asked[index]
        if fault.every is not None:
            return asked % fault.every == 0
        if fault.probability is not None:
            return hash64(self._seed, f"fault{index}", asked) < fault.probability * FULL
        return True


def damage(frame: bytes, fault: Fault, seed: int, number: int) -> bytes:
    """What of `frame`, the `number`th reply, reaches the line under `fault`."""
    if fault.kind == "crc":
        flip = pick(seed, "crc", number, 1, 0xFFFF)
        return frame[:-2] + bytes((frame[-2] ^ (flip >> 8), frame[-1] ^ (flip & 0xFF)))
    if fault.kind == "truncate":
        return frame[: min(int(fault.value), len(frame) - 1)]
    if fault.label == GARBAGE_BEFORE:
        count = pick(seed, "noise", number, 1, _MOST_NOISE_BYTES)
        return random_bytes(seed, "garbage", number, count) + frame
    if fault.kind == "garbage":
        return random_bytes(seed, "garbage", number, len(frame))
    return frame
