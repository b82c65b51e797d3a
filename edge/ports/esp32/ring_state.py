"""What a ring log knows beside its rows: every segment begins with it, entries change it."""

from edge.core.journal import chain
from edge.core.journal.record import REASONS, Kind, Part, Record

#: What an Op.SET entry may set, by its index: part of the format.
SETTABLE: tuple[str, ...] = ("oldest", "boot", "acked", "is_clean", "news", "swept", "interval")
SETTABLE += ("moving", "progress")

#: `retain.Step.ACKED`; its module is in memory only while something is removed.
_ACKED = 0

#: What the head of a segment says.
FIELDS = SETTABLE + ("gateway", "begun", "gaps", "tables", "newest_interval", "kept")


class RingState:
    """The state of one ring.

    generation, oldest: of the newest and the oldest segment in use; begun: the one this epoch
    begins in. news: [[code, flat fields], ...] that are no events yet. gaps: [[first, last, seq of
    the tombstone], ...] ascending. tables: seqs of TABLE rows that hold; latest: those of them
    that the next of their key takes the place of; stale: those whose place was taken, where
    retention had passed them already. newest_interval: its seq, -1 for none; interval: the record
    of an earlier epoch to restart the account from. kept: seq -> generation that a row was carried
    to when its segment went. moving, progress: of the epoch that is being left, see
    `ring_renewal`. next_seq, head, ended_ms: behind the newest row.
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
        self.latest: dict[int, int] = {}
        self.stale: list[int] = []
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
            elif name == "tables":
                value = self._told_tables()
            made.append(value)
        return made

    def _told_tables(self) -> list[object]:
        """seq of a TABLE row, [seq, key] of one that the next takes the place of, [seq] of a stale
        one.
        """
        keys = {self.latest[key]: key for key in self.latest}
        told: list[object] = [[seq, keys[seq]] if seq in keys else seq for seq in self.tables]
        return told + [[seq] for seq in self.stale]

    def take_tables(self, told: list) -> None:
        """Take what `_told_tables` made."""
        for item in told:
            if isinstance(item, int):
                self.tables.append(item)
            elif len(item) == 2:
                self.tables.append(item[0])
                self.latest[item[1]] = item[0]
            else:
                self.stale.append(item[0])

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
            self._define(seq, _key_of(record.body))
        elif record.kind == Kind.INTERVAL:
            self.newest_interval = seq
            self.interval = b""
        elif record.kind == Kind.TOMBSTONE and record.body[0] is not None:
            self._remove(record.body[0], record.body[1], seq)

    def _define(self, seq: int, key: int | None) -> None:
        """A TABLE row holds from now on; the one of its key before it does not any more."""
        if key is not None:
            old = self.latest.get(key, -1)
            self.latest[key] = seq
            if old >= 0:
                self.tables.remove(old)
                if old < self.swept[_ACKED]:
                    self.stale.append(old)
        self.tables.append(seq)

    def _remove(self, first: int, last: int, tombstone: int) -> None:
        """A range is gone; ranges within it are explained by its tombstone from now on."""
        self.gaps = [gap for gap in self.gaps if not first <= gap[1] <= last]
        self.gaps.append([first, last, tombstone])
        self.gaps.sort(key=lambda gap: gap[1])
        for seq in [seq for seq in self.kept if first <= seq <= last]:
            del self.kept[seq]
        self.stale = [seq for seq in self.stale if not first <= seq <= last]

    def gap_from(self, seq: int) -> list[int] | None:
        """The removed range that holds `seq`, or else the next one."""
        for gap in self.gaps:
            if gap[1] >= seq:
                return gap
        return None


def _key_of(body: list) -> int | None:
    """What a TABLE row says anew: the number of the device that has taught it, a part of which
    the newest holds as a negative number; None for one that always holds.
    """
    if len(body) != 1:
        return None
    part = body[0]
    if part[0] == Part.LEARNED:
        return int(part[1])
    return -1 - part[0] if part[0] in (Part.CONFIG, Part.WINDOWS) else None
