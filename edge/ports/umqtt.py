"""The API of MicroPython's umqtt on the gateway's uplink, each call bounded in time.

Imports only what MicroPython has. A program written for umqtt.simple keeps its calls; what it
passes to the constructor beyond client id and server is the stream and the clock.
"""

from edge.core.sync.mqtt_packets import DISCONNECT_PACKET
from edge.ports.mqtt_uplink import MQTTUplink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Longest single wait, so that the keepalive goes on during a long one.
_WAIT_MS = 200


class MQTTClient(MQTTUplink):
    """`MQTTUplink` plus the blocking calls of umqtt.

    Each of them returns or raises within `timeout_ms`. Its own SyncError "sync.timeout" leaves
    an established connection as it is, so that a late answer does no harm; every other SyncError
    closes it. `publish` and `subscribe` inside a callback only queue.
    """

    def connect(self, clean_session: bool = True) -> bool:
        """Connect and return whether the broker still had this client's session."""
        self._check_not_in_hook()
        self.start(clean_session)
        while self.state == "connecting":
            self._advance()
            if self.state == "connecting":
                self._wait(self._left_ms(self._started_ms))
        return self._session_present

    def subscribe(self, topic: "str | bytes", qos: int = 0) -> None:
        """Subscribe and wait until the broker has granted it."""
        self._deliver("subscribe", lambda: self.send_subscribe(topic, qos))

    def publish(
        self, topic: "str | bytes", msg: "str | bytes", retain: bool = False, qos: int = 0
    ) -> None:
        """Publish; with qos 0 wait until the stream has it, with qos 1 until its PUBACK."""
        data = msg.encode() if isinstance(msg, str) else bytes(msg)
        self._deliver("publish", lambda: self.send(topic, data, retain, qos))

    def ping(self) -> None:
        """Ask the broker for a sign of life and wait for it."""
        self._check_not_in_hook()
        self._check_online()
        started_ms = self._ticks_ms()
        self._push(self._session.ping(started_ms))
        self._complete("ping", started_ms, self._session.is_ping_answered)

    def wait_msg(self) -> int:
        """Wait for messages; return how many were delivered, 0 if none came in `timeout_ms`."""
        self._check_not_in_hook()
        started_ms = self._ticks_ms()
        while True:
            count = self._advance()
            left_ms = self._left_ms(started_ms)
            if count or not left_ms:
                return count
            self._wait(left_ms)

    def disconnect(self) -> None:
        """Send what is queued and DISCONNECT (no last will then), and close; no-op offline."""
        try:
            if self.state == "online":
                started_ms = self._ticks_ms()
                self._push(DISCONNECT_PACKET)
                self._flush()
                while self._queue:
                    self._wait_for("disconnect", started_ms)
                    self._flush()
        finally:
            self._drop()

    def _deliver(self, operation: str, submit: "Callable[[], int | None]") -> None:
        """Submit one packet and, outside hooks, wait until it is sent and acknowledged."""
        started_ms = self._ticks_ms()
        packet_id = submit()
        if self._in_hook:
            if packet_id is None:
                raise self._timeout(operation)
            return
        while packet_id is None:
            self._wait_for(operation, started_ms)
            self._advance()
            packet_id = submit()
        number = packet_id
        self._complete(operation, started_ms, lambda: not self._session.is_in_flight(number))

    def _complete(self, operation: str, started_ms: int, is_done: "Callable[[], bool]") -> None:
        self._advance()
        while self._queue or not is_done():
            self._wait_for(operation, started_ms)
            self._advance()

    def _wait_for(self, operation: str, started_ms: int) -> None:
        left_ms = self._left_ms(started_ms)
        if not left_ms:
            raise self._timeout(operation)
        self._wait(left_ms)

    def _wait(self, left_ms: int) -> None:
        if not self._has_more:
            self.stream.wait(min(left_ms, _WAIT_MS), bool(self._queue))
