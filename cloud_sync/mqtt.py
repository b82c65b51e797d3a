"""The receiver on an MQTT broker: paho in front, one worker that stores and acknowledges.

paho's callbacks only enqueue. The worker commits a batch, publishes its acknowledgement and only
then sends the PUBACK, so that a broker hands over again what a killed receiver had not stored.
Delivery does not rest on that: a gateway sends until it is acknowledged. So when many messages
wait, the PUBACK comes at once: a broker that waits for it would decide whose turn it is.
"""

import sys
import threading
from collections.abc import Callable
from functools import partial
from itertools import cycle
from typing import Any, NamedTuple

import paho.mqtt.client as paho

from cloud_sync.broker import Broker, make_client, server_name
from cloud_sync.excess import Excess
from cloud_sync.inbox import Inbox, now_us
from cloud_sync.receiver import Receiver, Reply
from cloud_sync.source import Deliver, Source, Tell
from edge.core.errors import StoreError, SyncError, TallyError
from edge.core.sync import topics

#: Messages that wait without a PUBACK; Mosquitto sends 20 ahead by default.
UNANSWERED_MAX = 16

#: Messages stored in one transaction when they wait.
GROUP_MAX = 32

#: Messages a second of one gateway, in the long run: see `fair`.
RATE = 100

#: Pauses between attempts to store while the database fails.
STORE_RETRY_S = (0.05, 0.1, 0.2, 0.5, 1.0)

KEEPALIVE_S = 30
GOODBYE_S = 1.5

Notice = Callable[[str, dict[str, object]], None]

#: What the worker tells before it takes the next message.
News = Callable[[], None]


class Message(NamedTuple):
    """What came; `done` is called once it is committed."""

    topic: str
    payload: bytes
    done: Callable[[], None]


