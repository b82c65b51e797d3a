"""A journal on a simulated disk, with the promises of `contracts.Store` and its ways to fail.

An append is on the disk whole or not at all. `strike` is called with a name at every point where
the power may go or the medium fail: "append", "ack", "remove", "renew" before anything has
happened, "appended", "acked", "removed", "renewed" when all of it is on the disk and the caller
does not know yet.
"""

from collections.abc import Callable

from edge.core.errors import DataError, StoreError
from edge.core.journal import chain
from edge.core.journal.record import Kind, Record, decode_record
from edge.core.journal.retain import Removal, Tombstone, decode_tombstone
from edge.ports.contracts import Gap, Store
from edge.ports.sim.disk import Disk, Journal, Mark
from edge.ports.sim.removal import plan_removal
from edge.ports.sim.salvage import salvage

#: Rows at the head that are proved when a journal is opened.
TAIL_ROWS = 8

Rows = list[tuple[int, int, bytes, bytes]]


def _quiet(_: str) -> None:
    pass


class SimStore(Store):
    """The journal of one gateway, open."""

    def __init__(
        self,
        disk: Disk,
        gateway: str,
        new_epoch: Callable[[], bytes],
        strike: Callable[[str], None] = _quiet,
    ) -> None:
        """Open or create; a journal that cannot be believed is salvaged. Counts this boot."""
        self.disk = disk
        self.gateway = gateway
        self._new_epoch = new_epoch
        self._strike = strike
        self._news_taken = False
        self._is_stale = False
        if disk.journal is not None and disk.journal.gateway != gateway:
            raise StoreError(
                "store.foreign", file="sim", found=disk.journal.gateway, expected=gateway
            )
        if disk.journal is None:
            disk.journal = self._first()
        self.journal: Journal = disk.journal
        try:
            self._take_up()
            self.of_kind(Kind.TABLE)
        except StoreError as error:
            if error.code != "store.corrupt":
                raise
            self._replace("damaged")
        self.journal.boot += 1
        if not self.journal.is_clean:
            self.journal.news.append(("journal.cut", {"last": self.next_seq - 1}))
        self.journal.is_clean = False
        self.boot = self.journal.boot
        self._mark()

    def _first(self) -> Journal:
        journal = Journal(self.gateway, self._new_epoch())
        journal.news = [("journal.begun", {})]
        mark = self.disk.mark
        if mark is not None:
            journal.boot = mark.boot
            journal.news = [("journal.lost", {"epoch": mark.epoch.hex(), "last": mark.seq})]
        return journal

    def _take_up(self) -> None:
        """Work with what the disk has; raises "store.corrupt" for what cannot be believed."""
        journal = self.journal
        self.genesis = chain.genesis(self.gateway, journal.epoch)
        self.epoch, self.acked_seq = journal.epoch, journal.acked
        self.next_seq = journal.next_seq
        self.head = self.hash_at(self.next_seq - 1) or b""
        if not self.head or self.acked_seq >= self.next_seq:
            raise self.damage(self.next_seq - 1)
        self.read(self.next_seq - TAIL_ROWS, self.next_seq - 1)
        mark = self.disk.mark
        if mark is None:
            return
        if mark.epoch != self.epoch or mark.seq >= self.next_seq:
            raise self.damage(mark.seq)
        if self.hash_at(mark.seq) not in (None, mark.digest):
            raise self.damage(mark.seq)

    def _mark(self) -> None:
        self.disk.mark = Mark(self.epoch, self.next_seq - 1, self.head, self.boot, self.acked_seq)

    def damage(self, seq: int) -> StoreError:
        """The error for a journal that cannot be believed at `seq`."""
        return StoreError("store.corrupt", file="sim", seq=seq)

    def _freshen(self) -> None:
        """After a failed write, begin again from what the disk has."""
        if not self._is_stale:
            return
        expected = self.next_seq
        self._take_up()
        if self.next_seq < expected:
            raise self.damage(self.next_seq)
        self._is_stale = False

    def _do(self, name: str, done: str, work: Callable[[], None]) -> None:
        """One transaction, with the two places where it can be struck."""
        try:
            self._strike(name)
            work()
            self._strike(done)
        except StoreError:
            self._is_stale = True
            raise

    def append(self, rows: Rows) -> None:
        self._freshen()
        rows = self._not_yet_there(rows)
        if rows:
            self._check(rows)
            self._do("append", "appended", lambda: self._insert(rows))
            self._settle(rows)

    def _insert(self, rows: Rows, level: int = 0) -> None:
        self.journal.insert(rows, level)
        if self._news_taken:
            self.journal.news = []

    def _settle(self, rows: Rows) -> None:
        self._news_taken = False
        self.next_seq = rows[-1][0] + 1
        self.head = rows[-1][3]
        self._mark()

    def _not_yet_there(self, rows: Rows) -> Rows:
        """Without the rows of a commit that failed after all of it was on the disk."""
        for seq, _, _, digest in rows:
            if seq < self.next_seq and self.hash_at(seq) != digest:
                raise self.damage(seq)
        return [row for row in rows if row[0] >= self.next_seq]

    def _check(self, rows: Rows) -> None:
        before = self.head
        for offset, (seq, _, record, digest) in enumerate(rows):
            before = chain.link(before, record)
            if seq != self.next_seq + offset or digest != before:
                raise StoreError("store.write", file="sim", reason="rows that do not follow")

    def read(self, first: int, last: int, most: int = 0) -> list[tuple[bytes, bytes]]:
        first, last = max(0, first), min(last, self.next_seq - 1)
        found: list[tuple[bytes, bytes]] = []
        rows = self.journal.rows
        before = self.hash_at(first - 1) if first <= last else None
        seq = first
        while seq <= last:
            row = rows.get(seq)
            if row is None:
                tomb = self._explained(seq)
                before, seq = tomb.hash_last, tomb.last + 1
                continue
            if before is None or chain.link(before, row.record) != row.digest:
                raise self.damage(seq)
            before = row.digest
            found.append((row.record, row.digest))
            seq += 1
        return found

    def _explained(self, seq: int) -> Tombstone:
        """The tombstone of the removed range that holds `seq`."""
        found = self._tombstone_from(seq)
        if found is None or found[0].first > seq:
            raise self.damage(seq)
        return found[0]

    def _tombstone_from(self, seq: int) -> tuple[Tombstone, int] | None:
        later = [last for last in self.journal.gaps if last >= seq]
        if not later:
            return None
        last = min(later)
        at = self.journal.gaps[last]
        try:
            tomb = decode_tombstone(self._record(at).body)
        except DataError:
            raise self.damage(at)
        if tomb.last != last:
            raise self.damage(at)
        return tomb, at

    def _record(self, seq: int) -> Record:
        """A record that is read out of turn, proved by the row after it or before."""
        rows = self.journal.rows
        row = rows.get(seq)
        if row is None:
            raise self.damage(seq)
        before = self.genesis if seq == 0 else None
        if seq - 1 in rows:
            before = rows[seq - 1].digest
        try:
            record = decode_record(row.record)
        except DataError:
            raise self.damage(seq)
        if before is not None and chain.link(before, row.record) != row.digest:
            raise self.damage(seq)
        if record.seq != seq:
            raise self.damage(seq)
        return record

    def hash_at(self, seq: int) -> bytes | None:
        if seq == -1:
            return self.genesis
        row = self.journal.rows.get(seq)
        if row is not None:
            return row.digest
        if seq in self.journal.gaps:
            found = self._tombstone_from(seq)
            return None if found is None else found[0].hash_last
        return None

    def gap_from(self, seq: int) -> Gap | None:
        if not self.journal.gaps:
            return None
        found = self._tombstone_from(seq)
        return None if found is None else Gap(found[0].first, found[0].last, found[1])

    def of_kind(self, kind: int) -> list[bytes]:
        return [self._checked(seq) for seq in self.journal.by_kind[kind]]

    def _checked(self, seq: int) -> bytes:
        rows = self.read(seq, seq)
        if not rows:
            raise self.damage(seq)
        return rows[0][0]

    def last_of_kind(self, kind: int) -> bytes | None:
        found = self.journal.by_kind[kind]
        if found:
            return self._checked(found[-1])
        return (self.journal.interval or None) if kind == Kind.INTERVAL else None

    def ack(self, seq: int) -> None:
        self._freshen()

        def work() -> None:
            self.journal.acked = seq

        self._do("ack", "acked", work)
        self.acked_seq = seq
        self._mark()

    def plan_removal(self) -> Removal | None:
        return plan_removal(self, self.disk.quota_bytes)

    def remove(self, rows: Rows, removal: Removal) -> None:
        self._freshen()
        self._check(rows)
        tombs = len(removal.tombstones)

        def work() -> None:
            self._insert(rows[:-tombs], removal.level)
            self._insert(rows[-tombs:])
            for tomb, row in zip(removal.tombstones, rows[-tombs:]):
                self.journal.remove(tomb.first, tomb.last)
                for last in [at for at in self.journal.gaps if tomb.first <= at <= tomb.last]:
                    del self.journal.gaps[last]
                self.journal.gaps[tomb.last] = row[0]
            self.journal.swept[removal.step] = removal.swept

        self._do("remove", "removed", work)
        self._settle(rows)

    def renew(self, reason: str) -> None:
        self._do("renew", "renewed", lambda: self._replace(reason))
        self.journal.is_clean = False
        self._is_stale = False
        self._mark()

    def _replace(self, reason: str) -> None:
        """Go on in a new journal with what can be proved of this one."""
        fresh = salvage(self.journal, self.disk.mark, self._new_epoch(), reason, self._news_taken)
        self._news_taken = False
        self.disk.journal = self.journal = fresh
        self.disk.mark = None
        self._take_up()

    def findings(self) -> list[tuple[str, dict[str, object]]]:
        if self._news_taken:
            return []
        self._news_taken = bool(self.journal.news)
        return list(self.journal.news)

    def close(self) -> None:
        self.journal.is_clean = True
        self._mark()
