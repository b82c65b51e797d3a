"""The journal of a gateway and the disk that it is on, read beside the gateway."""

from collections.abc import Iterator
from pathlib import Path

from edge.app.cli.check_finding import Finding
from edge.core.errors import StoreError
from edge.ports.linux.ballast import ROOM, Ballast
from edge.ports.linux.head_mark import HeadMark
from edge.ports.linux.journal_file import LOG_BYTES
from edge.ports.linux.journal_reader import open_reader
from edge.ports.linux.journal_space import free_bytes, may_write, read_space
from edge.ports.linux.sqlite_store import BALLAST_BYTES

#: Less room than this is worth a word.
ROOM_HOURS = 48
ROOM_BYTES = 64_000_000

#: A log that is never folded grows past its bound: somebody keeps the journal open for reading.
LOG_MAX_BYTES = 4 * LOG_BYTES


def journal_findings(path: Path, quota_bytes: int | None) -> Iterator[Finding]:
    """The file, its rights and newest records; the room it has; what is held back; its log."""
    free = free_bytes(path.parent)
    error: StoreError | None = None
    space: dict[str, object] = {}
    if free is None or not may_write(path):
        error = StoreError("store.open", file=str(path), reason="no permission to write")
    elif path.exists():
        try:
            space = _prove(path, quota_bytes)
        except StoreError as found:
            error = found
        if error is None and path.stat().st_mode & 0o077:
            error = StoreError("store.exposed", file=str(path))
    yield Finding("journal", error, {"file": path}, "journal" if path.exists() else "journal_new")
    if free is not None:
        yield _room(path, free, space, quota_bytes)
    if path.exists():
        yield _reserve(path)
        yield _log(path)


def _prove(path: Path, quota_bytes: int | None) -> dict[str, object]:
    """Read the newest records; return room and rate. Raises StoreError."""
    # Before the journal: a gateway that runs moves both on, the mark last.
    mark = HeadMark(path.with_name(path.name + ".head")).read()
    reader = open_reader(path)
    try:
        if mark and (mark.epoch != reader.epoch or mark.seq >= reader.next_seq):
            raise reader.damage(mark.seq)
        return read_space(reader, quota_bytes)
    finally:
        reader.close()


def _room(path: Path, free: int, space: dict[str, object], quota_bytes: int | None) -> Finding:
    hours, used = space.get("hours_left"), space.get("journal_bytes", 0)
    assert isinstance(used, int)
    fields = {"file": str(path), "hours": "?" if hours is None else hours, "free": free}
    if quota_bytes is not None and quota_bytes > used + free:
        room = {"quota": quota_bytes, "room": used + free}
        return Finding("space", StoreError("store.quota", file=str(path), **room))
    scarce = free < ROOM_BYTES or (isinstance(hours, int) and hours < ROOM_HOURS)
    error = StoreError("store.space", **fields) if scarce else None
    return Finding("space", error, fields, "space_new" if hours is None else "space")


def _reserve(path: Path) -> Finding:
    ballast = Ballast(path.with_name(path.name + ".ballast"), BALLAST_BYTES)
    fields = {"file": str(path), "bytes": BALLAST_BYTES, "needed": ROOM * BALLAST_BYTES}
    return Finding(
        "reserve", None if ballast.held else StoreError("store.reserve", **fields), fields
    )


def _log(path: Path) -> Finding:
    log = path.with_name(path.name + "-wal")
    size = log.stat().st_size if log.exists() else 0
    fields = {"file": str(path), "bytes": size}
    too_long = size > LOG_MAX_BYTES
    return Finding("log", StoreError("store.log", **fields) if too_long else None, fields)
