"""The medium under a simulated journal: what a power cut leaves, what a lying disk forgets."""

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from edge.core.journal.record import KIND_NAMES, REASONS, Kind


class Row(NamedTuple):
    """One journal row; level: how often retention has thinned it."""

    kind: int
    record: bytes
    digest: bytes
    level: int


class Mark(NamedTuple):
    """The second memory of where the journal ends, in a place of its own."""

    epoch: bytes
    seq: int
    digest: bytes
    boot: int
    acked: int


def _by_kind() -> dict[int, list[int]]:
    return {kind: [] for kind in range(len(KIND_NAMES)) if kind != Kind.POLL}


@dataclass
class Journal:
    """A journal file. gaps: last seq of a removed range -> seq of its tombstone; interval: the
    newest INTERVAL of an earlier epoch; news: findings that are no events yet.
    """

    gateway: str
    epoch: bytes
    boot: int = 0
    acked: int = -1
    is_clean: bool = True
    next_seq: int = 0
    used_bytes: int = 0
    rows: dict[int, Row] = field(default_factory=dict)
    by_kind: dict[int, list[int]] = field(default_factory=_by_kind)
    gaps: dict[int, int] = field(default_factory=dict)
    swept: list[int] = field(default_factory=lambda: [0] * len(REASONS))
    interval: bytes = b""
    news: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def copy(self) -> "Journal":
        """The same, to be changed apart."""
        return replace(
            self,
            rows=dict(self.rows),
            by_kind={kind: list(seqs) for kind, seqs in self.by_kind.items()},
            gaps=dict(self.gaps),
            swept=list(self.swept),
            news=list(self.news),
        )

    def insert(self, rows: list[tuple[int, int, bytes, bytes]], level: int = 0) -> None:
        """Add rows at the end."""
        for seq, kind, record, digest in rows:
            self.rows[seq] = Row(kind, record, digest, level)
            self.used_bytes += len(record) + len(digest)
            self.next_seq = seq + 1
            if kind != Kind.POLL:
                self.by_kind[kind].append(seq)

    def remove(self, first: int, last: int) -> None:
        """Take the rows first..last away, as far as they are there."""
        for seq in range(first, last + 1):
            row = self.rows.pop(seq, None)
            if row is None:
                continue
            self.used_bytes -= len(row.record) + len(row.digest)
            if row.kind != Kind.POLL:
                self.by_kind[row.kind].remove(seq)


class Disk:
    """One gateway's disk: a journal, its mark, and the copies that faults fall back to."""

    def __init__(self) -> None:
        self.journal: Journal | None = None
        self.mark: Mark | None = None
        self.quota_bytes: int | None = None
        self._synced: tuple[Journal, Mark | None] | None = None

    @property
    def is_lying(self) -> bool:
        """True while syncs are reported and not done."""
        return self._synced is not None

    def begin_lying(self) -> None:
        """From now on nothing reaches the medium, though every sync says so."""
        if self.journal is not None and self._synced is None:
            self._synced = self.journal.copy(), self.mark

    def sync(self) -> None:
        """What was held back reaches the medium after all."""
        self._synced = None

    def cut_power(self, keep_mark: bool) -> bool:
        """Everything not synced is gone; True when there was any.

        keep_mark: the mark, in a block of its own, happened to get through.
        """
        if self._synced is None:
            return False
        image = self._synced
        self.put_back(image, keep_mark)
        return True

    def image(self) -> Any:
        """A copy of the disk, for `put_back`."""
        assert self.journal is not None
        return self.journal.copy(), self.mark

    def put_back(self, image: Any, keep_mark: bool = False) -> None:
        """Restore an older image; keep_mark: without the mark."""
        journal, mark = image
        self._synced = None
        self.journal = journal.copy()
        if not keep_mark:
            self.mark = mark
