"""How the ring lies on flash: segments of sectors, each a head and entries, each with a CRC.

An entry is a head of two bytes, a CRC-32 of head and payload, and the payload. Bits of the head:

    0x8000  live; cleared, which NOR flash can do in place, for what a power cut left half done
    0x4000  last of its commit: entries up to it are there together or not at all
    0x2000  rows alone: the payload is theirs
    0x1FFF  bytes of payload; an erased head says that nothing follows

Any other payload begins with an OP byte. A segment begins with an entry of Op.STATE, the store's
whole state then, so that the newest segment alone says where everything is. What a torn write
left is passed over up to an entry of Op.RESUME.
"""

from binascii import crc32

from edge.core.errors import DataError, StoreError
from edge.core.journal.chain import EPOCH_BYTES, HASH_BYTES
from edge.core.numbers import pack
from edge.ports.esp32.flash import Flash

LIVE = 0x8000
LAST = 0x4000
ROWS = 0x2000
LENGTH = 0x1FFF

#: One less than fits, so that no head looks erased.
PAYLOAD_MAX = LENGTH - 1

_HEAD_BYTES = 6

#: What is put together before it is programmed.
_PIECE_BYTES = 512

_FORMAT = b"CT2"


class Op:
    """First byte of a payload that is not rows alone."""

    STATE = 0
    SET = 1
    KEPT = 2
    RESUME = 3


_BEGINNING = bytes((Op.STATE,)) + _FORMAT[:2]


def entry_bytes(bits: int) -> int:
    """What an entry of this head takes."""
    return _HEAD_BYTES + (bits & LENGTH)


def encode_entry(parts: "list[bytes]", flags: int) -> list[bytes]:
    """An entry, live, in pieces to be programmed one after the other: it may be of kilobytes.

    parts: of its payload; flags: LAST, ROWS.
    """
    head = (LIVE | flags | size_of(parts)).to_bytes(2, "big")
    crc = crc32(head)
    for part in parts:
        crc = crc32(part, crc)
    entry: list[bytes] = []
    piece = [head, crc.to_bytes(4, "big")]
    for part in parts:
        if size_of(piece) + len(part) > _PIECE_BYTES:
            entry.append(b"".join(piece))
            piece = []
        piece.append(part)
    entry.append(b"".join(piece))
    return entry


def size_of(parts: "list[bytes]") -> int:
    """Bytes of all of them."""
    return sum([len(part) for part in parts])


