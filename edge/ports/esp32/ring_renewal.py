"""Leaving an epoch that cannot be believed: the rows of it that are proved go on in a new one.

The new epoch begins in a new segment whose state says what is being left; then the old segments
are carried over, a few rows at a time, and let go one after the other. A power cut anywhere goes
on where it was. TABLE records always go along, of the rest what is not acked; records get a new
seq and keep their time; a tombstone loses its range, which means nothing in another epoch; the
newest acked INTERVAL is kept beside, to restart the account from.
"""

from edge.core.errors import DataError, StoreError
from edge.core.journal import chain
from edge.core.journal.record import Kind, Record, decode_record, encode_record
from edge.ports.esp32.ring_cursor import Cursor, Row
from edge.ports.esp32.ring_state import RingState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.ports.esp32.ring_store import RingStore

#: Rows carried in one commit.
_CARRY_ROWS = 12

#: Runs that the event lists; the rest is in the counts.
RUNS_MAX = 20


class _Move:
    """How far the exchange has come: what `progress` of the state holds.

    generation, seq: carried up to there; acked, newest: of the old epoch. runs: [[first old seq,
    last old seq, new seq], ...]. earlier_seq: of the INTERVAL that was kept beside, -1 for none;
    at: where the replay behind it begins now.
    """

    def __init__(self, fields: list) -> None:
        self.generation: int = fields[0]
        self.seq: int = fields[1]
        self.acked: int = fields[2]
        self.newest: int = fields[3]
        self.carried: int = fields[4]
        self.gone: int = fields[5]
        self.at: int = fields[6]
        self.runs: list[list[int]] = fields[7]

    def fields(self) -> list[object]:
        """What the state keeps of it."""
        found: list[object] = [self.generation, self.seq, self.acked, self.newest]
        return found + [self.carried, self.gone, self.at, self.runs]


def leave(
    store: "RingStore", reason: str, mark: "tuple[bytes, int, int, int] | None", is_told: bool
) -> None:
    """Begin the new epoch; from here on the old one is only to be carried over."""
    old = store.state
    fresh = RingState(old.gateway, store.new_epoch())
    newest, acked = old.next_seq - 1, old.acked
    fresh.boot = old.boot
    if mark is not None:
        fresh.boot = max(fresh.boot, mark[2])
        if mark[0] == old.epoch:
            newest, acked = max(newest, mark[1]), max(acked, mark[3])
    fresh.generation, fresh.oldest, fresh.begun = old.generation, old.oldest, old.generation + 1
    fresh.news = [] if is_told else list(old.news)
    kept = [[seq, old.kept[seq]] for seq in sorted(old.kept, key=int)]
    fresh.moving = [old.epoch, reason, kept, old.gaps, old.interval]
    fresh.progress = [-1, -1, acked, newest, 0, 0, 0, []]
    if fresh.generation + 2 - fresh.oldest > store.segments.count:
        fresh.oldest += 1
    store.state = fresh
    store.forget()
    store.begin_segment(False)
    store.settle()


def carry_on(store: "RingStore") -> None:
    """Carry what is left of the old epoch, then say what came of it."""
    while store.state.moving is not None:
        move = _Move(store.state.progress)
        try:
            if move.generation < 0:
                _carry(store, move, _kept_rows(store))
                move.generation = store.state.oldest
            elif move.generation < store.state.begun:
                _carry(store, move, _segment_rows(store, move.generation))
                move.generation += 1
            else:
                _finish(store, move)
                return
            oldest = max(store.state.oldest, move.generation)
            store.commit([], {"progress": move.fields(), "oldest": oldest})
        except StoreError as error:
            if error.code != "store.full":
                raise
            _give_up_oldest(store)


def _give_up_oldest(store: "RingStore") -> None:
    """No room to carry a segment into: what is left of it is lost, and counted so."""
    store.retake()
    state = store.state
    move = _Move(state.progress)
    move.generation = max(move.generation, state.oldest) + 1
    state.oldest = move.generation
    state.progress = move.fields()
    store.commit([], {"progress": move.fields(), "oldest": state.oldest})


def _kept_rows(store: "RingStore") -> "Iterator[tuple[int, Record]]":
    """(seq, record) of what had outlived its segment, as far as it can be read."""
    epoch, _, kept, _, _ = store.state.moving or []
    for seq, generation in kept:
        head = store.segments.head(generation)
        if head is None or head.epoch != epoch:
            continue
        for row in _readable(Cursor(store.segments, head)):
            if row.seq == seq and not row.digest:
                yield seq, decode_record(row.data)
                break