class Service:
    """Runs a receiver on a broker until `stop`.

    notice: called from the worker thread only, with the receiver's notices; "ready" whenever the
        broker has granted the subscription; "failing" with the error, when broker or database
        begin to fail in another way than before; "over" and "within", see `Excess`.
    dropped: messages beyond what may wait, of one gateway or of all; gateways send them again.
    """

    def __init__(
        self,
        broker: Broker,
        notice: Notice,
        open_source: Callable[[Deliver, Tell], Source] | None = None,
        rate: int = RATE,
        share: str | None = None,
    ) -> None:
        """open_source: takes (deliver, tell); with it the broker takes acknowledgements only.

        rate: messages a second of one gateway. share: a name that services have in common whose
        broker deals each batch out to one of them.

        Raises ConfigError or StoreError of what it is given, nothing of the network.
        """
        self._broker = broker
        self._servers = cycle(broker.servers)
        self._batches = topics.topic("+", "+", topics.BATCH)
        if share is not None:
            self._batches = f"$share/{share}/{self._batches}"
        self._notice = notice
        self._inbox: Inbox[Message, News] = Inbox(rate)
        self._excess = Excess(rate)
        self._source = (
            open_source(self._deliver, partial(self.tell, "stream")) if open_source else None
        )
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
        # A session that outlives one of many would be dealt batches that nobody takes.
        is_one_of_many = self._source is not None or self._batches.startswith("$share/")
        client = make_client(self._broker, is_clean=is_one_of_many)
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
        self._aim()
        self._client.loop_start()
        if self._source:
            self._source.start()

    def _aim(self) -> None:
        """Have the next attempt to connect go to the next server."""
        self._client.connect_async(*next(self._servers), KEEPALIVE_S)

    @property
    def is_quiet(self) -> bool:
        """True while nothing is stored and nothing that could be waits."""
        return self._inbox.is_quiet

    @property
    def has_ended(self) -> bool:
        """True when the worker has ended, by `stop` or by a bug that is kept in `failure`."""
        return not self._worker.is_alive()

    def stop(self) -> None:
        """Finish the batch at hand, say goodbye to the broker; returns within 5 s."""
        self._is_over.set()
        self._inbox.tell(None)
        if self._source:
            self._source.stop()
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
            self._enqueue(SyncError("sync.refused", server=self._server, reason=str(code)))
        elif self._source:
            self._enqueue(None)
        else:
            # Everyone reads all states: dealt out, an older one could be written last.
            states = topics.topic("+", "+", topics.STATE)
            client.subscribe([(self._batches, 1), (states, 1)])

    @property
    def _server(self) -> str:
        return server_name(self._broker.servers)

    def _on_subscribe(
        self, _client: Any, _data: Any, _mid: int, codes: list[Any], _properties: Any
    ) -> None:
        refused = [code for code in codes if code.is_failure]
        if refused:
            self._enqueue(SyncError("sync.subscribe", server=self._server, reason=refused[0]))
        else:
            self._enqueue(None)

    def _on_connect_fail(self, _client: Any, _data: Any) -> None:
        # paho calls this while it handles the exception, and passes nothing on.
        reason = str(sys.exc_info()[1] or "no connection")
        self._enqueue(SyncError("sync.offline", server=self._server, reason=reason))
        self._aim()

    def _on_disconnect(
        self, _client: Any, _data: Any, _flags: Any, code: Any, _properties: Any
    ) -> None:
        if self._is_over.is_set():
            return
        if self._is_granted:
            reason = f"connection lost: {code}"
            self._enqueue(SyncError("sync.offline", server=self._server, reason=reason))
        self._aim()

    def _enqueue(self, error: SyncError | None) -> None:
        self._is_granted = error is None
        self._inbox.tell(lambda: self._tell("broker", error))

    def _on_message(self, client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        session, is_answered = self._session, False

        def done() -> None:
            # The numbers of an older connection mean other messages by now.
            if session == self._session and not is_answered:
                client.ack(message.mid, message.qos)

        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "not UTF-8"
        payload, owner = bytes(message.payload), self._receiver.owner_of(topic)
        has_room = self._inbox.has_room(owner, len(payload))
        if not has_room or len(self._inbox) >= UNANSWERED_MAX:
            done()
            is_answered = True
        if has_room:
            self._put(owner, Message(topic, payload, done))
        else:
            self.dropped += 1
            self._spread(self._excess.dropped(owner, now_us()))

    # A source's thread, or paho's.

    def _deliver(self, topic: str, payload: bytes, done: Callable[[], None]) -> None:
        self._put(self._receiver.owner_of(topic), Message(topic, payload, done))

    def _put(self, owner: str, message: Message) -> None:
        is_over = self._inbox.put(owner, len(message.payload), message)
        note = self._excess.slowed if is_over else self._excess.passed
        self._spread(note(owner, now_us()))

    def _spread(self, news: tuple[str, dict[str, object]] | None) -> None:
        if news is not None:
            self._inbox.tell(lambda: self._notice(*news))

    def tell(self, part: str, error: TallyError | None) -> None:
        """Report how a part is; "failing" when that is news. From any thread."""
        self._inbox.tell(lambda: self._tell(part, error))

    # The worker's thread.

    def _work(self) -> None:
        try:
            while (item := self._inbox.get()) is not None and not self._is_over.is_set():
                if not isinstance(item, Message):
                    item()
                else:
                    group = [item, *self._inbox.more(GROUP_MAX - 1)]
                    if self._store(group):
                        for message in group:
                            message.done()
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
            self._notice("ready", {"broker": self._server})

    def _store(self, group: list[Message]) -> bool:
        """Store messages and acknowledge them to their gateways; False when stopped before."""
        pause_s = iter(STORE_RETRY_S)
        while True:
            try:
                self._take(group)
            except StoreError as error:
                self._tell("store", error)
                if self._is_over.wait(next(pause_s, STORE_RETRY_S[-1])):
                    return False
                continue
            self._tell("store", None)
            return True

    def _take(self, group: list[Message]) -> None:
        with self._receiver.group():
            # Gateways in one order everywhere: two receivers never wait for each other.
            ordered = sorted(group, key=lambda message: message.topic)
            replies = [self._receive(message) for message in ordered]
        for reply in replies:
            if reply is not None:
                self._client.publish(reply.topic, reply.payload, qos=1, retain=True)

    def _receive(self, message: Message) -> Reply | None:
        topic, payload, _ = message
        parts = topics.parse_topic(topic)
        if parts is not None and parts[2] == topics.STATE:
            self._receiver.receive_state(topic, payload)
            return None
        return self._receiver.receive(topic, payload)
