"""The simulated site with the journal of an ESP32: the ring on flash, its power, its wear."""

import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from edge.core.errors import StoreError
from edge.core.journal.retain import Removal
from edge.ports.esp32.ring_store import RingStore
from edge.ports.sim.disk import Row
from edge.ports.sim.link import SimLink
from edge.ports.sim.store import Rows
from edge.ports.sim.uplink import SimUplink
from hil_tests.soak import faults, simulation
from hil_tests.soak.machine import PowerCut, start_gateway
from hil_tests.soak.site import GATEWAY
from hil_tests.soak.world import World
from tests.contract.test_ring_worn import WornFlash
from tests.unit import flash_doubles
from tests.unit.flash_doubles import SECTOR_BYTES

HOURS = 140
#: Small enough to go round within that.
SECTORS = 8
#: A start in so many is cut; of other cuts, so many in ten are within the flash.
CUT_STARTS = 6
CUT_IN_FLASH = 6
CUT_OPERATIONS = 30
CRASH_H = 8
BOOTS_MIN = 12
MODES = ("atomic", "half", "garbage")

#: Faults that have a disk of files, and one that reads it.
OF_FILES = ("disk_lie", "disk_copy", "disk_gone", "bit_flip", "long_night", "small_disk", "forged")


class Mark:
    """A second memory of where the journal ends."""

    value: tuple[bytes, int, int, int] | None = None

    def read(self) -> tuple[bytes, int, int, int] | None:
        return self.value

    def write(self, value: tuple[bytes, int, int, int]) -> None:
        self.value = value


class WatchedRing(RingStore):
    """A ring that tells the ledger what it has promised, and fails as the world says."""

    world: "RingWorld"

    def _struck(self, name: str, done: str, call: Callable[[], None]) -> None:
        flash = self.world.flash
        try:
            self.world._strike(name)
        except StoreError:
            flash.is_broken = True
        try:
            call()
        finally:
            flash.is_broken = False
        try:
            self.world._strike(done)
        except StoreError:
            self.is_stale = True
            raise

    def append(self, rows: Rows) -> None:
        self._struck("append", "appended", lambda: RingStore.append(self, rows))
        self.world.ledger.committed(self.epoch, rows)

    def ack(self, seq: int) -> None:
        self._struck("ack", "acked", lambda: RingStore.ack(self, seq))

    def remove(self, rows: Rows, removal: Removal) -> None:
        self._struck("remove", "removed", lambda: RingStore.remove(self, rows, removal))
        self.world.ledger.committed(self.epoch, rows)

    def renew(self, reason: str) -> None:
        self._struck("renew", "renewed", lambda: RingStore.renew(self, reason))
        self.world.ledger.found(self.as_journal())

    def as_journal(self) -> Any:
        """What the ledger takes: the rows that it does not know yet."""
        known = self.world.ledger.promised.get(self.epoch, {})
        first = self.next_seq
        while first > 0 and first - 1 not in known:
            first -= 1
        rows = {
            row.seq: Row(row.record.kind, row.data, row.digest, 0)
            for row in self.rows(first, self.next_seq - 1)
        }
        return SimpleNamespace(epoch=self.epoch, next_seq=self.next_seq, boot=self.boot, rows=rows)


class RingWorld(World):
    """A world whose gateway has a ring. worn: sectors of its flash that do not erase."""

    worn = 0

    def __init__(self, seed: int, lines: list[str] | None = None) -> None:
        self.moments = random.Random(f"{seed}/flash")
        self.flash = WornFlash((SECTORS + self.worn) * SECTOR_BYTES)
        self.flash.worn = frozenset(self.moments.sample(range(SECTORS + self.worn), self.worn))
        self.flash.is_told = True
        self.mark = Mark()
        super().__init__(seed, lines)

    def cut_flash(self, most: int) -> None:
        """The power fails in one of the next operations of the flash."""
        self.flash.cut(self.moments.randrange(1, most), self.moments.choice(MODES))

    def _start(self) -> None:
        store = WatchedRing.__new__(WatchedRing)
        store.world = self
        if not self.is_calm and not self.moments.randrange(CUT_STARTS):
            self.cut_flash(CUT_OPERATIONS // 2)
        WatchedRing.__init__(store, self.flash, GATEWAY, self.mark, self._new_epoch, 1)
        self.boots += 1
        self.laps = store.wear(1)["laps"]
        self.ledger.opened(store.as_journal(), None, self.timeline.now_ms)
        self.note(f"boot {store.boot} at seq {store.next_seq}")
        self.link = SimLink(self.timeline, dict(self.meters), self._trouble, self._strike)
        self.uplink = SimUplink(self.timeline, self.broker, GATEWAY, self._poke, self._strike)
        self.gateway = start_gateway(self.settings, store, self.clock, self.link, self.uplink)  # type: ignore[arg-type]

    def power_off(self, dark_ms: int = 30_000) -> None:
        self.gateway, self.doom = None, None
        self.flash.cut(0, "")
        self.broker.disconnect(GATEWAY)
        self.note("off")
        self._start_in(dark_ms)

    def calm(self) -> None:
        self.flash.cut(0, "")
        super().calm()


class WornWorld(RingWorld):
    worn = 2


def crash(world: Any, rng: random.Random) -> None:
    """The power goes in an operation of the flash, or at any call of any port."""
    if rng.randrange(10) < CUT_IN_FLASH:
        world.cut_flash(CUT_OPERATIONS)
    else:
        faults.gateway.crash(world, rng)


@pytest.mark.parametrize(("kind", "seed"), [(RingWorld, 100), (WornWorld, 203)])
def test_a_ring_loses_nothing_whatever_fails_around_it(
    kind: type[RingWorld], seed: int, monkeypatch: pytest.MonkeyPatch
):
    made: list[RingWorld] = []

    def begin(number: int, lines: list[str] | None) -> RingWorld:
        made.append(kind(number, lines))
        return made[0]

    kept = tuple(
        fault._replace(strike=crash, mean_h=CRASH_H) if fault.name == "crash" else fault
        for fault in faults.FAULTS
        if fault.name not in OF_FILES
    )
    monkeypatch.setattr(faults, "FAULTS", kept)
    monkeypatch.setattr(simulation, "World", begin)
    monkeypatch.setattr(flash_doubles, "PowerFailedError", PowerCut)
    outcome = simulation.simulate(seed, HOURS, tuple(fault.name for fault in kept))
    assert outcome.violations == ()
    assert outcome.counts["boots"] >= BOOTS_MIN and made[0].laps >= 1
    assert outcome.counts["epochs"] == 1, "no power cut costs a journal"
