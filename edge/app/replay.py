"""The account taken up where the journal left it: last interval, then the polls since."""

from edge.app import recorder as bounds
from edge.core.carbon.account import Accountant
from edge.core.carbon.resume import looks_back, recall, restore
from edge.core.errors import StoreError
from edge.core.journal.clock import ClockQuality
from edge.core.journal.record import Kind, Part, Record, decode_record
from edge.ports.contracts import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from edge.app.gateway import Gateway

#: Definitions that wait for a commit at the start: each says all points of a device.
STATED_MAX = 2


def begin(
    gateway: "Gateway",
    definitions: "Iterable[list[object]]",
    ancestors: dict[int, list[int]],
    now_ms: int,
) -> None:
    """See `Gateway.start`."""
    _take_up(gateway, ancestors, now_ms)
    gateway.keep_time(now_ms)
    for part in definitions:
        state(gateway, part, now_ms)
        if gateway.recorder.waiting >= STATED_MAX:
            gateway.recorder.commit(now_ms, True)
    gateway.recorder.event("gateway.boot", {"boot": gateway.recorder.boot}, now_ms)
    gateway.recorder.commit(now_ms, True)


def state(gateway: "Gateway", part: list[object], now_ms: int) -> None:
    """Record a part of a TABLE; it takes effect here."""
    names = apply(gateway, part)
    gateway.recorder.add(Kind.TABLE, [part], now_ms)
    if part[0] == Part.SWAP:
        _, device, point, old, new, at, why, note = part
        fields = {"device": device, "point": point, "old": old, "new": new, "why": why}
        fields["at"], fields["streams"], fields["note"] = at, " ".join(names), note
        gateway.recorder.event("counter.swap", fields, now_ms)


def _take_up(gateway: "Gateway", ancestors: dict[int, list[int]], now_ms: int) -> None:
    """Replay the journal; one that turns out to be damaged is renewed first."""
    try:
        Replay(gateway).run(ancestors)
    except StoreError as error:
        if error.code != "store.corrupt":
            raise
        gateway.recorder.renew("damaged", now_ms)
        while gateway.recorder.is_renewing:
            gateway.recorder.commit(now_ms, True)
        if gateway.recorder.failure is None:
            Replay(gateway).run(ancestors)


class Replay:
    """Puts records back into the account, as they were put in when they were made."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self._store: Store = gateway.recorder.store
        self._account: Accountant = gateway.accountant
        self._counted: dict[int, tuple[int, int]] = {}
        self._counted_from = (0, 0)

    def run(self, ancestors: dict[int, list[int]]) -> None:
        """Replay the journal; ancestors: see `resume.restore`.

        Raises StoreError "store.corrupt" for a journal that turns out to be damaged.
        """
        store = self._store
        self._counted = {}
        self._counted_from = (0, 0)
        self._account.facts = []
        first = 0
        last_interval = store.last_of_kind(Kind.INTERVAL)
        if last_interval is not None:
            first = self._go_on(decode_record(last_interval), ancestors) + 1
            if self._account.watched:
                self._each(max(0, first - bounds.LOOK_BACK), first, self._look_back)
        del last_interval
        self._each(first, store.next_seq, self._recount)

    def _go_on(self, record: Record, ancestors: dict[int, list[int]]) -> int:
        """Continue after the last interval; return the seq of its record."""
        self._recall(record.seq, ancestors)
        restore(self._account, record.body, ancestors)
        self._counted_from = (record.boot, record.mono_ms)
        return int(record.seq)

    def _each(self, first: int, end: int, take: "Callable[[Record], None]") -> None:
        """Give every record from `first` to before `end`, a few of them in memory at a time."""
        for at in range(first, end, bounds.CHUNK):
            for data, _ in self._store.read(at, min(at + bounds.CHUNK, end) - 1):
                take(decode_record(data))

    def _recall(self, seq: int, ancestors: dict[int, list[int]]) -> None:
        """What was stated, and the hours that stacks look back to, up to the last interval."""
        for data in self._stated():
            record = decode_record(data)
            if record.seq < seq:
                for part in record.body:
                    if part[0] != Part.SWAP:
                        apply(self._gateway, part)
        if looks_back(self._account):
            for data in self._store.each_of_kind(Kind.INTERVAL):
                recall(self._account, decode_record(data).body, ancestors)

    def _stated(self) -> "Iterator[bytes]":
        """The TABLE records of which a part may take effect."""
        if self._gateway.stated is None:
            yield from self._store.each_of_kind(Kind.TABLE)
        else:
            for at in self._gateway.stated:
                for data, _ in self._store.read(at, at):
                    yield data

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
                apply(self._gateway, part)
        at = (record.boot, record.mono_ms)
        if record.kind == Kind.POLL and at >= self._counted_from and self._is_next(record):
            device, values, flat, _ = record.body
            qualities = {flat[at]: flat[at + 1] for at in range(0, len(flat), 2)}
            wall_ms = None if record.clock == ClockQuality.UNSET else record.wall_ms
            self._account.observe(device, record.boot, record.mono_ms, wall_ms, values, qualities)


def apply(gateway: "Gateway", part: list) -> list[str]:
    """Let a part of a TABLE take effect; return the names of the streams that it steps."""
    if part[0] == Part.WINDOWS:
        gateway.accountant.declare(part[1])
    elif part[0] == Part.FACT:
        gateway.accountant.facts.append(part)
    elif part[0] == Part.SERIAL:
        gateway.identities.know(part[1], part[2])
    elif part[0] == Part.SWAP:
        return _swap(gateway, part)
    return []


def _swap(gateway: "Gateway", part: list) -> list[str]:
    _, owner, name, old, new = part[:5]
    names: list[str] = []
    for number in sorted(gateway.stations, key=int):
        device = gateway.stations[number].device
        points = [point.name for point in device.points]
        if device.owner == owner and name in points:
            names += gateway.accountant.swap(number, points.index(name), old, new)
    return names
