"""Every state that a power cut could leave a journal in, made from a recording of its writes.

A VFS (apsw) passes each operation of SQLite on to real files and writes it down; the head mark is
recorded beside. From the list, the files are rebuilt as they may lie on the medium after a cut at
any operation: what was synced is there, what was not is there whole, not at all, torn at a sector,
or in part and in any order. With `lying` the medium ignores the last syncs.
"""

import random
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from edge.ports.linux.head_mark import HeadMark, Mark, encode_mark

SECTOR_BYTES = 512
VFS_NAME = "recording"

#: What becomes of the writes that no sync has covered.
MODES = ("kept", "dropped", "torn", "random")


class Operation(NamedTuple):
    """kind: "write", "truncate", "sync", "delete" or "done" (a call of the store returned).

    file: ending of the file's name, "" for the database. note: what had been promised, at "done".
    """

    kind: str
    file: str
    offset: int = 0
    data: bytes = b""
    note: int = -1


@dataclass
class Tape:
    """A recording, and faults for the next operations.

    fail_at: which write from now on fails, None for none; failure: the apsw error it fails with;
    lasting: it goes on to fail until `fail_at` is None again.
    """

    operations: list[Operation] = field(default_factory=list)
    base: str = ""
    fail_at: int | None = None
    failure: type[Exception] = apsw.FullError
    lasting: bool = False
    failed: int = 0

    def ending(self, name: str) -> str | None:
        """The ending of a journal's file, None for a file of something else."""
        return name[len(self.base) :] if name.startswith(self.base) else None

    def add(self, operation: Operation) -> None:
        self.operations.append(operation)

    def done(self, note: int) -> None:
        """A call that promises durability up to `note` has returned."""
        self.add(Operation("done", "", note=note))

    def trip(self) -> None:
        """Fail when it is time to."""
        if self.fail_at is None:
            return
        if self.fail_at == 0:
            self.failed += 1
            if not self.lasting:
                self.fail_at = None
            raise self.failure("as told")
        self.fail_at -= 1


class _RecordingFile(apsw.VFSFile):
    def __init__(self, tape: Tape, name: Any, flags: list[int]) -> None:
        super().__init__("", name, flags)
        text = name if isinstance(name, str) or name is None else name.filename()
        self._tape = tape
        self._ending = None if text is None else tape.ending(text)

    def _note(self, kind: str, offset: int = 0, data: bytes = b"") -> None:
        if self._ending is not None and self._ending != "-shm":
            self._tape.add(Operation(kind, self._ending, offset, data))

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._tape.trip()
        super().xWrite(data, offset)
        self._note("write", offset, bytes(data))

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self._tape.trip()
        super().xTruncate(size)
        self._note("truncate", size)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._tape.trip()
        self._note("sync")


class _RecordingVFS(apsw.VFS):
    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        super().__init__(VFS_NAME, "")

    def xOpen(self, name: Any, flags: list[int]) -> _RecordingFile:  # noqa: N802
        return _RecordingFile(self._tape, name, flags)

    def xDelete(self, name: str, sync_folder: bool) -> None:  # noqa: N802
        super().xDelete(name, sync_folder)
        ending = self._tape.ending(name)
        if ending is not None:
            self._tape.add(Operation("delete", ending))


#: apsw's errors as the standard library names them.
_CODES = (
    (apsw.FullError, sqlite3.SQLITE_FULL),
    (apsw.CorruptError, sqlite3.SQLITE_CORRUPT),
    (apsw.NotADBError, sqlite3.SQLITE_NOTADB),
    (apsw.ReadOnlyError, sqlite3.SQLITE_READONLY),
    (apsw.ConstraintError, sqlite3.SQLITE_CONSTRAINT),
)


class _Found:
    def __init__(self, rows: list[tuple[Any, ...]]) -> None:
        self._rows = rows

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._rows


class ApswConnection:
    """As much of sqlite3.Connection as the store uses, on apsw."""

    def __init__(self, path: Path, vfs: str) -> None:
        self._db = apsw.Connection(str(path), vfs=vfs)

    def _run(self, work: Any) -> Any:
        try:
            return work()
        except apsw.Error as error:
            raised = sqlite3.OperationalError(str(error))
            code = next((c for kind, c in _CODES if isinstance(error, kind)), sqlite3.SQLITE_IOERR)
            raised.sqlite_errorcode = code
            raise raised

    def execute(self, sql: str, values: Any = ()) -> _Found:
        return _Found(self._run(lambda: list(self._db.execute(sql, values))))

    def executemany(self, sql: str, rows: Any) -> None:
        self._run(lambda: self._db.executemany(sql, rows))

    @property
    def in_transaction(self) -> bool:
        return bool(self._db.in_transaction)

    def close(self) -> None:
        self._run(self._db.close)


