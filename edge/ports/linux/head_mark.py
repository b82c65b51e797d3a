"""A second, independent memory of where the journal ends.

A journal that lost its tail, was deleted or was put back from an older copy looks whole. The
mark is one small file beside it, overwritten after each commit and left to the kernel to write:
it may lag behind the journal but is never ahead of it, unless the journal has lost something.
"""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from edge.core.errors import DataError
from edge.core.journal import chain
from edge.core.numbers import pack

_CHECK_BYTES = 8
_SIZE = 128  # within one sector: it is written whole or not at all


class Mark(NamedTuple):
    """seq: the last one committed, hash: at it; acked: the last one acked."""

    epoch: bytes
    seq: int
    hash: bytes
    boot: int
    acked: int


def encode_mark(mark: Mark) -> bytes:
    """The file's content: packed fields, their check, zeros."""
    data = pack.encode(list(mark))
    return (data + hashlib.sha256(data).digest()[:_CHECK_BYTES]).ljust(_SIZE, b"\0")


def decode_mark(data: bytes) -> Mark | None:
    """Read a mark back; None for anything that is not one, whole and unharmed."""
    for end in range(len(data) - _CHECK_BYTES, 0, -1):
        body, check = data[:end], data[end : end + _CHECK_BYTES]
        if hashlib.sha256(body).digest()[:_CHECK_BYTES] == check:
            return _read(body)
    return None


def _read(body: bytes) -> Mark | None:
    try:
        fields = pack.decode(body)
    except DataError:
        return None
    if not isinstance(fields, list) or len(fields) != len(Mark._fields):
        return None
    mark = Mark(*fields)
    is_mark = isinstance(mark.epoch, bytes) and len(mark.epoch) == chain.EPOCH_BYTES
    return mark if is_mark and isinstance(mark.hash, bytes) else None


class HeadMark:
    """The mark of one journal. Nothing here raises: without it a check is missing, no data."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    def read(self) -> Mark | None:
        try:
            return decode_mark(self.path.read_bytes())
        except OSError:
            return None

    def write(self, mark: Mark, durable: bool = False) -> None:
        """Overwrite the mark. durable: wait until the medium has it."""
        try:
            if self._handle is None:
                self._handle = os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600)
            os.pwrite(self._handle, encode_mark(mark), 0)
            if durable:
                os.fdatasync(self._handle)
        except OSError:
            self.close()

    def remove(self) -> None:
        """Forget: the journal is about to be replaced."""
        self.close()
        try:
            self.path.unlink()
        except OSError:
            pass

    def close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
