"""Reading one segment from its beginning: its entries, and the rows that they tell."""

from collections import namedtuple

from edge.core.errors import DataError, StoreError
from edge.core.journal import chain
from edge.core.journal.record import Kind, Record
from edge.core.numbers import pack
from edge.ports.esp32.digits import Digits
from edge.ports.esp32.row_codec import RowCodec
from edge.ports.esp32.segments import LENGTH, LIVE, ROWS, Op, SegmentHead, Segments, entry_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.ports.esp32.ring_state import RingState

#: A row as read. record: without the body of one that is told as numbers; data: canonical bytes;
#: digest: chain hash at it, b"" for one that was kept.
Row = namedtuple("Row", ("seq", "record", "data", "digest"))

_SEQ_BYTES = 4


def rows_payload(
    codec: RowCodec, rows: "list[tuple[int, int, bytes, bytes]]"
) -> tuple[list[bytes], list[Record | None]]:
    """(the payload of rows in parts, their records; None for a poll that is not the last)."""
    digits = Digits()
    records: list[Record | None] = []
    for row in rows:
        record = codec.put(digits, row[2])
        if records and records[-1] is not None and records[-1].kind == Kind.POLL:
            records[-1] = None
        records.append(record)
    return digits.encode(len(rows)), records


def kept_payload(codec: RowCodec, seq: int, data: bytes) -> list[bytes]:
    """The payload of a row that outlives its segment, in parts."""
    digits = Digits()
    codec.put(digits, data, True)
    return [bytes((Op.KEPT,)), seq.to_bytes(_SEQ_BYTES, "big")] + digits.encode()


class Cursor:
    """Goes through the entries of one segment; what it yields is proved from the segment's head.

    One row is in memory at a time. offset: of the next entry; seq, digest: of the next row, and
    the hash before it.
    """

    def __init__(self, segments: Segments, head: SegmentHead, is_read: bool = True) -> None:
        """is_read: nobody is going to write on from where it ends."""
        self.generation = head.generation
        self.offset = head.size
        self.seq = head.first_seq
        self.digest = head.before
        self.codec = RowCodec(None, is_read)
        self._segments = segments
        self._digits = Digits()
        self._left = 0  # rows of them
        self._again: Row | None = None

    def entry(self) -> tuple[int, int] | None:
        """(bits, offset) of the next entry that counts; None at the end.

        Raises StoreError "store.corrupt" where something was and is not any more.
        """
        segments = self._segments
        while True:
            at = self.offset
            bits = segments.bits(self.generation, at)
            if bits is None:
                end = segments.written(self.generation, at)
                if end == at:
                    return None
                after = segments.after_damage(self.generation, at, end)
                if after is None:
                    return None
                if not after[1]:
                    raise self.damage()
                self.offset = after[0]
                continue
            self.offset = at + entry_bytes(bits)
            if bits & LIVE and not segments.is_resume(self.generation, at, bits):
                return bits, at

    def damage(self) -> StoreError:
        """The error for a segment that cannot be believed from here on."""
        return StoreError("store.corrupt", file=self._segments.flash.name, seq=self.seq)

    def next(self, end: int | None = None, state: "RingState | None" = None) -> Row | None:
        """The next row, None when there is no more before the offset `end`.

        A state is changed by what is passed.
        """
        if self._again is not None:
            row, self._again = self._again, None
            self.seq += 1
            return row
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
                size, at = found[0] & LENGTH, found[1]
                if not size:
                    raise self.damage()
                if found[0] & ROWS:
                    self._digits = self._digits_of(at, 0, size)
                    self._left = self._digits.count
                    continue
                code = self._payload(at, 0, 1)[0]
                if code == Op.KEPT:
                    return self._kept(at, size, state)
                if state is not None and code == Op.SET:
                    changed = pack.decode(bytes(self._payload(at, 1, size - 1)))
                    state.set(changed)  # type: ignore[arg-type]
        except (DataError, ValueError, IndexError, OverflowError, StopIteration):
            raise self.damage()

    def put_back(self, row: Row) -> None:
        """Give the row that was read last once more: a place only goes on."""
        self._again = row
        self.seq = row.seq

    def _row(self, state: "RingState | None") -> Row:
        seq = self.seq
        record, data = self.codec.take(self._digits, seq)
        self.digest = chain.link(self.digest, data)
        self.seq = seq + 1
        if state is not None:
            state.note(seq, record, self.digest)
        return Row(seq, record, data, self.digest)

    def _kept(self, offset: int, size: int, state: "RingState | None") -> Row:
        begin = 1 + _SEQ_BYTES
        seq = int.from_bytes(self._payload(offset, 1, _SEQ_BYTES), "big")
        record, data = self.codec.take(self._digits_of(offset, begin, size - begin), seq, True)
        if state is not None:
            state.kept[seq] = self.generation
        return Row(seq, record, data, b"")

    def _payload(self, offset: int, first: int, count: int) -> bytearray:
        """Bytes of the payload of the entry at an offset."""
        return self._segments.payload(self.generation, offset, first, count)

    def _digits_of(self, offset: int, first: int, size: int) -> Digits:
        """Those of an entry, which is never in memory as a whole."""
        return Digits(lambda at, count: self._payload(offset, first + at, count), size)
