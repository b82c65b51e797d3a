"""The account taken up where the journal left it: last interval, then the polls since."""

from edge.app.identity import Identities
from edge.app.station import Station
from edge.core.carbon.account import Accountant
from edge.core.carbon.resume import looks_back, recall
from edge.core.journal.clock import ClockQuality
from edge.core.journal.record import Kind, Part, Record, decode_record
from edge.ports.contracts import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Records replayed into the account per read.
CHUNK = 1_000

#: Records before the last interval in which what a stack takes in is looked for.
LOOK_BACK = 1_000


class Replay:
    """Puts records back into the account, as they were put in when they were made."""

    def __init__(
        self, store: Store, account: Accountant, stations: dict[int, Station], ids: Identities
    ) -> None:
        self._store, self._account, self._stations, self._ids = store, account, stations, ids
        self._counted: dict[int, tuple[int, int]] = {}
        self._counted_from = (0, 0)

    def run(self, ancestors: dict[int, list[int]]) -> None:
        """Replay the journal; ancestors: see `Accountant.restore`.

        Raises StoreError "store.corrupt" for a journal that turns out to be damaged.
        """
        store = self._store
        self._counted = {}
        self._counted_from = (0, 0)
        self._account.facts = []
        first = 0
        last_interval = store.last_of_kind(Kind.INTERVAL)
        if last_interval is not None:
            record = decode_record(last_interval)
            self._recall(record.seq, ancestors)
            self._account.restore(record.body, ancestors)
            self._counted_from = (record.boot, record.mono_ms)
            first = record.seq + 1
            self._each(max(0, first - LOOK_BACK), first, self._look_back)
        self._each(first, store.next_seq, self._recount)

    def _each(self, first: int, end: int, take: "Callable[[Record], None]") -> None:
        """Give every record from `first` to before `end`, a few of them in memory at a time."""
        for at in range(first, end, CHUNK):
            for data, _ in self._store.read(at, min(at + CHUNK, end) - 1):
                take(decode_record(data))

    def _recall(self, seq: int, ancestors: dict[int, list[int]]) -> None:
        """What was stated, and the hours that stacks look back to, up to the last interval."""
        for data in self._store.each_of_kind(Kind.TABLE):
            record = decode_record(data)
            if record.seq < seq:
                for part in record.body:
                    if part[0] != Part.SWAP:
                        self.apply(part)
        if looks_back(self._account):
            for data in self._store.each_of_kind(Kind.INTERVAL):
                recall(self._account, decode_record(data).body, ancestors)

    def _look_back(self, record: Record) -> None:
        """What a stack takes in may be older than the interval."""
        if record.kind == Kind.POLL and self._is_next(record):
            device, values, flat, _ = record.body
            qualities = {flat[at]: flat[at + 1] for at in range(0, len(flat), 2)}
            self._account.remember(device, record.boot, record.mono_ms, values, qualities)

    def _is_next(self, record: Record) -> bool:
        """False for a poll that retention has recorded anew: it was counted in its time."""
        device, time = record.body[0], (record.boot, record.mono_ms)
        if time <= self._counted.get(device, (0, -1)):
            return False
        self._counted[device] = time
        return True

    def _recount(self, record: Record) -> None:
        if record.kind == Kind.TABLE:
            for part in record.body:
                self.apply(part)
        at = (record.boot, record.mono_ms)
        if record.kind == Kind.POLL and at >= self._counted_from and self._is_next(record):
            device, values, flat, _ = record.body
            qualities = {flat[at]: flat[at + 1] for at in range(0, len(flat), 2)}
            wall_ms = None if record.clock == ClockQuality.UNSET else record.wall_ms
            self._account.observe(device, record.boot, record.mono_ms, wall_ms, values, qualities)

    def apply(self, part: list) -> list[str]:
        """Let a part of a TABLE take effect; return the names of the streams that it steps."""
        if part[0] == Part.WINDOWS:
            self._account.declare(part[1])
        elif part[0] == Part.FACT:
            self._account.facts.append(part)
        elif part[0] == Part.SERIAL:
            self._ids.know(part[1], part[2])
        elif part[0] == Part.SWAP:
            return self._swap(part)
        return []

    def _swap(self, part: list) -> list[str]:
        _, owner, name, old, new = part[:5]
        names: list[str] = []
        for number in sorted(self._stations, key=int):
            device = self._stations[number].device
            points = [point.name for point in device.points]
            if device.owner == owner and name in points:
                names += self._account.swap(number, points.index(name), old, new)
        return names
