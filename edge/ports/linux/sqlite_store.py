"""The journal on Linux: one SQLite file, one connection, one writer.

One row is one record, so a poll of thirty points costs one row. Beside the file lie the ballast
(space for a full disk), the head mark (a second memory of where the journal ends) and, after
damage, the files that were set aside.
"""

import os
from collections.abc import Callable
from pathlib import Path

from edge.core.errors import StoreError
from edge.core.journal import chain
from edge.core.journal.record import Kind
from edge.core.journal.retain import Removal
from edge.ports.linux.ballast import Ballast
from edge.ports.linux.head_mark import HeadMark, Mark
from edge.ports.linux.journal_file import (
    LOG_BYTES,
    SCHEMA_VERSION,
    Connect,
    JournalFile,
    State,
    connect_sqlite,
)
from edge.ports.linux.journal_hold import JournalHold
from edge.ports.linux.journal_reader import JournalReader
from edge.ports.linux.removal import Remover
from edge.ports.linux.replacement import Replacement
from edge.ports.linux.salvage import Origin
from edge.ports.linux.store_foreign import refuse_foreign

#: Space held back for a full disk.
BALLAST_BYTES = 4 << 20


class SqliteStore(JournalReader):
    """The journal file of one gateway."""

    def __init__(
        self,
        path: Path,
        gateway: str,
        ballast_bytes: int = BALLAST_BYTES,
        quota_bytes: int | None = None,
        connect: Connect = connect_sqlite,
    ) -> None:
        """Open or create the journal and count this boot.

        quota_bytes: most the journal may take, None for what the disk has. A journal that cannot
        be believed is set aside and salvaged. Raises StoreError "store.open", also while another
        process has it, or "store.foreign" for another gateway's journal and for no journal.
        """
        refuse_foreign(path)
        self.path, self.gateway = path, gateway
        self.ballast = Ballast(path.with_name(path.name + ".ballast"), ballast_bytes)
        self.mark = HeadMark(path.with_name(path.name + ".head"))
        self.remover = Remover(self, quota_bytes, ballast_bytes)
        self._connect = connect
        # Folding a log may make the file grow: the ballast has to hold both.
        self._log_bytes = min(LOG_BYTES, ballast_bytes // 4) if ballast_bytes else LOG_BYTES
        self._replacement = Replacement(path, connect)
        self._hold = JournalHold(path)
        self._suspect: str | None = None
        self._told: list[tuple[str, dict[str, object]]] = []
        self._news_taken = False
        try:
            self._begin()
        except StoreError as error:
            if error.code == "store.foreign":
                raise
            reason = str(error.fields.get("reason", error.code))
            raise StoreError("store.open", file=str(path), reason=reason)
        except OSError as error:
            raise StoreError("store.open", file=str(path), reason=str(error))

    def _begin(self) -> None:
        self._replacement.finish(self.mark)
        try:
            self._open()
        except StoreError as error:
            if error.code != "store.corrupt":
                raise
            self._replace("damaged", is_patient=True)
        self.ballast.take_again()
        state = self.state
        state.boot += 1
        if not state.clean:
            state.news.append(["journal.cut", ["last", self.next_seq - 1]])
        state.clean = 0
        with self.file.transaction():
            self.file.write_state(state)
        self.boot = state.boot
        self._mark()

    def _open(self) -> None:
        """Connect, make an empty file a journal, take up what is there.

        Raises StoreError "store.corrupt" for what cannot be believed.
        """
        self._replacement.clear_stray_log()
        self.file = JournalFile(self.path, self._connect)
        self.file.prepare(self._log_bytes)
        version = self.file.version()
        mark = self.mark.read()
        if version == 0:
            self.file.create(self._first_state(mark))
        elif version != SCHEMA_VERSION:
            age = "a newer" if version > SCHEMA_VERSION else "an older"
            raise StoreError(
                "store.open", file=str(self.path), reason=f"written by {age} version ({version})"
            )
        state = self.file.read_state()
        if state is None:
            raise self.damage(-1)
        if state.gateway != self.gateway:
            self.file.close()
            raise StoreError(
                "store.foreign", file=str(self.path), found=state.gateway, expected=self.gateway
            )
        self.take_up(state)
        self.of_kind(Kind.TABLE)
        if version:
            self._hold_against(mark)

    def _first_state(self, mark: Mark | None) -> State:
        state = State(self.gateway, os.urandom(chain.EPOCH_BYTES))
        state.news = [["journal.begun", []]]
        if mark is not None:
            state.boot = mark.boot
            state.news = [["journal.lost", ["epoch", mark.epoch.hex(), "last", mark.seq]]]
        return state

    def _hold_against(self, mark: Mark | None) -> None:
        """The mark is never ahead of a journal that has lost nothing."""
        if mark is None:
            return
        is_ours = mark.epoch == self.epoch and mark.seq < self.next_seq
        if not is_ours or self.hash_at(mark.seq) not in (None, mark.hash):
            raise self.damage(mark.seq)

    def _mark(self, durable: bool = False) -> None:
        mark = Mark(self.epoch, self.next_seq - 1, self.head, self.boot, self.acked_seq)
        self.mark.write(mark, durable)

    def _replace(self, reason: str, is_patient: bool = False) -> None:
        """Set the file aside, go on with what it gave; is_patient: wait for that."""
        if not self._replacement.is_building:
            state = self.file.believable_state(self.gateway)
            mark = self.mark.read()
            origin = Origin(self._replacement.keep(), self.gateway, state, mark)
            fresh = State(self.gateway, os.urandom(chain.EPOCH_BYTES))
            fresh.boot = max([known.boot for known in (state, mark) if known] + [fresh.boot])
            fresh.news = list(state.news) if state and not self._news_taken else []
            self._replacement.begin(origin, fresh, reason, self.ballast)
        if is_patient:
            self._replacement.wait()
        if not self._replacement.end():
            raise StoreError("store.renewing", file=str(self.path))
        self.file.close()
        self._replacement.finish(self.mark)
        self._open()

    def renew(self, reason: str) -> None:
        try:
            self._replace(reason)
        except OSError as error:
            raise StoreError("store.write", file=str(self.path), reason=str(error))
        self._commit(self.state.changed(clean=0))
        self._mark()

    def append(self, rows: list[tuple[int, int, bytes, bytes]]) -> None:
        def insert() -> None:
            left = self._not_yet_there(rows)
            if left:
                self._commit(self._after(left), lambda: self.file.insert(left), left)

        self._attempt(insert)
        self.ballast.take_again()

    def remove(self, rows: list[tuple[int, int, bytes, bytes]], removal: Removal) -> None:
        def exchange() -> None:
            if self._not_yet_there(rows):
                state = self._after(rows) or self.state.changed()
                self._commit(state, lambda: self.remover.apply(rows, removal, state), rows)

        self._attempt(exchange)

    def plan_removal(self) -> Removal | None:
        return self.remover.plan()

    def ack(self, seq: int) -> None:
        self._attempt(lambda: self._commit(self.state.changed(acked=seq)))

    def _after(self, rows: list[tuple[int, int, bytes, bytes]]) -> State | None:
        """The state once these rows are there, None when it stays as it is."""
        if not self._news_taken and all(kind == Kind.POLL for _, kind, _, _ in rows):
            return None
        state = self.state.changed()
        if self._news_taken:
            state.news = []
        for seq, kind, _, _ in rows:
            state.note(seq, kind)
        return state

    def _attempt(self, work: Callable[[], None]) -> None:
        """Do the work; on a full disk make room and do it again."""
        if self._replacement.is_building:
            raise StoreError("store.renewing", file=str(self.path))
        try:
            self._freshen()
            work()
        except StoreError as error:
            self._suspect = error.code
            if error.code != "store.full" or not self._made_room():
                raise
            self._freshen()
            work()
        self._mark()

    def _made_room(self) -> bool:
        """Give the ballast up and fold the log, whose space is free then; False if neither."""
        self.remover.squeeze()
        given = self.ballast.release()
        if given:
            self._told.append(("journal.ballast", {"bytes": given}))
        return self.file.fold_log() or given > 0

    def _commit(
        self,
        state: State | None,
        work: Callable[[], None] = lambda: None,
        rows: "list[tuple[int, int, bytes, bytes]] | tuple[()]" = (),
    ) -> None:
        """Do the work and write the state, all or nothing."""
        with self.file.transaction():
            work()
            if state is not None:
                self.file.write_state(state)
        if state is not None:
            self.state = state
            self.acked_seq = state.acked
            self._news_taken = False
        if rows:
            self.next_seq = rows[-1][0] + 1
            self.head = rows[-1][3]

    def _not_yet_there(
        self, rows: list[tuple[int, int, bytes, bytes]]
    ) -> list[tuple[int, int, bytes, bytes]]:
        """Without the rows of a commit that failed after all of it had been written."""
        if rows[0][0] >= self.next_seq:
            return rows
        for seq, _, _, digest in rows:
            if seq < self.next_seq and self.hash_at(seq) != digest:
                raise self.damage(seq)
        if not self.file.fold_log():  # writes them again, and syncs
            raise StoreError("store.write", file=str(self.path), reason="not on the medium yet")
        return [row for row in rows if row[0] >= self.next_seq]

    def _freshen(self) -> None:
        """After a failure, begin again from what the medium has: it may be more than was told.

        A connection that has seen a write fail may hold pages that were never written; on a full
        disk it is kept, because another one would need space.
        """
        if self._suspect is None:
            return
        expected = self.next_seq
        if self._suspect != "store.full":
            self.file.close()
            self.file = JournalFile(self.path, self._connect)
            self.file.prepare(self._log_bytes)
        state = self.file.read_state()
        if state is None:
            raise self.damage(-1)
        self.take_up(state)
        if self.next_seq < expected:
            raise self.damage(self.next_seq)
        self._news_taken = self._news_taken and bool(state.news)
        self._suspect = None

    def findings(self) -> list[tuple[str, dict[str, object]]]:
        found, self._told = self._told, []
        if not self._news_taken:
            for code, flat in self.state.news:
                found.append((code, dict(zip(flat[::2], flat[1::2], strict=True))))
            self._news_taken = bool(self.state.news)
        return found

    def close(self) -> None:
        self._replacement.wait()
        try:
            self._commit(self.state.changed(clean=1))
            self._mark(durable=True)
        except StoreError:
            pass  # the next opening finds a journal that was not closed, and says so
        self.mark.close()
        self.file.close()
        self._hold.release()
