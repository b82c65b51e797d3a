"""Reading a ring log: rows proved by the chain from the head of their segment.

A row costs what lies before it in its segment, so reading goes on where it stopped: history and
what is new are sent in turn, each from a place of its own. What a segment gives has to end with
the hash that the next one begins with.
"""

from edge.core.errors import DataError, StoreError
from edge.core.journal import chain
from edge.core.journal.record import Kind
from edge.core.journal.retain import Tombstone, decode_tombstone
from edge.ports.contracts import Gap, Store
from edge.ports.esp32.ring_cursor import Cursor, Row
from edge.ports.esp32.ring_state import RingState
from edge.ports.esp32.segments import SegmentHead, Segments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: Hashes remembered: those at the ends of what was read or appended lately.
HASHES_MAX = 16

#: Places from which reading goes on, and rows read elsewhere after which one is given up: a place
#: takes some KiB of the heap.
CURSORS_MAX = 2
IDLE_ROWS = 512

#: Commits without a read after which no place is kept.
IDLE_COMMITS = 8


class RingReader(Store):
    """What a ring log answers. segments, state: of the open journal; offset: where it ends."""

    segments: Segments
    state: RingState
    offset: int

    def forget(self) -> None:
        """Read anew from flash from now on."""
        self._cursors: list[Cursor] = []  # the one used last is the last
        self._idle_rows = self._idle_commits = 0
        self._firsts: dict[int, int] = {}
        self._hashes: list[tuple[int, bytes]] = []

    def damage(self, seq: int) -> StoreError:
        """The error for a journal that cannot be believed at `seq`."""
        return StoreError("store.corrupt", file=self.segments.flash.name, seq=seq)

    def read(self, first: int, last: int) -> list[tuple[bytes, bytes]]:
        return [(row.data, row.digest) for row in self.rows(first, last)]

    def rows(self, first: int, last: int) -> "Iterator[Row]":
        """The rows first..last that are kept, each read as it is asked for."""
        seq, last = max(0, first), min(last, self.next_seq - 1)
        row: Row | None = None
        while seq <= last:
            gap = self.state.gap_from(seq)
            if gap is not None and gap[0] <= seq:
                seq = gap[1] + 1
                continue
            row = self._kept(seq) if seq in self.state.kept else self._row(seq)
            yield row
            seq += 1
        if row is not None:
            self._remember(row.seq, row.digest)

    def row(self, seq: int) -> Row:
        """The row of a seq that is kept."""
        for row in self.rows(seq, seq):
            self._remember(seq, row.digest)
            return row
        raise self.damage(seq)

    def _rest(self) -> None:
        """Another commit was made: nothing may have been read since the last ones."""
        self._idle_commits += 1
        if self._idle_commits > IDLE_COMMITS:
            self._cursors = []

    def _remember(self, seq: int, digest: bytes) -> None:
        if (seq, digest) not in self._hashes:
            self._hashes = self._hashes[1 - HASHES_MAX :] + [(seq, digest)]

    def _first_of(self, generation: int) -> int:
        """The first seq of a segment of this epoch."""
        if generation not in self._firsts:
            head = self.segments.head(generation)
            if head is None or head.epoch != self.epoch:
                raise self.damage(-1)
            self._firsts[generation] = head.first_seq
        return self._firsts[generation]

    def _segment_of(self, seq: int) -> int:
        state = self.state
        low, high = max(state.oldest, state.begun), state.generation
        while low < high:
            middle = (low + high + 1) >> 1
            if self._first_of(middle) <= seq:
                low = middle
            else:
                high = middle - 1
        return low

    def _cursor_before(self, seq: int) -> Cursor:
        """The cursor whose next row is the last one not behind `seq`, in its segment."""
        self._idle_commits = 0
        generation = self._segment_of(seq)
        best: Cursor | None = None
        for cursor in self._cursors:
            if cursor.generation != generation or cursor.seq > seq:
                continue
            if best is None or cursor.seq > best.seq:
                best = cursor
        if best is None:
            best = self._begin(generation, seq)
        is_same = bool(self._cursors) and best is self._cursors[-1]
        self._idle_rows = self._idle_rows + 1 if is_same else 0
        others = [cursor for cursor in self._cursors if cursor is not best]
        if self._idle_rows > IDLE_ROWS:
            others = []
        self._cursors = others[-(CURSORS_MAX - 1) :] + [best]
        return best

    def _begin(self, generation: int, seq: int) -> Cursor:
        """A cursor at the head of a segment; the one that has read the segment before it ends."""
        head = self.segments.head(generation)
        if head is None:
            raise self.damage(seq)
        for cursor in self._cursors:
            if cursor.generation + 1 == generation:
                self._check_end(cursor, head.before)
                if cursor.seq == head.first_seq:
                    self._cursors.remove(cursor)
                break
        return Cursor(self.segments, head)

    def _check_end(self, cursor: Cursor, before: bytes) -> None:
        """A segment read to its end gave what the next one begins with."""
        if cursor.seq == self._first_of(cursor.generation + 1) and cursor.digest != before:
            raise self.damage(cursor.seq)

    def _row(self, seq: int) -> Row:
        """A row where it was appended."""
        cursor = self._cursor_before(seq)
        end = self.offset if cursor.generation == self.state.generation else None
        while True:
            row = cursor.next(end)
            if row is None:
                self._cursors.remove(cursor)
                raise self.damage(seq)
            if row.seq == seq and row.digest:
                if row.record.seq != seq:
                    raise self.damage(seq)
                return row

    def _kept(self, seq: int) -> Row:
        """A row that was carried to another segment, proved by the hash before it."""
        head = self.segments.head(self.state.kept[seq])
        before = self.hash_at(seq - 1)
        if head is None or before is None:
            raise self.damage(seq)
        cursor = Cursor(self.segments, head)
        end = self.offset if head.generation == self.state.generation else None
        row = cursor.next(end)
        while row is not None and (row.seq != seq or row.digest):
            row = cursor.next(end)
        if row is None:
            raise self.damage(seq)
        return Row(seq, row.record, row.data, chain.link(before, row.data))

    def hash_at(self, seq: int) -> bytes | None:
        state = self.state
        if seq == -1:
            return chain.genesis(state.gateway, state.epoch)
        if seq == state.next_seq - 1:
            return state.head
        if not 0 <= seq < state.next_seq:
            return None
        for known, digest in self._hashes:
            if known == seq:
                return digest
        gap = state.gap_from(seq)
        if gap is not None and gap[0] <= seq:
            last: bytes = self.tombstone(gap).hash_last
            return last if gap[1] == seq else None
        head = self.head_behind(seq)
        if head is not None:
            return head.before
        return bytes(self.row(seq).digest)

    def head_behind(self, seq: int) -> SegmentHead | None:
        """The head of the segment that begins right behind a row, None where none does."""
        generation = self._segment_of(seq + 1)
        found = self._first_of(generation) == seq + 1 and seq + 1 < self.next_seq
        return self.segments.head(generation) if found else None

    def end_of_segment(self, seq: int) -> int:
        """The first seq behind the segment that a row was appended to."""
        generation = self._segment_of(seq)
        if generation == self.state.generation:
            return self.next_seq
        return self._first_of(generation + 1)

    def wall_at(self, seq: int) -> int:
        """The wall time of a row that is there."""
        head = self.head_behind(seq)
        return int(self.row(seq).record.wall_ms) if head is None else head.ended_ms

    def tombstone(self, gap: list[int]) -> Tombstone:
        """The tombstone of a removed range."""
        try:
            tomb = decode_tombstone(self.row(gap[2]).record.body)
        except (DataError, IndexError):
            raise self.damage(gap[2])
        if tomb.first != gap[0] or tomb.last != gap[1]:
            raise self.damage(gap[2])
        return tomb

    def gap_from(self, seq: int) -> Gap | None:
        gap = self.state.gap_from(seq)
        return None if gap is None else Gap(*gap)

    def of_kind(self, kind: int) -> list[bytes]:
        return list(self.each_of_kind(kind))

    def each_of_kind(self, kind: int) -> "Iterator[bytes]":
        if kind == Kind.TABLE:
            for seq in self.state.tables:
                yield self.row(seq).data
            return
        for row in self.rows(0, self.next_seq - 1):
            if row.record.kind == kind:
                yield row.data

    def last_of_kind(self, kind: int) -> bytes | None:
        state = self.state
        if kind == Kind.INTERVAL:
            if state.newest_interval < 0:
                return state.interval or None
            return bytes(self.row(state.newest_interval).data)
        found = self.of_kind(kind)
        return found[-1] if found else None
