"""Bugs in what the cloud believes and stores: the simulation has to find each."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cloud_sync.receiver as receiver_module
import cloud_sync.rows as cloud_rows
import cloud_sync.store.sql as cloud_sql
import edge.core.sync.batch as batch_module
import hil_tests.soak.cloud as cloud_module
from cloud_sync.opening import Opened
from edge.core.errors import SyncError
from edge.core.journal import chain
from edge.core.journal.record import Kind, encode_record
from hil_tests.soak.faults import NAMES
from tests.simulation.mutant import Mutant, Patches


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _ack_the_highest(patches: Patches) -> None:
    def head(genesis: bytes, lowest: Any) -> tuple[int, bytes]:
        return (lowest[-1].last, lowest[-1].hash_last) if lowest else (-1, genesis)

    patches.set(cloud_sql, "head_of", head)


def _no_unique_key(patches: Patches) -> None:
    begin = patches.set(cloud_module.MemoryStore, "__init__", None)
    plan_merge = patches.set(receiver_module, "plan_merge", None)

    def begun(self: Any, *args: Any) -> None:
        begin(self, *args)
        self._db.execute("PRAGMA legacy_alter_table = ON")
        for table in ("records", "polls", "intervals", "interval_streams", "events"):
            self._db.execute(f"CREATE TABLE plain AS SELECT * FROM {table}")
            self._db.execute(f"DROP TABLE {table}")
            self._db.execute(f"ALTER TABLE plain RENAME TO {table}")
        for table in ("interval_emissions", "interval_bases", "swaps", "facts", "configs"):
            self._db.execute(f"CREATE TABLE plain AS SELECT * FROM {table}")
            self._db.execute(f"DROP TABLE {table}")
            self._db.execute(f"ALTER TABLE plain RENAME TO {table}")

    def planned(gateway: str, genesis: bytes, near: Any, run: Any) -> Any:
        plan = plan_merge(gateway, genesis, near, run)
        return plan._replace(new=((run.first, run.last),))

    patches.set(cloud_module.MemoryStore, "__init__", begun)
    patches.set(receiver_module, "plan_merge", planned)


def _any_seal(patches: Patches) -> None:
    patches.set(chain, "same", lambda left, right: True)


def _ack_before_commit(patches: Patches) -> None:
    crash = patches.set(cloud_module.Cloud, "crash", None)

    @contextmanager
    def transaction(self: Any) -> Iterator[None]:
        if self._db.in_transaction:
            self._db.execute("COMMIT")  # of the one before, acknowledged long ago
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._at_commit()
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def crashed(self: Any, down_ms: int) -> None:
        if self.store._db.in_transaction:
            self.store._db.execute("ROLLBACK")
        crash(self, down_ms)

    patches.set(cloud_module.MemoryStore, "transaction", transaction)
    patches.set(cloud_module.Cloud, "crash", crashed)


def _tombstone_unread(patches: Patches) -> None:
    patches.set(receiver_module.Receiver, "_explain", lambda *_: [])


def _any_chain(patches: Patches) -> None:
    decode = patches.set(receiver_module, "decode_batch", None)

    def decoded(payload: bytes, key: bytes) -> Any:
        try:
            return decode(payload, key)
        except SyncError as error:
            if error.code != "sync.chain":
                raise
        fields = batch_module._unpack(payload)
        records = batch_module.decode_columns(fields[3], fields[5:10])
        head, hashes = fields[4], []
        for record in records:
            head = chain.link(head, encode_record(record))
            hashes.append(head)
        encoded = tuple(encode_record(record) for record in records)
        return Opened(*fields[1:5], records, (*hashes[:-1], fields[10]), encoded)

    patches.set(receiver_module, "decode_batch", decoded)


def _head_remembered(patches: Patches) -> None:
    reply = patches.set(receiver_module.Receiver, "_reply", None)
    heads: dict[bytes, Any] = {}

    def replied(self: Any, sender: Any, epoch: bytes, head: Any, *more: Any) -> Any:
        if epoch not in heads or heads[epoch].seq < head.seq:
            heads[epoch] = head
        return reply(self, sender, epoch, heads[epoch], *more)

    patches.set(receiver_module.Receiver, "_reply", replied)


def _last_of_a_batch_lost(patches: Patches) -> None:
    def new(batch: Any, plan: Any) -> Iterator[Any]:
        for first, last in plan.new:
            for at in range(first - batch.first, max(1, last - batch.first)):
                yield batch.records[at], batch.hashes[at], batch.encoded[at]

    patches.set(receiver_module, "_new_records", new)


def _typed_wrong(patches: Patches) -> None:
    lay = patches.set(cloud_rows, "_lay_poll", None)

    def laid(rows: Any, seq: int, body: list[Any]) -> None:
        known = [0 if value is None else value for value in body[1]]
        lay(rows, seq, [body[0], known, *body[2:]])

    patches.set(cloud_rows, "_LAYERS", {**cloud_rows._LAYERS, Kind.POLL: laid})


MUTANTS = (
    Mutant(
        "ack the highest",
        "the receiver acks the highest seq, not the highest contiguous one",
        NAMES,
        96,
        5,
        _ack_the_highest,
    ),
    Mutant(
        "ack before commit",
        "the receiver acks what it commits only with the next batch",
        ("receiver_crash",),
        48,
        10,
        _ack_before_commit,
    ),
    Mutant(
        "no unique key",
        "the cloud's tables take a record as often as it comes",
        ("forgetful", "cuts"),
        12,
        2,
        _no_unique_key,
    ),
    Mutant(
        "any seal", "no MAC is compared, neither of batches nor of acks", NAMES, 48, 11, _any_seal
    ),
    Mutant(
        "tombstone unread",
        "the receiver stores a tombstone and goes on waiting for what it stands for",
        ("long_night",),
        168,
        12,
        _tombstone_unread,
    ),
    Mutant(
        "any chain",
        "the receiver does not compare the chain of a batch",
        ("memory_error",),
        96,
        7,
        _any_chain,
    ),
    Mutant(
        "head remembered",
        "the receiver acks the head it had before an older copy was put back",
        ("receiver_restore",),
        96,
        4,
        _head_remembered,
    ),
    Mutant(
        "last of a batch lost",
        "the receiver notes a range and stores all of it but the last record",
        ("crash",),
        12,
        5,
        _last_of_a_batch_lost,
    ),
    Mutant(
        "nothing is zero",
        "a value that was not read is 0 in the readings",
        ("silent",),
        12,
        7,
        _typed_wrong,
    ),
)
