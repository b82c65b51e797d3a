"""Raw records out of a store: which journals there are, and their canonical bytes in order.

All that proof, recomputation and export ask of a database; the SQL is that of every product.
"""

from collections.abc import Iterator
from typing import NamedTuple

from cloud_sync.ranges import Segment
from cloud_sync.store.contract import Store
from edge.core.errors import DataError, UsageError
from edge.core.journal import chain
from edge.core.journal.record import Kind, decode_record
from edge.core.journal.retain import Tombstone, decode_tombstone
from edge.core.numbers.fixed import INT64_MAX, INT64_MIN

#: Records read at a time.
STEP = 1_000


class Journal(NamedTuple):
    """One epoch of one gateway; number: the one that the store gave it."""

    number: int
    tenant: str
    gateway: str
    epoch: bytes

    @property
    def owner(self) -> str:
        return f"{self.tenant}/{self.gateway}"

    @property
    def genesis(self) -> bytes:
        return chain.genesis(self.gateway, self.epoch)


class Raw(NamedTuple):
    """A record as it is stored. hash: the chain hash at it; body: canonical bytes."""

    seq: int
    hash: bytes
    body: bytes


class Period(NamedTuple):
    """Unix milliseconds, the end not included; None where it is open."""

    start_ms: int | None = None
    end_ms: int | None = None

    @property
    def last_ms(self) -> int:
        """Its last millisecond. To ask with, as TimescaleDB finds nothing between a time and an
        end that it sorts in at the same place, unless the end may be equal."""
        return INT64_MAX if self.end_ms is None else max(self.end_ms, INT64_MIN + 1) - 1


#: All of a journal.
ALWAYS = Period()


def find_journals(store: Store, gateway: str | None = None) -> list[Journal]:
    """The journals of all gateways, or of one by its id or "tenant/id", the oldest first.

    Raises UsageError "usage.value" for a gateway that the store does not have.
    """
    rows = store.query(
        "SELECT j.id, g.tenant, g.gateway, j.epoch FROM journals j"
        " JOIN gateways g ON g.id = j.gateway ORDER BY g.tenant, g.gateway, j.id"
    )
    found = [Journal(number, tenant, name, bytes(epoch)) for number, tenant, name, epoch in rows]
    found = [one for one in found if gateway in (None, one.gateway, one.owner)]
    if gateway is not None and not found:
        raise UsageError(
            "usage.value", option="--gateway", found=gateway, expected="a gateway of this store"
        )
    return found


def read_segments(store: Store, journal: int) -> list[Segment]:
    """The runs of records of a journal, ascending."""
    rows = store.query(
        "SELECT first, last, hash_before, hash_last FROM ranges WHERE journal = ? ORDER BY first",
        journal,
    )
    return [Segment(row[0], row[1], bytes(row[2]), bytes(row[3])) for row in rows]


def read_raw(store: Store, journal: int, first: int, last: int) -> Iterator[Raw]:
    """The records first..last that are there, ascending; some at a time are in memory."""
    sql = f"SELECT seq, hash, body FROM {store.within('records')} ORDER BY seq"
    at: int | None = first
    while at is not None and at <= last:
        end = min(at + STEP - 1, last)
        rows = store.query(sql, journal, at, end)
        for seq, digest, body in rows:
            yield Raw(seq, _blob(digest), _blob(body))
        at = end + 1 if rows or end == last else store.next_seq(journal, end + 1)


def read_proved(store: Store, journal: int, first: int, last: int) -> Iterator[Raw]:
    """`read_raw` of what hashes from the record before to what is stored beside it.

    A record whose predecessor is not there comes unproved. Raises StoreError "cloud.damaged" at
    the first that is not what was received.
    """
    before: Raw | None = None
    for raw in read_raw(store, journal, max(first - 1, 0), last):
        is_next = before is not None and before.seq == raw.seq - 1
        if before is not None and is_next and chain.link(before.hash, raw.body) != raw.hash:
            store.refuse_damaged(f"record {raw.seq} has not the hash that is stored beside it")
        if raw.seq >= first:
            yield raw
        before = raw


