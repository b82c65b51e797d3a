"""Proving a store from its raw records: every chain walked anew, every typed row derived anew.

Nothing that the receiver noted is believed: hashes, ranges, heads, readings and intervals are
computed from the canonical bytes and compared.
"""

import bisect
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from cloud_sync.ranges import Segment, gaps_of, head_of
from cloud_sync.raw import ALWAYS, Period, clip, read_tombstones, span_of
from cloud_sync.rows import Rows, rates_of
from cloud_sync.store.address import open_store
from cloud_sync.store.contract import Store
from edge.core.errors import DataError
from edge.core.journal import chain
from edge.core.journal.record import decode_record
from edge.core.journal.retain import Tombstone
from edge.core.numbers import pack
from edge.core.numbers.fixed import INT64_MAX

#: Records compared at a time.
_STEP = 1_000

#: Tables whose rows belong to one record each, and their columns after journal and seq.
_TYPED = (
    "configs",
    "swaps",
    "facts",
    "readings",
    "intervals",
    "interval_bases",
    "interval_figures",
    "windows",
    "serials",
    "interval_streams",
    "interval_emissions",
    "events",
)


class JournalSummary(NamedTuple):
    """One journal. broken: the first seq that cannot be proved, None when all is well.

    missing: records below the highest one that have not arrived, which breaks nothing.
    """

    owner: str
    epoch: str
    head: int
    records: int
    readings: int
    missing: int
    broken: int | None
    reason: str

    @property
    def ok(self) -> bool:
        return self.broken is None


class Summary(NamedTuple):
    """Every journal that was asked for, by tenant, gateway and age."""

    journals: tuple[JournalSummary, ...]

    @property
    def ok(self) -> bool:
        return all(journal.ok for journal in self.journals)


class _BrokenError(Exception):
    def __init__(self, seq: int, reason: str) -> None:
        super().__init__(reason)
        self.seq = seq
        self.reason = reason


def verify_store(
    place: Path | str, gateway: str | None = None, period: Period = ALWAYS
) -> Summary:
    """Walk the chains of a store, read only; it may be in use meanwhile.

    place: a SQLite file, or the address of a PostgreSQL database.
    gateway: only this one, as its id or "tenant/id". period: only what it saw, the chain and the
    rows of its records. Raises StoreError.
    """
    store = open_store(place, read_only=True)
    try:
        found = store.query(
            "SELECT j.id, g.tenant, g.gateway, j.epoch FROM journals j"
            " JOIN gateways g ON g.id = j.gateway ORDER BY g.tenant, g.gateway, j.id"
        )
        return Summary(
            tuple(
                _verify_journal(store, journal, f"{tenant}/{name}", epoch, period)
                for journal, tenant, name, epoch in found
                if gateway in (None, name, f"{tenant}/{name}")
            )
        )
    finally:
        store.close()


def _verify_journal(
    store: Store, journal: int, owner: str, epoch: bytes, period: Period
) -> JournalSummary:
    genesis = chain.genesis(owner.partition("/")[2], epoch)
    is_whole = period == ALWAYS
    broken, reason = None, ""
    # One transaction for one journal: what a receiver commits meanwhile is not half seen.
    store.query("BEGIN")
    try:
        segments, head = _read_ranges(store, journal)
        span = (0, INT64_MAX) if is_whole else span_of(store, journal, period) or (0, -1)
        try:
            _check_ranges(segments, genesis)
            defined = Rows()
            losses = _read_losses(store, journal)
            for segment in segments if is_whole else clip(store, journal, segments, span):
                _walk(store, journal, segment, defined, losses)
            if is_whole:
                _check_strays(store, journal, segments)
                _check_definitions(store, journal, defined)
                if head != head_of(genesis, segments):
                    raise _BrokenError(max(head[0], 0), "the head is not that of the ranges")
        except _BrokenError as error:
            broken, reason = error.seq, error.reason
        records, readings = (
            store.query(f"SELECT count(*) FROM {store.within(table)}", journal, *span)[0][0]
            for table in ("records", "readings")
        )
    finally:
        store.query("ROLLBACK")
    gaps = gaps_of(segments, len(segments) + 1)
    missing = sum(gaps[at + 1] - gaps[at] + 1 for at in range(0, len(gaps), 2))
    return JournalSummary(owner, epoch.hex(), head[0], records, readings, missing, broken, reason)


def _read_ranges(store: Store, journal: int) -> tuple[list[Segment], tuple[int, bytes]]:
    rows: list[Any] = store.query(
        "SELECT first, last, hash_before, hash_last FROM ranges WHERE journal = ? ORDER BY first",
        journal,
    )
    head: Any = store.query("SELECT head_seq, head_hash FROM journals WHERE id = ?", journal)[0]
    return [Segment(*row) for row in rows], head


def _check_ranges(segments: list[Segment], genesis: bytes) -> None:
    for one, other in pairwise(segments):
        if one.last + 1 >= other.first:
            raise _BrokenError(other.first, "two ranges meet or overlap")
    if segments and segments[0].first == 0 and segments[0].hash_before != genesis:
        raise _BrokenError(0, "the chain does not start from its genesis")


def _read_losses(store: Store, journal: int) -> list[Tombstone]:
    """The ranges that tombstones explain, first and last ascending; the walk proves them."""
    found = [tomb for _, tomb in read_tombstones(store, journal) if tomb.first is not None]
    ascending: list[Tombstone] = []
    for tomb in sorted(found):  # a range taken in by a later tombstone starts no earlier
        while ascending and ascending[-1].first == tomb.first:
            ascending.pop()
        if not ascending or tomb.last > ascending[-1].last:
            ascending.append(tomb)
    return ascending


