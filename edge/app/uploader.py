"""Journal to cloud: keeps a session, sends what the window allows, releases what was acked."""

from edge.core.errors import DataError, StoreError, SyncError, TallyError
from edge.core.sync.jitter import seed_of, spread
from edge.core.sync.topics import ACK, STATE, topic
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

#: A session that has stood so long, or in which something was acked, ends the doubling.
STEADY_MS = 30_000

#: Outages that become events in an hour: a network that comes and goes each second must not fill
#: the journal.
OUTAGES_MAX = 12

#: An acknowledgement that cannot be used is an event this often at most, by kind.
COMPLAINT_MS = 3_600_000

#: A message of more bytes is not looked at.
MESSAGE_MAX_BYTES = 65_536

#: Acks that may wait for the next step; older ones are worthless once a newer one is there.
ACKS_MAX = 8


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
        self.key = key
        self.shrink = shrink
        self.rows_bytes = ROWS_BYTES
        self._tenant = tenant
        self._acks: list[bytes] = []
        self.ack_ms = 0  # newest receiver's time in an ack
        self._retry_at_ms = 0
        self._wait_ms = 2 * RECONNECT_MIN_MS
        self._connected = False
        self._connected_ms = 0
        self._outages = self._outages_until_ms = 0
        self.full_until_ms = 0
        self._complained: dict[str, int] = {}
        uplink.set_callback(self._on_message)
        uplink.on_connect = self._on_connect

    def topic_of(self, leaf: str) -> str:
        """The topic of a leaf of this gateway's."""
        return topic(self._tenant, self.gateway, leaf)

    def _on_connect(self, session_present: bool) -> None:
        self.uplink.send_subscribe(self.topic_of(ACK), 1)
        self.uplink.send(self.topic_of(STATE), b"online", True, 1)
        self._connected = True

    def _on_message(self, name: bytes, payload: bytes) -> None:
        if name == self.topic_of(ACK).encode() and len(payload) <= MESSAGE_MAX_BYTES:
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
            if self._acks:
                self._take_acks(now_ms, errors)
            if self.window.is_deaf(now_ms):
                self._begin_session_anew(now_ms)
            span = self.wanted(now_ms, flush)
            if span is not None:
                from edge.app.sending import send

                send(self, span, now_ms, flush)
            if self.uplink.state == "online":
                # Only now: a session that fails at once each time is still the same outage.
                self.error = None
                good_ms = max(self._connected_ms, self.last_ack_ms or 0)
                if good_ms > self._connected_ms or now_ms - good_ms >= STEADY_MS:
                    self._wait_ms = 2 * RECONNECT_MIN_MS
        except (SyncError, StoreError, DataError) as error:
            self._lose(error, now_ms, errors)
        except MemoryError:
            # A backlog must not end a gateway: without a session there is room to begin anew.
            self._lose(SyncError("sync.memory"), now_ms, errors)
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
            self._connected_ms = now_ms
            self.window.connected(now_ms)

    def _lose(self, error: TallyError, now_ms: int, errors: list[TallyError]) -> None:
        """The session is gone; say so once per outage and try again later."""
        if self.error is None or self.error.code != error.code:
            self._tell(error, now_ms, errors)
        self.error = error
        self.uplink.close()
        self.window.disconnected()
        half_ms = self._wait_ms // 2
        self._retry_at_ms = now_ms + half_ms + spread(self._seed, now_ms, half_ms)
        self._wait_ms = min(2 * self._wait_ms, RECONNECT_MAX_MS)

    def _tell(self, error: TallyError, now_ms: int, errors: list[TallyError]) -> None:
        """Whether the journal can be believed is always told."""
        if now_ms >= self._outages_until_ms:
            self._outages, self._outages_until_ms = 0, now_ms + COMPLAINT_MS
        self._outages += 1
        if self._outages <= OUTAGES_MAX or error.code.startswith("store."):
            errors.append(error)

    def _begin_session_anew(self, now_ms: int) -> None:
        """Not an outage: a receiver that is away looks the same, and is no matter of ours."""
        self.uplink.close()
        self.window.disconnected()
        self._retry_at_ms = now_ms

    def _take_acks(self, now_ms: int, errors: list[TallyError]) -> None:
        from edge.app.releasing import release

        acks, self._acks = self._acks, []
        for payload in acks:
            try:
                release(self, payload, now_ms)
            except (SyncError, DataError) as error:
                # Whoever may publish could fill the journal with events: each kind once an hour.
                # An authentic ack that contradicts the journal is always for the gateway.
                if error.code == "sync.rewound":
                    errors.append(error)
                elif now_ms >= self._complained.get(error.code, now_ms):
                    self._complained[error.code] = now_ms + COMPLAINT_MS
                    errors.append(error)

    def wanted(self, now_ms: int, flush: bool) -> tuple[int, int] | None:
        """The (first, last) seq to send now, None for nothing."""
        if now_ms < self.full_until_ms:
            return None
        span = self.window.want(self.store.next_seq - 1, now_ms, flush)
        return span if self.uplink.state == "online" else None

    def next_ms(self, now_ms: int) -> int | None:
        """When `step` is needed again though the uplink's stream has nothing; None for never."""
        if self.uplink.state == "offline":
            return self._retry_at_ms
        wait_ms = self.uplink.wait_ms()
        due = [self.window.deaf_ms(), None if wait_ms is None else now_ms + wait_ms]
        sending_ms = self.window.next_ms(self.store.next_seq - 1, now_ms)
        if sending_ms is not None:
            due.append(max(sending_ms, self.full_until_ms))
        known = [due_ms for due_ms in due if due_ms is not None]
        return min(known) if known else None

    def close(self) -> None:
        """Say goodbye: state offline, DISCONNECT."""
        if self.uplink.state == "online":
            try:
                self.uplink.send(self.topic_of(STATE), b"offline", True, 0)
            except SyncError:
                pass
        self.uplink.close()
