"""Batches in, committed rows and acknowledgements out. No MQTT here, and no clock of its own.

The checks come in the order of their cost: topic, key, size, and only then is the payload read.
One batch is one transaction; the acknowledgement is built after it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from cloud_sync.inflate import plain_batch
from cloud_sync.keys import Keys
from cloud_sync.opening import Opened, decode_batch
from cloud_sync.ranges import Plan, Run, plan_loss, plan_merge
from cloud_sync.rows import Rows
from cloud_sync.sender import Sender, identify, read_epoch
from cloud_sync.store.contract import Alarm, Head, RawRow, Refusal, Store
from edge.core.errors import DataError, StoreError, SyncError, TallyError
from edge.core.journal import chain
from edge.core.journal.record import Kind, Record
from edge.core.journal.retain import decode_tombstone
from edge.core.numbers.fixed import INT64_MAX, INT64_MIN
from edge.core.sync import topics
from edge.core.sync.ack import Ack, encode_ack
from edge.core.sync.batch import PAYLOAD_MAX_BYTES

#: A topic is kept in quarantine up to this length.
TOPIC_MAX_CHARS = 200

STATES = (b"online", b"offline")


class Reply(NamedTuple):
    """What to publish, retained and with QoS 1."""

    topic: str
    payload: bytes


class Place(NamedTuple):
    """A seq and the chain hash at it."""

    seq: int
    hash: bytes


def _ignore(name: str, fields: dict[str, object]) -> None:
    pass


class Receiver:
    """Verifies, stores and acknowledges the batches of all gateways in `keys`.

    now_ms: Unix milliseconds. notice: called as notice(name, fields) after each "stored",
    "quarantined", "alarm" and "state", when it is durable.
    """

    def __init__(
        self,
        store: Store,
        keys: Keys,
        now_ms: Callable[[], int],
        notice: Callable[[str, dict[str, object]], None] = _ignore,
    ) -> None:
        self._store = store
        self._keys = keys
        self._now_ms = now_ms
        self._notice = notice

    def receive(self, topic: str, payload: bytes) -> Reply | None:
        """Take one message from a batch topic; return the acknowledgement, if there is one.

        Nothing in the message can raise: what is refused goes to quarantine, and an authentic
        sender is told the head that stands, so that it can go on from there. The same batch again
        changes nothing and is acknowledged again.
        Raises StoreError when the database fails: nothing is stored, nothing acknowledged.
        """
        sender = None
        try:
            sender = self._identify(topic, topics.BATCH, payload)
            return self._accept(sender, payload)
        except StoreError:
            raise
        except TallyError as error:
            self._refuse(sender, topic, payload, error)
            if sender is None or sender.objection:
                return None
            return self._stand(sender, payload, error)

    def owner_of(self, topic: str) -> str:
        """Whose turn a message takes: "tenant/gateway" when registered, "" for all others."""
        parts = topics.parse_topic(topic)
        is_known = parts is not None and self._keys.has(parts[0], parts[1])
        return f"{parts[0]}/{parts[1]}" if parts is not None and is_known else ""

    def replay(self, topic: str, payload: bytes) -> Reply:
        """Take a message that was refused before, as `receive`; raises why it still is refused."""
        return self._accept(self._identify(topic, topics.BATCH, payload), payload)

    def _accept(self, sender: Sender, payload: bytes) -> Reply:
        if len(payload) > PAYLOAD_MAX_BYTES:
            raise DataError("data.pack", reason=f"larger than {PAYLOAD_MAX_BYTES} bytes")
        if sender.objection:
            raise SyncError("sync.key", gateway=sender.owner, reason=sender.objection)
        batch = _open_batch(sender, payload)
        return self._reply(sender, batch.epoch, *self._take(sender, batch))

    @contextmanager
    def group(self) -> Iterator[None]:
        """One transaction for all that is received in the block; its notices come after it."""
        held: list[tuple[str, dict[str, object]]] = []
        notice = self._notice
        self._notice = lambda name, fields: held.append((name, fields))
        try:
            with self._store.transaction():
                yield
        finally:
            self._notice = notice
        for name, fields in held:
            notice(name, fields)

    def receive_state(self, topic: str, payload: bytes) -> None:
        """Take one message from a state topic; ignored unless a known gateway has a valid key."""
        try:
            sender = self._identify(topic, topics.STATE)
        except TallyError:
            return
        if payload in STATES and not sender.objection:
            state = payload.decode()
            with self._store.transaction():
                self._store.set_state(sender.tenant, sender.gateway, state, self._now_ms())
            self._notice("state", {"gateway": sender.owner, "state": state})

    def _identify(self, topic: str, leaf: str, payload: bytes = b"") -> Sender:
        return identify(self._keys, topic, leaf, payload, self._now_ms())

    def _take(self, sender: Sender, batch: Opened) -> tuple[Head, Place | None]:
        """Store what is new of a batch; raises SyncError when it contradicts what is there.

        Returns the head, and where a tombstone in it contradicts.
        """
        store, now_ms = self._store, self._now_ms()
        genesis = chain.genesis(sender.gateway, batch.epoch)
        run = Run(batch.first, batch.hash_before, batch.hashes)
        alarms: list[Alarm] = []
        with store.transaction():
            journal = store.open_journal(sender.tenant, sender.gateway, batch.epoch, now_ms)
            near = store.segments_near(journal, run.first, run.last)
            plan = plan_merge(sender.owner, genesis, near, run)
            self._compare(sender, journal, plan, run)
            raw, rows = _lay_out(batch, plan)
            contradictions = store.add_records(journal, raw, rows)
            head = store.apply_plan(journal, plan, genesis) if plan.new else None
            for record, *_ in _new_records(batch, plan):
                if record.kind == Kind.TOMBSTONE:
                    head = None
                    alarms += self._explain(sender, journal, batch.epoch, record)
            alarms += [Alarm(sender.owner, batch.epoch, *item) for item in rows.refused]
            for seq in contradictions:
                error = DataError("data.record", seq=seq, reason="it redefines a known number")
                alarms.append(Alarm(sender.owner, batch.epoch, seq, error))
            for alarm in alarms:
                store.add_alarm(alarm, now_ms)
            head = head or store.read_head(journal, genesis)
            forks = [self._fork(journal, alarm.error) for alarm in alarms]
        for alarm in alarms:
            self._notice("alarm", _fields(alarm.error, sender))
        counts = {"new": len(raw), "readings": rows.reading_count, "head": head.seq}
        span = {"gateway": sender.owner, "first": run.first, "last": run.last}
        self._notice("stored", {**span, **counts})
        return head, next(filter(None, forks), None)

    def _fork(self, journal: int, error: TallyError) -> Place | None:
        """Where a fork is, and the hash that is stored there; None for another error."""
        if error.code != "sync.fork":
            return None
        seq = error.fields["seq"]
        assert isinstance(seq, int)
        found = [digest for _, digest in self._store.read_hashes(journal, seq, seq)]
        for segment in self._store.segments_near(journal, seq, seq):
            if segment.last == seq:
                found.append(segment.hash_last)
            elif segment.first == seq + 1:
                found.append(segment.hash_before)
        return Place(seq, found[0]) if found else None

    def _explain(self, sender: Sender, journal: int, epoch: bytes, record: Record) -> list[Alarm]:
        """Close the hole that a tombstone explains; one that contradicts is an alarm."""
        store, genesis = self._store, chain.genesis(sender.gateway, epoch)
        try:
            tomb = decode_tombstone(record.body)
            if tomb.first is None:
                return []
            if tomb.last >= record.seq:
                raise DataError("data.record", seq=record.seq, reason="it explains the future")
            for seq, digest in ((tomb.first - 1, tomb.hash_before), (tomb.last, tomb.hash_last)):
                if any(found != digest for _, found in store.read_hashes(journal, seq, seq)):
                    raise SyncError("sync.fork", gateway=sender.owner, seq=seq)
            near = store.segments_near(journal, tomb.first, tomb.last)
            plan = plan_loss(sender.owner, genesis, near, tomb)
        except (DataError, SyncError) as error:
            return [Alarm(sender.owner, epoch, record.seq, error)]
        if plan is not None:
            store.apply_plan(journal, plan, genesis)
        return []

    def _compare(self, sender: Sender, journal: int, plan: Plan, run: Run) -> None:
        for first, last in plan.overlap:
            for seq, stored in self._store.read_hashes(journal, first, last):
                if stored != run.hash_at(seq):
                    raise SyncError("sync.fork", gateway=sender.owner, seq=seq)

    def _refuse(
        self, sender: Sender | None, topic: str, payload: bytes, error: TallyError
    ) -> None:
        """Keep what was refused; a fork by an authentic gateway is an alarm as well."""
        now_ms = self._now_ms()
        owner = sender.owner if sender else ""
        epoch = read_epoch(sender, payload) if sender else None
        alarm = None
        if epoch is not None and error.code in ("sync.fork", "sync.chain"):
            seq = error.fields["seq"]
            assert isinstance(seq, int)
            alarm = Alarm(owner, epoch, min(seq, INT64_MAX), error)
        with self._store.transaction():
            self._store.add_refusal(
                Refusal(owner, topic[:TOPIC_MAX_CHARS], error, payload), now_ms
            )
            if alarm:
                self._store.add_alarm(alarm, now_ms)
        self._notice("quarantined", {"topic": topic, **_fields(error, sender)})

    def _stand(self, sender: Sender, payload: bytes, error: TallyError) -> Reply | None:
        """The acknowledgement of the head as it stands, for an authentic payload only."""
        epoch = read_epoch(sender, payload)
        if epoch is None:
            return None
        journal = self._store.find_journal(sender.tenant, sender.gateway, epoch)
        genesis = chain.genesis(sender.gateway, epoch)
        if journal is None:
            return self._reply(sender, epoch, Head(-1, genesis, ()), None)
        head = self._store.read_head(journal, genesis)
        return self._reply(sender, epoch, head, self._fork(journal, error))

    def _reply(self, sender: Sender, epoch: bytes, head: Head, fork: Place | None) -> Reply:
        ack = Ack(sender.gateway, epoch, head.seq, head.hash, head.gaps, self._now_ms(), fork)
        topic = topics.topic(sender.tenant, sender.gateway, topics.ACK)
        return Reply(topic, encode_ack(ack, sender.key))


def _open_batch(sender: Sender, payload: bytes) -> Opened:
    """Verify and read a payload whose headers, and their neighbours, fit 64 bits signed."""
    batch = decode_batch(plain_batch(payload, sender.key), sender.key)
    if batch.gateway != sender.gateway:
        raise SyncError("sync.mac", what="batch", gateway=sender.owner)
    for column in list(zip(*batch.records, strict=True))[1:5]:
        for value in (min(column), max(column)):
            if not INT64_MIN < value < INT64_MAX:
                raise DataError("data.range", what="a record header", value=value)
    return batch


def _lay_out(batch: Opened, plan: Plan) -> tuple[list[RawRow], Rows]:
    raw: list[RawRow] = []
    rows = Rows()
    for record, digest, data in _new_records(batch, plan):
        kind, seq, *times, _ = record
        raw.append((seq, kind, *times, digest, data))
        rows.add(record)
    return raw, rows


def _new_records(batch: Opened, plan: Plan) -> Iterator[tuple[Record, bytes, bytes]]:
    for first, last in plan.new:
        for at in range(first - batch.first, last - batch.first + 1):
            yield batch.records[at], batch.hashes[at], batch.encoded[at]


def _fields(error: TallyError, sender: Sender | None) -> dict[str, object]:
    plain = {name: value for name, value in error.fields.items() if name != "gateway"}
    return {"gateway": sender.owner if sender else None, "code": error.code, **plain}