def _readable(cursor: Cursor) -> "Iterator[Row]":
    """The rows of a segment up to where it is damaged."""
    try:
        row = cursor.next()
        while row is not None:
            yield row
            row = cursor.next()
    except (StoreError, DataError):
        return


def _segment_rows(store: "RingStore", generation: int) -> "Iterator[tuple[int, Record]]":
    """(seq, record) of the rows of an old segment that are not removed."""
    head = store.segments.head(generation)
    epoch, _, kept, gaps, _ = store.state.moving or []
    if head is None or head.epoch != epoch:
        return
    again = [seq for seq, _ in kept]
    for row in _readable(Cursor(store.segments, head)):
        if not row.digest or row.record.seq != row.seq or row.seq in again:
            continue
        if not any(gap[0] <= row.seq <= gap[1] for gap in gaps):
            yield row.seq, decode_record(row.data)


def _carry(store: "RingStore", move: _Move, found: "Iterator[tuple[int, Record]]") -> None:
    """Append what goes along, in commits that each say how far they have come."""
    state = store.state
    earlier = (state.moving or [])[4]
    earlier_seq = decode_record(earlier).seq if earlier else -1
    rows: list[tuple[int, int, bytes, bytes]] = []
    head, next_seq, interval = store.head, store.next_seq, state.interval
    for seq, record in found:
        if seq <= move.seq:
            continue
        move.seq, move.newest = seq, max(move.newest, seq)
        state.boot = max(state.boot, record.boot)
        if record.kind == Kind.INTERVAL and seq <= move.acked:
            interval = _with_seq(record, max(0, next_seq - 1))
        if record.kind == Kind.TABLE or seq > move.acked:
            move.carried += seq > move.acked
            record = _without_range(record, move)
            _note_run(move.runs, seq, next_seq)
            data = _with_seq(record, next_seq)
            head = chain.link(head, data)
            rows.append((next_seq, record.kind, data, head))
            next_seq += 1
        if seq <= earlier_seq:
            move.at = max(0, next_seq - 1)
        if len(rows) == _CARRY_ROWS:
            store.commit(rows, {"progress": move.fields(), "interval": interval})
            interval = store.state.interval
            rows = []
    if rows or interval != state.interval:
        store.commit(rows, {"progress": move.fields(), "interval": interval})


def _with_seq(record: Record, seq: int) -> bytes:
    kind, _, boot, mono_ms, wall_ms, clock, body = record
    return encode_record(Record(kind, seq, boot, mono_ms, wall_ms, clock, body))


def _without_range(record: Record, move: _Move) -> Record:
    """A tombstone for another epoch: its seq and hashes mean nothing there."""
    if record.kind != Kind.TOMBSTONE:
        return record
    kind, seq, boot, mono_ms, wall_ms, clock, body = record
    if body[0] is not None:
        move.gone += max(0, body[1] - max(body[0], move.acked + 1) + 1)
    body = [None, None] + body[2:6] + [None, None]
    return Record(kind, seq, boot, mono_ms, wall_ms, clock, body)


def _note_run(runs: list[list[int]], old_seq: int, seq: int) -> None:
    """A record goes on with the run before it, or begins one."""
    if runs and runs[-1][1] == old_seq - 1:
        runs[-1][1] = old_seq
    elif len(runs) < RUNS_MAX:
        runs.append([old_seq, old_seq, seq])


def _finish(store: "RingStore", move: _Move) -> None:
    state = store.state
    epoch, reason, _, _, earlier = state.moving or []
    lost = max(0, move.newest - move.acked - move.carried - move.gone)
    runs = " ".join(f"{first}-{last}@{at}" for first, last, at in move.runs)
    flat = ["carried", move.carried, "epoch", epoch.hex(), "lost", lost]
    flat += ["reason", reason, "runs", runs]
    interval = state.interval
    if earlier and not interval and state.newest_interval < 0:
        interval = _with_seq(decode_record(earlier), move.at)
    news = state.news + [["journal.salvaged", flat]]
    changes: dict[str, object] = {
        "news": news,
        "interval": interval,
        "moving": None,
        "progress": [],
    }
    changes["oldest"], changes["boot"] = state.begun, state.boot
    store.commit([], changes)
