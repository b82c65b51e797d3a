"""The MQTT uplink of both platforms, advanced step by step: `contracts.Uplink` over a stream.

Nothing here knows sockets: a `contracts.Stream` carries the bytes and `core.sync.mqtt` gives them
meaning. `ports.umqtt` adds the blocking calls of MicroPython's client of that name.
"""

from edge.core.errors import SyncError
from edge.core.sync.mqtt import Session, elapsed_ms
from edge.core.sync.mqtt_packets import (
    DISCONNECT_PACKET,
    PACKET_LIMIT,
    SUBSCRIBE_FAILURE,
    Connected,
    Message,
    Published,
    Refused,
    Subscribed,
)
from edge.ports.contracts import Stream, Uplink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Bytes taken from the stream at a time: an acknowledgement of a batch and what is around it.
_CHUNK = 256
#: Events handled in one call, so that a flood from the broker cannot hold up the bus.
_EVENTS_PER_CALL = 32


class MQTTUplink(Uplink):
    """One client, one broker, one stream; not for use from several threads.

    stream: a closed `contracts.Stream`, owned by the uplink from here on.
    ticks_ms: returns milliseconds that never go back (wrapping at 2**30 is fine).
    port: 0 means 1883, or 8883 with TLS. keepalive: seconds, 1..65535.
    timeout_ms: deadline of connecting, from name look-up to CONNACK.
    window: most unacknowledged publishes and subscribes.
    queue_limit: bytes waiting for the stream; one larger packet is taken when none wait.
    packet_limit: largest packet sent or accepted, remaining length in bytes.
    kept: the callback gets a message whose packet is larger without its payload.
    """

    def __init__(
        self,
        client_id: "str | bytes",
        server: str,
        stream: Stream,
        ticks_ms: "Callable[[], int]",
        port: int = 0,
        user: "str | bytes | None" = None,
        password: "str | bytes | None" = None,
        keepalive: int = 60,
        tls: bool = False,
        timeout_ms: int = 5000,
        window: int = 16,
        queue_limit: int = PACKET_LIMIT,
        packet_limit: int = PACKET_LIMIT,
        kept: int = PACKET_LIMIT,
    ) -> None:
        self.stream = stream
        self.state = "offline"
        self.on_connect = None
        self.on_published = None
        self._host = server
        self._port = port or (8883 if tls else 1883)
        self._tls = tls
        self._ticks_ms = ticks_ms
        self._timeout_ms = timeout_ms
        self._queue_limit = queue_limit
        self._session = Session(client_id, keepalive, user, password, packet_limit, window, kept)
        self._callback: Callable[[bytes, bytes], None] | None = None
        self._in_hook = False
        self._clean_session = True
        self._session_present = False
        self._started_ms = 0
        self._reset()

    def _reset(self) -> None:
        self._queue: list[bytes | bytearray] = []
        self._queued_bytes = 0
        self._head_sent = 0
        self._is_opened = False
        self._has_more = False

    @property
    def server(self) -> str:
        """The broker as `host:port`, for messages."""
        return f"{self._host}:{self._port}"

    def set_callback(self, callback: "Callable[[bytes, bytes], None]") -> None:
        self._callback = callback

    def set_last_will(
        self, topic: "str | bytes", msg: "str | bytes", retain: bool = False, qos: int = 0
    ) -> None:
        """Let the broker publish this if a connection started later ends without DISCONNECT."""
        payload = msg.encode() if isinstance(msg, str) else msg
        self._session.set_last_will(topic, payload, retain, qos)

    def start(self, clean_session: bool = True) -> None:
        self._drop()
        self._clean_session = clean_session
        self._started_ms = self._ticks_ms()
        self.state = "connecting"
        self.stream.open(self._host, self._port, self._tls)

    def check_msg(self) -> int:
        self._check_not_in_hook()
        return self._advance()

    def wait_ms(self) -> "int | None":
        if self.state == "offline":
            return None
        if self._has_more:
            return 0
        due = [self._session.wait_ms(self._ticks_ms())] if self.state == "online" else []
        if self.state == "connecting":
            due.append(self._left_ms(self._started_ms))
        stream_ms = self.stream.wait_ms()
        if stream_ms is not None:
            due.append(stream_ms)
        return min(due)

    def send(
        self,
        topic: "str | bytes",
        payload: "str | bytes | bytearray",
        retain: bool = False,
        qos: int = 0,
    ) -> "int | None":
        self._check_online()
        if self._queued_bytes and self._queued_bytes + len(payload) > self._queue_limit:
            return None
        return self._post(self._session.publish(topic, payload, retain, qos, self._ticks_ms()))

    def send_subscribe(self, topic: "str | bytes", qos: int = 0) -> "int | None":
        self._check_online()
        if self._queued_bytes > self._queue_limit:
            return None
        return self._post(self._session.subscribe(topic, qos, self._ticks_ms()))

    def close(self) -> None:
        if self.state == "online":
            self._push(DISCONNECT_PACKET)
            try:
                self._flush()
            except SyncError:
                pass
        self._drop()

    def _advance(self) -> int:
        """Do all that can be done now; a SyncError on the way closes the connection."""
        if self.state == "offline":
            raise self._offline()
        try:
            if self.state == "connecting" and not self._left_ms(self._started_ms):
                raise self._timeout("connect")
            if not self._is_opened and not self._open():
                return 0
            count = self._receive()
            if self._is_opened:
                self._push(self._session.poll(self._ticks_ms()))
                self._flush()
            return count
        except SyncError as error:
            self._drop()
            error.fields["server"] = self.server
            raise

    def _open(self) -> bool:
        """Advance the stream; once it is open, send CONNECT and return True."""
        status = self.stream.poll()
        if status == "closed":
            raise SyncError("sync.offline", reason="connection closed")
        if status == "connecting":
            return False
        self._is_opened = True
        self._push(self._session.start(self._clean_session, self._ticks_ms()))
        self._flush()
        return True

    def _receive(self) -> int:
        """Handle a bounded number of events; stop early while answers find no room to wait."""
        count = 0
        events = 0
        self._has_more = False
        while self._is_opened and self._queued_bytes <= self._queue_limit:
            if events == _EVENTS_PER_CALL:
                self._has_more = True
                break
            event = self._session.next_event()
            if event is None:
                data = self.stream.recv(_CHUNK)
                if not data:
                    break
                self._session.feed(data, self._ticks_ms())
                continue
            events += 1
            if isinstance(event, Message):
                count += self._take_message(event)
            else:
                self._take_answer(event)
        return count

    def _take_message(self, event: Message) -> int:
        if self._callback is None:
            return 0
        self._call(self._callback, event.topic, event.payload)
        # The callback may have closed the connection, and the acknowledgement went with it.
        if event.qos and self._is_opened:
            self._push(self._session.acknowledge(event.packet_id, self._ticks_ms()))
        return 1

    def _take_answer(self, event: object) -> None:
        if isinstance(event, Connected):
            self.state = "online"
            self._session_present = event.session_present
            if self.on_connect is not None:
                self._call(self.on_connect, event.session_present)
        elif isinstance(event, Refused):
            raise SyncError("sync.refused", operation="connect", reason=event.code)
        elif isinstance(event, Subscribed):
            if event.granted == SUBSCRIBE_FAILURE:
                raise SyncError("sync.subscribe", reason=event.granted)
        elif isinstance(event, Published) and self.on_published is not None:
            self._call(self.on_published, event.packet_id)

    def _call(self, hook: "Callable[..., None]", *arguments: object) -> None:
        self._in_hook = True
        try:
            hook(*arguments)
        finally:
            self._in_hook = False

    def _post(self, numbered: "tuple[int, bytes | bytearray] | None") -> "int | None":
        """Queue a (packet id, packet), try to send it at once, return the id."""
        if numbered is None:
            return None
        self._push(numbered[1])
        try:
            self._flush()
        except SyncError as error:
            self._drop()
            error.fields["server"] = self.server
            raise
        return numbered[0]

    def _push(self, packet: "bytes | bytearray") -> None:
        if packet:
            self._queue.append(packet)
            self._queued_bytes += len(packet)

    def _flush(self) -> None:
        """Give the stream whole packets, one write each, until it takes no more."""
        while self._queue:
            packet = self._queue[0]
            sent = self.stream.send(memoryview(packet)[self._head_sent :])
            self._head_sent += sent
            if self._head_sent < len(packet):
                return
            self._queue.pop(0)
            self._queued_bytes -= len(packet)
            self._head_sent = 0

    def _drop(self) -> None:
        self.state = "offline"
        self.stream.close()
        self._reset()

    def _left_ms(self, since_ms: int) -> int:
        return max(0, self._timeout_ms - elapsed_ms(self._ticks_ms(), since_ms))

    def _timeout(self, operation: str) -> SyncError:
        return SyncError(
            "sync.timeout", operation=operation, timeout_ms=self._timeout_ms, server=self.server
        )

    def _offline(self) -> SyncError:
        return SyncError("sync.offline", server=self.server, reason="not connected")

    def _check_online(self) -> None:
        if self.state != "online":
            raise self._offline()

    def _check_not_in_hook(self) -> None:
        if self._in_hook:
            raise RuntimeError("a hook or callback may only send, subscribe and close")
