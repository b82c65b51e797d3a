"""The gateway: one `step()` that takes what the ports have, feeds the core, starts what is due.

The same object runs under a Linux loop, in MicroPython's main.py and in virtual time. It holds
all state, blocks nowhere and reads time only as an argument.
"""

from edge.app.identity import Identities
from edge.app.learned import encode_learned
from edge.app.poller import Poll, Poller
from edge.app.recorder import Recorder
from edge.app.station import Station
from edge.app.uploader import Uploader
from edge.core.carbon.account import Accountant
from edge.core.journal.clock import ClockQuality
from edge.core.journal.record import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

#: The system clock is compared with the anchor this often.
CLOCK_CHECK_MS = 1_000

#: What a station has taught about its patience is recorded this often, when it has changed.
REMEMBER_MS = 3_600_000

#: Errors of the uploader after which the journal cannot be believed, and why.
RENEWING = {"store.corrupt": "damaged", "sync.rewound": "rewound"}


class Gateway:
    """One gateway, wired.

    shown: device number -> (its last poll, when the last one without an error ended), kept where
    there is somebody to show it to. stated: seqs of the TABLE records of which a part takes effect
    as the journal is taken up, where they are known.
    """

    stated: "tuple[int, ...] | None" = None
    shown: "dict[int, tuple[Poll, int | None]] | None" = None

    def __init__(
        self,
        pollers: list[Poller],
        recorder: Recorder,
        accountant: Accountant,
        uploader: Uploader,
    ) -> None:
        self.pollers = pollers
        self.recorder = recorder
        self.accountant = accountant
        self.uploader = uploader
        self.stations = {s.number: s for poller in pollers for s in poller.stations}
        self.identities = Identities(self.stations, accountant)
        self.scope1_mg = 0
        self.scope2_mg = 0
        self.intervals = 0
        self.intensity_mg_per_kwh: int | None = None
        self.stopping = False
        self._clock_due_ms = 0
        self._remember_due_ms = REMEMBER_MS
        self._noted: dict[tuple[str, str], int] = {}

    def start(
        self, definitions: "Iterable[list[object]]", ancestors: dict[int, list[int]], now_ms: int
    ) -> None:
        """Take up the account where the journal left it; record this boot and what is new.

        definitions: parts of a TABLE to record. ancestors: see `resume.restore`.
        """
        from edge.app.replay import begin

        begin(self, definitions, ancestors, now_ms)

    def step(self, now_ms: int) -> int:
        """Do what can be done now; return when to be called again at the latest.

        A port's wake-up may come earlier. now_ms: monotonic since this boot.
        """
        self.keep_time(now_ms)
        for poller in self.pollers:
            while True:
                poll = poller.step(now_ms)
                if poll is None:
                    break
                self._record(poll, now_ms)
            self._note_findings(poller, now_ms)
        self._close_interval(now_ms)
        is_last = self.stopping and self.idle
        if now_ms >= self._remember_due_ms or is_last:
            self._remember_due_ms = now_ms + REMEMBER_MS
            self._remember_all(now_ms)
        self.recorder.commit(now_ms, is_last)
        if not self.recorder.is_renewing:
            self._upload(now_ms, is_last)
        return self._next_ms(now_ms)

    def _upload(self, now_ms: int, is_last: bool) -> None:
        for error in self.uploader.step(now_ms, is_last):
            self.recorder.event(error.code, error.fields, now_ms)
            if error.code in RENEWING:
                self.recorder.renew(RENEWING[error.code], now_ms)

    def keep_time(self, now_ms: int) -> None:
        if now_ms >= self._clock_due_ms:
            self.recorder.keep_time(now_ms)
            self._clock_due_ms = now_ms + CLOCK_CHECK_MS

    def _record(self, poll: Poll, now_ms: int) -> None:
        self._close_interval(now_ms)
        wall_ms = self._known_wall_ms(now_ms)
        errors = self.accountant.observe(
            poll.device, self.recorder.boot, now_ms, wall_ms, poll.values, poll.qualities
        )
        self.recorder.add(
            Kind.POLL,
            [poll.device, poll.values, _flat(poll.qualities), _flat(poll.evidence)],
            now_ms,
        )
        for error in errors:
            self.recorder.event(error.code, error.fields, now_ms)
        parts = self.identities.take(poll.device, poll.values)
        if parts:
            from edge.app.replay import state

            for part in parts:
                state(self, part, now_ms)
        if poll.taught:
            self._remember(self.stations[poll.device], now_ms)
        self._watch(poll, now_ms)

    def _note_findings(self, poller: Poller, now_ms: int) -> None:
        """What the line noticed becomes an event, each kind once in a while."""
        for finding in poller.findings():
            key = (poller.bus.name, finding.code)
            if now_ms >= self._noted.get(key, 0):
                self._noted[key] = now_ms + REMEMBER_MS
                fields = dict(finding.fields)
                fields["bus"] = poller.bus.name
                self.recorder.event(finding.code, fields, now_ms)

    def _remember(self, station: Station, now_ms: int) -> None:
        """Record what a station has taught, for the next start."""
        timeout_ms = station.patience.worth_remembering_ms()
        station.remembered = (station.learned, timeout_ms)
        part = encode_learned(station.number, station.learned, timeout_ms)
        self.recorder.add(Kind.TABLE, [part], now_ms)

    def _remember_all(self, now_ms: int) -> None:
        for number in sorted(self.stations, key=int):
            station = self.stations[number]
            now = (station.learned, station.patience.worth_remembering_ms())
            if station.polls and station.remembered != now:
                self._remember(station, now_ms)

    def _watch(self, poll: Poll, now_ms: int) -> None:
        """An event when a device starts to fail in another way, and when it is well again."""
        station = self.stations[poll.device]
        before = station.trouble
        if self.shown is not None:
            good_ms = self.shown[poll.device][1] if poll.device in self.shown else None
            self.shown[poll.device] = (poll, now_ms if poll.error is None else good_ms)
        if poll.error is None:
            if before is not None:
                fields: dict[str, object] = {"device": poll.device, "after": before}
                station.trouble = None
                self.recorder.event("device.recovered", fields, now_ms)
        elif poll.error.code != before:
            station.trouble = poll.error.code
            fields = {"device": poll.device}
            for name in poll.error.fields:
                fields[name] = poll.error.fields[name]
            self.recorder.event(poll.error.code, fields, now_ms)

    def _known_wall_ms(self, now_ms: int) -> int | None:
        if self.recorder.anchor.quality == ClockQuality.UNSET:
            return None
        return self.recorder.wall_ms(now_ms)

    def _close_interval(self, now_ms: int) -> None:
        wall_ms = self._known_wall_ms(now_ms)
        body = None if wall_ms is None else self.accountant.close(wall_ms)
        if body is None:
            return
        self.recorder.add(Kind.INTERVAL, body, now_ms)
        totals = body[3]
        if isinstance(totals, list):
            self.scope1_mg += totals[0] or 0
            self.scope2_mg += totals[1] or 0
            self.intensity_mg_per_kwh = totals[4]
        self.intervals += 1

    @property
    def idle(self) -> bool:
        """True when no poll is under way."""
        return all(poller.idle for poller in self.pollers)

    @property
    def is_drained(self) -> bool:
        """True when everything measured is committed here and acked by the cloud."""
        store = self.recorder.store
        return self.idle and self.recorder.waiting == 0 and store.acked_seq == store.next_seq - 1

    def stop(self) -> None:
        """Begin to stop: no new poll; the one under way ends, then all is committed and sent."""
        self.stopping = True
        for poller in self.pollers:
            poller.stopping = True

    def _next_ms(self, now_ms: int) -> int:
        due_ms = _sooner(self._clock_due_ms, self.recorder.next_ms())
        if not self.recorder.is_renewing:
            due_ms = _sooner(due_ms, self.uploader.next_ms(now_ms))
        for poller in self.pollers:
            due_ms = _sooner(due_ms, poller.next_ms())
        return max(now_ms, due_ms)


def _sooner(due_ms: int, other_ms: int | None) -> int:
    return due_ms if other_ms is None or due_ms < other_ms else other_ms


def _flat(by_index: dict) -> list[object]:
    """{index: item} as [index, item, ...] in ascending order."""
    flat: list[object] = []
    for index in sorted(by_index, key=int):
        flat.append(index)
        flat.append(by_index[index])
    return flat
