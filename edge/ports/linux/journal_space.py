"""How much room a journal has, and how fast it takes it."""

import os
from pathlib import Path

from edge.core.journal.record import decode_record
from edge.ports.linux.journal_reader import JournalReader

#: The newest records that size and rate are taken from.
TAIL_ROWS = 256

#: Beside its record a row has a hash, two integers and its share of the pages.
ROW_BYTES = 48

#: A rate is told only from records that span at least this.
SPAN_MS = 10_000

HOUR_MS = 3_600_000


def read_space(journal: JournalReader, limit_bytes: int | None = None) -> dict[str, object]:
    """Room and rate, by the disk and the newest rows.

    limit_bytes: most the journal may take, None for what the disk has.
    journal_bytes: pages in use. free_bytes: what the disk has left for an ordinary user.
    bytes_per_hour: at the rate of the newest records of the newest boot, None while they are too
    few. hours_left: until the journal must give up what the cloud does not have, None without a
    rate; what is acked can be given up before, so it counts as room.
    Raises StoreError when the journal cannot be read or believed, OSError for the disk.
    """
    disk = os.statvfs(journal.file.path.parent)
    last = journal.next_seq - 1
    rows = [data for data, _ in journal.read(last - TAIL_ROWS + 1, last)]
    taken = [len(data) + ROW_BYTES for data in rows]
    used, free = journal.file.used_bytes(), disk.f_bavail * disk.f_frsize
    rate = _bytes_per_hour(rows, taken)
    room = used + free if limit_bytes is None else min(used + free, limit_bytes)
    if taken:
        room -= (last - journal.acked_seq) * sum(taken) // len(taken)
    return {
        "journal_bytes": used,
        "free_bytes": free,
        "bytes_per_hour": rate,
        "hours_left": max(0, room) // rate if rate else None,
    }


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


def free_bytes(folder: Path) -> int | None:
    """What the disk of a folder has left for an ordinary user; None when nothing can be told."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return None
    return disk.f_bavail * disk.f_frsize


def may_write(path: Path) -> bool:
    """Whether this user may write a journal there, and the files beside it."""
    is_file_fine = not path.exists() or os.access(path, os.R_OK | os.W_OK)
    return is_file_fine and os.access(path.parent, os.W_OK | os.X_OK)
