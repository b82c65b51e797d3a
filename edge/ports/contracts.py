"""What the gateway asks of the world: one documented class per port, subclassed by each platform.

No method blocks except where its docstring says so. All times are milliseconds.
"""

from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edge.core.errors import BusError
    from edge.core.journal.retain import Removal


class Stream:
    """A byte stream to one server, over TCP or over TLS on TCP; one connection at a time.

    The uplink owns it, drives it with `poll` and bounds every wait with its own deadline, so an
    implementation needs no timeouts of its own. A failure is raised once, as SyncError
    "sync.offline" with `server` and `reason`, or "sync.dates" where a certificate's dates and the
    clock do not agree, and leaves the stream "closed".

    TLS always verifies the chain, the dates and the host name, from TLS 1.2 on; no implementation
    offers a way around that.
    """

    def open(self, host: str, port: int, tls: bool) -> None:
        """Close what was open and start to connect; return at once.

        host: name or numeric address. What goes wrong, even at once, comes out of `poll`.
        """
        raise NotImplementedError

    def poll(self) -> str:
        """Advance name look-up, connection and handshake; return "connecting", "open" or "closed".

        "closed" is the state before `open` and after `close`. Raises SyncError "sync.offline".
        """
        raise NotImplementedError

    def send(self, data: "bytes | memoryview") -> int:
        """Hand over as much of `data` as is taken without waiting; return that count, maybe 0.

        After a count below the length, send the rest, unchanged, next. Only while "open".
        Raises SyncError "sync.offline".
        """
        raise NotImplementedError

    def recv(self, limit: int) -> bytes:
        """Return 1..limit bytes that have arrived, or b"" when there are none yet.

        Only while "open". Raises SyncError "sync.offline", also when the server closed.
        """
        raise NotImplementedError

    def wait(self, timeout_ms: int, writing: bool = False) -> None:
        """Block until `poll`, `recv` or, if `writing`, `send` may do more, at most `timeout_ms`.

        The only method that blocks. It may return early; `step()` never calls it.
        """
        raise NotImplementedError

    def wait_ms(self) -> "int | None":
        """Milliseconds until `poll` has to be called though nothing is ready; None for never."""
        return None

    def close(self) -> None:
        """Let go of the connection, what is unsent included; never raises, may be repeated."""
        raise NotImplementedError


class Uplink:
    """The gateway's MQTT connection, advanced step by step from `Gateway.step()`.

    Who calls what: while `state` is "offline" the gateway decides when to `start`; from then on it
    calls `check_msg` in every step, when something is ready, and after `wait_ms` at the latest:
    a silent broker is given up at its deadline, not later. Any SyncError leaves the state
    "offline" and what was in flight unacknowledged: the journal, not this class, remembers what
    is to be sent again.

    state: "offline", "connecting" or "online".
    on_connect: called with session_present (bool) after each CONNACK, from `check_msg`; the
        place to `send_subscribe`.
    on_published: called with the packet id at each PUBACK.
    Hooks and the message callback may call `send`, `send_subscribe` and `close`, nothing else.
    """

    state = "offline"
    on_connect: "Callable[[bool], None] | None" = None
    on_published: "Callable[[int], None] | None" = None

    def set_callback(self, callback: "Callable[[bytes, bytes], None]") -> None:
        """Have `callback(topic: bytes, payload: bytes)` called for each message.

        A message of qos 1 is acknowledged after the callback returned; one it raises for is not,
        and the exception passes through the call that was reading.
        """
        raise NotImplementedError

    def start(self, clean_session: bool = True) -> None:
        """Begin to connect and return at once; the outcome comes out of `check_msg`."""
        raise NotImplementedError

    def check_msg(self) -> int:
        """Advance everything without blocking; return how many messages were delivered.

        Raises SyncError: "sync.offline" the connection failed, was lost or was never started;
        "sync.dates" a certificate's dates and the clock do not agree;
        "sync.refused" the broker said no to the client or to a subscription; "sync.timeout" the
        connect deadline, the keepalive or an acknowledgement ran out; "sync.protocol" the peer
        does not speak MQTT 3.1.1.
        """
        raise NotImplementedError

    def wait_ms(self) -> "int | None":
        """Milliseconds until `check_msg` has to be called though nothing is ready.

        None for never, as while "offline".
        """
        raise NotImplementedError

    def send(
        self,
        topic: "str | bytes",
        payload: "str | bytes | bytearray",
        retain: bool = False,
        qos: int = 0,
    ) -> "int | None":
        """Queue one message; return its packet id (0 for qos 0), or None when there is no room.

        A bytearray that is queued is the uplink's from then on.
        After None try again later: the queue is bounded in bytes, messages of qos 1 in number.
        Raises SyncError "sync.offline" unless "online"; DataError for a bad topic or qos.
        """
        raise NotImplementedError

    def send_subscribe(self, topic: "str | bytes", qos: int = 0) -> "int | None":
        """Queue a subscription; return its packet id, or None when there is no room."""
        raise NotImplementedError

    def close(self) -> None:
        """Say DISCONNECT if that needs no waiting, and be "offline"; never raises."""
        raise NotImplementedError


