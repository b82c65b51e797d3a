"""The judge: what was promised, what the meters served, and what the cloud has in the end.

It shares no code with what it judges: records are read with msgpack and chained with hashlib.
The letters are the invariants: I1 no loss, I2 nothing twice, I3 nothing wrong, I4 order and time,
I5 liveness, I6 evidence.
"""

import bisect
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgpack

from edge.ports.sim.disk import Journal
from hil_tests.soak.account import AccountCheck
from hil_tests.soak.site import ENERGY, POWER, SiteMeter

TABLE, POLL, INTERVAL, EVENT, CLOCK, TOMBSTONE = range(6)

#: A record is made at most this long after its last reading.
MADE_WITHIN_MS = 60_000

VIOLATIONS_MAX = 20

Row = tuple[int, int, bytes, bytes]


class Violation(NamedTuple):
    """What was broken, and how."""

    invariant: str
    text: str


def decode(data: bytes) -> list[Any]:
    """[kind, seq, boot, mono_ms, wall_ms, clock, body]."""
    fields: list[Any] = msgpack.unpackb(data, raw=False, strict_map_key=False)
    return fields


def identity(data: bytes) -> bytes:
    """A record without its seq: the same in every epoch it is carried into."""
    fields = decode(data)
    if fields[0] == TOMBSTONE:
        body = fields[6]
        fields[6] = [None, None, *body[2:6], None, None]
    packed: bytes = msgpack.packb([*fields[:1], *fields[2:]], use_bin_type=True)
    return packed