class Segments:
    """The segments of one partition; a generation lies in slot generation % count."""

    def __init__(self, flash: Flash, sectors: int) -> None:
        """sectors: of one segment."""
        self.flash = flash
        self.sectors = sectors
        self.size = sectors * flash.sector_bytes
        self.count = flash.sectors // sectors

    def at(self, generation: int) -> int:
        """Where a segment begins on the partition."""
        return generation % self.count * self.size

    def payload(self, generation: int, offset: int, first: int, count: int) -> bytearray:
        """So many bytes of the payload of the entry there."""
        return self.flash.read(self.at(generation) + offset + _HEAD_BYTES + first, count)

    def bits(self, generation: int, offset: int) -> int | None:
        """The head of the entry there, None for anything that is not a whole one."""
        if offset + _HEAD_BYTES > self.size:
            return None
        start = self.at(generation) + offset
        head = self.flash.read(start, _HEAD_BYTES)
        bits = int.from_bytes(head[:2], "big")
        length = bits & LENGTH
        if length > PAYLOAD_MAX or offset + _HEAD_BYTES + length > self.size:
            return None
        crc = crc32((bits | LIVE).to_bytes(2, "big"))
        if self.flash.crc(start + _HEAD_BYTES, length, crc) != int.from_bytes(head[2:], "big"):
            return None
        return bits

    def is_resume(self, generation: int, offset: int, bits: int) -> bool:
        """True for an entry that says that a torn write was before it."""
        start = self.at(generation) + offset + _HEAD_BYTES
        return bits & LENGTH == 1 and self.flash.look(start, 1)[0] == Op.RESUME

    def after_damage(self, generation: int, offset: int, end: int) -> tuple[int, bool] | None:
        """(where the next whole entry begins, whether it says that a torn write was before it).

        offset: of what is no entry; end: nothing was programmed from there on.
        """
        for at in range(offset + 1, end - _HEAD_BYTES):
            bits = self.bits(generation, at)
            if bits is not None and bits & LENGTH:
                return at, self.is_resume(generation, at, bits)
        return None

    def written(self, generation: int, offset: int) -> int:
        """The offset behind the last byte from `offset` on that was ever programmed."""
        at = self.size
        while at > offset:
            count = min(256, at - offset)
            part = self.flash.look(self.at(generation) + at - count, count)
            for back in range(count):
                if part[count - 1 - back] != 0xFF:
                    return at - back
            at -= count
        return offset

    def program(self, generation: int, offset: int, entry: "list[bytes]") -> int:
        """Write an entry; the offset behind it."""
        for piece in entry:
            self.flash.program(self.at(generation) + offset, piece)
            offset += len(piece)
        return offset

    def begin(self, generation: int, head: "list[bytes]") -> int:
        """Erase a segment and give it its head; the offset behind it."""
        first = self.at(generation) // self.flash.sector_bytes
        for sector in range(first, first + self.sectors):
            self.flash.erase(sector)
        return self.program(generation, 0, head)

    def head(self, generation: int) -> "SegmentHead | None":
        """The head of a segment, None where that generation does not lie."""
        found = self.head_in_slot(generation % self.count)
        return found if found is not None and found.generation == generation else None

    def head_in_slot(self, slot: int) -> "SegmentHead | None":
        """The head that lies in a slot, None for none.

        Raises StoreError "store.open" for one of another format.
        """
        bits = self.bits(slot, 0)
        if bits is None or not bits & LIVE:
            return None
        found = self.payload(slot, 0, 0, bits & LENGTH)
        if found[:3] != _BEGINNING:
            return None
        if found[1:4] != _FORMAT:
            reason = f"format {found[1:4].decode()}, not {_FORMAT.decode()}"
            raise StoreError("store.open", file=self.flash.name, reason=reason)
        try:
            return SegmentHead(pack.decode(bytes(found[4:])), entry_bytes(bits))
        except DataError:
            return None


class SegmentHead:
    """generation: counts segments for ever; epoch: of its rows; first_seq, before: seq of its
    first row and hash before it; ended_ms: wall time of the row before; is_open: it begins inside
    of a commit; skipped: generations before it that have no segment, as the flash took none there;
    state: see `ring_state`; size: bytes that it takes.
    """

    def __init__(self, fields: object, size: int) -> None:
        if not isinstance(fields, list) or len(fields) != 7:
            raise DataError("data.record", seq=-1, reason="not a segment")
        self.generation: int = fields[0]
        self.epoch: bytes = fields[1]
        self.first_seq: int = fields[2]
        self.before: bytes = fields[3]
        self.ended_ms: int = fields[4]
        self.is_open = bool(fields[5] & 1)
        self.skipped: int = fields[5] >> 1
        self.state: list[object] = fields[6]
        self.size = size
        if len(self.epoch) != EPOCH_BYTES or len(self.before) != HASH_BYTES:
            raise DataError("data.record", seq=-1, reason="not a segment")


def encode_head(
    generation: int,
    epoch: bytes,
    first_seq: int,
    before: bytes,
    ended_ms: int,
    is_open: bool,
    skipped: int,
    state: list[object],
) -> list[bytes]:
    """The entry that a segment begins with."""
    kind = skipped << 1 | (1 if is_open else 0)
    fields = [generation, epoch, first_seq, before, ended_ms, kind, state]
    return encode_entry([bytes((Op.STATE,)), _FORMAT, pack.encode(fields)], LAST)
