"""One gateway a journal: a lock that another process meets before it touches anything.

Two writers would take each other's records for damage, and one would set the file aside while the
other goes on writing into it. The kernel lets go of the lock when the process ends, in any way.
"""

import contextlib
import fcntl
import os
from pathlib import Path

from edge.core.errors import StoreError


class JournalHold:
    """The lock of one journal, on a file of its own that nothing replaces.

    It belongs to the process (POSIX record lock): opening twice in one process is not refused.
    """

    def __init__(self, journal: Path) -> None:
        """Take the lock, or raise StoreError "store.open" when another process has it.

        Where the file cannot be made, as on a full disk, the journal is opened without: a lock
        keeps a mistake away, and must not keep a gateway from its work.
        """
        path = journal.with_name(journal.name + ".lock")
        self._handle: int | None = None
        with contextlib.suppress(OSError):
            self._handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        if self._handle is None:
            return
        try:
            fcntl.lockf(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            self.release()
            raise StoreError("store.open", file=str(journal), reason="another gateway has it open")
        except OSError:
            self.release()  # a file system without locks

    def release(self) -> None:
        """Let go; never raises."""
        if self._handle is not None:
            with contextlib.suppress(OSError):
                os.close(self._handle)
            self._handle = None
