"""Receivers that break one rule each, on a real broker: what the conformance kit has to find.

Each is a few lines around the honest one, at the place where such a bug is made.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgpack

from cloud_sync.broker import Broker as Place
from cloud_sync.keys import Key, Keys
from cloud_sync.mqtt import Service
from cloud_sync.receiver import Receiver, Reply
from cloud_sync.store.sqlite import SqliteStore
from edge.core.errors import TallyError
from edge.core.journal import chain
from edge.core.sync import topics
from edge.core.sync.ack import Ack, decode_ack, encode_ack
from edge.core.sync.batch import decode_batch
from tests.contract.brokers import HOST
from tests.unit.receiver_journal import GATEWAY, KEY, OTHER_KEY, TENANT


class Bad(Receiver):
    """Honest so far; `receive` of the subclasses is where they err."""

    def honest(self, topic: str, payload: bytes) -> Reply | None:
        return super().receive(topic, payload)

    def ack(self, reply: Reply | None, change: Callable[[Ack], Ack], key: bytes = KEY) -> Any:
        if reply is None:
            return None
        return Reply(reply.topic, encode_ack(change(decode_ack(reply.payload, GATEWAY, KEY)), key))


class MaxSeq(Bad):
    """Acknowledges the highest record that it has, gap or not."""

    def receive(self, topic: str, payload: bytes) -> Reply | None:
        reply = self.honest(topic, payload)

        def highest(ack: Ack) -> Ack:
            if not ack.gaps:
                return ack
            batch = decode_batch(payload, KEY)
            return ack._replace(seq=batch.records[-1].seq, hash=batch.hashes[-1], gaps=())

        return self.ack(reply, highest)


class NoGaps(Bad):
    """Never says what is missing."""

    def receive(self, topic: str, payload: bytes) -> Reply | None:
        return self.ack(self.honest(topic, payload), lambda ack: ack._replace(gaps=()))


class WrongHash(Bad):
    """Puts the hash of the batch's start into its acks."""

    def receive(self, topic: str, payload: bytes) -> Reply | None:
        return self.ack(self.honest(topic, payload), lambda ack: ack._replace(hash=bytes(32)))


class WrongKey(Bad):
    """Signs its acks with another key."""

    def receive(self, topic: str, payload: bytes) -> Reply | None:
        return self.ack(self.honest(topic, payload), lambda ack: ack, bytes(32))


class SilentOnDuplicates(Bad):
    """Answers a batch once."""

    seen: frozenset[bytes] = frozenset()

    def receive(self, topic: str, payload: bytes) -> Reply | None:
        is_known, self.seen = payload in self.seen, self.seen | {payload}
        reply = self.honest(topic, payload)
        return None if is_known else reply


class ByPosition(Bad):
    """Takes a batch only where the last one ended: one that overlaps is dropped."""

    def receive(self, topic: str, payload: bytes) -> Reply | None:
        fields: Any = msgpack.unpackb(payload, strict_map_key=False) if payload else [0] * 4
        held = self._store.find_journal(TENANT, GATEWAY, fields[2])
        genesis = chain.genesis(GATEWAY, fields[2])
        head = self._store.read_head(held, genesis).seq if held is not None else -1
        return self.honest(topic, payload) if fields[3] > head else None


class DiesOfPoison(Bad):
    """A message that it cannot read ends its work."""

    is_dead = False

    def receive(self, topic: str, payload: bytes) -> Reply | None:
        try:
            decode_batch(payload, KEY)
        except TallyError as error:
            self.is_dead = self.is_dead or error.code == "data.pack"
        return None if self.is_dead else self.honest(topic, payload)


class BansForGood(Bad):
    """Never listens again to a gateway that has sent too much."""

    messages = 0

    def receive(self, topic: str, payload: bytes) -> Reply | None:
        self.messages += 1
        return self.honest(topic, payload) if self.messages < 20 else None


class ForgetsRevocations(Bad):
    """Takes every key that a gateway ever had."""

    def __init__(self, *words: Any) -> None:
        super().__init__(*words)
        self._keys = Keys({(TENANT, GATEWAY): (Key(KEY), Key(OTHER_KEY))})


class Naive(Bad):
    """Believes everything that unpacks: no MAC, no chain, later rows overwrite earlier ones."""

    checks_mac = False
    checks_chain = False

    def __init__(self, *words: Any) -> None:
        super().__init__(*words)
        self.hashes: dict[bytes, dict[int, bytes]] = {}

    def receive(self, topic: str, payload: bytes) -> Reply | None:
        try:
            epoch, first, records = self.read(payload)
        except Exception:
            return None
        known = self.hashes.setdefault(epoch, {})
        for at, digest in enumerate(records):
            known[first + at] = digest
        head = -1
        while head + 1 in known:
            head += 1
        digest = known[head] if head >= 0 else chain.genesis(GATEWAY, epoch)
        above = sorted(seq for seq in known if seq > head)
        gaps = (head + 1, above[0] - 1) if above else ()
        ack = encode_ack(Ack(GATEWAY, epoch, head, digest, gaps, 1, None), KEY)
        return Reply(topics.topic(TENANT, GATEWAY, topics.ACK), ack)

    def read(self, payload: bytes) -> tuple[bytes, int, list[bytes]]:
        if self.checks_mac:
            seal = chain.mac(KEY, chain.BATCH_PURPOSE, payload[:-34])
            assert payload[-32:] == seal
        fields = msgpack.unpackb(payload, strict_map_key=False)
        epoch, first, count = fields[2], fields[3], len(fields[7])
        try:
            hashes = list(decode_batch(payload, KEY).hashes)
        except TallyError:
            assert not self.checks_chain
            hashes = [bytes(32)] * (count - 1) + [fields[10]]
        return epoch, first, hashes


class NoMac(Naive):
    """Checks the chain of what it unpacks, not who sent it."""


class TakesForks(Naive):
    """Checks MAC and chain, and overwrites what it has."""

    checks_mac = checks_chain = True


class NotRetained(Service):
    """Publishes its acks to whoever listens at the moment."""

    def _make_client(self) -> Any:
        client = super()._make_client()
        honest = client.publish
        client.publish = lambda topic, payload, qos, retain: honest(topic, payload, qos, False)  # type: ignore[method-assign,assignment]
        return client


class Running:
    """A bad receiver in this process; `restart` is its kill and its next start."""

    def __init__(
        self, port: int, folder: Path, kind: type[Receiver], service: type[Service], forgets: bool
    ) -> None:
        self.path, self.kind, self.kind_of_service = folder / "bad.db", kind, service
        self.place = Place(((HOST, port),), False, "bad-receiver")
        self.forgets = forgets
        self.start()

    def start(self) -> None:
        self.store = SqliteStore(self.path)
        keys = Keys({(TENANT, GATEWAY): KEY})
        is_ready = threading.Event()
        self.service = self.kind_of_service(
            self.place, lambda name, fields: is_ready.set() if name == "ready" else None
        )
        self.service.start(self.kind(self.store, keys, lambda: 1))
        assert is_ready.wait(20), "the broker grants the subscription"

    def stop(self) -> None:
        self.service.stop()
        self.store.close()

    def restart(self) -> None:
        self.stop()
        if self.forgets:  # what it had acknowledged was only in memory
            for suffix in ("", "-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        self.start()


@contextmanager
def bad_receiver(
    port: int,
    folder: Path,
    kind: type[Receiver] = Receiver,
    service: type[Service] = Service,
    forgets: bool = False,
) -> Iterator[Running]:
    running = Running(port, folder, kind, service, forgets)
    try:
        yield running
    finally:
        running.stop()
