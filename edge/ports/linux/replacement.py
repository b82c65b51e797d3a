"""Putting a new journal in the place of one that cannot be believed, safe against a cut anywhere.

The old files get a second name, the new journal is built beside them, and one rename declares it
ready. From then on the exchange is finished, if need be at the next start; before, nothing has
happened to the old journal.
"""

import os
import shutil
import threading
import time
from pathlib import Path

from edge.core.errors import StoreError
from edge.ports.linux.ballast import Ballast
from edge.ports.linux.head_mark import HeadMark
from edge.ports.linux.journal_file import Connect, State
from edge.ports.linux.salvage import Origin, build

#: Sets of files kept aside; the oldest goes when there are more.
ASIDE_MAX = 3

#: What is salvaged from more than this takes so long that polling must not wait for it.
LARGE_BYTES = 1 << 20


class Replacement:
    """The exchange of one journal file."""

    def __init__(self, path: Path, connect: Connect) -> None:
        self.path = path
        self._connect = connect
        self._building = self._beside(".building")
        self._ready = self._beside(".ready")
        self._builder: threading.Thread | None = None
        self._failure: StoreError | OSError | None = None

    def _beside(self, ending: str) -> Path:
        return self.path.with_name(self.path.name + ending)

    def clear_stray_log(self) -> None:
        """A log without its database would be replayed into a new one: set it aside."""
        log = self._beside("-wal")
        is_gone = not self.path.exists() or self.path.stat().st_size == 0
        if is_gone and log.exists() and log.stat().st_size > 0:
            aside = self._free_name()
            log.rename(aside.with_name(aside.name + "-wal"))
            self._beside("-shm").unlink(missing_ok=True)

    def _free_name(self) -> Path:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        number = 0
        while True:
            aside = self._beside(f".aside-{stamp}" + (f"-{number}" if number else ""))
            if not aside.exists() and not aside.with_name(aside.name + "-wal").exists():
                return aside
            number += 1

    def keep(self) -> Path:
        """Give the files a second name, which is returned; before anybody closes the journal.

        Closing folds the log into the file as far as its checksums go, and drops the rest.
        """
        self._prune()
        aside = self._free_name()
        _keep(self.path, aside)
        log = self._beside("-wal")
        if log.exists():
            _keep(log, aside.with_name(aside.name + "-wal"))
        return aside

    def prepare(self, origin: Origin, state: State, reason: str, ballast: Ballast) -> None:
        """Build the new journal from the kept files, declare it ready.

        Without space even after the ballast is given up, the old rows stay behind in the kept
        files, and the event says so. Raises StoreError, OSError.
        """
        self._build(origin, state, reason, ballast)
        self._building.rename(self._ready)
        _sync_folder(self.path.parent)

    @property
    def is_building(self) -> bool:
        """True from `begin` until `end` has told how it went."""
        return self._builder is not None

    def begin(self, origin: Origin, state: State, reason: str, ballast: Ballast) -> None:
        """`prepare`, on a thread of its own if there is much to salvage."""

        def work() -> None:
            try:
                self.prepare(origin, state, reason, ballast)
            except (StoreError, OSError) as error:
                self._failure = error

        self._failure = None
        self._builder = threading.Thread(target=work, name="salvage", daemon=True)
        self._builder.start()
        kept = (origin.path, origin.path.with_name(origin.path.name + "-wal"))
        if sum(item.stat().st_size for item in kept if item.exists()) <= LARGE_BYTES:
            self._builder.join()

    def end(self) -> bool:
        """False while it is being built; raises what has prevented it."""
        if self._builder is None or self._builder.is_alive():
            return self._builder is None
        self._builder = None
        if self._failure is not None:
            raise self._failure
        return True

    def wait(self) -> None:
        """Until nothing is being built; what is ready is exchanged at the next start."""
        if self._builder is not None:
            self._builder.join()

    def _build(self, origin: Origin, state: State, reason: str, ballast: Ballast) -> None:
        for carry in (True, True, False):
            self._clear_building()
            try:
                told = reason if carry else reason + ", no space"
                build(origin, self._building, state, told, carry, self._connect)
                return
            except StoreError as error:
                if error.code != "store.full" or not carry:
                    raise
                ballast.release()
        raise StoreError("store.full", file=str(self._building))

    def _clear_building(self) -> None:
        for ending in ("", "-wal", "-shm", "-journal"):
            self._building.with_name(self._building.name + ending).unlink(missing_ok=True)

    def finish(self, mark: HeadMark) -> None:
        """Exchange the files if a new journal is ready."""
        self._clear_building()
        if not self._ready.exists():
            return
        mark.remove()  # it speaks of the old one
        for ending in ("-wal", "-shm"):
            self._beside(ending).unlink(missing_ok=True)
        _sync_folder(self.path.parent)
        self._ready.replace(self.path)
        _sync_folder(self.path.parent)

    def _prune(self) -> None:
        kept = sorted(self.path.parent.glob(self.path.name + ".aside-*"))
        names = sorted({item.name.removesuffix("-wal") for item in kept})
        for name in names[: max(0, len(names) - ASIDE_MAX + 1)]:
            for ending in ("", "-wal"):
                self.path.with_name(name + ending).unlink(missing_ok=True)


def _keep(path: Path, aside: Path) -> None:
    """A second name for the file's content, without a copy where the filesystem can."""
    try:
        os.link(path, aside)
    except OSError:
        shutil.copy2(path, aside)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
