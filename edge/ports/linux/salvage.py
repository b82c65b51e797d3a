"""From a damaged or disowned journal to a new one: every row that can be proved goes along.

TABLE records always go along, so that numbers keep their meaning;
of the rest, what is not acked. The records get a new seq and keep their time.
"""

import os
from pathlib import Path
from typing import NamedTuple

from edge.core.journal import chain
from edge.core.journal.record import Kind, Part, Record, decode_record, encode_record
from edge.core.numbers import pack
from edge.ports.linux.head_mark import Mark
from edge.ports.linux.journal_file import Connect, JournalFile, State
from edge.ports.linux.page_scan import FoundRow
from edge.ports.linux.row_proof import ARRAY, Proved, proved_rows, split

_COMMIT_ROWS = 5_000

#: Runs that the event lists; the rest is in the counts.
RUNS_MAX = 40


class Origin(NamedTuple):
    """What is still known of the journal that is left. state, mark: None when lost."""

    path: Path
    gateway: str
    state: State | None
    mark: Mark | None

    @property
    def epoch(self) -> bytes | None:
        known = self.state or self.mark
        return known.epoch if known else None

    @property
    def acked(self) -> int:
        acked = self.state.acked if self.state else -1
        if self.mark and self.mark.epoch == self.epoch:
            acked = max(acked, self.mark.acked)
        return acked

    @property
    def unacked(self) -> int:
        """Records that are not acked, as far as the mark knows."""
        return max(0, self.mark.seq - self.acked) if self.mark else 0


class Yield(NamedTuple):
    """What a salvage gave. runs: old ranges and where they are now, "first-last@seq ..."."""

    carried: int
    lost: int
    runs: str


class _Numbers:
    """Which device and stream numbers the carried tables define."""

    def __init__(self) -> None:
        self.tables = 0
        self.devices: set[object] = set()
        self.streams: set[object] = set()

    def take(self, record: Record) -> None:
        self.tables += 1
        for part in record.body:
            if part[0] == Part.DEVICE:
                self.devices.add(part[1])
            elif part[0] == Part.STREAM:
                self.streams.add(part[1])

    def cover(self, record: Record) -> bool:
        """False for a poll or an interval that names a number without a meaning."""
        if record.kind == Kind.POLL:
            return record.body[0] in self.devices
        if record.kind == Kind.INTERVAL:
            return all(entry[0] in self.streams for entry in record.body[2])
        return True


class _Writer:
    """Appends records to a new journal in their order."""

    def __init__(self, file: JournalFile, state: State) -> None:
        self.file, self.state = file, state
        self.chain = chain.Chain(0, chain.genesis(state.gateway, state.epoch))
        self.runs: list[list[int]] = []  # [first old seq, last old seq, new seq of the first]
        self._rows: list[tuple[int, int, bytes, bytes]] = []

    def add(self, record: Proved) -> None:
        seq = self.chain.next_seq
        data = bytes((ARRAY, record.kind)) + pack.encode(seq) + record.rest
        self._rows.append((seq, record.kind, data, self.chain.extend(data)))
        self.state.note(seq, record.kind)
        if self.runs and self.runs[-1][1] == record.seq - 1:
            self.runs[-1][1] = record.seq
        else:
            self.runs.append([record.seq, record.seq, seq])
        if len(self._rows) >= _COMMIT_ROWS:
            self.flush()

    def flush(self) -> None:
        with self.file.transaction():
            self.file.insert(self._rows)
            self.file.write_state(self.state)
        self._rows = []


def build(
    origin: Origin, target: Path, state: State, reason: str, carry: bool, connect: Connect
) -> Yield:
    """Write a new journal at `target` with what can be proved of the old one.

    state: what the new journal starts from. reason: for the event that tells of it. carry: False
    to leave everything behind, for want of space. Raises StoreError; OSError when the old file
    cannot be read at all.
    """
    told = (reason, origin.path.name)
    given, numbers = _write(origin, target, state.changed(), carry, None, connect, told)
    is_whole = origin.state is not None and numbers.tables == origin.state.counts[Kind.TABLE]
    if carry and not is_whole:
        # With a table that is lost, a number may have lost its meaning: carry only what has one.
        target.unlink()
        given, _ = _write(origin, target, state.changed(), carry, numbers, connect, told)
    return given


