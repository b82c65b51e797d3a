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
    try:
        entries = [] if head is None else _entries(segments, head)[0]
    except StoreError:
        return True  # it was in use: to be salvaged
    return any(bits & LAST and bits & LIVE and not resumes for _, bits, resumes in entries)


def _entries(
    segments: Segments, head: SegmentHead
) -> tuple[list[tuple[int, int, bool]], int, bool]:
    """([(offset, bits, whether it says that a torn write was before)], where writing can go on,
    whether a torn write is before that).
    """
    offset, found = head.size, []
    while True:
        entry = segments.entry(head.generation, offset)
        if entry is not None:
            found.append((offset, entry[0], entry[1] == _RESUME))
            offset += entry_bytes(entry[1])
            continue
        end = segments.written(head.generation, offset)
        after = None
        if end > offset:
            after = segments.after_damage(head.generation, offset, end)
        if after is None:
            return found, end, end > offset
        if not after[1]:
            raise StoreError("store.corrupt", file=segments.flash.name, seq=head.first_seq)
        offset = after[0]


def finish_segment(segments: Segments, head: SegmentHead) -> int:
    """Take back a commit that was not finished; the offset where writing goes on.

    Raises StoreError "store.corrupt" for damage that no power cut makes.
    """
    entries, end, is_torn = _entries(segments, head)
    unfinished: list[tuple[int, int]] = []
    for offset, bits, is_resume in entries:
        if is_resume or not bits & LIVE:
            continue
        unfinished.append((offset, bits))
        if bits & LAST:
            unfinished = []
    for offset, bits in unfinished:
        segments.void(head.generation, offset, bits)
    if is_torn:
        entry = encode_entry(_RESUME, LAST)
        if end + len(entry) > segments.size:
            return segments.size
        segments.flash.program(segments.at(head.generation) + end, entry)
        end += len(entry)
    return end
