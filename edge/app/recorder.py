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
    encode_record,
    event_body,
)
from edge.ports.contracts import Clock, Store

#: Polls that may wait in memory while the store fails, and all records together.
WAITING_MAX = 20_000
WAITING_ALL_MAX = 24_000

#: Records that are read at once as a journal is taken up, and those before the last interval in
#: which what a stack takes in is looked for.
CHUNK = 1_000
LOOK_BACK = 1_000

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
        self.dropped = [0, 0, 0]  # records, wall_ms of the first, of the last
        self.chain = Chain(store.next_seq, store.head)
        self.rows: list[tuple[int, int, bytes, bytes]] = []
        self.commit_at_ms: int | None = None
        self.renewing: str | None = None

    @property
    def waiting(self) -> int:
        """Records not committed yet."""
        return len(self.rows)

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
        if len(self.rows) >= limit:
            from edge.app.mending import drop

            drop(self, kind, now_ms)
            return
        self.rows.append(self.made(kind, body, now_ms))
        if self.commit_at_ms is None:
            self.commit_at_ms = now_ms + self.commit_ms

    def made(self, kind: int, body: list[object], now_ms: int) -> tuple[int, int, bytes, bytes]:
        """The row of a record made now."""
        wall_ms, quality = self.anchor.wall_ms(now_ms), self.anchor.quality
        return self.sealed(Record(kind, 0, self.boot, now_ms, wall_ms, quality, body))

    def sealed(self, record: Record) -> tuple[int, int, bytes, bytes]:
        """The row of a record, with the next seq and its hash; its own seq is not looked at."""
        seq = self.chain.next_seq
        kind, _, boot, mono_ms, wall_ms, clock, body = record
        data = encode_record(Record(kind, seq, boot, mono_ms, wall_ms, clock, body))
        return seq, kind, data, self.chain.extend(data)

    def event(self, code: str, fields: dict[str, object], now_ms: int) -> None:
        """Make an EVENT record."""
        self.add(Kind.EVENT, event_body(code, fields), now_ms)

    def next_ms(self) -> int | None:
        """When the next commit is due."""
        return self.commit_at_ms

    def tell(self, now_ms: int) -> None:
        """Make what the store has noticed events."""
        for code, fields in self.store.findings():
            self.event(code, fields, now_ms)

    def commit(self, now_ms: int, force: bool = False) -> bool:
        """Commit what waits, when it is due or `force`; return True when rows became durable.

        Without anything that waits it is due when retention failed: that is tried again.
        """
        if self.commit_at_ms is None or (now_ms < self.commit_at_ms and not force):
            return False
        try:
            if self.renewing is not None:
                from edge.app.mending import begin_anew

                begin_anew(self, self.renewing)
            self.tell(now_ms)
            if self.rows:
                self.store.append(self.rows)
        except StoreError as error:
            from edge.app.mending import fail

            fail(self, error, now_ms)
            return False
        is_more = bool(self.rows)
        self.rows = []
        self.commit_at_ms = None
        if is_more and self.failure is not None:
            from edge.app.mending import recover

            recover(self, self.failure, now_ms)
        if not self.rows:
            self._make_room(now_ms)
        return is_more

    def _make_room(self, now_ms: int) -> None:
        """One bounded step of retention, when the store wants one."""
        try:
            removal = self.store.plan_removal()
            if removal is not None:
                from edge.app.mending import remove

                remove(self, removal, now_ms)
        except StoreError as error:
            from edge.app.mending import fail

            self.chain = Chain(self.store.next_seq, self.store.head)
            fail(self, error, now_ms)

    def renew(self, reason: str, now_ms: int) -> None:
        """The journal cannot be believed: go on in a new epoch, with all that waits.

        reason: "damaged", or "rewound" when the cloud knows more of it than it does itself. A
        store that cannot do it now is asked again with each commit.
        """
        from edge.app.mending import renew

        renew(self, reason, now_ms)
