"""The cloud's end: the real receiver over SQLite in memory, with crashes and older copies."""

import functools
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgpack

from cloud_sync.keys import Keys
from cloud_sync.receiver import Receiver
from cloud_sync.store.sqlite import SqliteStore
from cloud_sync.store.sqlite_file import open_database
from cloud_sync.store.sqlite_polls import teach
from edge.core.errors import StoreError
from edge.ports.sim.broker import Broker, Line, Message
from edge.ports.sim.timeline import Timeline
from hil_tests.soak.site import GATEWAY, KEY, TENANT, TRUTH_MS

NAME = "receiver"


class CrashError(Exception):
    """The receiver's process ends here."""


@functools.cache
def _empty_image() -> bytes:
    """A new cloud database; not in WAL, which a database in memory cannot be."""
    with tempfile.TemporaryDirectory() as folder:
        db = open_database(Path(folder) / "cloud.db")
        db.execute("PRAGMA journal_mode = DELETE")
        image = db.serialize()
        db.close()
    return image


class MemoryStore(SqliteStore):
    """The cloud's SQLite store without a file. at_commit: called before each commit."""

    def __init__(self, image: bytes, at_commit: Callable[[], None]) -> None:
        self.path = Path("memory")
        self._db = sqlite3.connect(":memory:", isolation_level=None)
        self._db.deserialize(image)
        teach(self._db)
        self._at_commit = at_commit

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with super().transaction():
            yield
            self._at_commit()

    def image(self) -> bytes:
        """The whole database, to be restored later."""
        return self._db.serialize()


class Cloud:
    """Receiver and database. doom: "", or where the next crash is: "commit", "ack"."""

    def __init__(self, timeline: Timeline, broker: Broker) -> None:
        self.timeline = timeline
        self.broker = broker
        self.doom = ""
        self.failing_until_ms = 0
        self.up_at_ms = 0
        self.crashes = 0
        self.store = MemoryStore(_empty_image(), self._at_commit)
        self._receiver = self._opened()
        self._line: Line | None = None
        self._unacked: list[Message] = []
        self.on_broken_word: Callable[[str], None] = lambda text: None
        self._told: dict[bytes, int] = {}  # epoch -> a row that was there when its ack left
        self.shuffle: Callable[[list[Any]], None] = lambda items: None
        self.connect()

    def _opened(self) -> Receiver:
        keys = Keys({(TENANT, GATEWAY): KEY})
        return Receiver(self.store, keys, lambda: TRUTH_MS + self.timeline.now_ms)

    def _at_commit(self) -> None:
        if self.timeline.now_ms < self.failing_until_ms:
            raise StoreError("cloud.write", file="memory", reason="told")
        if self.doom == "commit":
            raise CrashError

    def connect(self) -> None:
        """Reach for the broker, again and again."""
        line = None
        if self.timeline.now_ms >= self.up_at_ms:
            line = self.broker.connect(NAME, self._arrived)
        self._line = line
        if line is None:
            self.timeline.after(5_000, self.connect)
            return
        line.on_cut = self._cut
        line.carry("up", lambda: self.broker.subscribe(NAME, "batch"))

    def _cut(self) -> None:
        """What was not acknowledged comes again, in another order."""
        self._line = None
        lost, self._unacked = self._unacked, []
        self.shuffle(lost)
        self.broker.give_back(NAME, lost)
        self.timeline.after(15_000, self.connect)

    def _arrived(self, message: Message) -> None:
        self._unacked.append(message)
        try:
            reply = self._receiver.receive(message.topic, message.payload)
            if self.doom == "ack":
                raise CrashError
        except CrashError:
            self.crash(30_000)
            return
        except StoreError:
            self.broker.disconnect(NAME)
            return
        self._unacked.remove(message)
        line = self._line
        if reply is not None and line is not None:
            self._note_word(reply.payload)
            ack = Message(reply.topic, reply.payload)
            line.carry("up", lambda: self.broker.publish("ack", ack, True))

    def _note_word(self, payload: bytes) -> None:
        """Keep in mind the row that an acknowledgement names, unless it was removed long ago."""
        epoch, seq = msgpack.unpackb(payload, raw=False)[2:4]
        if self._has(epoch, seq):
            self._told[epoch] = seq

    def _has(self, epoch: bytes, seq: int) -> bool:
        found = self.store.query(
            "SELECT 1 FROM records"
            " WHERE journal = (SELECT id FROM journals WHERE epoch = ?) AND seq = ?",
            *(epoch, seq),
        )
        return bool(found)

    def check_word(self) -> None:
        """What the last acknowledgements named is there after a crash."""
        for epoch, seq in self._told.items():
            if not self._has(epoch, seq):
                self.on_broken_word(f"seq {seq} of {epoch.hex()} was acked and is not stored")

    def crash(self, down_ms: int) -> None:
        """The process ends; what was committed stays."""
        self.doom = ""
        self.crashes += 1
        self.up_at_ms = self.timeline.now_ms + down_ms
        self.broker.disconnect(NAME)
        self._receiver = self._opened()
        self.check_word()

    def restore(self, image: bytes) -> None:
        """Someone puts an older copy of the database back."""
        self.store.close()
        self._told = {}
        self.store = MemoryStore(image, self._at_commit)
        self.crash(60_000)

    def rows(self) -> dict[bytes, dict[int, tuple[bytes, bytes]]]:
        """epoch -> seq -> (hash, canonical bytes) of everything stored."""
        found: dict[bytes, dict[int, tuple[bytes, bytes]]] = {}
        for epoch, seq, digest, body in self.store.query(
            "SELECT j.epoch, r.seq, r.hash, r.body FROM records r"
            " JOIN journals j ON j.id = r.journal ORDER BY j.id, r.seq"
        ):
            found.setdefault(epoch, {})[seq] = (digest, body)
        return found
