"""Bugs in what a journal keeps: the simulation has to find each."""

from typing import Any

import edge.ports.sim.removal as removal_module
from edge.ports.sim.store import SimStore
from hil_tests.soak.faults import NAMES
from tests.simulation.mutant import Mutant, Patches


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _last_row_lost(patches: Patches) -> None:
    insert = patches.set(SimStore, "_insert", None)

    def inserted(self: SimStore, rows: list[Any], level: int = 0) -> None:
        insert(self, rows, level)
        if len(rows) > 4:
            del self.journal.rows[rows[-1][0]]

    patches.set(SimStore, "_insert", inserted)


def _synchronous_normal(patches: Patches) -> None:
    append = patches.set(SimStore, "append", None)

    def appended(self: SimStore, rows: list[Any]) -> None:
        self.disk.sync()  # what went before reaches the medium on the way
        self.disk.begin_lying()
        append(self, rows)

    patches.set(SimStore, "append", appended)


def _tombstone_forgotten(patches: Patches) -> None:
    remove = patches.set(SimStore, "remove", None)

    def removed(self: SimStore, rows: list[Any], removal: Any) -> None:
        remove(self, rows, removal)
        for tomb in removal.tombstones:
            self.journal.gaps.pop(tomb.last, None)

    patches.set(SimStore, "remove", removed)


def _seq_again(patches: Patches) -> None:
    take_up = patches.set(SimStore, "_take_up", None)

    def taken_up(self: SimStore) -> None:
        journal = self.journal
        if journal.next_seq > journal.acked + 1:
            journal.remove(journal.next_seq - 1, journal.next_seq - 1)
            journal.next_seq -= 1
            self.disk.mark = None
        take_up(self)

    patches.set(SimStore, "_take_up", taken_up)


def _boot_again(patches: Patches) -> None:
    begin = patches.set(SimStore, "__init__", None)

    def begun(self: SimStore, disk: Any, *more: Any) -> None:
        if disk.journal is not None:
            disk.journal.boot = 0
        begin(self, disk, *more)

    patches.set(SimStore, "__init__", begun)


def _carry_nothing(patches: Patches) -> None:
    import edge.ports.sim.store as store_module

    salvage = patches.set(store_module, "salvage", None)

    def salvaged(old: Any, mark: Any, *more: Any) -> Any:
        old = old.copy()
        old.acked = old.next_seq - 1
        return salvage(old, mark, *more)

    patches.set(store_module, "salvage", salvaged)


def _epoch_again(patches: Patches) -> None:
    begin = patches.set(SimStore, "__init__", None)

    def begun(self: SimStore, disk: Any, gateway: str, _: Any, *more: Any) -> None:
        begin(self, disk, gateway, lambda: b"epoch--1", *more)

    patches.set(SimStore, "__init__", begun)


def _tombstone_of_another_end(patches: Patches) -> None:
    made = patches.set(removal_module, "_tombstone", None)

    def tombstone(store: SimStore, step: int, first: int, last: int) -> Any:
        return made(store, step, first, last)._replace(hash_last=store.hash_at(last + 1))

    patches.set(removal_module, "_tombstone", tombstone)


MUTANTS = (
    Mutant(
        "last row lost",
        "a large append loses its last row silently",
        ("disk_error",),
        12,
        1,
        _last_row_lost,
    ),
    Mutant(
        "synchronous NORMAL",
        "a commit is not synced: it is on the medium only with the next one",
        ("crash",),
        12,
        4,
        _synchronous_normal,
    ),
    Mutant(
        "tombstone forgotten",
        "retention removes rows, and no tombstone is found in their place",
        ("long_night",),
        168,
        12,
        _tombstone_forgotten,
    ),
    Mutant(
        "seq again",
        "a restart begins at the last seq, not behind it",
        ("crash",),
        12,
        8,
        _seq_again,
    ),
    Mutant("boot again", "every start has the same boot number", NAMES, 24, 3, _boot_again),
    Mutant(
        "epoch again",
        "a new journal has the epoch of the one before",
        ("bit_flip", "outage"),
        96,
        10,
        _epoch_again,
    ),
    Mutant(
        "tombstone of another end",
        "a tombstone names the hash of the row after its range",
        ("long_night",),
        168,
        12,
        _tombstone_of_another_end,
    ),
    Mutant(
        "carry nothing",
        "a renewed journal leaves behind what is not acked",
        ("bit_flip", "outage"),
        96,
        10,
        _carry_nothing,
    ),
)
