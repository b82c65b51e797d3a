"""The journal on an ESP32: an append-only ring of segments on a flash partition of its own.

A commit is one entry, or several of which the last one says so; a commit that a power cut left
unfinished is taken back when the journal is opened. Nothing is rewritten in place, so no sector
is erased more often than once a lap. When the ring fills, retention removes the oldest rows, and
a segment of which nothing is left but a few rows that must stay is let go: these are told anew.
"""

import os

from edge.core.errors import StoreError
from edge.core.journal import chain
from edge.ports.esp32.flash import SECTOR_ERASES, Flash
from edge.ports.esp32.ring_writer import RingWriter
from edge.ports.esp32.row_codec import RowCodec
from edge.ports.esp32.segments import Segments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.core.journal.retain import Removal

#: Sectors of a segment: the larger, the fewer records are told as they are, and the longer it
#: takes to find one.
SEGMENT_SECTORS = 4

#: Segments that appending leaves free, for retention to write into, and that retention leaves
#: free, for what outlives a segment. Retention begins while appending still has BEGIN - SPARE.
BEGIN = 3
SPARE = 2
LAST_SPARE = 1

#: Rows beside tables that a segment may leave behind when it goes, one per so many bytes of it;
#: and all that may have been left behind, per segment of the ring.
KEPT_BYTES = 340
KEPT_PER_SEGMENT = 4


