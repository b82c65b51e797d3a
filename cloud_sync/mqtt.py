"""The receiver on an MQTT broker: paho in front, one worker that stores and acknowledges.

paho's callbacks only enqueue. The worker commits a batch, publishes its acknowledgement and only
then sends the PUBACK, so that a broker hands over again what a killed receiver had not stored.
Delivery does not rest on that: a gateway sends until it is acknowledged.
"""

import queue
import ssl
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from cloud_sync.receiver import Receiver
from edge.core.errors import ConfigError, StoreError, SyncError, TallyError, UsageError
from edge.core.sync import topics

#: Messages that wait for the worker, 64 KiB each at most; Mosquitto sends 20 ahead by default.
QUEUE_MAX = 256

#: Pauses between attempts to store while the database fails.
STORE_RETRY_S = (0.05, 0.1, 0.2, 0.5, 1.0)

RECONNECT_MIN_S = 1
RECONNECT_MAX_S = 60
CONNECT_TIMEOUT_S = 3
KEEPALIVE_S = 30
GOODBYE_S = 1.5

Notice = Callable[[str, dict[str, object]], None]


class Broker(NamedTuple):
    """Where to connect and as whom. ca: authorities to trust (PEM), None for the system's."""

    host: str
    port: int
    tls: bool
    client_id: str
    ca: Path | None = None
    user: str | None = None
    password: str | None = None

    @property
    def server(self) -> str:
        return f"{self.host}:{self.port}"


def parse_broker(text: str) -> tuple[str, int, bool]:
    """(host, port, tls) of mqtt://host[:1883] or mqtts://host[:8883].

    Raises UsageError "usage.value".
    """
    url = urlsplit(text)
    try:
        host, port = url.hostname, url.port
    except ValueError:
        host, port = None, None
    rest = url.path.strip("/") or url.query or url.fragment or "@" in url.netloc
    if url.scheme not in ("mqtt", "mqtts") or not host or rest:
        # A URL may carry a password: it is not repeated.
        found = "not such a URL" if "@" in text else repr(text)
        expected = "mqtt://host[:port] or mqtts://host[:port]"
        raise UsageError("usage.value", option="--broker", found=found, expected=expected)
    tls = url.scheme == "mqtts"
    return host, port or (8883 if tls else 1883), tls


def _trust(ca: Path | None) -> ssl.SSLContext:
    """Chain, dates and host name are verified, always."""
    try:
        context = ssl.create_default_context(cafile=str(ca) if ca else None)
    except OSError as error:
        raise ConfigError("config.file", file=str(ca), reason=error.strerror or str(error))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class _Item(NamedTuple):
    """For the worker: a message, or without one how the connection is, None for subscribed."""

    message: paho.MQTTMessage | None
    session: int
    error: SyncError | None


