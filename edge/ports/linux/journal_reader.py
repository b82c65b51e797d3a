"""Reading the journal: every row is proved by its neighbours before anybody sees it.

A hole is either explained by a tombstone, whose record is proved in the same way, or it is damage.
"""

import sqlite3
from pathlib import Path
from typing import Any

from edge.core.errors import DataError, StoreError
from edge.core.journal import chain
from edge.core.journal.record import Kind, Record, decode_record
from edge.core.journal.retain import Tombstone, decode_tombstone
from edge.ports.contracts import Gap, Store
from edge.ports.linux.journal_file import SCHEMA_VERSION, JournalFile, State
from edge.ports.linux.store_foreign import refuse_foreign

_ROW = "seq, CAST(record AS BLOB), CAST(hash AS BLOB)"

#: Rows at the head that are proved when a journal is opened.
TAIL_ROWS = 256


class JournalReader(Store):
    """The reading half of the store, over one open file."""

    file: JournalFile
    state: State
    genesis: bytes

    def take_up(self, state: State) -> None:
        """Work with `state` and the rows that are there; proves the newest ones.

        Raises StoreError "store.corrupt".
        """
        self.state = state
        self.epoch, self.boot, self.acked_seq = state.epoch, state.boot, state.acked
        self.genesis = chain.genesis(state.gateway, state.epoch)
        newest = self.file.query("SELECT max(seq) FROM journal")[0][0]
        self.next_seq = 0 if newest is None else newest + 1
        if newest is not None and newest < max(state.latest):
            raise self.damage(newest + 1)
        self.head = self.genesis
        rows = self.read(max(0, self.next_seq - TAIL_ROWS), self.next_seq - 1)
        if rows:
            self.head = rows[-1][1]
        if self.acked_seq >= self.next_seq:
            raise self.damage(self.next_seq)

    def damage(self, seq: int) -> StoreError:
        """The error for a journal that cannot be believed at `seq`."""
        return StoreError("store.corrupt", file=str(self.file.path), seq=seq)

    def read(self, first: int, last: int, most: int = 0) -> list[tuple[bytes, bytes]]:
        first, last = max(0, first), min(last, self.next_seq - 1)
        if first > last:
            return []
        rows = self.file.query(
            f"SELECT {_ROW} FROM journal WHERE seq BETWEEN ? AND ? ORDER BY seq", first, last
        )
        before = self.hash_at(first - 1)
        at = first
        for seq, record, digest in rows:
            if seq != at:
                before = self._bridge(at, seq - 1).hash_last
            if before is None or chain.link(before, record or b"") != digest:
                raise self.damage(seq)
            if self._is_unknown(seq, record):
                raise self.damage(seq)
            before = digest
            at = seq + 1
        if at <= last:
            self._bridge(at, last)
        return [(record, digest) for _, record, digest in rows]

    def _is_unknown(self, seq: int, record: bytes) -> bool:
        """True for a row that the state has not heard of: the two went back by different times."""
        kind = record[1]  # after the array's head
        return kind != Kind.POLL and seq > self.state.latest[kind]

    def _bridge(self, first: int, last: int) -> Tombstone:
        """The tombstone of the last range when all of first..last is explained by tombstones."""
        at = first
        while True:
            tomb = self._tombstone_from(at)
            if tomb is None or tomb[0].first > at:
                raise self.damage(at)
            at = tomb[0].last + 1
            if at > last:
                return tomb[0]

    def _tombstone_from(self, seq: int) -> tuple[Tombstone, int] | None:
        """The removed range that holds `seq` or is the next after it, and the seq of its record.

        The index only points; what counts is the record, which is in the chain.
        """
        found = self.file.query(
            "SELECT last, tombstone FROM gap WHERE last >= ? ORDER BY last LIMIT 1", seq
        )
        if not found:
            return None
        last, at = found[0]
        record = self._proved(at)
        try:
            tomb = decode_tombstone(record.body) if record.kind == Kind.TOMBSTONE else None
        except DataError:
            tomb = None
        if tomb is None or tomb.first is None or tomb.last != last:
            raise self.damage(at)
        return tomb, at

    def gap_from(self, seq: int) -> Gap | None:
        found = self._tombstone_from(seq)
        return None if found is None else Gap(found[0].first, found[0].last, found[1])

    def explained(self, gap: Gap) -> Tombstone:
        """The tombstone of a removed range."""
        return decode_tombstone(self._proved(gap.tombstone).body)

    def _plain_hash(self, seq: int) -> bytes | None:
        if seq == -1:
            return self.genesis
        found = self.file.query("SELECT CAST(hash AS BLOB) FROM journal WHERE seq = ?", seq)
        return found[0][0] if found else None

    def hash_at(self, seq: int) -> bytes | None:
        digest = self._plain_hash(seq)
        if digest is None and 0 <= seq < self.next_seq:
            found = self._tombstone_from(seq)
            if found is not None and found[0].last == seq:
                digest = found[0].hash_last
        return digest

    def _proved(self, seq: int) -> Record:
        """The record at `seq`; the row before it or the one after proves it.

        Never looks at tombstones: it is what they are read with.
        """
        rows = {
            row[0]: row[1:]
            for row in self.file.query(
                f"SELECT {_ROW} FROM journal WHERE seq BETWEEN ? AND ?", seq - 1, seq + 1
            )
        }
        if seq not in rows:
            raise self.damage(seq)
        record, digest = rows[seq]
        before = self.genesis if seq == 0 else rows.get(seq - 1, (b"", None))[1]
        # After a removed range only the tombstone knows the hash before; the record's own seq and
        # the link of the row after it stand in for it here.
        is_linked = before is None or chain.link(before, record or b"") == digest
        try:
            decoded = decode_record(record or b"")
        except DataError:
            raise self.damage(seq)
        if not is_linked or decoded.seq != seq:
            raise self.damage(seq)
        return decoded

    def _by_kind(self, kind: int, tail: str) -> list[tuple[Any, ...]]:
        # "kind <> 1" lets the planner use the partial index.
        return self.file.query(
            f"SELECT seq FROM journal WHERE kind = ? AND kind <> {Kind.POLL} {tail}", kind
        )

    def _checked(self, seq: int, kind: int) -> bytes:
        """The record at `seq`, proved, when it is of that kind."""
        rows = self.read(seq, seq)
        if not rows or decode_record(rows[0][0]).kind != kind:
            raise self.damage(seq)
        return rows[0][0]

    def of_kind(self, kind: int) -> list[bytes]:
        found = [row[0] for row in self._by_kind(kind, "ORDER BY seq")]
        if len(found) != self.state.counts[kind]:
            raise self.damage(found[-1] if found else 0)
        return [self._checked(seq, kind) for seq in found]

    def last_of_kind(self, kind: int) -> bytes | None:
        seq = self.state.latest[kind]
        if seq < 0:
            earlier = self.state.interval if kind == Kind.INTERVAL else b""
            return earlier or None
        if self._plain_hash(seq) is None and self.gap_from(seq) is not None:
            return None  # removed, and nothing of the kind since
        return self._checked(seq, kind)

    def close(self) -> None:
        self.file.close()


def open_reader(path: Path) -> JournalReader:
    """Open a journal read-only, as it stands now; a gateway may be using it meanwhile.

    Until it is closed its log grows: be brief.

    Raises StoreError "store.open", "store.foreign" for a file that was never a journal, or
    "store.corrupt" when what is read first is damaged.
    """
    if not path.exists():
        raise StoreError("store.open", file=str(path), reason="no such file")
    refuse_foreign(path)
    is_live = path.with_name(path.name + "-wal").exists()
    uri = f"{path.resolve().as_uri()}?mode=ro" + ("" if is_live else "&immutable=1")
    reader = JournalReader()
    reader.file = JournalFile(path, lambda _: sqlite3.connect(uri, uri=True, isolation_level=None))
    try:
        reader.file.query("PRAGMA busy_timeout = 2000")
        reader.file.query("BEGIN")  # one view of the state and of its rows
        if reader.file.version() != SCHEMA_VERSION:
            raise StoreError("store.open", file=str(path), reason="another format")
        state = reader.file.read_state()
        if state is None:
            raise reader.damage(-1)
        reader.take_up(state)
    except StoreError:
        reader.file.close()
        raise
    return reader