class Ledger:
    """Everything that was committed, and what became of it."""

    def __init__(self, meters: dict[int, SiteMeter]) -> None:
        self.meters = meters
        self.violations: list[Violation] = []
        self.epochs: list[bytes] = []
        #: Epochs that an older copy left: the epoch of that copy, and its next seq.
        self._left: dict[bytes, tuple[bytes, int]] = {}
        self.promised: dict[bytes, dict[int, bytes]] = {}
        #: Promised rows that the medium has lost since: (epoch, seq, record).
        self.destroyed: list[tuple[bytes, int, bytes]] = []
        #: Rows of the cloud that an older copy of its database lacks.
        self.unstored: dict[bytes, set[int]] = {}
        self.polls = 0
        self.flipped: set[tuple[bytes, int]] = set()
        #: Ranges that retention took: (epoch, first, last, tombstone's seq, its identity).
        self.removed: list[tuple[bytes, int, int, int, bytes]] = []
        self.account = AccountCheck()
        self.booted: dict[int, list[int]] = {}  # boot number -> world times
        self.was_wiped = False

    def violation(self, invariant: str, text: str) -> None:
        """Note that something is broken."""
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(Violation(invariant, text))

    @property
    def is_clean(self) -> bool:
        """True while nothing is broken."""
        return not self.violations

    # While it runs

    def opened(self, journal: Journal, before: bytes | None, now_ms: int) -> None:
        """A gateway has opened the journal."""
        self.booted.setdefault(journal.boot, []).append(now_ms)
        self.found(journal)

    def committed(self, epoch: bytes, rows: Iterable[Row]) -> None:
        """The store has promised these rows."""
        for seq, kind, record, digest in rows:
            self._take(epoch, seq, kind, record, digest)

    def found(self, journal: Journal) -> None:
        """Rows that are on the disk count as promised: whoever opens it will find them."""
        known = self.promised.setdefault(journal.epoch, {})
        if journal.epoch not in self.epochs:
            self.epochs.append(journal.epoch)
        first = journal.next_seq
        while first > 0 and first - 1 not in known:
            first -= 1
        for seq in range(first, journal.next_seq):
            if (journal.epoch, seq) in self.flipped:
                self.account.restart([])  # it was counted, and cannot be read any more
            elif seq in journal.rows:
                row = journal.rows[seq]
                self._take(journal.epoch, seq, row.kind, row.record, row.digest)

    def _take(self, epoch: bytes, seq: int, kind: int, record: bytes, digest: bytes) -> None:
        known = self.promised.setdefault(epoch, {})
        if epoch not in self.epochs:
            self.epochs.append(epoch)
        if seq in known:
            if known[seq] != record:
                self.violation("I4", f"seq {seq} of {epoch.hex()} was given twice")
            return
        known[seq] = record
        if kind not in (POLL, INTERVAL, TOMBSTONE):
            return
        fields = decode(record)
        if kind == POLL:
            self.polls += 1
            self._check_poll(fields)
            self.account.poll(fields)
        elif kind == INTERVAL:
            for invariant, text in self.account.interval(fields):
                self.violation(invariant, f"seq {seq} of {epoch.hex()}: {text}")
        elif fields[6][0] is not None:
            self.removed.append((epoch, *fields[6][:2], seq, identity(record)))

    def reverted_to(self, journal: Journal | None) -> None:
        """The disk went back in time: what it has no longer is destroyed, and its seq is free."""
        before = len(self.destroyed)
        if journal is None:
            for epoch in self.epochs:
                self._destroy(epoch, 0)
        else:
            self._go_back(journal.epoch, self._same_until(journal))
            self._take_back(journal)
        gone = [decode(record) for _, _, record in self.destroyed[before:]]
        self.account.restart(fields for fields in gone if fields[0] in (POLL, INTERVAL))

    def _go_back(self, epoch: bytes, next_seq: int) -> None:
        """Destroy what came after the first `next_seq` rows of an epoch, in it and in others.

        A copy may be newer than the one that was put back before: of an epoch that was left then.
        What took its place goes with it.
        """
        if epoch not in self.epochs:
            if epoch in self._left:
                self._go_back(*self._left.pop(epoch))
            self.epochs.append(epoch)
        kept = self.epochs.index(epoch) + 1
        for later in self.epochs[kept:]:
            self._left[later] = (epoch, next_seq)
            self._destroy(later, 0)
        del self.epochs[kept:]
        self._destroy(epoch, next_seq)

    def _same_until(self, journal: Journal) -> int:
        """The first seq that a copy has otherwise than the disk, or not at all."""
        known = self.promised.get(journal.epoch, {})
        rows = journal.rows.items()
        others = [seq for seq, row in rows if known.get(seq, row.record) != row.record]
        return min([journal.next_seq, *others])

    def _take_back(self, journal: Journal) -> None:
        """Rows that were destroyed and are in the copy have been judged long ago."""
        known = self.promised.setdefault(journal.epoch, {})
        gone = {(seq, data) for epoch, seq, data in self.destroyed if epoch == journal.epoch}
        for seq, row in journal.rows.items():
            if seq not in known and (seq, row.record) in gone:
                known[seq] = row.record
                if row.kind in (POLL, INTERVAL):
                    self.account.came_back(decode(row.record))

    def _destroy(self, epoch: bytes, first: int) -> None:
        known = self.promised.setdefault(epoch, {})
        for seq in [seq for seq in known if seq >= first]:
            self.destroyed.append((epoch, seq, known.pop(seq)))

    def _check_poll(self, fields: list[Any]) -> None:
        """Good values are those that the meter served just before."""
        _, seq, boot, mono_ms, _, _, (device, values, flat, _) = fields
        meter = self.meters.get(device + 1)
        if meter is None or len(values) != 2:
            self.violation("I3", f"poll {seq} is of no device we have")
            return
        bad = set(flat[::2])
        for point, place in ((ENERGY, 1), (POWER, 2)):
            value = values[point]
            if value is None or point in bad:
                continue
            if not any(
                self._was_served(meter, at, mono_ms, place, value)
                for at in self.booted.get(boot, ())
            ):
                self.violation("I3", f"poll {seq}: point {point} of {device} says {value}")

    def _was_served(
        self, meter: SiteMeter, boot_ms: int, mono_ms: int, place: int, value: int
    ) -> bool:
        at_ms = boot_ms + mono_ms
        served = meter.served
        index = bisect.bisect_right(served, (at_ms, 1 << 40, 0))
        while index and served[index - 1][0] >= at_ms - MADE_WITHIN_MS:
            index -= 1
            if served[index][place] == value:
                return True
        return False