def _bridge(losses: list[Tombstone], at: int, last: int, before: bytes | None) -> bytes | None:
    """The chain hash at `last`, when tombstones explain why at..last is not there.

    None when `last` lies inside of an explained range: no hash is known there.
    """
    while at <= last:
        found = bisect.bisect_right(losses, at, key=lambda tomb: tomb.first) - 1
        if found < 0 or losses[found].last < at:
            raise _BrokenError(at, "the record is not there")
        at = losses[found].last + 1
        before = losses[found].hash_last if at == last + 1 else None
    return before


def _walk(
    store: Store, journal: int, segment: Segment, defined: Rows, losses: list[Tombstone]
) -> None:
    """Recompute the chain over one segment, and the typed rows of its records.

    defined: takes the definitions it finds. losses: see `_read_losses`.
    """
    before: bytes | None = segment.hash_before or None
    for first in range(segment.first, segment.last + 1, _STEP):
        last = min(first + _STEP - 1, segment.last)
        rows = Rows()
        at = first
        for seq, *columns, digest, body in _read_raw(store, journal, first, last):
            before = _bridge(losses, at, seq - 1, before)
            # Within a range that its tombstone explains, nothing proves the first record left.
            linked = digest if before is None else chain.link(before, body)
            if linked != digest:
                raise _BrokenError(seq, "the record does not hash to what is stored beside it")
            before = digest
            _check_record(seq, columns, body, rows)
            at = seq + 1
        before = _bridge(losses, at, last, before)
        _compare(store, journal, first, last, rows)
        defined.devices += rows.devices
        defined.streams += rows.streams
    if before not in (None, segment.hash_last or before):
        raise _BrokenError(segment.last, "the range ends in another hash than its records")


def _read_raw(store: Store, journal: int, first: int, last: int) -> Iterator[Any]:
    return iter(
        store.query(
            "SELECT seq, kind, boot, mono_ms, wall_ms, clock,"
            f" CAST(hash AS BLOB), CAST(body AS BLOB) FROM {store.within('records')} ORDER BY seq",
            *(journal, first, last),
        )
    )


def _check_record(seq: int, columns: list[int], body: bytes, rows: Rows) -> None:
    try:
        record = decode_record(body)
    except DataError as error:
        raise _BrokenError(seq, f"the record cannot be read: {error.fields['reason']}")
    if [record.seq, record.kind, *record[2:6]] != [seq, *columns]:
        raise _BrokenError(seq, "the columns beside the record say something else")
    rows.add(record)


def _compare(store: Store, journal: int, first: int, last: int, rows: Rows) -> None:
    """The typed rows of first..last are those that the records give, no more and no less."""
    for table in _TYPED:
        found = store.query(f"SELECT * FROM {store.within(table)}", *(journal, first, last))
        stored: set[Any] = {tuple(row[1:]) for row in found}
        differing = stored ^ set(getattr(rows, table))
        if differing:
            raise _BrokenError(min(row[0] for row in differing), f"{table} differ from the record")


def _check_strays(store: Store, journal: int, segments: list[Segment]) -> None:
    """No record lies outside the ranges."""
    ours = sum(segment.last - segment.first + 1 for segment in segments)
    if store.query("SELECT count(*) FROM records WHERE journal = ?", journal)[0][0] == ours:
        return
    stray = store.query(
        "SELECT min(seq) FROM records r WHERE journal = ? AND NOT EXISTS (SELECT 1"
        " FROM ranges s WHERE s.journal = r.journal AND r.seq BETWEEN s.first AND s.last)",
        journal,
    )
    if stray[0][0] is None:
        return  # fewer than the ranges have: explained losses
    raise _BrokenError(stray[0][0], "the record lies outside every range")


def _check_definitions(store: Store, journal: int, defined: Rows) -> None:
    """Each number has one of the meanings that records gave it, from the record it names."""
    for table, rows in (("devices", defined.devices), ("streams", defined.streams)):
        stored = store.query(f"SELECT * FROM {table} WHERE journal = ?", journal)
        strange = {tuple(row[1:]) for row in stored} - set(rows)
        lacking = {row[0] for row in rows} - {row[1] for row in stored}
        wrong = [row[1] for row in strange] + [row[1] for row in rows if row[0] in lacking]
        if wrong:
            raise _BrokenError(min(wrong), f"a definition in {table} is not that of the record")
    devices = store.query("SELECT number, seq, points FROM devices WHERE journal = ?", journal)
    for number, seq, packed in devices:
        points = store.query(
            "SELECT number, name, unit, places, class FROM points"
            " WHERE journal = ? AND device = ? ORDER BY number",
            *(journal, number),
        )
        is_counted = [row[0] for row in points] == list(range(len(points)))
        if not is_counted or pack.encode([row[1:] for row in points]) != packed:
            raise _BrokenError(seq, "a definition in points is not that of the record")
    for number, seq, details in store.query(
        "SELECT number, seq, details FROM streams WHERE journal = ?", journal
    ):
        rates = store.query(
            "SELECT position, basis, numerator, denominator, factor, factor_digest"
            " FROM stream_rates WHERE journal = ? AND stream = ? ORDER BY position",
            *(journal, number),
        )
        if rates != rates_of(details):
            raise _BrokenError(seq, "a definition in stream_rates is not that of the record")
