"""One gateway, its meters, the network and the cloud in virtual time, from a seed.

The gateway is the product's own, from `Gateway` down; so is the receiver. Only the ports are
simulated. Nothing sleeps, nothing runs beside, and every random number comes from the seed.
"""

import hashlib
import random
from collections.abc import Callable
from typing import Any

from edge.app.gateway import Gateway
from edge.core.errors import StoreError, TallyError
from edge.core.journal.clock import ClockQuality
from edge.ports.sim.broker import LATENCY_MS, Broker, Fate, Message
from edge.ports.sim.clock import SimClock
from edge.ports.sim.disk import Disk
from edge.ports.sim.link import SimLink
from edge.ports.sim.store import SimStore
from edge.ports.sim.timeline import Timeline
from edge.ports.sim.uplink import SimUplink
from hil_tests.soak.cloud import Cloud
from hil_tests.soak.ledger import Ledger
from hil_tests.soak.machine import PowerCut, WatchedStore, start_gateway
from hil_tests.soak.site import (
    GATEWAY,
    HOUR_MS,
    MINUTE_MS,
    NAMES,
    TRUTH_MS,
    SiteMeter,
    read_settings,
)

#: Steps at one moment after which the gateway is said to run in circles.
STEPS_MAX = 2_000

#: Messages of both ends in an hour that get nowhere; less is tombstones of a long outage.
MESSAGES_PER_H_MAX = 3_000

#: What a seed chooses from.
LINGERS_MS = (5_000, 900_000, 3_600_000, 3_600_000, 7_200_000)
INTERVALS_MS = (900_000, 3_600_000)