def _write(
    origin: Origin,
    target: Path,
    state: State,
    carry: bool,
    cover: _Numbers | None,
    connect: Connect,
    told: tuple[str, str],
) -> tuple[Yield, _Numbers]:
    state.latest, state.counts, state.news = (
        list(state.latest),
        list(state.counts),
        list(state.news),
    )
    file = JournalFile(target, connect)
    try:
        file.prepare_building()
        file.create(state)
        writer = _Writer(file, state)
        given, numbers = Yield(0, origin.unacked, ""), _Numbers()
        if carry:
            given, numbers = _carry(origin, writer, cover)
        state.news.append(["journal.salvaged", _story(origin, given, *told)])
        writer.flush()
    finally:
        file.close()
    handle = os.open(target, os.O_RDWR)
    os.fsync(handle)
    os.close(handle)
    return given, numbers


def _story(origin: Origin, given: Yield, reason: str, file: str) -> list[object]:
    """The fields of the event, flat."""
    epoch = origin.epoch.hex() if origin.epoch else "unknown"
    fields = {"carried": given.carried, "epoch": epoch, "file": file, "lost": given.lost}
    fields.update({"reason": reason, "runs": given.runs})
    return [item for pair in fields.items() for item in pair]


def _carry(origin: Origin, writer: _Writer, cover: _Numbers | None) -> tuple[Yield, _Numbers]:
    """Carry everything, or with `cover` only what its numbers give a meaning."""
    numbers = _Numbers()
    acked = origin.acked
    newest = acked
    carried = gone = 0
    record = None
    earlier = _earlier_interval(origin)
    at = 0  # where the replay after it begins now
    genesis = None if origin.epoch is None else chain.genesis(origin.gateway, origin.epoch)
    for record in proved_rows(origin.path, genesis):
        newest = max(newest, record.seq)
        if record.kind == Kind.TABLE:
            numbers.take(record.decoded())
        if record.kind == Kind.INTERVAL and record.seq <= acked:
            # Replaying starts after its seq: behind the tables that came before it.
            kept = record.decoded()._replace(seq=max(0, writer.chain.next_seq - 1))
            writer.state.interval = encode_record(kept)
            continue
        is_wanted = record.kind == Kind.TABLE or record.seq > acked
        if is_wanted and (cover is None or cover.cover(record.decoded())):
            carried += record.seq > acked
            if record.kind == Kind.TOMBSTONE:
                gone += _explained(record.decoded(), acked)
                record = _without_range(record)
            writer.add(record)
        if earlier is not None and record.seq <= earlier.seq:
            at = max(0, writer.chain.next_seq - 1)
    if earlier is not None and not writer.state.interval:
        writer.state.interval = encode_record(earlier._replace(seq=at))
    if record is not None:
        writer.state.boot = max(writer.state.boot, record.decoded().boot)
    if origin.mark and origin.mark.epoch == origin.epoch:
        newest = max(newest, origin.mark.seq)
    runs = " ".join(f"{first}-{last}@{at}" for first, last, at in writer.runs[:RUNS_MAX])
    return Yield(carried, max(0, newest - acked - carried - gone), runs), numbers


def _earlier_interval(origin: Origin) -> Record | None:
    """The newest INTERVAL of the epoch before the one that is left, if it was needed still."""
    data = origin.state.interval if origin.state else b""
    return decode_record(data) if data else None


def _explained(record: Record, acked: int) -> int:
    """Unacked rows that a tombstone accounts for."""
    first, last = record.body[:2]
    return 0 if first is None else max(0, last - max(first, acked + 1) + 1)


def _without_range(record: Proved) -> Proved:
    """A tombstone for another epoch: its seq and hashes mean nothing there."""
    decoded = record.decoded()
    data = encode_record(decoded._replace(body=[None, None, *decoded.body[2:6], None, None]))
    changed = split(FoundRow(record.seq, record.kind, data, b""))
    assert changed is not None
    return changed
