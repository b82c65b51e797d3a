"""What a power cut leaves of a ring: which segment is the newest, and where it ends."""

from edge.core.errors import StoreError
from edge.ports.esp32.segments import (
    LAST,
    LIVE,
    Op,
    SegmentHead,
    Segments,
    encode_entry,
    entry_bytes,
    size_of,
)

_RESUME = bytes((Op.RESUME,))


def find_newest(segments: Segments) -> int | None:
    """The generation of the newest segment that counts; None for a ring with nothing in it.

    One that begins inside of a commit counts once that commit is whole.
    """
    heads = []
    for slot in range(segments.count):
        head = segments.head_in_slot(slot)
        if head is not None:
            heads.append((head.generation, head.is_open))
    heads.sort(key=lambda found: -found[0])
    for generation, is_open in heads:
        if not is_open or _has_last(segments, generation):
            return int(generation)
    return None


def _has_last(segments: Segments, generation: int) -> bool:
    """True when some commit ends in this segment."""
    head = segments.head(generation)
    if head is None:
        return False
    walk = _Walk(segments, head, head.size)
    try:
        while walk.next():
            if walk.bits & LAST and walk.bits & LIVE and not walk.is_resume:
                return True
    except StoreError:
        return True  # it was in use: to be salvaged
    return False


class _Walk:
    """Goes over the entries of a segment without their payloads.

    offset, bits: of the entry; behind: of the next one, at last where writing can go on; is_torn:
    whether a torn write is before that.
    """

    def __init__(self, segments: Segments, head: SegmentHead, behind: int) -> None:
        self.offset = self.behind = behind
        self.bits = 0
        self.is_resume = self.is_torn = False
        self._segments, self._head = segments, head

    def next(self) -> bool:
        """Go to the next entry; False at the end.

        Raises StoreError "store.corrupt" for damage that no power cut makes.
        """
        segments, generation = self._segments, self._head.generation
        self.offset = self.behind
        bits = segments.bits(generation, self.offset)
        if bits is None:
            end = segments.written(generation, self.offset)
            after = None
            if end > self.offset:
                after = segments.after_damage(generation, self.offset, end)
            if after is None:
                self.behind, self.is_torn = end, end > self.offset
                return False
            if not after[1]:
                seq = self._head.first_seq
                raise StoreError("store.corrupt", file=segments.flash.name, seq=seq)
            self.offset = after[0]
            bits = segments.bits(generation, self.offset) or 0
        self.bits = bits
        self.is_resume = segments.is_resume(generation, self.offset, bits)
        self.behind = self.offset + entry_bytes(bits)
        return True


def finish_segment(segments: Segments, head: SegmentHead) -> int:
    """Take back a commit that was not finished; the offset where writing goes on.

    Raises StoreError "store.corrupt" for damage that no power cut makes.
    """
    walk = _Walk(segments, head, head.size)
    finished = head.size
    while walk.next():
        if walk.bits & LAST and walk.bits & LIVE and not walk.is_resume:
            finished = walk.behind
    end = walk.behind
    again = _Walk(segments, head, finished)
    while again.next():
        if again.bits & LIVE and not again.is_resume:
            cleared = (again.bits & ~LIVE & 0xFFFF).to_bytes(2, "big")
            segments.flash.program(segments.at(head.generation) + again.offset, cleared)
    if walk.is_torn:
        entry = encode_entry([_RESUME], LAST)
        if end + size_of(entry) > segments.size:
            return segments.size
        end = segments.program(head.generation, end, entry)
    return end
