"""How much room a journal has, and how fast it takes it."""

import os
from collections import namedtuple

from edge.core.journal.record import decode_record
from edge.ports.linux.journal_reader import JournalReader

#: The newest records that size and rate are taken from.
TAIL_ROWS = 256

#: Beside its record a row has a hash, two integers and its share of the pages.
ROW_BYTES = 48

#: A rate is told only from records that span at least this.
SPAN_MS = 10_000

HOUR_MS = 3_600_000

#: journal_bytes: pages in use; free_bytes: what the disk has left for an ordinary user;
#: limit_bytes: most the journal may take, None for what the disk has; record_bytes: mean size of
#: the newest rows, 0 while there are none; bytes_per_hour: at the rate of the newest records of
#: this boot, None while too few are there.
Space = namedtuple(
    "Space", ("journal_bytes", "free_bytes", "limit_bytes", "record_bytes", "bytes_per_hour")
)


def read_space(journal: JournalReader, limit_bytes: int | None = None) -> Space:
    """Look at the disk and at the newest rows.

    Raises StoreError when the journal cannot be read or believed, OSError for the disk.
    """
    disk = os.statvfs(journal.file.path.parent)
    last = journal.next_seq - 1
    rows = [data for data, _ in journal.read(last - TAIL_ROWS + 1, last)]
    taken = [len(data) + ROW_BYTES for data in rows]
    return Space(
        journal.file.used_bytes(),
        disk.f_bavail * disk.f_frsize,
        limit_bytes,
        sum(taken) // len(taken) if taken else 0,
        _bytes_per_hour(rows, taken),
    )


def _bytes_per_hour(rows: list[bytes], taken: list[int]) -> int | None:
    """The rate of the rows that belong to the newest one's boot; the first one only begins it."""
    if not rows:
        return None
    newest = decode_record(rows[-1])
    for at, data in enumerate(rows):
        record = decode_record(data)
        if record.boot == newest.boot:
            span_ms = newest.mono_ms - record.mono_ms
            return sum(taken[at + 1 :]) * HOUR_MS // span_ms if span_ms >= SPAN_MS else None
    return None


def hours_left(space: Space, waiting: int) -> int | None:
    """Hours until the journal must give up what the cloud does not have yet; None: not known.

    waiting: records that are not acked. What is acked can be given up, so it counts as room.
    """
    if not space.bytes_per_hour:
        return None
    room = space.journal_bytes + space.free_bytes
    if space.limit_bytes is not None:
        room = min(room, space.limit_bytes)
    return int(max(0, room - waiting * space.record_bytes) // space.bytes_per_hour)