class RingStore(RingWriter):
    """The journal of one gateway, open. partition: see `Flash`.

    mark: remembers elsewhere where the journal ends: read() -> (epoch, seq, boot, acked) or None,
    write() with such a tuple. new_epoch: 8 random bytes. sectors: of a segment.
    """

    def __init__(
        self,
        partition: object,
        gateway: str,
        mark: object = None,
        new_epoch: "Callable[[], bytes]" = lambda: os.urandom(chain.EPOCH_BYTES),
        sectors: int = SEGMENT_SECTORS,
    ) -> None:
        """Open or create, take back what was not finished, count this boot.

        Raises StoreError "store.foreign" for another gateway's journal, "store.open" for a
        partition that is too small.
        """
        from edge.ports.esp32.ring_opening import open_ring

        self.flash = Flash(partition)
        self.segments = Segments(self.flash, sectors)
        self.kept_of_segment = self.segments.size // KEPT_BYTES
        self.kept_max = self.segments.count * KEPT_PER_SEGMENT
        self.gateway = gateway
        self.new_epoch = new_epoch
        self._mark = mark
        self._news_taken = False
        self.meters: tuple[list[int], dict[int, tuple[int, ...]], int] | None = None
        self.codec = RowCodec()
        self.forget()
        open_ring(self)
        self._note_mark()

    def read_mark(self) -> tuple[bytes, int, int, int] | None:
        """What is remembered elsewhere."""
        return None if self._mark is None else self._mark.read()  # type: ignore[attr-defined]

    def _note_mark(self) -> None:
        if self._mark is not None:
            told = (self.epoch, self.next_seq - 1, self.boot, self.acked_seq)
            self._mark.write(told)  # type: ignore[attr-defined]

    def append(self, rows: "list[tuple[int, int, bytes, bytes]]") -> None:
        self.freshen()
        rows = self._not_yet_there(rows)
        if not rows:
            return
        self.check(rows)
        self.commit(rows, {"news": []} if self._news_taken else {}, (), SPARE)
        self._news_taken = False
        self._tidy()

    def freshen(self) -> None:
        """After a failed write, begin again from what the flash has: it may be more than told."""
        if not self.is_stale:
            return
        expected, epoch = self.next_seq, self.epoch
        self.retake()
        if self.is_damaged or self.epoch != epoch or self.next_seq < expected:
            raise self.damage(self.next_seq)
        self.carry_on()

    def retake(self) -> None:
        """Forget what memory holds; go on from what the flash has."""
        from edge.ports.esp32.ring_opening import retake

        retake(self)

    def _not_yet_there(
        self, rows: "list[tuple[int, int, bytes, bytes]]"
    ) -> "list[tuple[int, int, bytes, bytes]]":
        """Without the rows of a commit that failed after all of it was on the flash."""
        for seq, _, _, digest in rows:
            if seq < self.next_seq and self.hash_at(seq) != digest:
                raise self.damage(seq)
        return [row for row in rows if row[0] >= self.next_seq]

    def check(self, rows: "list[tuple[int, int, bytes, bytes]]") -> None:
        """Rows follow the head and one another; raises "store.write"."""
        before = self.head
        for offset, (seq, _, record, digest) in enumerate(rows):
            before = chain.link(before, record)
            if seq != self.next_seq + offset or digest != before:
                reason = "rows that do not follow"
                raise StoreError("store.write", file=self.flash.name, reason=reason)

    def ack(self, seq: int) -> None:
        self.freshen()
        self.commit([], {"acked": seq})
        self._tidy()

    def is_short(self, spare: int = BEGIN) -> bool:
        """True when fewer segments are left than so many."""
        return self.state.generation + 1 - self.state.oldest >= self.segments.count - spare

    def kept_rows(self) -> int:
        """Rows that have outlived their segment, without the tables: these always do."""
        kept = self.state.kept
        return len(kept) - len([seq for seq in self.state.tables if seq in kept])

    def plan_removal(self) -> "Removal | None":
        if not self.is_short():
            return None
        from edge.ports.esp32.ring_removal import plan

        return plan(self, self.is_short(SPARE))

    def remove(self, rows: "list[tuple[int, int, bytes, bytes]]", removal: "Removal") -> None:
        self.freshen()
        rows = self._not_yet_there(rows)
        if not rows:
            return
        self.check(rows)
        swept = list(self.state.swept)
        swept[removal.step] = removal.swept
        changes = {"swept": swept, "news": [] if self._news_taken else self.state.news}
        self.commit(rows, changes, (), LAST_SPARE)
        self._news_taken = False
        self._tidy()

    def _tidy(self) -> None:
        if self.is_short() and self.state.oldest < self.state.generation:
            from edge.ports.esp32.ring_release import release

            release(self)

    def renew(self, reason: str) -> None:
        if self.is_stale:
            self.retake()
        self.leave(reason, self.read_mark())
        self.commit([], {"is_clean": 0})
        self._note_mark()

    def leave(self, reason: str, mark: tuple[bytes, int, int, int] | None) -> None:
        """Go on in a new epoch. mark: as `read_mark` gave it."""
        from edge.ports.esp32.ring_renewal import leave

        leave(self, reason, mark, self._news_taken)
        self._news_taken = False
        self.carry_on()
        self.is_damaged = False

    def carry_on(self) -> None:
        """Carry what is left of an epoch that is being left."""
        if self.state.moving is not None:
            from edge.ports.esp32.ring_renewal import carry_on

            carry_on(self)

    def findings(self) -> list[tuple[str, dict[str, object]]]:
        if self._news_taken:
            return []
        self._news_taken = bool(self.state.news)
        found = []
        for code, flat in self.state.news:
            fields = {flat[at]: flat[at + 1] for at in range(0, len(flat), 2)}  # type: ignore
            found.append((str(code), fields))
        return found

    def wear(self, since_ms: int) -> dict[str, int]:
        """What the flash has taken, and how long it lasts at the pace of these `since_ms`.

        laps: times that the ring went round; every sector is erased once a lap.
        """
        laps = self.state.generation // self.segments.count
        found = {"laps": laps, "erases": self.flash.erases, "bytes": self.flash.programmed_bytes}
        if since_ms > 0 and self.flash.erases:
            left = (SECTOR_ERASES - laps) * self.flash.sectors
            found["years_left"] = left * since_ms // self.flash.erases // (365 * 86_400_000)
        return found

    def close(self) -> None:
        try:
            self.freshen()
            self.commit([], {"is_clean": 1})
            self._note_mark()
        except StoreError:
            pass  # the next opening finds a journal that was not closed, and says so
