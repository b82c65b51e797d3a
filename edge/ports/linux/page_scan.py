"""Journal rows out of the raw pages of a SQLite file and its write-ahead log, whatever is damaged.

Rows are never changed once written, so every copy of a row that is found anywhere is either right
or fails the chain; which tree it hung in, and whether its commit was ever marked, does not matter.

Source: the SQLite database file format, sections 1.6 (b-tree pages), 1.7 (overflow), 2.1 (record
format) and 4.1 (WAL format).
"""

import heapq
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from edge.core.journal.record import Kind
from edge.ports.linux.journal_file import PAGE_BYTES

#: A page holds fewer rows than this; pointers beyond the count that the page states are tried too.
_CELLS_MAX = 128

_WAL_HEADER_BYTES = 32
_FRAME_HEADER_BYTES = 24
_LOCAL_MAX = PAGE_BYTES - 35
_LOCAL_MIN = (PAGE_BYTES - 12) * 32 // 255 - 23
_RECORD_MAX_BYTES = 1 << 20
_HEADER_MAX_BYTES = 8
_HASH_TYPE = 12 + 2 * 32


class FoundRow(NamedTuple):
    """A row as it lies in a page; nothing of it is proved."""

    seq: int
    kind: int
    record: bytes
    hash: bytes


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """(value, position after it)."""
    value = 0
    for length in range(1, 9):
        byte = data[at]
        at += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at
        if length == 8:
            value = value << 8 | data[at]
            at += 1
    return value, at


def _small_int(payload: bytes, at: int, serial: int) -> tuple[int, int]:
    """(value, position after it) of the serial types that small integers have."""
    if serial in (8, 9):
        return serial - 8, at
    if serial == 1:
        return payload[at], at + 1
    raise ValueError("no small integer")


def _decode_row(seq: int, payload: bytes) -> FoundRow:
    """Read the five columns; raises ValueError or IndexError for anything else."""
    header = payload[0]
    if header > _HEADER_MAX_BYTES or payload[1] != 0:
        raise ValueError("not a journal row")
    record_type, at = _varint(payload, 3)
    if payload[at] != _HASH_TYPE or at + 2 != header or record_type < 12:
        raise ValueError("not a journal row")
    kind, at = _small_int(payload, header, payload[2])
    end = at + (record_type - 12) // 2
    record, digest = payload[at:end], payload[end : end + 32]
    if len(digest) != 32:
        raise ValueError("cut short")
    return FoundRow(seq, kind, record, digest)


class PageScan:
    """All copies of all pages of one database, by where they lie."""

    def __init__(self, path: Path) -> None:
        """path: the database; its log is looked for beside it. Raises OSError."""
        self._files = [os.open(path, os.O_RDONLY)]
        wal = path.with_name(path.name + "-wal")
        if wal.exists():
            self._files.append(os.open(wal, os.O_RDONLY))
        self._logged: dict[int, int] = {}  # page number -> offset of its newest copy in the log
        self.others: list[FoundRow] = []  # rows that are no polls, unordered
        self._index = sorted(self._survey())

    def close(self) -> None:
        """Let go of the files."""
        for handle in self._files:
            os.close(handle)

    def rows(self) -> Iterator[FoundRow]:
        """Every row found, ascending by seq, as often as it was found."""
        waiting: list[FoundRow] = []
        for lowest, file, offset in self._index:
            while waiting and waiting[0].seq < lowest:
                yield heapq.heappop(waiting)
            for row in self._page_rows(file, offset):
                heapq.heappush(waiting, row)
        while waiting:
            yield heapq.heappop(waiting)

    def _copies(self) -> Iterator[tuple[int, int]]:
        """(file, offset) of every page copy."""
        for offset in range(0, os.fstat(self._files[0]).st_size, PAGE_BYTES):
            yield 0, offset
        if len(self._files) < 2:
            return
        step = _FRAME_HEADER_BYTES + PAGE_BYTES
        size = os.fstat(self._files[1]).st_size
        for frame in range(_WAL_HEADER_BYTES, size - step + 1, step):
            number = int.from_bytes(os.pread(self._files[1], 4, frame), "big")
            self._logged[number] = frame + _FRAME_HEADER_BYTES
            yield 1, frame + _FRAME_HEADER_BYTES

    def _survey(self) -> Iterator[tuple[int, int, int]]:
        """(lowest seq, file, offset) of every page that holds journal rows."""
        for file, offset in list(self._copies()):
            rows = list(self._page_rows(file, offset))
            self.others += [row for row in rows if row.kind != Kind.POLL]
            if rows:
                yield min(row.seq for row in rows), file, offset

    def _page_rows(self, file: int, offset: int) -> Iterator[FoundRow]:
        page = os.pread(self._files[file], PAGE_BYTES, offset)
        if len(page) < PAGE_BYTES:
            return
        pointers = struct.unpack_from(f">{_CELLS_MAX}H", page, 8)
        for at in set(pointers):
            if 8 < at < PAGE_BYTES:
                try:
                    yield self._cell(page, at)
                except (ValueError, IndexError):
                    continue

    def _cell(self, page: bytes, at: int) -> FoundRow:
        size, at = _varint(page, at)
        seq, at = _varint(page, at)
        if size > _RECORD_MAX_BYTES or seq >= 1 << 62:
            raise ValueError("not a row of ours")
        if size <= _LOCAL_MAX:
            return _decode_row(seq, page[at : at + size])
        local = _LOCAL_MIN + (size - _LOCAL_MIN) % (PAGE_BYTES - 4)
        local = local if local <= _LOCAL_MAX else _LOCAL_MIN
        payload = page[at : at + local]
        number = int.from_bytes(page[at + local : at + local + 4], "big")
        return _decode_row(seq, payload + self._overflow(number, size - local))

    def _overflow(self, number: int, size: int) -> bytes:
        data = b""
        while len(data) < size and number > 0:
            page = self._page(number)
            number = int.from_bytes(page[:4], "big")
            data += page[4:]
            if len(page) < PAGE_BYTES:
                break
        return data[:size]

    def _page(self, number: int) -> bytes:
        """The newest copy of a page."""
        if number in self._logged:
            return os.pread(self._files[1], PAGE_BYTES, self._logged[number])
        return os.pread(self._files[0], PAGE_BYTES, (number - 1) * PAGE_BYTES)
