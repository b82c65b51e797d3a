"""Reading a ring log: rows proved by the chain from the head of their segment.

A row costs what lies before it in its segment, so reading goes on where it stopped: history and
what is new are sent in turn, each from a place of its own. What a segment gives has to end with
the hash that the next one begins with.
"""

from edge.core.errors import StoreError
from edge.core.journal import chain
from edge.core.journal.record import Kind
from edge.ports.contracts import Gap, Store
from edge.ports.esp32.ring_cursor import Cursor, Row
from edge.ports.esp32.ring_state import RingState
from edge.ports.esp32.segments import SegmentHead, Segments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: Hashes remembered, each behind its seq: those at the ends of what was read lately.
HASHES_MAX = 8
_SEQ_BYTES = 4
_HASH_ENTRY_BYTES = _SEQ_BYTES + chain.HASH_BYTES

#: Places from which reading goes on, and rows read elsewhere after which one is given up: a place
#: takes some KiB of the heap.
CURSORS_MAX = 2
IDLE_ROWS = 512

#: Commits without a read after which no place is kept, and no row.
IDLE_COMMITS = 8

#: Rows of so many bytes are kept as they were written: who sends them at once needs no place.
RECENT_BYTES = 3_072


class RingReader(Store):
    """What a ring log answers. segments, state: of the open journal; offset: where it ends."""

    segments: Segments
    state: RingState
    offset: int

    def forget(self) -> None:
        """Read anew from flash from now on."""
        self._cursors: list[Cursor] = []  # the one used last is the last
        self._idle_rows = self._idle_commits = self._unread_commits = 0
        self._recent: list[bytes] = []  # the newest rows, the hash before them
        self._recent_before = b""
        self.firsts: dict[int, int] = {}
        self._hashes = bytearray(b"\xff" * HASHES_MAX * _HASH_ENTRY_BYTES)
        self._hash_at = 0  # where the next one goes

    def damage(self, seq: int) -> StoreError:
        """The error for a journal that cannot be believed at `seq`."""
        return StoreError("store.corrupt", file=self.segments.flash.name, seq=seq)

    def read(self, first: int, last: int, most: int = 0) -> list[tuple[bytes, bytes]]:
        self._unread_commits = 0
        gap = self.state.gap_from(first)
        is_recent = first >= self.next_seq - len(self._recent) and (gap is None or gap[0] > last)
        found: list[tuple[bytes, bytes]] = []
        size, seq = 0, -1
        for row in self._newest(first, last) if is_recent else self.rows(first, last):
            size += len(row.data)
            if found and 0 < most < size:
                if not is_recent and self._cursors and self._cursors[-1].seq == row.seq + 1:
                    self._cursors[-1].put_back(row)
                break
            seq = row.seq
            found.append((row.data, row.digest))
        if found:
            self._remember(seq, found[-1][1])
        return found

    def _newest(self, first: int, last: int) -> "Iterator[Row]":
        """Rows that are kept as they were written."""
        seq, digest = self.next_seq - len(self._recent), self._recent_before
        for data in self._recent:
            digest = chain.link(digest, data)
            if first <= seq <= last:
                yield Row(seq, None, data, digest)
            seq += 1

    def _keep_recent(self, rows: "list[tuple[int, int, bytes, bytes]]", before: bytes) -> None:
        """Rows were written behind the hash `before`."""
        if not self._recent:
            self._recent_before = before
        size = 0
        for row in rows:
            self._recent.append(row[2])
        for data in self._recent:
            size += len(data)
        while size > RECENT_BYTES or (self._recent and self._unread_commits > IDLE_COMMITS):
            data = self._recent.pop(0)
            size -= len(data)
            self._recent_before = chain.link(self._recent_before, data)

    def rows(self, first: int, last: int) -> "Iterator[Row]":
        """The rows first..last that are kept, each read as it is asked for."""
        seq, last = max(0, first), min(last, self.next_seq - 1)
        seen, digest = -1, b""
        while seq <= last:
            gap = self.state.gap_from(seq)
            if gap is not None and gap[0] <= seq:
                seq = gap[1] + 1
                continue
            row = self._kept(seq) if seq in self.state.kept else self._row(seq)
            seen, digest = seq, row.digest
            yield row
            del row  # one is in memory at a time
            seq += 1
        if seen >= 0:
            self._remember(seen, digest)

    def row(self, seq: int) -> Row:
        """The row of a seq that is kept."""
        for row in self.rows(seq, seq):
            self._remember(seq, row.digest)
            return row
        raise self.damage(seq)

    def _rest(self) -> None:
        """Another commit was made: nothing may have been read since the last ones."""
        self._idle_commits += 1
        self._unread_commits += 1
        if self._idle_commits > IDLE_COMMITS:
            self._cursors = []

    def _remember(self, seq: int, digest: bytes) -> None:
        if self._remembered(seq) is None:
            at = self._hash_at
            self._hash_at = (at + _HASH_ENTRY_BYTES) % len(self._hashes)
            entry = seq.to_bytes(_SEQ_BYTES, "big") + digest
            self._hashes[at : at + _HASH_ENTRY_BYTES] = entry

    def _remembered(self, seq: int) -> bytes | None:
        for at in range(0, len(self._hashes), _HASH_ENTRY_BYTES):
            behind = at + _SEQ_BYTES
            if int.from_bytes(self._hashes[at:behind], "big") == seq:
                return bytes(self._hashes[behind : at + _HASH_ENTRY_BYTES])
        return None

    def first_of(self, generation: int) -> int:
        """The first seq of a segment of this epoch; of one that was passed over, of the next."""
        if generation not in self.firsts:
            at = generation
            head = self.segments.head(at)
            while head is None and at < self.state.generation:
                at += 1
                head = self.segments.head(at)
            if head is None or head.epoch != self.epoch or at - generation > head.skipped:
                raise self.damage(-1)
            self.firsts[generation] = head.first_seq
        return self.firsts[generation]

    def segment_of(self, seq: int) -> int:
        state = self.state
        low, high = max(state.oldest, state.begun), state.generation
        while low < high:
            middle = (low + high + 1) >> 1
            if self.first_of(middle) <= seq:
                low = middle
            else:
                high = middle - 1
        return low

    def _cursor_before(self, seq: int) -> Cursor:
        """The cursor whose next row is the last one not behind `seq`, in its segment."""
        self._idle_commits = 0
        generation = self.segment_of(seq)
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
        if cursor.seq == self.first_of(cursor.generation + 1) and cursor.digest != before:
            raise self.damage(cursor.seq)

    def _row(self, seq: int) -> Row:
        """A row where it was appended."""
        cursor = self._cursor_before(seq)
        end = self.offset if cursor.generation == self.state.generation else None
        while True:
            try:
                row = cursor.next(end)
            except MemoryError:
                self._cursors = []  # this one is somewhere in a row
                raise
            if row is None:
                self._cursors.remove(cursor)
                raise self.damage(seq)
            if row.seq == seq and row.digest:
                if row.record.seq != seq:
                    raise self.damage(seq)
                return row
            del row  # one is in memory at a time

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
        known = self._remembered(seq)
        if known is not None:
            return known
        gap = state.gap_from(seq)
        if gap is not None and gap[0] <= seq:
            return self._hash_behind(gap) if gap[1] == seq else None
        if seq >= self.next_seq - len(self._recent):
            return self.read(seq, seq)[0][1]
        head = self.head_behind(seq)
        if head is not None:
            return head.before
        return bytes(self.row(seq).digest)

    def _hash_behind(self, gap: list[int]) -> bytes:
        from edge.ports.esp32.ring_ranges import tombstone

        return bytes(tombstone(self, gap).hash_last)

    def head_behind(self, seq: int) -> SegmentHead | None:
        """The head of the segment that begins right behind a row, None where none does."""
        generation = self.segment_of(seq + 1)
        found = self.first_of(generation) == seq + 1 and seq + 1 < self.next_seq
        return self.segments.head(generation) if found else None

    def gap_from(self, seq: int) -> Gap | None:
        gap = self.state.gap_from(seq)
        return None if gap is None else Gap(*gap)

    def of_kind(self, kind: int) -> list[bytes]:
        return list(self.each_of_kind(kind))

    def each_of_kind(self, kind: int) -> "Iterator[bytes]":
        if kind == Kind.TABLE:
            for seq in self.state.tables:
                yield self.row(seq).data
            self._cursors = []  # nobody goes on from there
            return
        for row in self.rows(0, self.next_seq - 1):
            if row.record.kind == kind:
                yield row.data

    def last_of_kind(self, kind: int) -> bytes | None:
        state = self.state
        if kind == Kind.INTERVAL:
            if state.newest_interval < 0:
                return state.interval or None
            row = self.row(state.newest_interval)
            self._cursors = []
            return bytes(row.data)
        found = self.of_kind(kind)
        return found[-1] if found else None
