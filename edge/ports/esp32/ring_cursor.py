"""Reading one segment from its beginning: its entries, and the rows that they tell."""

from collections import namedtuple

from edge.core.errors import DataError, StoreError
from edge.core.journal import chain
from edge.core.journal.record import Kind, Record
from edge.core.numbers import pack
from edge.ports.esp32.digits import Digits
from edge.ports.esp32.row_codec import RowCodec
from edge.ports.esp32.segments import LIVE, ROWS, Op, SegmentHead, Segments, entry_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.ports.esp32.ring_state import RingState

#: A row as read. data: canonical bytes; digest: chain hash at it, b"" for one that was kept.
Row = namedtuple("Row", ("seq", "record", "data", "digest"))

_SEQ_BYTES = 4


def rows_payload(
    codec: RowCodec, rows: "list[tuple[int, int, bytes, bytes]]"
) -> tuple[bytes, list[Record | None]]:
    """(the payload of rows, their records; None for a poll that is not the last)."""
    digits = Digits()
    records: list[Record | None] = []
    for row in rows:
        record = codec.put(digits, row[2])
        if records and records[-1] is not None and records[-1].kind == Kind.POLL:
            records[-1] = None
        records.append(record)
    return digits.encode(len(rows)), records


def kept_payload(codec: RowCodec, seq: int, data: bytes) -> bytes:
    """The payload of a row that outlives its segment."""
    digits = Digits()
    codec.put(digits, data, True)
    return bytes((Op.KEPT,)) + seq.to_bytes(_SEQ_BYTES, "big") + digits.encode()


class Cursor:
    """Goes through the entries of one segment; what it yields is proved from the segment's head.

    One row is in memory at a time. offset: of the next entry; seq, digest: of the next row, and
    the hash before it.
    """

    def __init__(self, segments: Segments, head: SegmentHead) -> None:
        self.generation = head.generation
        self.offset = head.size
        self.seq = head.first_seq
        self.digest = head.before
        self.codec = RowCodec()
        self._segments = segments
        self._digits = Digits()
        self._left = 0  # rows of them

    def entry(self) -> tuple[int, bytearray] | None:
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
            self.offset += entry_bytes(found[0])
            if found[0] & LIVE and found[1] != bytes((Op.RESUME,)):
                return found

    def damage(self) -> StoreError:
        """The error for a segment that cannot be believed from here on."""
        return StoreError("store.corrupt", file=self._segments.flash.name, seq=self.seq)

    def next(self, end: int | None = None, state: "RingState | None" = None) -> Row | None:
        """The next row, None when there is no more before the offset `end`.

        A state is changed by what is passed.
        """
        try:
            while True:
                if self._left:
                    self._left -= 1
                    return self._row(state)
                if end is not None and self.offset >= end:
                    return None
                found = self.entry()
                if found is None:
                    return None
                if found[0] & ROWS:
                    self._digits = Digits(found[1])
                    self._left = self._digits.count
                    found = None  # it takes memory
                elif found[1][0] == Op.KEPT:
                    return self._kept(found[1], state)
                elif state is not None and found[1][0] == Op.SET:
                    state.set(pack.decode(bytes(found[1][1:])))  # type: ignore[arg-type]
        except (DataError, ValueError, IndexError, OverflowError, StopIteration):
            raise self.damage()

    def _row(self, state: "RingState | None") -> Row:
        seq = self.seq
        record, data = self.codec.take(self._digits, seq)
        self.digest = chain.link(self.digest, data)
        self.seq = seq + 1
        if state is not None:
            state.note(seq, record, self.digest)
        return Row(seq, record, data, self.digest)

    def _kept(self, payload: bytearray, state: "RingState | None") -> Row:
        seq = int.from_bytes(payload[1 : 1 + _SEQ_BYTES], "big")
        record, data = self.codec.take(Digits(payload[1 + _SEQ_BYTES :]), seq, True)
        if state is not None:
            state.kept[seq] = self.generation
        return Row(seq, record, data, b"")
