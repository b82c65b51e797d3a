"""Journal to cloud: keeps a session, sends what the window allows, releases what was acked."""

from edge.core.errors import DataError, StoreError, SyncError, TallyError
from edge.core.sync.ack import decode_ack
from edge.core.sync.batch import PAYLOAD_MAX_BYTES, encode_rows
from edge.core.sync.jitter import seed_of, spread
from edge.core.sync.topics import ACK, BATCH, STATE, topic
from edge.core.sync.uplink import Uplink as Window
from edge.ports.contracts import Store, Uplink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Most records offered to one batch; a payload that grows too large is halved.
RECORDS_MAX = 1024

#: Bytes of records after which a batch takes no further one.
ROWS_BYTES = 1 << 20

#: Waits between attempts to connect: in the upper half of a span that doubles.
RECONNECT_MIN_MS = 1_000
RECONNECT_MAX_MS = 120_000

#: An acknowledgement that cannot be used is an event this often at most, by kind.
COMPLAINT_MS = 3_600_000

#: Acks that may wait for the next step; older ones are worthless once a newer one is there.
ACKS_MAX = 8

#: An uplink without room is asked again after this long.
FULL_MS = 20


class Uploader:
    """Drives one uplink; `step` never blocks and raises nothing."""

    def __init__(
        self,
        uplink: Uplink,
        store: Store,
        gateway: str,
        tenant: str,
        key: bytes,
        linger_ms: int,
        records_max: int = RECORDS_MAX,
        shrink: "Callable[[bytes | bytearray, bytes], bytes | bytearray] | None" = None,
    ) -> None:
        """shrink: makes a payload smaller, given the epoch; None where nothing can."""
        self.uplink = uplink
        self.store = store
        self.gateway = gateway
        self._seed = seed_of(gateway)
        self.window = Window(store.acked_seq, linger_ms, records_max, self._seed)
        self._epoch = store.epoch
        self.error: TallyError | None = None
        self.batches_sent = 0
        self.last_ack_ms: int | None = None
        self._key = key
        self._shrink = shrink
        self._topics = {leaf: topic(tenant, gateway, leaf) for leaf in (BATCH, ACK, STATE)}
        self._acks: list[bytes] = []
        self._ack_ms = 0  # newest receiver's time in an ack
        self._retry_at_ms = 0
        self._wait_ms = 2 * RECONNECT_MIN_MS
        self._connected = False
        self._full_until_ms = 0
        self._complained: dict[str, int] = {}
        uplink.set_callback(self._on_message)
        uplink.on_connect = self._on_connect

    def _on_connect(self, session_present: bool) -> None:
        self.uplink.send_subscribe(self._topics[ACK], 1)
        self.uplink.send(self._topics[STATE], b"online", True, 1)
        self._connected = True

    def _on_message(self, name: bytes, payload: bytes) -> None:
        if name == self._topics[ACK].encode() and len(payload) <= PAYLOAD_MAX_BYTES:
            self._acks = self._acks[1 - ACKS_MAX :] + [payload]

    def step(self, now_ms: int, flush: bool = False) -> list[TallyError]:
        """Advance the session and the window; return the errors worth an event.

        flush: send without waiting for batches to fill.
        """
        errors: list[TallyError] = []
        if self._epoch != self.store.epoch:
            self._begin_epoch(now_ms)
        try:
            self._keep_session(now_ms)
            self._take_acks(now_ms, errors)
            if self.window.is_deaf(now_ms):
                self._begin_session_anew(now_ms)
            self._send(now_ms, flush)
            if self.uplink.state == "online":
                # Only now: a session that fails at once each time is still the same outage.
                self.error = None
                self._wait_ms = 2 * RECONNECT_MIN_MS
        except (SyncError, StoreError, DataError) as error:
            self._lose(error, now_ms, errors)
        return errors

    def _begin_epoch(self, now_ms: int) -> None:
        """The journal was renewed: its seq numbers begin anew."""
        before = self.window
        self._epoch = self.store.epoch
        self.window = Window(
            self.store.acked_seq, before.linger_ms, before.records_max, self._seed
        )
        if before.online:
            self.window.connected(now_ms)

    def _keep_session(self, now_ms: int) -> None:
        if self.uplink.state == "offline":
            if now_ms < self._retry_at_ms:
                return
            self.uplink.start()
        self.uplink.check_msg()
        if self._connected:
            self._connected = False
            self.window.connected(now_ms)

    def _lose(self, error: TallyError, now_ms: int, errors: list[TallyError]) -> None:
        """The session is gone; say so once per outage and try again later."""
        if self.error is None or self.error.code != error.code:
            errors.append(error)
        self.error = error
        self.uplink.close()
        self.window.disconnected()
        half_ms = self._wait_ms // 2
        self._retry_at_ms = now_ms + half_ms + spread(self._seed, now_ms, half_ms)
        self._wait_ms = min(2 * self._wait_ms, RECONNECT_MAX_MS)

    def _begin_session_anew(self, now_ms: int) -> None:
        """Not an outage: a receiver that is away looks the same, and is no matter of ours."""
        self.uplink.close()
        self.window.disconnected()
        self._retry_at_ms = now_ms

    def _take_acks(self, now_ms: int, errors: list[TallyError]) -> None:
        acks, self._acks = self._acks, []
        for payload in acks:
            try:
                self._release(payload, now_ms)
            except (SyncError, DataError) as error:
                # Whoever may publish could fill the journal with events: each kind once an hour.
                # An authentic ack that contradicts the journal is always for the gateway.
                if error.code == "sync.rewound":
                    errors.append(error)
                elif now_ms >= self._complained.get(error.code, now_ms):
                    self._complained[error.code] = now_ms + COMPLAINT_MS
                    errors.append(error)

    def _release(self, payload: bytes, now_ms: int) -> None:
        ack = decode_ack(payload, self.gateway, self._key)
        if ack.epoch != self.store.epoch:
            return  # retained from another incarnation of this journal
        head_seq = self.store.next_seq - 1
        if ack.seq > head_seq:
            reason = f"seq {ack.seq} is beyond the head {head_seq}"
            raise SyncError("sync.rewound", reason=reason)
        if ack.fork is not None and ack.fork[0] <= head_seq:
            self._compare(*ack.fork)
        seq = ack.seq
        ours = self.store.hash_at(seq)
        if ours is None:
            seq = self._before_range(seq, ack.gaps)
        else:
            self._compare(seq, ack.hash)
        # An ack that was overtaken tells what was missing then.
        gaps = ack.gaps if ack.received_ms >= self._ack_ms else ()
        self._ack_ms = ack.received_ms
        self.window.acknowledged(seq, head_seq, now_ms, gaps)
        self.last_ack_ms = now_ms
        # Inside of a removed range there is nothing to compare with: nothing more is released,
        # but the window moves on to the tombstone of that range, which the cloud wants next.
        if seq < self.store.acked_seq or (ours is not None and seq > self.store.acked_seq):
            self.store.ack(seq)

    def _compare(self, seq: int, theirs: bytes) -> None:
        """Where the cloud holds another record, it refuses ours and what follows it for ever."""
        ours = self.store.hash_at(seq)
        if ours is not None and ours != theirs:
            raise SyncError("sync.rewound", reason=f"another hash at seq {seq}")

    def _before_range(self, seq: int, gaps: tuple[int, ...]) -> int:
        """The last seq before the removed range that holds `seq`, the cloud's head.

        The cloud that has the tombstone of that range and still stands inside of it holds other
        records there than those that were removed.
        """
        gap = self.store.gap_from(seq)
        if gap is None or gap.first > seq:
            raise StoreError("store.corrupt", file="journal", seq=seq)
        if _has(gap.tombstone, gaps):
            raise SyncError("sync.rewound", reason=f"other records before seq {gap.last}")
        return int(gap.first) - 1

    def _send(self, now_ms: int, flush: bool) -> None:
        while True:
            span = self.window.want(self.store.next_seq - 1, now_ms, flush)
            if span is None or self.uplink.state != "online":
                return
            first, last = span
            gap = self.store.gap_from(first)
            if gap is not None and gap.first <= first:
                # What is gone cannot be sent; the record that says so closes the hole.
                payload, _ = self._cut(gap.tombstone, gap.tombstone)
                last = gap.last
            else:
                payload, last = self._cut(first, last if gap is None else min(last, gap.first - 1))
            if self.uplink.send(self._topics[BATCH], payload, False, 1) is None:
                self._full_until_ms = now_ms + FULL_MS
                return
            self.window.sent(first, last, now_ms)
            self.batches_sent += 1

    def _cut(self, first: int, last: int) -> tuple[bytes | bytearray, int]:
        """Encode from `first` on as many records up to `last` as one payload takes."""
        before = self.store.hash_at(first - 1)
        rows = []
        size = 0
        for row in self.store.read(first, last):
            rows.append(row)
            size += len(row[0])
            if size >= ROWS_BYTES:
                break
        if before is None or not rows or (size < ROWS_BYTES and len(rows) <= last - first):
            raise StoreError("store.corrupt", file="journal", seq=first)
        while True:
            payload: bytes | bytearray = encode_rows(
                self.gateway, self.store.epoch, before, rows, self._key
            )
            if len(payload) <= PAYLOAD_MAX_BYTES or len(rows) == 1:
                if self._shrink is not None:
                    payload = self._shrink(payload, self.store.epoch)
                return payload, first + len(rows) - 1
            rows = rows[: len(rows) // 2]

    def next_ms(self, now_ms: int) -> int | None:
        """When `step` is needed again though the uplink's stream has nothing; None for never."""
        if self.uplink.state == "offline":
            return self._retry_at_ms
        wait_ms = self.uplink.wait_ms()
        due = [self.window.deaf_ms(), None if wait_ms is None else now_ms + wait_ms]
        sending_ms = self.window.next_ms(self.store.next_seq - 1, now_ms)
        if sending_ms is not None:
            due.append(max(sending_ms, self._full_until_ms))
        known = [due_ms for due_ms in due if due_ms is not None]
        return min(known) if known else None

    def close(self) -> None:
        """Say goodbye: state offline, DISCONNECT."""
        if self.uplink.state == "online":
            try:
                self.uplink.send(self._topics[STATE], b"offline", True, 0)
            except SyncError:
                pass
        self.uplink.close()


def _has(seq: int, gaps: tuple[int, ...]) -> bool:
    """True when an ack with these gaps says for sure that the cloud has `seq`, above its head."""
    for at in range(0, len(gaps), 2):
        if seq <= gaps[at + 1]:
            return seq < gaps[at]
    return bool(gaps) and seq == gaps[-1] + 1
