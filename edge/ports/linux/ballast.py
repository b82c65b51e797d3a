"""Space that is held back, so that a full disk leaves room to acknowledge, delete and tell.

On a full filesystem SQLite can neither delete nor checkpoint. The ballast is a file of real
blocks beside the journal; it is given up when a write finds no space, and taken back when there
is plenty again.
"""

import os
import time
from pathlib import Path

#: Taken back only when the disk has this many times its size to spare, and asked for this often.
ROOM = 4
RETRY_S = 60


class Ballast:
    """One file of `size` bytes, 0 for none."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size
        self._due_s = 0.0

    @property
    def held(self) -> bool:
        """True when the space is held."""
        try:
            return self.size > 0 and self.path.stat().st_size >= self.size
        except OSError:
            return False

    def take(self) -> bool:
        """Hold the space if there is plenty; True when it is held after. Never raises."""
        if self.size == 0:
            return False
        if self.held:
            return True
        try:
            disk = os.statvfs(self.path.parent)
            if disk.f_bavail * disk.f_frsize < ROOM * self.size:
                return False
            handle = os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600)
            try:
                os.posix_fallocate(handle, 0, self.size)
            finally:
                os.close(handle)
        except OSError:
            self.release()
        return self.held

    def take_again(self) -> None:
        """`take`, once in a while; cheap enough to be called after every commit."""
        if self.size and time.monotonic() >= self._due_s:
            self._due_s = time.monotonic() + RETRY_S
            self.take()

    def release(self) -> int:
        """Give the space up; return how many bytes that gave."""
        try:
            given = self.path.stat().st_size
            self.path.unlink()
        except OSError:
            return 0
        return given
