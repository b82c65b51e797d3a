"""What a ring log knows beside its rows: every segment begins with it, entries change it."""

from edge.core.journal import chain
from edge.core.journal.record import REASONS, Kind, Record

#: What an Op.SET entry may set, by its index: part of the format.
SETTABLE: tuple[str, ...] = ("oldest", "boot", "acked", "is_clean", "news", "swept", "interval")
SETTABLE += ("moving", "progress")

#: What the head of a segment says.
FIELDS = SETTABLE + ("gateway", "begun", "gaps", "tables", "newest_interval", "kept")


class RingState:
    """The state of one ring.

    generation, oldest: of the newest and the oldest segment in use; begun: the one this epoch
    begins in. news: [[code, flat fields], ...] that are no events yet. gaps: [[first, last, seq of
    the tombstone], ...] ascending. tables: seqs of TABLE rows. newest_interval: its seq, -1 for
    none; interval: the record of an earlier epoch to restart the account from. kept: seq ->
    generation that a row was carried to when its segment went. moving, progress: of the epoch that
    is being left, see `ring_renewal`. next_seq, head, ended_ms: behind the newest row.
    """

    def __init__(self, gateway: str, epoch: bytes) -> None:
        self.gateway = gateway
        self.epoch = epoch
        self.generation = -1
        self.oldest = 0
        self.begun = 0
        self.boot = 0
        self.acked = -1
        self.is_clean = 1
        self.news: list[list[object]] = []
        self.swept = [0] * len(REASONS)
        self.interval = b""
        self.moving: list | None = None
        self.progress: list = []
        self.gaps: list[list[int]] = []
        self.tables: list[int] = []
        self.newest_interval = -1
        self.kept: dict[int, int] = {}
        self.next_seq = 0
        self.head = chain.genesis(gateway, epoch)
        self.ended_ms = 0

    def snapshot(self) -> list[object]:
        """Everything that a segment's head does not say itself."""
        made = []
        for name in FIELDS:
            value = getattr(self, name)
            if name == "kept":
                value = [[seq, value[seq]] for seq in sorted(value, key=int)]
            made.append(value)
        return made

    def set(self, pairs: list[object]) -> None:
        """Take [index, value, ...] of an Op.SET."""
        for at in range(0, len(pairs), 2):
            setattr(self, SETTABLE[int(str(pairs[at]))], pairs[at + 1])

    def note(self, seq: int, record: Record, digest: bytes) -> None:
        """A row was appended."""
        self.next_seq = seq + 1
        self.head = digest
        self.ended_ms = record.wall_ms
        if record.kind == Kind.TABLE:
            self.tables.append(seq)
        elif record.kind == Kind.INTERVAL:
            self.newest_interval = seq
            self.interval = b""
        elif record.kind == Kind.TOMBSTONE and record.body[0] is not None:
            self._remove(record.body[0], record.body[1], seq)

    def _remove(self, first: int, last: int, tombstone: int) -> None:
        """A range is gone; ranges within it are explained by its tombstone from now on."""
        self.gaps = [gap for gap in self.gaps if not first <= gap[1] <= last]
        self.gaps.append([first, last, tombstone])
        self.gaps.sort(key=lambda gap: gap[1])
        for seq in [seq for seq in self.kept if first <= seq <= last]:
            del self.kept[seq]

    def gap_from(self, seq: int) -> list[int] | None:
        """The removed range that holds `seq`, or else the next one."""
        for gap in self.gaps:
            if gap[1] >= seq:
                return gap
        return None
