"""Which of the rows found in raw pages can be proved to be what was appended.

A row is proved when its link fits the hash stored with it, or when the row after it fits the hash
that this row must have had.
"""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from edge.core.errors import DataError
from edge.core.journal import chain
from edge.core.journal.record import Kind, Record, decode_record
from edge.core.journal.retain import decode_tombstone
from edge.ports.linux.page_scan import FoundRow, PageScan


class Proved(NamedTuple):
    """A record that the chain proves. rest: its bytes after the seq."""

    seq: int
    kind: int
    data: bytes
    rest: bytes

    def decoded(self) -> Record:
        return decode_record(self.data)


def proved_rows(path: Path, genesis: bytes | None) -> Iterator[Proved]:
    """Every record of the journal that can be proved, ascending by seq.

    genesis: the hash before record 0, where it is still known.
    """
    scan = PageScan(path)
    try:
        ends = _ends(scan)
        if genesis is not None:
            ends[-1] = genesis
        before: set[bytes] = set()
        at = -1
        groups = _with_next(groupby(scan.rows(), key=lambda row: row.seq))
        for (seq, rows), (next_seq, following) in groups:
            known = before if seq == at + 1 else set()
            if seq - 1 in ends:
                known = known | {ends[seq - 1]}
            successors = following if next_seq == seq + 1 else []
            record, before = _prove(rows, known, successors)
            at = seq
            if record is not None:
                yield record
    finally:
        scan.close()


def _ends(scan: PageScan) -> dict[int, bytes]:
    """Chain hashes at removed rows, from whatever looks like a tombstone; a guess to be tried."""
    ends = {}
    for row in scan.others:
        if row.kind == Kind.TOMBSTONE:
            try:
                tomb = decode_tombstone(decode_record(row.record).body)
            except DataError:
                continue
            if tomb.first is not None:
                ends[tomb.last] = tomb.hash_last
    return ends


_Group = tuple[int, list[FoundRow]]


def _with_next(
    groups: "Iterator[tuple[int, Iterator[FoundRow]]]",
) -> Iterator[tuple[_Group, _Group]]:
    """Each group with the one after it; the copies of a row that are the same count once."""
    current: _Group | None = None
    for seq, rows in groups:
        following = (seq, sorted(set(rows)))
        if current is not None:
            yield current, following
        current = following
    if current is not None:
        yield current, (-1, [])


def _prove(
    rows: list[FoundRow], known: set[bytes], successors: list[FoundRow]
) -> tuple[Proved | None, set[bytes]]:
    """(the proved record or None, the hashes that may be the one at it)."""
    for row in rows:
        for before in known:
            digest = chain.link(before, row.record)
            fits = digest == row.hash or any(
                chain.link(digest, after.record) == after.hash for after in successors
            )
            record = split(row) if fits else None
            if record is not None:
                return record, {digest}
    return None, {row.hash for row in rows}


#: Bytes of a MessagePack unsigned integer by its first byte; below 0x80 it is one.
_WIDTHS = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}

#: A record is an array of seven; its kind and its seq come first.
ARRAY = 0x97


def split(row: FoundRow) -> Proved | None:
    """Take a record apart at its seq, without reading all of it; None when it is another's."""
    data = row.record
    if len(data) < 12 or data[0] != ARRAY:
        return None
    width = _WIDTHS.get(data[2], 0)
    seq = int.from_bytes(data[3 : 3 + width], "big") if width else data[2]
    return Proved(seq, data[1], data, data[3 + width :]) if seq == row.seq else None