def read_kind(store: Store, journal: int, kind: int) -> Iterator[Raw]:
    """The records of one kind that is not POLL, ascending; some at a time are in memory."""
    where = store.within("records")
    sql = f"SELECT seq, hash, body FROM {where} AND kind = ? ORDER BY seq LIMIT ?"
    at = 0
    while True:
        rows = store.query(sql, journal, at, INT64_MAX, kind, STEP)
        for seq, digest, body in rows:
            yield Raw(seq, _blob(digest), _blob(body))
        if len(rows) < STEP:
            return
        at = rows[-1][0] + 1


def read_tombstones(store: Store, journal: int) -> Iterator[tuple[int, Tombstone]]:
    """(seq, tombstone) of each that can be read, ascending; of memory too, which has no range."""
    for raw in read_kind(store, journal, Kind.TOMBSTONE):
        try:
            yield raw.seq, decode_tombstone(decode_record(raw.body).body)
        except DataError:
            continue


def read_as_of(store: Store, journal: int, kind: int, wall_ms: int) -> Iterator[Raw]:
    """Records of a kind by the time that they came with, ascending: a first one and its copies."""
    yield from _found(
        store,
        "SELECT seq, hash, body FROM records WHERE journal = ? AND kind = ? AND wall_ms = ?"
        " ORDER BY seq",
        *(journal, kind, wall_ms),
    )


def read_late(store: Store, journal: int, kind: int, seq: int, period: Period) -> Iterator[Raw]:
    """Records of a kind above `seq` that were made in a period: recorded anew, later."""
    found = (
        "SELECT r.seq, r.hash, r.body FROM {} x CROSS JOIN records r"
        " WHERE r.journal = x.journal AND r.seq = x.seq AND x.journal = ? AND r.kind = ?"
        " AND x.seq > ? AND x.wall_ms BETWEEN ? AND ?"
    )
    wanted = (journal, kind, seq, period.start_ms, period.last_ms)
    yield from _found(
        store,
        f"{found.format('stamped')} UNION ALL {found.format('restamped')} ORDER BY 1",
        *(*wanted, *wanted),
    )


def _found(store: Store, sql: str, *values: object) -> Iterator[Raw]:
    for seq, digest, body in store.query(sql, *values):
        yield Raw(seq, _blob(digest), _blob(body))


def _blob(value: object) -> bytes:
    """A column that a damaged file may hold anything in."""
    return bytes(value) if isinstance(value, (bytes, memoryview)) else str(value).encode()


def span_of(store: Store, journal: int, period: Period) -> tuple[int, int] | None:
    """(first, last) seq of what a period saw, None for nothing.

    A record from before its boot had the time is where its true time puts it; one whose boot never
    had any belongs where its neighbours do.
    """
    if period == ALWAYS:
        segments = read_segments(store, journal)
        return (segments[0].first, segments[-1].last) if segments else None
    start_ms = INT64_MIN if period.start_ms is None else period.start_ms
    end_ms = INT64_MAX if period.end_ms is None else period.end_ms
    return store.find_span(journal, start_ms, end_ms)


def clip(
    store: Store, journal: int, segments: list[Segment], span: tuple[int, int]
) -> list[Segment]:
    """The parts of segments within a span; a hash that a removed record took with it is empty."""
    found = []
    for one in segments:
        first, last = max(one.first, span[0]), min(one.last, span[1])
        if first > last:
            continue
        before, end = one.hash_before, one.hash_last
        if first > one.first:
            before = _hash_at(store, journal, first - 1)
        if last < one.last:
            end = _hash_at(store, journal, last)
        found.append(Segment(first, last, before, end))
    return found


def _hash_at(store: Store, journal: int, seq: int) -> bytes:
    for raw in read_raw(store, journal, seq, seq):
        return raw.hash
    return b""
