"""The only way into the journal: records get seq, time and hash here, then wait for a commit.

Records wait at most `commit_ms` for company, because a commit costs a flush of the medium. While
the store fails they wait in memory; when that is full, new polls are dropped, counted, and the
loss becomes an event as soon as there is room.
"""

from edge.core.errors import StoreError
from edge.core.journal.chain import Chain
from edge.core.journal.clock import Anchor
from edge.core.journal.record import Kind, Record, encode_record, event_body
from edge.ports.contracts import Clock, Store

#: Records that may wait in memory while the store fails.
WAITING_MAX = 20_000

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
        self._chain = Chain(store.next_seq, store.head)
        self._waiting: list[tuple[int, int, bytes, bytes]] = []
        self._commit_at_ms: int | None = None

    @property
    def waiting(self) -> int:
        """Records not committed yet."""
        return len(self._waiting)

    def keep_time(self, now_ms: int) -> None:
        """Follow the system clock; a move of the anchor is a CLOCK record."""
        wall_ms = self.clock.wall_ms()
        if self.anchor.observe(now_ms, wall_ms, self.clock.quality()):
            self.add(Kind.CLOCK, [self.boot, now_ms, wall_ms, 0, CLOCK_SOURCE], now_ms)

    def wall_ms(self, now_ms: int) -> int:
        """Wall time of a record made now."""
        return self.anchor.wall_ms(now_ms)

    def add(self, kind: int, body: list[object], now_ms: int) -> None:
        """Make a record; durable after the next successful commit."""
        if len(self._waiting) >= WAITING_MAX and kind == Kind.POLL:
            self.dropped_polls += 1
            return
        seq = self._chain.next_seq
        data = encode_record(
            Record(
                kind,
                seq,
                self.boot,
                now_ms,
                self.anchor.wall_ms(now_ms),
                self.anchor.quality,
                body,
            )
        )
        self._waiting.append((seq, kind, data, self._chain.extend(data)))
        if self._commit_at_ms is None:
            self._commit_at_ms = now_ms + self.commit_ms

    def event(self, code: str, fields: dict[str, object], now_ms: int) -> None:
        """Make an EVENT record."""
        self.add(Kind.EVENT, event_body(code, fields), now_ms)

    def next_ms(self) -> int | None:
        """When the next commit is due."""
        return self._commit_at_ms

    def commit(self, now_ms: int, force: bool = False) -> bool:
        """Commit what waits, when it is due or `force`; return True when rows became durable."""
        if not self._waiting or self._commit_at_ms is None:
            return False
        if now_ms < self._commit_at_ms and not force:
            return False
        try:
            self.store.append(self._waiting)
        except StoreError as error:
            self.failure = error
            self._commit_at_ms = now_ms + RETRY_MS
            return False
        self._waiting = []
        self._commit_at_ms = None
        if self.failure is not None:
            fields: dict[str, object] = {"code": self.failure.code, "dropped": self.dropped_polls}
            self.failure = None
            self.dropped_polls = 0
            self.event("store.recovered", fields, now_ms)
        return True