class Link:
    """One serial line: one Modbus transaction at a time, never two stations talking at once.

    An implementation keeps the silence of 3.5 characters between frames, drops whatever arrived
    before a request, and after a failed transaction keeps the line quiet until it has been silent
    for as long as a late reply could take, so that a late reply never answers another request.

    latency_us: of the last good transaction, from the end of the request to the first byte.
    is_checked: the CRC of the last reply is known to be right.
    """

    latency_us = 0
    is_checked = False

    def start(self, request: bytes, timeout_ms: int, gap_ms: int = 0) -> None:
        """Begin a transaction and return at once; one must not be running.

        request: a whole frame, CRC included. timeout_ms: from the end of the request to the first
        byte of the reply. gap_ms: rest since the last frame that the station needs.
        """
        raise NotImplementedError

    def poll(self) -> "bytes | memoryview | None":
        """The reply frame once it is complete, None while the transaction runs.

        The frame has the length of a reply to the request; its content is not checked, and it is
        there until the next transaction begins. Raises
        BusError "bus.timeout", "bus.short", "bus.noise" or "bus.port", each once.
        """
        raise NotImplementedError

    def distrust(self) -> None:
        """The last reply did not answer its request: keep the line quiet as after a timeout."""
        raise NotImplementedError

    def findings(self) -> "Sequence[BusError]":
        """What was noticed on the line since the last call, each named by its code: "bus.echo",
        "bus.late", "bus.two_answers", "bus.stray", "bus.foreign_master".
        """
        return ()

    def close(self) -> None:
        """Let go of the port; waits for a running transaction, at most its own timeouts."""
        raise NotImplementedError


#: A range first..last that was removed, and the seq of the TOMBSTONE record that explains it.
Gap = namedtuple("Gap", ("first", "last", "tombstone"))


class Store:
    """The journal of one gateway: append-only rows, durable when `append` returns.

    epoch: 8 random bytes, new with each new journal. boot: how often it was opened, from 1.
    next_seq: the seq the next row must have. head: chain hash before it. acked_seq: -1 when
    nothing is acked.

    Whatever is read is proved by the chain first: StoreError "store.corrupt" instead of a row
    that is not what was appended, and `renew` is the way on. "store.read": it cannot be read now.
    """

    epoch: bytes
    boot: int
    next_seq: int
    head: bytes
    acked_seq: int

    def append(self, rows: "list[tuple[int, int, bytes, bytes]]") -> None:
        """Commit rows (seq, kind, canonical record, chain hash) with consecutive seq, all or none.

        Durable against power loss when it returns. Raises StoreError "store.full" or
        "store.write"; the same rows may be tried again.
        """
        raise NotImplementedError

    def read(self, first: int, last: int, most: int = 0) -> "list[tuple[bytes, bytes]]":
        """(record, hash) of the seqs first..last that are kept, ascending, each link checked.

        most: bytes of records that are wanted, if not 0: a store for which more of them are dear
        gives no more than that, but one record at least.
        Raises StoreError "store.corrupt", also for a hole that no tombstone explains.
        """
        raise NotImplementedError

    def hash_at(self, seq: int) -> "bytes | None":
        """The chain hash at `seq`: the genesis hash for -1, None for a row that is not kept.

        The last row of a removed range has its hash still.
        """
        raise NotImplementedError

    def gap_from(self, seq: int) -> "Gap | None":
        """The removed range that holds `seq`, or else the next one after it."""
        return None

    def of_kind(self, kind: int) -> "list[bytes]":
        """All records of a kind that is not POLL, ascending; of TABLE at least those that hold."""
        raise NotImplementedError

    def each_of_kind(self, kind: int) -> "Iterator[bytes]":
        """The same, each read as it is asked for."""
        return iter(self.of_kind(kind))

    def last_of_kind(self, kind: int) -> "bytes | None":
        """The newest record of a kind that is not POLL."""
        raise NotImplementedError

    def ack(self, seq: int) -> None:
        """Remember durably that everything up to `seq` is in the cloud's database."""
        raise NotImplementedError

    def plan_removal(self) -> "Removal | None":
        """What has to go now for want of space, a bounded step of it; None while there is room."""
        return None

    def remove(self, rows: "list[tuple[int, int, bytes, bytes]]", removal: "Removal") -> None:
        """Commit the rows of a removal (carried records, then tombstones) and its ranges as one.

        Raises StoreError as `append` does; nothing has happened then.
        """
        raise NotImplementedError

    def renew(self, reason: str) -> None:
        """Set this journal aside and go on in a new epoch with all that can be proved of it.

        TABLE records and what is not acked are appended anew, with their own time. Raises
        StoreError; the same call may be tried again. "store.renewing": it is being done, and
        nothing can be appended or acked until the same call returns.
        """
        raise NotImplementedError

    def findings(self) -> "list[tuple[str, dict[str, object]]]":
        """(code, fields) of what the store has noticed since the last call, each an event."""
        return []

    def close(self) -> None:
        """Release the journal; what `append` promised stays."""
        raise NotImplementedError


class Clock:
    """Time, from the platform. Never sets anything."""

    def mono_ms(self) -> int:
        """Milliseconds since this start of the gateway; never goes back."""
        raise NotImplementedError

    def wall_ms(self) -> int:
        """Unix time in milliseconds as the system believes it."""
        raise NotImplementedError

    def quality(self) -> int:
        """A `journal.clock.ClockQuality` code for `wall_ms`."""
        raise NotImplementedError
