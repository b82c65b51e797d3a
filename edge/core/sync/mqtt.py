"""One MQTT 3.1.1 client session without I/O: what was received, what is due, what is in flight.

Time is an argument: `now_ms` comes from a counter that never goes back. It may wrap at 2**30 as
MicroPython's `ticks_ms` does, because only differences under 2**30 ms (12 days) are used.
"""

from edge.core.errors import DataError, SyncError
from edge.core.sync import mqtt_packets as packets
from edge.core.sync.mqtt_packets import Connected, Message, Pong, Published, Refused, Subscribed

_TICKS_MASK = 0x3FFFFFFF


def elapsed_ms(now_ms: int, then_ms: int) -> int:
    """Milliseconds from `then_ms` to `now_ms`, right across a wrap of the counter."""
    return (now_ms - then_ms) & _TICKS_MASK


def to_bytes(text: "str | bytes", what: str) -> bytes:
    """Return `text` as the bytes of an MQTT string, or raise DataError naming `what`."""
    try:
        data = text.encode() if isinstance(text, str) else bytes(text)
    except ValueError:
        raise DataError("data.range", what=what, value=repr(text))
    if len(data) > 65535 or not packets.is_text(data):
        raise DataError("data.range", what=what, value=repr(data[:80]))
    return data


class Session:
    """The client's side of one connection after another to one broker.

    client_id: text, may be empty only with a clean session.
    keepalive_s: 1..65535 s. Half of it without traffic either way makes a PINGREQ due; a PINGREQ
        unanswered for all of it means the broker is gone, 1.5 keepalives after it went.
    limit: largest packet accepted from the broker, remaining length in bytes.
    kept: a message whose packet is larger is given without its payload, which is not held.
    window: most publishes and subscribes waiting for their acknowledgement at a time.

    Call `start` for each connection, then feed what arrives and take its events one by one.
    Nothing is resent: what is unacknowledged when a connection ends belongs to the caller.
    Every SyncError means that this connection must be closed.
    """

    def __init__(
        self,
        client_id: "str | bytes",
        keepalive_s: int = 60,
        user: "str | bytes | None" = None,
        password: "str | bytes | None" = None,
        limit: int = packets.PACKET_LIMIT,
        window: int = 16,
        kept: int = packets.PACKET_LIMIT,
    ) -> None:
        if not 1 <= keepalive_s <= 65535:
            raise DataError("data.range", what="MQTT keepalive", value=keepalive_s)
        if not 1 <= window <= 65535:
            raise DataError("data.range", what="MQTT window", value=window)
        self._client_id = to_bytes(client_id, "MQTT client id")
        self._keepalive_s = keepalive_s
        self._user = None if user is None else to_bytes(user, "MQTT user")
        # A password is binary data (section 3.1.3.5), and never shown.
        self._password = password.encode() if isinstance(password, str) else password
        self._limit, self._kept = limit, kept
        self._window = window
        self._will: tuple[bytes, bytes, bool, int] | None = None
        self._last_id = 0
        self._restart(0)

    def _restart(self, now_ms: int) -> None:
        self._reader = packets.PacketReader(self._limit, self._kept)
        self._in_flight: dict[int, tuple[str, int]] = {}
        self._received_ms = now_ms
        self._sent_ms = now_ms
        self._ping_ms = -1
        self.is_connected = False

    def set_last_will(
        self, topic: "str | bytes", payload: bytes, retain: bool = False, qos: int = 0
    ) -> None:
        """Let the broker publish this when a connection started later ends without DISCONNECT."""
        self._will = (checked_topic(topic), bytes(payload), retain, qos)
        self._encode_connect(True)

    def start(self, clean_session: bool, now_ms: int) -> bytes:
        """Forget the last connection and return the CONNECT that opens the next."""
        packet = self._encode_connect(clean_session)
        self._restart(now_ms)
        return packet

    def _encode_connect(self, clean_session: bool) -> bytes:
        from edge.core.sync.mqtt_connect import encode_connect

        return encode_connect(
            self._client_id,
            self._keepalive_s,
            clean_session,
            self._will,
            self._user,
            self._password,
        )

    def feed(self, data: bytes, now_ms: int) -> None:
        """Take a chunk from the broker; call `next_event` until None before the next one."""
        self._received_ms = now_ms
        self._reader.feed(data)

    def next_event(
        self,
    ) -> "Connected | Refused | Subscribed | Published | Message | Pong | None":
        """Return the next event in what was fed, or None.

        A Message with qos 1 is to be answered with `acknowledge` once it is safe with the
        caller. An acknowledgement of nothing in flight (a second PUBACK, a late one) is no event.
        Raises SyncError "sync.protocol".
        """
        while True:
            packet = self._reader.next_packet()
            if packet is None:
                return None
            event = packets.decode_packet(packet[0], packet[1])
            if self._reader.is_cut and isinstance(event, Message):
                event = Message(event.topic, b"", event.retain, event.qos, event.packet_id)
            if self._is_new(event):
                return event

    def _is_new(
        self, event: "Connected | Refused | Subscribed | Published | Message | Pong"
    ) -> bool:
        is_answer = isinstance(event, (Connected, Refused))
        if is_answer == self.is_connected:
            raise SyncError("sync.protocol", reason="CONNACK not first, or not alone")
        if isinstance(event, Connected):
            self.is_connected = True
        elif isinstance(event, Pong):
            self._ping_ms = -1
        elif isinstance(event, Published):
            return self._release(event.packet_id, "publish")
        elif isinstance(event, Subscribed):
            return self._release(event.packet_id, "subscribe")
        return True

    def _release(self, packet_id: int, operation: str) -> bool:
        if self._in_flight.get(packet_id, ("", 0))[0] != operation:
            return False
        del self._in_flight[packet_id]
        return True

    def publish(
        self,
        topic: "str | bytes",
        payload: "str | bytes | bytearray",
        retain: bool,
        qos: int,
        now_ms: int,
    ) -> "tuple[int, bytes | bytearray] | None":
        """Return (packet id, PUBLISH packet), or None when the window is full.

        The packet id is 0 for qos 0; with qos 1 it is in flight until its PUBACK. A bytearray
        that is accepted becomes the packet.
        Raises DataError "data.range" for a topic with wildcards, a qos over 1, or a packet over
        the limit.
        """
        name = checked_topic(topic)
        data = payload.encode() if isinstance(payload, str) else payload
        if len(name) + len(data) + 4 > self._limit:
            raise DataError("data.range", what="MQTT payload length", value=len(data))
        if not qos:
            self._sent_ms = now_ms
            return 0, packets.encode_publish(name, data, retain, qos)
        if len(self._in_flight) >= self._window:
            return None
        packet_id = self._free_id()
        packet = packets.encode_publish(name, data, retain, qos, packet_id)
        self._in_flight[packet_id] = ("publish", now_ms)
        self._sent_ms = now_ms
        return packet_id, packet

    def subscribe(
        self, topic_filter: "str | bytes", qos: int, now_ms: int
    ) -> "tuple[int, bytes] | None":
        """Return (packet id, SUBSCRIBE packet), or None when the window is full.

        Raises DataError "data.range" for an invalid topic filter or a qos over 1.
        """
        from edge.core.sync.mqtt_connect import encode_subscribe, is_topic_filter

        name = to_bytes(topic_filter, "MQTT topic filter")
        if not is_topic_filter(name):
            raise DataError("data.range", what="MQTT topic filter", value=repr(name[:80]))
        if len(self._in_flight) >= self._window:
            return None
        packet_id = self._free_id()
        packet = encode_subscribe(packet_id, name, qos)
        self._in_flight[packet_id] = ("subscribe", now_ms)
        self._sent_ms = now_ms
        return packet_id, packet

    def acknowledge(self, packet_id: int, now_ms: int) -> bytes:
        """Return the PUBACK of a received message."""
        self._sent_ms = now_ms
        return packets.encode_puback(packet_id)

    def ping(self, now_ms: int) -> bytes:
        """Return a PINGREQ; its Pong is expected from now on."""
        if self._ping_ms < 0:
            self._ping_ms = now_ms
        self._sent_ms = now_ms
        return packets.PINGREQ_PACKET

    def poll(self, now_ms: int) -> bytes:
        """Return a PINGREQ if one is due, else b"".

        Call it often, after everything received was fed. Raises SyncError "sync.timeout" if a
        PINGREQ is unanswered for one keepalive or an acknowledgement is missing for 1.5.
        """
        keepalive_ms = self._keepalive_s * 1000
        for packet_id in self._in_flight:
            operation, since_ms = self._in_flight[packet_id]
            self._check_answered(operation, since_ms, keepalive_ms * 3 >> 1, now_ms)
        if self._ping_ms >= 0:
            self._check_answered("keepalive", self._ping_ms, keepalive_ms, now_ms)
            return b""
        half_ms = keepalive_ms >> 1
        quiet_ms = max(elapsed_ms(now_ms, self._received_ms), elapsed_ms(now_ms, self._sent_ms))
        if not self.is_connected or quiet_ms < half_ms:
            return b""
        return self.ping(now_ms)

    def wait_ms(self, now_ms: int) -> int:
        """Milliseconds until `poll` pings or raises, if nothing comes and nothing is sent."""
        keepalive_ms = self._keepalive_s * 1000
        if self._ping_ms >= 0:
            left_ms = keepalive_ms - elapsed_ms(now_ms, self._ping_ms)
        else:
            received_ms = elapsed_ms(now_ms, self._received_ms)
            left_ms = (keepalive_ms >> 1) - max(received_ms, elapsed_ms(now_ms, self._sent_ms))
        for packet_id in self._in_flight:
            waited_ms = elapsed_ms(now_ms, self._in_flight[packet_id][1])
            left_ms = min(left_ms, (keepalive_ms * 3 >> 1) - waited_ms)
        return max(0, left_ms)

    def _check_answered(self, operation: str, since_ms: int, timeout_ms: int, now_ms: int) -> None:
        if elapsed_ms(now_ms, since_ms) >= timeout_ms:
            raise SyncError("sync.timeout", operation=operation, timeout_ms=timeout_ms)

    def is_in_flight(self, packet_id: int) -> bool:
        """Tell whether this publish or subscribe still waits for its acknowledgement."""
        return packet_id in self._in_flight

    def is_ping_answered(self) -> bool:
        """Tell whether no PINGREQ waits for its PINGRESP."""
        return self._ping_ms < 0

    def _free_id(self) -> int:
        while True:
            self._last_id = self._last_id % 65535 + 1
            if self._last_id not in self._in_flight:
                return self._last_id


def checked_topic(topic: "str | bytes") -> bytes:
    """Return `topic` as bytes one may publish to, or raise DataError "data.range"."""
    name = to_bytes(topic, "MQTT topic")
    if not packets.is_topic_name(name):
        raise DataError("data.range", what="MQTT topic", value=repr(name[:80]))
    return name
