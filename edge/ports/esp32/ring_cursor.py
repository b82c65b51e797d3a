"""Reading one segment from its beginning: its entries, and the rows that they tell."""

from collections import namedtuple

from edge.core.errors import DataError, StoreError
from edge.core.journal import chain
from edge.core.journal.record import Record
from edge.core.numbers import pack
from edge.ports.esp32.row_codec import Digits, RowCodec
from edge.ports.esp32.segments import LIVE, ROWS, Op, SegmentHead, Segments, entry_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.ports.esp32.ring_state import RingState

#: A row as read. data: canonical bytes; digest: chain hash at it, b"" for one that was kept.
Row = namedtuple("Row", ("seq", "record", "data", "digest"))

_SEQ_BYTES = 4


def rows_payload(
    codec: RowCodec, rows: "list[tuple[int, int, bytes, bytes]]"
) -> tuple[bytes, list[Record]]:
    """(the payload of rows in their order, their records)."""
    digits = Digits()
    records = [codec.put(digits, row[2]) for row in rows]
    return bytes((len(rows),)) + digits.encode(), records


def kept_payload(codec: RowCodec, seq: int, data: bytes) -> bytes:
    """The payload of a row that outlives its segment."""
    digits = Digits()
    codec.put(digits, data, True)
    return bytes((Op.KEPT,)) + seq.to_bytes(_SEQ_BYTES, "big") + digits.encode()


class Cursor:
    """Goes through the entries of one segment; what it yields is proved from the segment's head.

    offset: of the next entry; seq, digest: of the next row, and the hash before it.
    """

    def __init__(self, segments: Segments, head: SegmentHead) -> None:
        self.generation = head.generation
        self.offset = head.size
        self.seq = head.first_seq
        self.digest = head.before
        self.codec = RowCodec()
        self._segments = segments
        self._rows: list[Row] = []

    def entry(self) -> tuple[int, bytes] | None:
        """(bits, payload) of the next entry that counts; None at the end.

        Raises StoreError "store.corrupt" where something was and is not any more.
        """
        segments = self._segments
        while True:
            found = segments.entry(self.generation, self.offset)
            if found is None:
                end = segments.written(self.generation, self.offset)
                if end == self.offset:
                    return None
                after = segments.after_damage(self.generation, self.offset, end)
                if after is None:
                    return None
                if not after[1]:
                    raise self.damage()
                self.offset = after[0]
                continue
            self.offset += entry_bytes(found[1])
            if found[0] & LIVE and found[1] != bytes((Op.RESUME,)):
                return found

    @property
    def seq_next(self) -> int:
        """The seq of the row that `next` would give."""
        for row in self._rows:
            if row.digest:
                return int(row.seq)
        return self.seq

    def damage(self) -> StoreError:
        """The error for a segment that cannot be believed from here on."""
        return StoreError("store.corrupt", file=self._segments.flash.name, seq=self.seq)

    def next(self, end: int | None = None) -> Row | None:
        """The next row, None when there is no more before the offset `end`."""
        while not self._rows:
            if end is not None and self.offset >= end:
                return None
            found = self.entry()
            if found is None:
                return None
            self._rows = self.take(*found)
        return self._rows.pop(0)

    def take(self, bits: int, payload: bytes, state: "RingState | None" = None) -> list[Row]:
        """The rows of an entry; a state is changed by it."""
        try:
            if bits & ROWS:
                return list(self._told(payload, state))
            if payload[0] == Op.KEPT:
                seq = int.from_bytes(payload[1 : 1 + _SEQ_BYTES], "big")
                digits = Digits(payload[1 + _SEQ_BYTES :])
                record, data = self.codec.take(digits, seq, True)
                if state is not None:
                    state.kept[seq] = self.generation
                return [Row(seq, record, data, b"")]
            if state is not None and payload[0] == Op.SET:
                state.set(pack.decode(payload[1:]))  # type: ignore[arg-type]
        except (DataError, ValueError, IndexError, OverflowError):
            raise self.damage()
        return []

    def _told(self, payload: bytes, state: "RingState | None") -> "Iterator[Row]":
        digits = Digits(payload[1:])
        for _ in range(payload[0]):
            record, data = self.codec.take(digits, self.seq)
            self.digest = chain.link(self.digest, data)
            if state is not None:
                state.note(self.seq, record, self.digest)
            yield Row(self.seq, record, data, self.digest)
            self.seq += 1