class RecordingMark(HeadMark):
    """A head mark whose writes are recorded like the others, and synced as rarely."""

    def __init__(self, path: Path, tape: Tape) -> None:
        super().__init__(path)
        self._tape = tape

    def write(self, mark: Mark, durable: bool = False) -> None:
        super().write(mark, durable)
        self._tape.add(Operation("write", ".head", 0, encode_mark(mark)))
        if durable:
            self._tape.add(Operation("sync", ".head"))


class Recorder:
    """Opens connections that record onto one tape."""

    def __init__(self, path: Path) -> None:
        self.tape = Tape(base=str(path))
        self._vfs = _RecordingVFS(self.tape)

    def connect(self, path: Path) -> ApswConnection:
        return ApswConnection(path, VFS_NAME)

    def close(self) -> None:
        self._vfs.unregister()


class Medium:
    """The files of a tape, played forward: what is synced, and what waits."""

    def __init__(self) -> None:
        self.synced: dict[str, bytearray] = {}
        self.waiting: dict[str, list[Operation]] = {}
        self.promised = -1

    def play(self, operation: Operation, lying: bool = False) -> None:
        """One operation further. lying: a sync that the medium only pretends to do."""
        if operation.kind == "done":
            self.promised = operation.note
        elif operation.kind == "delete":
            self.synced.pop(operation.file, None)
            self.waiting.pop(operation.file, None)
        elif operation.kind == "sync":
            if not lying:
                content = self.synced.setdefault(operation.file, bytearray())
                for held in self.waiting.pop(operation.file, []):
                    _apply(content, held)
        else:
            self.waiting.setdefault(operation.file, []).append(operation)

    def image(self, mode: str, draw: random.Random) -> dict[str, bytes]:
        """The files after a cut now."""
        files = {}
        for name in sorted(set(self.synced) | set(self.waiting)):
            content = bytearray(self.synced.get(name, b""))
            for operation in _survivors(self.waiting.get(name, []), mode, draw):
                _apply(content, operation)
            files[name] = bytes(content)
        return files


def _apply(content: bytearray, operation: Operation) -> None:
    if operation.kind == "truncate":
        del content[operation.offset :]
        return
    end = operation.offset + len(operation.data)
    if len(content) < operation.offset:
        content.extend(bytes(operation.offset - len(content)))
    content[operation.offset : end] = operation.data


def _survivors(held: list[Operation], mode: str, draw: random.Random) -> list[Operation]:
    """Which of the writes that wait reach the medium, and how much of each."""
    if mode == "kept":
        return held
    if mode == "dropped" or not held:
        return []
    if mode == "torn":
        return [*held[:-1], _torn(held[-1], draw)]
    chosen = [_torn(item, draw) if draw.random() < 0.2 else item for item in held]
    return [item for item in chosen if draw.random() < 0.5]


def _torn(operation: Operation, draw: random.Random) -> Operation:
    if operation.kind != "write":
        return operation
    sectors = -(-len(operation.data) // SECTOR_BYTES)
    return operation._replace(data=operation.data[: draw.randrange(sectors) * SECTOR_BYTES])


class Image(NamedTuple):
    """One state of the files. promised: the last seq that a returned append had covered."""

    at: int
    mode: str
    files: dict[str, bytes]
    promised: int


def images(tape: Tape, seed: int, lying: int = 0) -> Iterator[Image]:
    """A cut after every operation, in every mode. lying: the last so many syncs are ignored."""
    draw = random.Random(seed)
    operations = tape.operations
    if lying:
        yield from _lying_images(operations, draw, lying)
        return
    medium = Medium()
    for at, operation in enumerate(operations):
        medium.play(operation)
        for mode in MODES:
            yield Image(at, mode, medium.image(mode, draw), medium.promised)


def _lying_images(operations: list[Operation], draw: random.Random, lying: int) -> Iterator[Image]:
    """Cuts at random operations; the syncs of a window before each were pretended."""
    syncs = [at for at, item in enumerate(operations) if item.kind == "sync"]
    while True:
        at = draw.randrange(len(operations))
        pretended = set([sync for sync in syncs if sync <= at][-lying:])
        medium = Medium()
        for index in range(at + 1):
            medium.play(operations[index], index in pretended)
        mode = draw.choice(MODES[1:])
        yield Image(at, mode, medium.image(mode, draw), medium.promised)


def lay_out(image: dict[str, bytes], path: Path) -> None:
    """Write the files of an image beside `path`; what was there goes."""
    for old in path.parent.glob(path.name + "*"):
        old.unlink()
    for ending, content in image.items():
        path.with_name(path.name + ending).write_bytes(content)
