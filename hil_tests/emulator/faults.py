"""Faults of a bus or of one station: what goes wrong, and when, repeatable from the seed."""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, NamedTuple

from hil_tests.emulator.effects import KINDS, REPLY, Draft
from hil_tests.emulator.noise import FULL, Noise, hash64

#: Names in the ledger of what leaves the reply itself intact, so that a master may take it.
INTACT_FAULTS = tuple(kind.label.format("before") for kind in KINDS.values() if kind.is_intact)


@dataclass(frozen=True)
class Fault:
    """One fault; without a trigger it strikes every request in its time window.

    station: whose transactions it hits, None for every station of the bus.
    kind: one of KINDS; value: what its key held, a fraction where decimals are allowed.
    every: strikes each Nth request; probability: 0..1, by the seed; times: at most so often.
    from_s, to_s: seconds since the start in which it is active; to_s None: for ever.
    works_on: REQUEST, REPLY or ADAPTER.
    restarts: counters begin at 0 after a reboot.
    """

    station: int | None
    kind: str
    value: Any = True
    every: int | None = None
    probability: Fraction | None = None
    from_s: Fraction = Fraction(0)
    to_s: Fraction | None = None
    works_on: str = REPLY
    times: int | None = None
    restarts: bool = False

    @property
    def label(self) -> str:
        """Its name in the ledger."""
        return KINDS[self.kind].label.format(self.value)


class Strike(NamedTuple):
    """One fault at one request, with the noise that belongs to both."""

    fault: Fault
    noise: Noise

    def apply(self, draft: Draft) -> str | None:
        """Change `draft`; the fault's label if that made a difference."""
        before = replace(draft)
        KINDS[self.fault.kind].strike(draft, self.fault.value, self.noise)
        return None if draft == before else self.fault.label


class FaultPlan:
    """Decides for each request of a bus which fault strikes, the first of the list winning.

    works_on: only faults of a bus that work on this are considered.
    """

    def __init__(self, faults: tuple[Fault, ...], seed: int, works_on: str = REPLY) -> None:
        self._faults = [
            (index, fault) for index, fault in enumerate(faults) if fault.works_on == works_on
        ]
        self._seed = seed
        self._asked = [0] * len(faults)
        self._struck = [0] * len(faults)

    def next(self, station: int, elapsed_s: float) -> Strike | None:
        """The fault for the next request to `station`, `elapsed_s` after the start."""
        winner = None
        for index, fault in self._faults:
            if fault.station not in (None, station) or elapsed_s < fault.from_s:
                continue
            if fault.to_s is not None and elapsed_s >= fault.to_s:
                continue
            self._asked[index] += 1
            if winner is None and self._strikes(index, fault):
                self._struck[index] += 1
                winner = Strike(fault, Noise(self._seed, f"effect{index}", self._asked[index]))
        return winner

    def _strikes(self, index: int, fault: Fault) -> bool:
        asked = self._asked[index]
        if fault.times is not None and self._struck[index] >= fault.times:
            return False
        if fault.every is not None:
            return asked % fault.every == 0
        if fault.probability is not None:
            return hash64(self._seed, f"fault{index}", asked) < fault.probability * FULL
        return True