class World:
    """Everything there is. trace: a digest of all that happened; lines: the same, readable."""

    def __init__(self, seed: int, lines: list[str] | None = None) -> None:
        self.random = random.Random(f"{seed}/world")
        self.timeline = Timeline()
        self.broker = Broker(self.timeline)
        self.cloud = Cloud(self.timeline, self.broker)
        self.cloud.shuffle = self.random.shuffle
        self.cloud.on_broken_word = lambda text: self.ledger.violation("I1", text)
        self.disk = Disk()
        self.meters = {station: SiteMeter(station) for station in NAMES}
        self.ledger = Ledger(self.meters)
        chosen = self.random.choice(LINGERS_MS), self.random.choice(INTERVALS_MS)
        self.settings = read_settings(*chosen)
        self.trace = hashlib.sha256()
        self.lines = lines
        self.trouble: dict[int, Callable[[], str | int | None]] = {}
        self.medium: Callable[[str], None] = lambda name: None
        self.doom: tuple[str, int] | None = None  # (name of the call or "", calls until then)
        self.has_rtc = True
        self.sets_clock = True
        self.is_calm = False
        self.gateway: Gateway | None = None
        self.steps = self.boots = 0
        self.fates: list[tuple[int, Fate]] = []
        self.broker.fate = self._fate
        self._poked = self.may_lie = False  # may_lie: the disk may, by a fault: a cut is excused
        self._due_ms = self._hour_end_ms = self._published_before = 0
        self._starts = 0  # the start that is planned is the last one that was
        self.power_on()

    def note(self, text: str) -> None:
        """Write into the trace."""
        line = f"{self.timeline.now_ms} {text}"
        self.trace.update(line.encode() + b"\n")
        if self.lines is not None:
            self.lines.append(line)

    def _poke(self) -> None:
        self._poked = True

    def _strike(self, name: str) -> None:
        if self.doom is not None and self.doom[0] in ("", name):
            name_of, left = self.doom
            self.doom = (name_of, left - 1) if left > 0 else None
            if left <= 0:
                self.note(f"power cut at {name}")
                raise PowerCut
        self.medium(name)

    def _new_epoch(self) -> bytes:
        return self.random.randbytes(8)

    def _trouble(self, station: int) -> str | int | None:
        asked = self.trouble.get(station)
        return None if asked is None else asked()

    # The gateway's life

    def power_on(self) -> None:
        """Start the gateway on the disk as it is, as the service does; it may fail and retry."""
        self.clock = SimClock(self.timeline, TRUTH_MS)
        for meter in self.meters.values():
            meter.error_reads = 0  # a first reading has nothing it could be held against
        if not self.has_rtc:
            self.clock.forget()
            self.timeline.after(self.random.randrange(10 * MINUTE_MS), self._learn_time)
        try:
            self._start()
        except PowerCut:
            self.power_off()
        except TallyError as error:
            self.note(f"start failed: {error.code}")
            self.gateway = None
            self._start_in(10_000)

    def _learn_time(self) -> None:
        if not self.sets_clock:
            self.timeline.after(10 * MINUTE_MS, self._learn_time)
        elif self.clock.quality() == ClockQuality.UNSET:
            self.clock.set(0, ClockQuality.SYNCED)
            self._poke()

    def _start(self) -> None:
        store = WatchedStore.__new__(WatchedStore)
        store.ledger = self.ledger
        before = None if self.disk.journal is None else self.disk.journal.epoch
        SimStore.__init__(store, self.disk, GATEWAY, self._new_epoch, self._strike)
        self.boots += 1
        self.ledger.opened(store.journal, before, self.timeline.now_ms)
        self.note(f"boot {store.boot} at seq {store.next_seq}")
        self.link = SimLink(self.timeline, dict(self.meters), self._trouble, self._strike)
        self.uplink = SimUplink(self.timeline, self.broker, GATEWAY, self._poke, self._strike)
        self.gateway = start_gateway(self.settings, store, self.clock, self.link, self.uplink)

    def power_off(self, dark_ms: int = 30_000) -> None:
        """The gateway is gone, with all it had in memory; power comes back later."""
        self.gateway = None
        self.doom = None
        self.broker.disconnect(GATEWAY)
        if self.disk.journal is not None:
            self.ledger.found(self.disk.journal)
        if self.disk.cut_power(self.random.random() < 0.5) and self.may_lie:
            self.note("the disk had lied")
            self.ledger.reverted_to(self.disk.journal)
        self.may_lie = False
        self.note("off")
        self._start_in(dark_ms)

    def _start_in(self, delay_ms: int) -> None:
        self._starts += 1
        number = self._starts

        def start() -> None:
            if number == self._starts:
                self.power_on()

        self.timeline.after(delay_ms, start)

    def put_back(self, image: Any, keep_mark: bool) -> None:
        """While the gateway is off, its disk becomes an older one."""
        self.disk.put_back(image, keep_mark)
        self.ledger.reverted_to(self.disk.journal)

    def delete_journal(self, keep_mark: bool) -> None:
        """While the gateway is off, its journal is deleted."""
        if not keep_mark:
            self.disk.mark = None
            self.ledger.was_wiped = True
        self.disk.journal = None
        self.disk.sync()
        self.ledger.reverted_to(None)

    def restore_cloud(self, image: bytes) -> None:
        """The cloud's database becomes an older one."""
        before = self.cloud.rows()
        self.cloud.restore(image)
        after = self.cloud.rows()
        for epoch, rows in before.items():
            gone = rows.keys() - after.get(epoch, {}).keys()
            self.ledger.unstored.setdefault(epoch, set()).update(gone)

    def _fate(self, leg: str, message: Message) -> list[Message]:
        """What the faults of the moment make of a message."""
        now_ms = self.timeline.now_ms
        self.fates = [item for item in self.fates if item[0] > now_ms]
        arriving = [message]
        for _, fate in self.fates:
            arriving = [found for item in arriving for found in fate(leg, item)]
        return arriving

    # Time

    def run(self, until_ms: int) -> None:
        """Let everything happen up to that moment, or until something is broken."""
        timeline = self.timeline
        at_ms, steps = -1, 0
        while timeline.now_ms < until_ms:
            wake_ms = min(self._wake_ms(), until_ms)
            self._poked = self._poked and self.gateway is not None
            while not self._poked and timeline.advance(wake_ms):
                if self.gateway is None or timeline.now_ms >= wake_ms:
                    break
            if self.gateway is not None and (self._poked or timeline.now_ms >= wake_ms):
                self._poked = False  # what pokes during the step is for the next one
                self._step()
            steps = steps + 1 if timeline.now_ms == at_ms else 0
            at_ms = timeline.now_ms
            if steps > STEPS_MAX:
                self.ledger.violation("I5", f"the gateway steps in circles at {at_ms}")
            if at_ms >= self._hour_end_ms:
                self._hour_end_ms = at_ms + HOUR_MS
                self._published_before = self.broker.published
            elif self.broker.published - self._published_before > MESSAGES_PER_H_MAX:
                self.ledger.violation("I5", f"the gateway floods the broker at {at_ms}")
            if not self.ledger.is_clean:
                return

    def _wake_ms(self) -> int:
        """When the gateway wants to be called, without the looks around that find nothing."""
        now_ms = self.timeline.now_ms
        if self.gateway is None:
            return self.timeline.next_ms() or now_ms + MINUTE_MS
        return max(now_ms + 1, self._due_ms) if not self._poked else now_ms

    def _step(self) -> None:
        gateway = self.gateway
        assert gateway is not None
        now_ms = self.timeline.now_ms
        for meter in self.meters.values():
            meter.now_ms = now_ms
        self.steps += 1
        try:
            due_ms = gateway.step(self.clock.mono_ms())
        except PowerCut:
            self.power_off(self.random.randrange(5_000, 10 * MINUTE_MS))
            return
        except StoreError as error:
            self.ledger.violation("raised", f"step raised {error.code} {error.fields}")
            self.power_off()
            return
        self._due_ms = self.clock.boot_ms + due_ms

    # The end

    def calm(self) -> None:
        """No fault from now on, and none that lasts."""
        self.is_calm = True
        self.doom = None
        self.trouble = {}
        self.medium = lambda name: None
        self.broker.barred_until_ms = {}
        self.broker.latency_ms = LATENCY_MS
        self.fates = []
        self.disk.sync()
        self.disk.quota_bytes = None
        self.cloud.doom = ""
        self.cloud.failing_until_ms = self.cloud.up_at_ms = 0
        for meter in self.meters.values():
            meter.error_reads = 0
        self.has_rtc = self.sets_clock = True
        self.clock.set(0, ClockQuality.SYNCED)
        self._poke()

    def settle(self, limit_ms: int) -> bool:
        """Without faults, run until all that is committed now is acked; False if that fails."""
        until_ms = self.timeline.now_ms + limit_ms
        assert self.gateway is not None
        head_seq = self.gateway.recorder.store.next_seq - 1
        epoch = self.gateway.recorder.store.epoch
        while self.ledger.is_clean and self.timeline.now_ms < until_ms:
            self.run(self.timeline.now_ms + 5_000)
            store = self.gateway.recorder.store
            if store.epoch != epoch:  # renewed meanwhile: that is what has to arrive now
                epoch, head_seq = store.epoch, store.next_seq - 1
            elif store.acked_seq >= head_seq:
                return True
        return False

    def finish(self) -> None:
        """A clean stop: the poll under way ends, everything is committed and sent."""
        until_ms = self.timeline.now_ms + 2 * MINUTE_MS
        gateway = self.gateway
        assert gateway is not None
        gateway.stop()
        while self.ledger.is_clean and self.timeline.now_ms < until_ms and not gateway.is_drained:
            self.run(self.timeline.now_ms + 500)
        if self.ledger.is_clean and not gateway.is_drained:
            self.ledger.violation("I5", "a clean stop does not drain")

    def publish(self, message: Message) -> None:
        """Somebody publishes a message: an old one again, or one of his own."""
        leaf = message.topic.rpartition("/")[2]
        self.broker.publish(leaf, message, False)
