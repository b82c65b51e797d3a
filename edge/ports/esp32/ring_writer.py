"""Writing a ring log: commits of entries, all or nothing, in segments that follow one another."""

from edge.core.errors import StoreError
from edge.core.journal.record import Record
from edge.core.numbers import pack
from edge.ports.esp32.flash import Flash
from edge.ports.esp32.ring_cursor import kept_payload, rows_payload
from edge.ports.esp32.ring_reader import RingReader
from edge.ports.esp32.ring_state import SETTABLE
from edge.ports.esp32.row_codec import RowCodec
from edge.ports.esp32.segments import (
    LAST,
    PAYLOAD_MAX,
    ROWS,
    Op,
    encode_entry,
    encode_head,
    size_of,
)

#: Most rows of one entry, and about how many bytes of them: what is encoded at once in memory.
ROWS_OF_ENTRY = 16
ENTRY_BYTES = 1_500

#: Places passed over one after the other; where more fail, it is the whole flash that does.
SKIPPED_MAX = 3


class RingWriter(RingReader):
    """What changes a ring log. is_stale: a write failed, so memory may be ahead of the flash."""

    flash: Flash
    gateway: str
    codec: RowCodec
    is_stale = False
    is_damaged = False

    def settle(self) -> None:
        """Show what the contract shows."""
        state = self.state
        self.epoch, self.next_seq, self.head = state.epoch, state.next_seq, state.head
        self.acked_seq = state.acked

    def begin_segment(self, is_open: bool, spare: int = 0) -> None:
        """Go on in a new segment; spare: how many have to be left then. Raises "store.full".

        A place that the flash does not take one in is passed over until the next lap; what is
        to be left is there for that as well.
        """
        state, skipped = self.state, 0
        before = state.generation
        while True:
            left = self.segments.count - (0 if skipped else spare)
            if state.generation + 2 - state.oldest > left:
                state.generation = before
                raise StoreError("store.full", file=self.flash.name)
            state.generation += 1
            try:
                self.offset = self._open_segment(is_open, skipped)
                break
            except StoreError:
                skipped += 1
                if skipped > SKIPPED_MAX:
                    state.generation = before
                    self.is_stale = True
                    raise
                slot = state.generation % self.segments.count
                state.news.append(["journal.worn", ["segment", slot]])
        self.codec = RowCodec(self.codec)

    def _open_segment(self, is_open: bool, skipped: int) -> int:
        state = self.state
        head = encode_head(
            *(state.generation, state.epoch, state.next_seq, state.head, state.ended_ms),
            *(is_open, skipped, state.snapshot()),
        )
        if size_of(head) > PAYLOAD_MAX:
            raise self._too_large("a state", size_of(head))
        return self.segments.begin(state.generation, head)

    def _too_large(self, what: str, size: int) -> StoreError:
        reason = f"{what} of {size} bytes, {PAYLOAD_MAX} are the most"
        return StoreError("store.write", file=self.flash.name, reason=reason)

    def commit(
        self,
        rows: "list[tuple[int, int, bytes, bytes]]",
        changes: dict[str, object],
        kept: "list[tuple[int, bytes]] | tuple[()]" = (),
        spare: int = 0,
    ) -> None:
        """Write rows, rows to be kept and changes of the state, all or nothing."""
        groups: list[object] = _grouped(rows) + list(kept)
        if changes:
            groups.append(changes)
        begun = False
        try:
            for at in range(len(groups)):
                self._write(groups[at], LAST if at == len(groups) - 1 else 0, begun, spare)
                begun = True
        except (StoreError, MemoryError):
            self.is_stale = True
            raise
        self._keep_recent(rows, self.head)
        self.settle()
        self._rest()

    def _write(self, group: object, flags: int, is_open: bool, spare: int) -> None:
        """Write one entry, in a new segment when this one has no room for it."""
        entry, records = self._encoded(group, flags)
        if self.offset + size_of(entry) > self.segments.size:
            self.begin_segment(is_open, spare)
            entry, records = self._encoded(group, flags)
            if self.offset + size_of(entry) > self.segments.size:
                reason = "a record larger than a segment"
                raise StoreError("store.write", file=self.flash.name, reason=reason)
        self.offset = self.segments.program(self.state.generation, self.offset, entry)
        self._apply(group, records)

    def _encoded(self, group: object, flags: int) -> tuple[list[bytes], list[Record | None]]:
        records: list[Record | None] = []
        if isinstance(group, list):
            parts, records = rows_payload(self.codec, group)
            flags |= ROWS
        elif isinstance(group, tuple):
            parts = kept_payload(self.codec, *group)
        else:
            parts = [bytes((Op.SET,)), pack.encode(_pairs(group))]
        if size_of(parts) > PAYLOAD_MAX:
            raise self._too_large("a record", size_of(parts))
        return encode_entry(parts, flags), records

    def _apply(self, group: object, records: list[Record | None]) -> None:
        state = self.state
        if isinstance(group, list):
            for row, record in zip(group, records):
                if record is not None:
                    state.note(row[0], record, row[3])
        elif isinstance(group, tuple):
            state.kept[group[0]] = state.generation
        else:
            state.set(_pairs(group))


def _grouped(
    rows: "list[tuple[int, int, bytes, bytes]]",
) -> "list[list[tuple[int, int, bytes, bytes]]]":
    """Rows as entries take them."""
    groups: list[list[tuple[int, int, bytes, bytes]]] = []
    size = 0
    for row in rows:
        if not groups or len(groups[-1]) == ROWS_OF_ENTRY or size + len(row[2]) > ENTRY_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(row)
        size += len(row[2])
    return list(groups)


def _pairs(changes: object) -> list[object]:
    """{name: value} as [index, value, ...] ascending."""
    pairs: list[object] = []
    for index in range(len(SETTABLE)):
        if SETTABLE[index] in changes:  # type: ignore[operator]
            pairs.append(index)
            pairs.append(changes[SETTABLE[index]])  # type: ignore[index]
    return pairs
