"""From a journal that cannot be believed to a new one, with every row that can be proved.

The rules are those of the journal on Linux: TABLE records always go along, of the rest what is
not acked; records get a new seq and keep their time; a tombstone loses its range, which means
nothing in another epoch; the newest acked INTERVAL is kept beside, to restart the account from.
"""

from collections.abc import Iterator

from edge.core.errors import DataError
from edge.core.journal import chain
from edge.core.journal.record import Kind, Record, decode_record, encode_record
from edge.core.journal.retain import decode_tombstone
from edge.ports.sim.disk import Journal, Mark, Row

#: Runs that the event lists; the rest is in the counts.
RUNS_MAX = 40


def proved(journal: Journal) -> Iterator[Record]:
    """Every record that its own hash, or the row after it, proves."""
    genesis = chain.genesis(journal.gateway, journal.epoch)
    ends = {-1: genesis}
    for at in journal.gaps.values():
        row = journal.rows.get(at)
        try:
            tomb = decode_tombstone(decode_record(row.record).body) if row else None
        except DataError:
            continue
        if tomb is not None:
            ends[tomb.last] = tomb.hash_last
    before: bytes | None = None
    for seq in sorted(journal.rows):
        row = journal.rows[seq]
        if seq - 1 in ends:
            before = ends[seq - 1]
        elif seq - 1 not in journal.rows:
            before = None
        record, before = _prove(seq, row, before, journal.rows.get(seq + 1))
        if record is not None:
            yield record


def _prove(
    seq: int, row: Row, before: bytes | None, after: Row | None
) -> tuple[Record | None, bytes]:
    """(the record when it is proved, the hash at it as far as known)."""
    if before is None:
        return None, row.digest
    digest = chain.link(before, row.record)
    proves_it = after is not None and chain.link(digest, after.record) == after.digest
    if digest != row.digest and not proves_it:
        return None, row.digest
    try:
        record = decode_record(row.record)
    except DataError:
        return None, row.digest
    return (record if record.seq == seq else None), digest


def salvage(
    old: Journal, mark: Mark | None, epoch: bytes, reason: str, news_taken: bool
) -> Journal:
    """The new journal; its news tell what was carried and what was lost."""
    fresh = Journal(old.gateway, epoch)
    fresh.news = [] if news_taken else list(old.news)
    fresh.boot = old.boot
    is_marked = mark is not None and mark.epoch == old.epoch
    acked = max(old.acked, mark.acked) if mark is not None and is_marked else old.acked
    if mark is not None:
        fresh.boot = max(fresh.boot, mark.boot)
    newest, carried, gone = acked, 0, 0
    runs: list[list[int]] = []  # first old seq, last old seq, new seq of the first
    earlier = decode_record(old.interval) if old.interval else None
    at = 0  # where the replay after it begins now
    head = chain.Chain(0, chain.genesis(old.gateway, epoch))
    for record in proved(old):
        newest = max(newest, record.seq)
        fresh.boot = max(fresh.boot, record.boot)
        if record.kind == Kind.INTERVAL and record.seq <= acked:
            fresh.interval = encode_record(record._replace(seq=max(0, head.next_seq - 1)))
        if record.kind != Kind.TABLE and record.seq <= acked:
            continue
        old_seq = record.seq
        carried += old_seq > acked
        if record.kind == Kind.TOMBSTONE:
            gone += _gone_after(acked, *record.body[:2])
            record = record._replace(body=[None, None, *record.body[2:6], None, None])
        seq = head.next_seq
        _note_run(runs, record.seq, seq)
        data = encode_record(record._replace(seq=seq))
        fresh.insert([(seq, record.kind, data, head.extend(data))])
        at = seq if earlier is not None and old_seq <= earlier.seq else at
    if earlier is not None and not fresh.interval:
        fresh.interval = encode_record(earlier._replace(seq=at))
    if mark is not None and is_marked:
        newest = max(newest, mark.seq)
    lost = max(0, newest - acked - carried - gone)
    fresh.news.append(("journal.salvaged", _told(old, reason, carried, lost, runs)))
    return fresh


def _told(
    old: Journal, reason: str, carried: int, lost: int, runs: list[list[int]]
) -> dict[str, object]:
    told = " ".join(f"{first}-{last}@{at}" for first, last, at in runs[:RUNS_MAX])
    fields: dict[str, object] = {"carried": carried, "epoch": old.epoch.hex(), "lost": lost}
    return {**fields, "reason": reason, "runs": told}


def _note_run(runs: list[list[int]], old_seq: int, seq: int) -> None:
    """A record goes on with the run before it, or begins one."""
    if runs and runs[-1][1] == old_seq - 1:
        runs[-1][1] = old_seq
    else:
        runs.append([old_seq, old_seq, seq])


def _gone_after(acked: int, first: int | None, last: int) -> int:
    """How many records of a removed range were not acked."""
    return 0 if first is None else max(0, last - max(first, acked + 1) + 1)
