"""The journal on an ESP32: an append-only ring of segments on a flash partition of its own.

A commit is one entry, or several of which the last one says so; a commit that a power cut left
unfinished is taken back when the journal is opened. Nothing is rewritten in place, so no sector
is erased more often than once a lap. When the ring fills, retention removes the oldest rows, and
a segment of which nothing is left but a few rows that must stay is let go: these are told anew.
"""

import os

from edge.core.errors import StoreError
from edge.core.journal import chain
from edge.core.journal.record import Kind
from edge.core.journal.retain import Removal, Step
from edge.ports.esp32.flash import SECTOR_ERASES, Flash
from edge.ports.esp32.ring_recovery import find_newest
from edge.ports.esp32.ring_removal import Meters, plan_removal
from edge.ports.esp32.ring_renewal import carry_on, leave
from edge.ports.esp32.ring_state import RingState
from edge.ports.esp32.ring_writer import RingWriter
from edge.ports.esp32.row_codec import RowCodec
from edge.ports.esp32.segments import Segments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Sectors of a segment: the larger, the fewer records are told as they are, and the longer it
#: takes to find one.
SEGMENT_SECTORS = 4

#: Segments that appending leaves free, for retention to write into, and that retention leaves
#: free, for what outlives a segment. Retention begins while appending still has BEGIN - SPARE.
BEGIN = 3
SPARE = 2
LAST_SPARE = 1

#: Rows that a segment may leave behind when it goes, one per so many bytes of it; and all that
#: may have been left behind, per segment of the ring.
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
        self.flash = Flash(partition)
        self.segments = Segments(self.flash, sectors)
        self._kept_of_segment = self.segments.size // KEPT_BYTES
        self._kept_max = self.segments.count * KEPT_PER_SEGMENT
        self.gateway = gateway
        self.new_epoch = new_epoch
        self._mark = mark
        self._news_taken = False
        self._meters: Meters | None = None
        self._meters_of: list[int] = []
        self._codec = RowCodec()
        self.forget()
        if self.segments.count < 4:
            reason = f"{self.segments.count} segments, 4 are needed"
            raise StoreError("store.open", file=self.flash.name, reason=reason)
        self._open()
        state = self.state
        news = list(state.news)
        if not state.is_clean:
            news.append(["journal.cut", ["last", state.next_seq - 1]])
        self.commit([], {"boot": state.boot + 1, "is_clean": 0, "news": news})
        self.boot = state.boot
        self._note_mark()

    def _open(self) -> None:
        newest = find_newest(self.segments)
        mark = self._read_mark()
        if newest is None:
            self._create(mark)
            return
        self.take_up(newest)
        if self.state.gateway != self.gateway:
            found = self.state.gateway
            fields = {"file": self.flash.name, "found": found, "expected": self.gateway}
            raise StoreError("store.foreign", **fields)
        if self.is_damaged or not self._agrees(mark):
            self._renew("damaged", mark)
        elif self.state.moving is not None:
            carry_on(self)

    def _read_mark(self) -> tuple[bytes, int, int, int] | None:
        return None if self._mark is None else self._mark.read()  # type: ignore[attr-defined]

    def _note_mark(self) -> None:
        if self._mark is not None:
            told = (self.epoch, self.next_seq - 1, self.boot, self.acked_seq)
            self._mark.write(told)  # type: ignore[attr-defined]

    def _agrees(self, mark: tuple[bytes, int, int, int] | None) -> bool:
        """The mark is never ahead of a journal that has lost nothing."""
        return mark is None or (mark[0] == self.epoch and mark[1] < self.next_seq)

    def _create(self, mark: tuple[bytes, int, int, int] | None) -> None:
        """A ring with nothing in it; the mark may know what was there."""
        self.state = RingState(self.gateway, self.new_epoch())
        self.state.news = [["journal.begun", []]]
        if mark is not None:
            self.state.boot = mark[2]
            self.state.news = [["journal.lost", ["epoch", mark[0].hex(), "last", mark[1]]]]
        self.begin_segment(False)
        self.settle()

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
        if self.state.moving is not None:
            carry_on(self)

    def retake(self) -> None:
        """Forget what memory holds; go on from what the flash has."""
        newest = find_newest(self.segments)
        if newest is None:
            raise self.damage(self.next_seq - 1)
        self.take_up(newest)
        self.is_stale = False

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

    def plan_removal(self) -> Removal | None:
        state = self.state
        used = state.generation + 1 - state.oldest
        if used < self.segments.count - BEGIN:
            return None
        weakest = Step.MINUTE
        if used >= self.segments.count - SPARE:
            # Appending has what is left of this segment, and no other.
            weakest = Step.POLLS if 4 * self.offset < 3 * self.segments.size else Step.REST
        is_crowded = len(state.kept) + self._kept_of_segment > self._kept_max
        return plan_removal(self, is_crowded, weakest)

    def oldest_span(self) -> tuple[int, int]:
        """(first seq of the oldest segment, first seq behind it)."""
        oldest = max(self.state.oldest, self.state.begun)
        return self._first_of(oldest), self.end_of_segment(self._first_of(oldest))

    def meters(self) -> Meters:
        """What the newest tables say of the devices."""
        if self._meters is None or self._meters_of != self.state.tables[-1:]:
            self._meters_of = self.state.tables[-1:]
            self._meters = Meters(self.each_of_kind(Kind.TABLE))
        return self._meters

    def remove(self, rows: "list[tuple[int, int, bytes, bytes]]", removal: Removal) -> None:
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
        """Let the oldest segments go while they hold next to nothing and space is short."""
        state = self.state
        while (
            state.generation + 1 - state.oldest >= self.segments.count - BEGIN
            and state.oldest < state.generation
        ):
            kept = self._outlives()
            if kept is None:
                return
            self.commit([], {"oldest": state.oldest + 1}, kept)
            self._firsts.pop(state.oldest - 1, None)

    def _outlives(self) -> list[tuple[int, bytes]] | None:
        """(seq, record) of what outlives the oldest segment; None: too much."""
        state = self.state
        seqs = sorted([seq for seq in state.kept if state.kept[seq] == state.oldest], key=int)
        if state.oldest >= state.begun:
            first, end = self._first_of(state.oldest), self._first_of(state.oldest + 1)
            count = end - first - state.missing(first, end)
            if count > self._kept_of_segment or len(state.kept) + count > self._kept_max:
                return None
            seq = first
            while seq < end:
                gap = state.gap_from(seq)
                if gap is not None and gap[0] <= seq:
                    seq = gap[1] + 1
                    continue
                if seq not in state.kept:
                    seqs.append(seq)
                seq += 1
        return [(seq, self.read(seq, seq)[0][0]) for seq in seqs]

    def renew(self, reason: str) -> None:
        if self.is_stale:
            self.retake()
        self._renew(reason, self._read_mark())
        self.commit([], {"is_clean": 0})
        self._note_mark()

    def _renew(self, reason: str, mark: tuple[bytes, int, int, int] | None) -> None:
        leave(self, reason, mark, self._news_taken)
        self._news_taken = False
        carry_on(self)
        self.is_damaged = False

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
