"""What the receiver does when nothing waits: it compacts the days that are over.

On a thread and a connection of its own, so that no batch waits for a run: in PostgreSQL it
holds no lock that storing needs, in SQLite one for some hundredths of a second at a time.
"""

import threading
import time
from collections.abc import Callable

from cloud_sync.store.compaction import POLLS_MIN, Compaction
from cloud_sync.store.sqlite_compaction import SqliteCompaction
from edge.core.errors import StoreError, TallyError

#: Polls of one run, a fraction of a second of the database's time.
POLLS_MAX = 2_048

#: Seconds between two looks for days that are over, and for a quiet moment.
LOOK_S = 300.0
QUIET_S = 0.05

_DAY_MS = 86_400_000

_Compaction = Compaction | SqliteCompaction


def day_before(now_ms: int) -> int:
    """The start of yesterday, UTC: records of it and later stay rows. Unix milliseconds."""
    return now_ms - now_ms % _DAY_MS - _DAY_MS


class IdleCompactor:
    """Looks for closed days again and again, and compacts them run by run in quiet moments.

    After each run it rests as long as the run took.

    open: a connection for one look. is_quiet: whether a run may begin. tell: how it is, an error
    or None. notice: called as notice("compacted", {"polls": n}) after a look that did something.
    """

    def __init__(
        self,
        open: Callable[[], _Compaction],
        is_quiet: Callable[[], bool],
        tell: Callable[[TallyError | None], None],
        notice: Callable[[str, dict[str, object]], None],
        now_ms: Callable[[], int],
    ) -> None:
        self._open, self._is_quiet = open, is_quiet
        self._tell, self._notice, self._now_ms = tell, notice, now_ms
        self._is_over = threading.Event()
        self._compaction: _Compaction | None = None
        self._thread = threading.Thread(target=self._work, name="compactor", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Break off what is being done; returns within 2 s."""
        self._is_over.set()
        compaction = self._compaction
        if compaction is not None:
            compaction.cancel()
        self._thread.join(2)

    def _work(self) -> None:
        while self._waits_for_quiet():
            try:
                self._look()
                self._tell(None)
            except StoreError as error:
                if not self._is_over.is_set():
                    self._tell(error)
            self._is_over.wait(LOOK_S)

    def _waits_for_quiet(self) -> bool:
        """True in a quiet moment, False at the end."""
        while not self._is_over.is_set():
            if self._is_quiet():
                return True
            self._is_over.wait(QUIET_S)
        return False

    def _look(self) -> None:
        compaction = self._compaction = self._open()
        try:
            before_ms = day_before(self._now_ms())
            total = 0
            for journal, left in compaction.waiting(before_ms, POLLS_MIN):
                total += self._compact(compaction, journal, left, before_ms)
            if total and self._waits_for_quiet():
                compaction.tidy()
                self._notice("compacted", {"polls": total})
        finally:
            self._compaction = None
            compaction.close()

    def _compact(self, compaction: _Compaction, journal: int, left: int, before_ms: int) -> int:
        total = 0
        while left - total >= POLLS_MIN and self._waits_for_quiet():
            begun_s = time.monotonic()
            done = compaction.run(journal, before_ms, POLLS_MAX)
            if not done:
                break
            total += done
            self._is_over.wait(time.monotonic() - begun_s)
        return total
