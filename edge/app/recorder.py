"""The only way into the journal: records get seq, time and hash here, then wait for a commit.

Records wait at most `commit_ms` for company, because a commit costs a flush of the medium: that
is what a power cut can take. While the store fails they wait in memory; when that is full, new
ones are dropped, counted, and the loss becomes a tombstone and an event as soon as there is room.
A journal that turns out to be damaged is renewed, and what waits goes into the new one.
"""

from edge.core.errors import StoreError
from edge.core.journal.chain import Chain
from edge.core.journal.clock import Anchor
from edge.core.journal.record import (
    Kind,
    Record,
    decode_record,
    encode_record,
    event_body,
)
from edge.core.journal.retain import MEMORY, Removal
from edge.ports.contracts import Clock, Store

#: Polls that may wait in memory while the store fails, and all records together.
WAITING_MAX = 20_000
WAITING_ALL_MAX = 24_000

#: A failed commit is tried again after this long.
RETRY_MS = 1_000

CLOCK_SOURCE = "system"


class Recorder:
    """Writes one journal."""

    def __init__(self, store: Store, clock: Clock, commit_ms: int) -> None:
        self.store = store
        self.clock = clock
        self.commit_ms = commit_ms
        self.boot = store.boot
        self.anchor = Anchor()
        self.failure: StoreError | None = None
        self.dropped_polls = 0
        self._dropped = [0, 0, 0]  # records, wall_ms of the first, of the last
        self._chain = Chain(store.next_seq, store.head)
        self._waiting: list[tuple[int, int, bytes, bytes]] = []
        self._commit_at_ms: int | None = None
        self._renewing: str | None = None

    @property
    def waiting(self) -> int:
        """Records not committed yet."""
        return len(self._waiting)

    @property
    def is_renewing(self) -> bool:
        """True while the store is at work on a journal in place of this one."""
        return self.failure is not None and self.failure.code == "store.renewing"

    def keep_time(self, now_ms: int) -> None:
        """Follow the system clock; a move of the anchor is a CLOCK record.

        now_ms: may be some time ago, as after taking up a long journal; so is the wall time then.
        """
        wall_ms = self.clock.wall_ms() - (self.clock.mono_ms() - now_ms)
        if self.anchor.observe(now_ms, wall_ms, self.clock.quality()):
            self.add(Kind.CLOCK, [self.boot, now_ms, wall_ms, 0, CLOCK_SOURCE], now_ms)

    def wall_ms(self, now_ms: int) -> int:
        """Wall time of a record made now."""
        return self.anchor.wall_ms(now_ms)

    def add(self, kind: int, body: list[object], now_ms: int) -> None:
        """Make a record; durable after the next successful commit."""
        limit = WAITING_MAX if kind == Kind.POLL else WAITING_ALL_MAX
        if len(self._waiting) >= limit:
            self._drop(kind, now_ms)
            return
        self._waiting.append(self._made(kind, body, now_ms))
        if self._commit_at_ms is None:
            self._commit_at_ms = now_ms + self.commit_ms

    def _drop(self, kind: int, now_ms: int) -> None:
        wall_ms = self.anchor.wall_ms(now_ms)
        if self._dropped[0] == 0:
            self._dropped[1] = wall_ms
        self._dropped[0] += 1
        self._dropped[2] = wall_ms
        if kind == Kind.POLL:
            self.dropped_polls += 1

    def _made(self, kind: int, body: list[object], now_ms: int) -> tuple[int, int, bytes, bytes]:
        """The row of a record made now."""
        wall_ms, quality = self.anchor.wall_ms(now_ms), self.anchor.quality
        return self._sealed(Record(kind, 0, self.boot, now_ms, wall_ms, quality, body))

    def _sealed(self, record: Record) -> tuple[int, int, bytes, bytes]:
        """The row of a record, with the next seq and its hash; its own seq is not looked at."""
        seq = self._chain.next_seq
        kind, _, boot, mono_ms, wall_ms, clock, body = record
        data = encode_record(Record(kind, seq, boot, mono_ms, wall_ms, clock, body))
        return seq, kind, data, self._chain.extend(data)

    def event(self, code: str, fields: dict[str, object], now_ms: int) -> None:
        """Make an EVENT record."""
        self.add(Kind.EVENT, event_body(code, fields), now_ms)

    def next_ms(self) -> int | None:
        """When the next commit is due."""
        return self._commit_at_ms

    def tell(self, now_ms: int) -> None:
        """Make what the store has noticed events."""
        for code, fields in self.store.findings():
            self.event(code, fields, now_ms)

    def commit(self, now_ms: int, force: bool = False) -> bool:
        """Commit what waits, when it is due or `force`; return True when rows became durable.

        Without anything that waits it is due when retention failed: that is tried again.
        """
        if self._commit_at_ms is None or (now_ms < self._commit_at_ms and not force):
            return False
        try:
            if self._renewing is not None:
                self._renew(self._renewing)
            self.tell(now_ms)
            if self._waiting:
                self.store.append(self._waiting)
        except StoreError as error:
            self._fail(error, now_ms)
            return False
        is_more = bool(self._waiting)
        self._waiting = []
        self._commit_at_ms = None
        if is_more and self.failure is not None:
            self._recover(self.failure, now_ms)
        self._make_room(now_ms)
        return is_more

    def _fail(self, error: StoreError, now_ms: int) -> None:
        if error.code == "store.corrupt" and self._renewing is None:
            self._renewing = "damaged"
        self.failure = error
        self._commit_at_ms = now_ms + RETRY_MS

    def _recover(self, failure: StoreError, now_ms: int) -> None:
        """Tell what the failure was and what it cost."""
        fields: dict[str, object] = {"code": failure.code, "dropped": self.dropped_polls}
        count, start_ms, end_ms = self._dropped
        self.failure = None
        self.dropped_polls = 0
        self._dropped = [0, 0, 0]
        if count:
            body: list[object] = [None, None, MEMORY, start_ms, end_ms, count, None, None]
            self.add(Kind.TOMBSTONE, body, now_ms)
        self.event("store.recovered", fields, now_ms)

    def renew(self, reason: str, now_ms: int) -> None:
        """The journal cannot be believed: go on in a new epoch, with all that waits.

        reason: "damaged", or "rewound" when the cloud knows more of it than it does itself. A
        store that cannot do it now is asked again with each commit.
        """
        self._renewing = reason
        try:
            self._renew(reason)
        except StoreError as error:
            self._fail(error, now_ms)
            return
        self.tell(now_ms)
        self.commit(now_ms, True)

    def _renew(self, reason: str) -> None:
        self.store.renew(reason)
        self._renewing = None
        self._chain = Chain(self.store.next_seq, self.store.head)
        self._waiting = [self._sealed(decode_record(row[2])) for row in self._waiting]

    def _make_room(self, now_ms: int) -> None:
        """One bounded step of retention, when the store wants one."""
        if self._waiting:
            return
        try:
            removal = self.store.plan_removal()
            if removal is not None:
                self.store.remove(self._rows_of(removal, now_ms), removal)
        except StoreError as error:
            self._chain = Chain(self.store.next_seq, self.store.head)
            self._fail(error, now_ms)

    def _rows_of(self, removal: Removal, now_ms: int) -> list[tuple[int, int, bytes, bytes]]:
        rows = [self._sealed(record) for record in removal.carried]
        rows += [self._made(Kind.TOMBSTONE, list(tomb), now_ms) for tomb in removal.tombstones]
        return rows
