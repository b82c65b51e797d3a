"""The kit's end of the line: publishes, and holds every ack that comes to the contract."""

import secrets
import socket
import threading
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from cloud_sync.broker import Broker, server_name, trust
from cloud_sync.conformance.script import Epoch
from edge.core.errors import SyncError, TallyError
from edge.core.sync import topics
from edge.core.sync.ack import PAYLOAD_MAX_BYTES, Ack, decode_ack
from edge.core.sync.mqtt_connect import encode_connect
from edge.core.sync.mqtt_packets import encode_publish

_CONNECT_S = 10.0


class BrokenRuleError(Exception):
    """A receiver did what it must not, or not what it must."""


class FormNotTakenError(Exception):
    """A receiver does without a form that it may do without."""


class Player:
    """One gateway of the kit. wait_s: how long an ack that is due may take."""

    def __init__(
        self, broker: Broker, tenant: str, gateway: str, key: bytes, wait_s: float
    ) -> None:
        self.broker, self.gateway, self.key, self.wait_s = broker, gateway, key, wait_s
        self.batch_topic = topics.topic(tenant, gateway, topics.BATCH)
        self._ack_topic = topics.topic(tenant, gateway, topics.ACK)
        self._changed = threading.Condition()
        self._granted: bool | None = None
        self._epochs: dict[bytes, Epoch] = {}
        self._acks: dict[bytes, list[Ack]] = {}
        self._sent: dict[bytes, set[int]] = {}
        self._faults: list[str] = []
        self._retained: list[bytes] = []
        self._client: paho.Client | None = None

    def connect(self) -> None:
        """Connect and subscribe. Raises SyncError."""
        broker = self.broker
        client = paho.Client(CallbackAPIVersion.VERSION2, f"kit-{secrets.token_hex(4)}")
        if broker.user is not None:
            client.username_pw_set(broker.user, broker.password)
        if broker.tls:
            client.tls_set_context(trust(broker.ca))
        self._granted = None
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.connect_timeout = _CONNECT_S
        try:
            client.connect(*broker.servers[0])
        except OSError as error:
            server = server_name(broker.servers)
            raise SyncError("sync.offline", server=server, reason=str(error)) from error
        client.loop_start()
        self._client = client
        with self._changed:
            self._changed.wait_for(lambda: self._granted is not None, _CONNECT_S)
        if not self._granted:
            self.close()
            server = server_name(broker.servers)
            raise SyncError("sync.subscribe", server=server, reason=self._ack_topic)

    def close(self) -> None:
        """Leave; `connect` may follow."""
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None

    def _on_connect(self, client: paho.Client, _: Any, __: Any, code: Any, ___: Any) -> None:
        if code.is_failure:
            self._answer(False)
        else:
            client.subscribe(self._ack_topic, 1)

    def _on_subscribe(self, _: Any, __: Any, ___: int, codes: list[Any], ____: Any) -> None:
        self._answer(not codes[0].is_failure)

    def _answer(self, granted: bool) -> None:
        with self._changed:
            self._granted = granted
            self._changed.notify_all()

    def _on_message(self, _: Any, __: Any, message: paho.MQTTMessage) -> None:
        with self._changed:
            if message.retain:
                self._retained.append(bytes(message.payload))
            self._take(bytes(message.payload), bool(message.retain))
            self._changed.notify_all()

    def _take(self, payload: bytes, is_retained: bool) -> None:
        """Note an ack of one of our epochs, and what is wrong with it."""
        try:
            ack = decode_ack(payload, self.gateway, self.key)
        except TallyError as error:
            # A retained one may be from before the kit, under another key.
            if not is_retained or self._epochs:
                self._faults.append(f"an ack cannot be used: {error.code} {error.fields}")
            return
        epoch = self._epochs.get(ack.epoch)
        if epoch is None:
            return
        self._acks[ack.epoch].append(ack)
        self._faults += self._wrongs(ack, epoch, len(payload))

    def _wrongs(self, ack: Ack, epoch: Epoch, size: int) -> list[str]:
        sent = self._sent[ack.epoch]
        wrongs = []
        if size > PAYLOAD_MAX_BYTES:
            wrongs.append(f"an ack of {size} bytes")
        if any(seq not in sent for seq in range(ack.seq + 1)):
            wrongs.append(f"ack {ack.seq} covers records that were never sent")
        elif ack.hash != epoch.hash_at(ack.seq):
            wrongs.append(f"ack {ack.seq} has another hash than the record")
        flat = list(ack.gaps)
        ascending = all(one < other for one, other in zip(flat[1::2], flat[2::2], strict=False))
        if flat and (
            not ascending
            or flat[0] <= ack.seq
            or any(first > last for first, last in zip(flat[::2], flat[1::2], strict=True))
        ):
            wrongs.append(f"gaps {flat} are not ascending ranges above {ack.seq}")
        return wrongs

    def begin(self) -> Epoch:
        """A new epoch to play; its acks are those that are looked at."""
        epoch = Epoch(self.gateway, self.key)
        with self._changed:
            self._epochs[epoch.epoch] = epoch
            self._acks[epoch.epoch], self._sent[epoch.epoch] = [], set()
            self._faults = []
        return epoch

    def forget(self) -> None:
        """What still comes for the epochs so far is not looked at: their rule has failed."""
        with self._changed:
            self._epochs.clear()

    def send(self, epoch: Epoch, first: int, last: int) -> None:
        """Publish an honest batch."""
        with self._changed:
            self._sent[epoch.epoch].update(range(first, last + 1))
        self.publish(epoch.batch(first, last))

    def allow(self, epoch: Epoch, first: int, last: int) -> None:
        """An ack may cover these: a tombstone explains them."""
        with self._changed:
            self._sent[epoch.epoch].update(range(first, last + 1))

    def publish(self, payload: bytes) -> None:
        """Publish anything on the batch topic; returns when the broker has it."""
        assert self._client is not None
        self._client.publish(self.batch_topic, payload, qos=1).wait_for_publish(_CONNECT_S)

    def cut(self, payload: bytes, sent: int) -> None:
        """Begin to publish on a connection of its own, and cut it after `sent` bytes."""
        broker = self.broker
        user = None if broker.user is None else broker.user.encode()
        password = None if broker.password is None else broker.password.encode()
        hello = encode_connect(b"kit-cut", 60, True, None, user, password)
        packet = encode_publish(self.batch_topic.encode(), payload, False, 1, 1)
        with socket.create_connection(broker.servers[0], _CONNECT_S) as plain:
            line: socket.socket = plain
            if broker.tls:
                line = trust(broker.ca).wrap_socket(plain, server_hostname=broker.servers[0][0])
            line.sendall(hello)
            line.recv(4)
            line.sendall(packet[:sent])

    def acks(self, epoch: Epoch) -> list[Ack]:
        """What came for an epoch so far."""
        with self._changed:
            return list(self._acks[epoch.epoch])

    def listen(self, epoch: Epoch, after: int, seconds: float) -> None:
        """Wait until an ack comes beyond the first `after` of the epoch, for so long at most."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._acks[epoch.epoch]) > after, seconds)

    def expect(
        self, epoch: Epoch, seq: int, what: str, gaps: tuple[int, ...] = (), after: int = 0
    ) -> None:
        """Wait for an ack of `seq` with these gaps, beyond the first `after` of the epoch.

        Raises BrokenRuleError when it does not come, or a wrong one has come.
        """

        def is_there() -> bool:
            new = self._acks[epoch.epoch][after:]
            return any(ack.seq == seq and tuple(ack.gaps) == gaps for ack in new)

        with self._changed:
            came = self._changed.wait_for(lambda: self._faults or is_there(), self.wait_s)
            if self._faults:
                raise BrokenRuleError(self._faults[0])
            if not came:
                seen = [(ack.seq, list(ack.gaps)) for ack in self._acks[epoch.epoch][after:]]
                wanted = f"ack {seq}" + (f" with gaps {list(gaps)}" if gaps else "")
                raise BrokenRuleError(f"{what}: no {wanted}; came: {seen[-3:] or 'nothing'}")

    def retained(self, do: Callable[[], None]) -> list[bytes]:
        """The acks that are handed over at a new subscription, after `do` has happened."""
        self.close()
        do()
        with self._changed:
            self._retained = []
        self.connect()
        with self._changed:
            self._changed.wait_for(lambda: self._retained, self.wait_s)
            return list(self._retained)