class Service:
    """Runs a receiver on a broker until `stop`.

    notice: called from the worker thread only, with the receiver's notices; "ready" whenever the
        broker has granted the subscription; "failing" with the error, when broker or database
        begin to fail in another way than before.
    dropped: messages that found the queue full; their gateways send them again.
    """

    def __init__(self, broker: Broker, notice: Notice) -> None:
        """Raises ConfigError or StoreError of what it is given, nothing of the network."""
        self._broker = broker
        self._notice = notice
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._is_over = threading.Event()
        self._session = 0
        self._failing: dict[str, tuple[str, str]] = {}
        self._client = self._make_client()
        self._worker = threading.Thread(target=self._work, name="receiver", daemon=True)
        self._receiver: Receiver
        self.failure: BaseException | None = None
        self.dropped = 0
        self._is_granted = False

    def _make_client(self) -> paho.Client:
        broker = self._broker
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=broker.client_id,
            clean_session=False,
            protocol=paho.MQTTv311,
            manual_ack=True,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.reconnect_delay_set(RECONNECT_MIN_S, RECONNECT_MAX_S)
        client.max_queued_messages_set(4 * QUEUE_MAX)
        if broker.user is not None:
            client.username_pw_set(broker.user, broker.password)
        if broker.tls:
            client.tls_set_context(_trust(broker.ca))
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def start(self, receiver: Receiver) -> None:
        """Begin to connect and to work; returns at once."""
        self._receiver = receiver
        self._worker.start()
        self._client.connect_async(self._broker.host, self._broker.port, KEEPALIVE_S)
        self._client.loop_start()

    @property
    def has_ended(self) -> bool:
        """True when the worker has ended, by `stop` or by a bug that is kept in `failure`."""
        return not self._worker.is_alive()

    def stop(self) -> None:
        """Finish the batch at hand, say goodbye to the broker; returns within 5 s."""
        self._is_over.set()
        self._queue.put(None)
        if self._worker.ident is not None:
            self._worker.join(2 * GOODBYE_S)
        self._client.disconnect()
        # paho's thread may sit in a connect that takes its time; it does not hold us up.
        ending = threading.Thread(target=self._client.loop_stop, daemon=True)
        ending.start()
        ending.join(GOODBYE_S)

    # paho's thread: enqueue, nothing else.

    def _on_connect(
        self, client: paho.Client, _data: Any, _flags: Any, code: Any, _properties: Any
    ) -> None:
        self._session += 1
        if code.is_failure:
            self._enqueue(SyncError("sync.refused", server=self._broker.server, reason=str(code)))
            return
        subscriptions = [topics.topic("+", "+", leaf) for leaf in (topics.BATCH, topics.STATE)]
        client.subscribe([(subscription, 1) for subscription in subscriptions])

    def _on_subscribe(
        self, _client: Any, _data: Any, _mid: int, codes: list[Any], _properties: Any
    ) -> None:
        refused = [code for code in codes if code.is_failure]
        if refused:
            error = SyncError("sync.subscribe", server=self._broker.server, reason=refused[0])
            self._enqueue(error)
        else:
            self._enqueue(None)

    def _on_connect_fail(self, _client: Any, _data: Any) -> None:
        # paho calls this while it handles the exception, and passes nothing on.
        reason = str(sys.exc_info()[1] or "no connection")
        self._enqueue(SyncError("sync.offline", server=self._broker.server, reason=reason))

    def _on_disconnect(
        self, _client: Any, _data: Any, _flags: Any, code: Any, _properties: Any
    ) -> None:
        if not self._is_over.is_set() and self._is_granted:
            reason = f"connection lost: {code}"
            self._enqueue(SyncError("sync.offline", server=self._broker.server, reason=reason))

    def _enqueue(self, error: SyncError | None) -> None:
        self._is_granted = error is None
        self._queue.put(_Item(None, self._session, error))

    def _on_message(self, client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        if self._queue.qsize() < QUEUE_MAX:
            self._queue.put(_Item(message, self._session, None))
            return
        # Unacknowledged, it would block the broker's window until the next connection.
        self.dropped += 1
        client.ack(message.mid, message.qos)

    # The worker's thread.

    def _work(self) -> None:
        try:
            while (item := self._queue.get()) is not None and not self._is_over.is_set():
                if item.message is None:
                    self._tell("broker", item.error)
                elif self._store(item.message) and item.session == self._session:
                    self._client.ack(item.message.mid, item.message.qos)
        except BaseException as error:
            self.failure = error

    def _tell(self, part: str, error: TallyError | None) -> None:
        """Report how the broker or the store is, if that is news."""
        now = (error.code, str(error.fields)) if error else ("", "")
        if self._failing.get(part) == now:
            return
        self._failing[part] = now
        if error:
            self._notice("failing", {"error": error})
        elif part == "broker":
            self._notice("ready", {"broker": self._broker.server})

    def _store(self, message: paho.MQTTMessage) -> bool:
        """Store one message and acknowledge it to its gateway; False when stopped before."""
        pause_s = iter(STORE_RETRY_S)
        while True:
            try:
                self._take(message)
            except StoreError as error:
                self._tell("store", error)
                if self._is_over.wait(next(pause_s, STORE_RETRY_S[-1])):
                    return False
                continue
            self._tell("store", None)
            return True

    def _take(self, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "not UTF-8"
        payload = bytes(message.payload)
        parts = topics.parse_topic(topic)
        if parts is not None and parts[2] == topics.STATE:
            self._receiver.receive_state(topic, payload)
            return
        reply = self._receiver.receive(topic, payload)
        if reply is not None:
            self._client.publish(reply.topic, reply.payload, qos=1, retain=True)
