"""One bus: whose turn it is, its block reads one after the other, and the poll they make."""

from collections import namedtuple

from edge.app.reading import Look, Reading
from edge.core.bus.block import REFUSALS
from edge.core.bus.rtu import decode_read_reply, encode_read
from edge.core.bus.schedule import Schedule
from edge.core.errors import BusError, DeviceError, TallyError
from edge.core.numbers.quality import Quality

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.app.config import Bus
    from edge.app.station import Station
    from edge.core.bus.block import Block
    from edge.core.bus.holes import Hunt
    from edge.ports.contracts import Link

#: A frame that came damaged is asked for once more within the same poll.
DAMAGED = ("bus.crc", "bus.short", "bus.mismatch")

#: Nothing answers: the rest of the poll would only cost the others their turns.
GONE = ("bus.timeout", "bus.port", "bus.noise")

#: After two devices have answered as one station, so many of its polls are not believed.
CONFLICT_POLLS = 16

#: A finished poll: values per point in table order, qualities by point index for those not good,
#: raw registers by point index for points marked evidence, the first error or None, and whether
#: the station has taught something that is worth recording.
Poll = namedtuple("Poll", ("device", "values", "qualities", "evidence", "error", "taught"))


class Poller:
    """Polls the devices of one bus in turn; `step` never blocks.

    done: requests that have ended, with a reply or without.
    """

    def __init__(self, bus: "Bus", stations: "list[Station]", link: "Link", now_ms: int) -> None:
        self.bus = bus
        self.link = link
        self.stations = stations
        self.stopping = False
        self.retries = 0
        self.done = 0
        turns = tuple([(s.number, s.device.poll_ms, s.device.station) for s in stations])
        self._schedule = Schedule(turns, now_ms)
        self._reading = Reading()
        self._begun_ms = now_ms
        self._request = b""
        #: The reads of the poll, or of its second look, and how many of them have been asked.
        self._pending: Sequence[Block] = ()
        self._asked = 0
        self._block: Block | None = None
        self._retried = False
        self._hunt: Hunt | None = None
        self._suspects: list[int] = []
        self._first: Look | None = None

    @property
    def idle(self) -> bool:
        """True between two polls."""
        return self._reading.station is None

    def is_dead(self, station: "Station") -> bool:
        """True for a station that is only probed."""
        return self._schedule.is_dead(station.device.station)

    def next_ms(self) -> int | None:
        """When the next poll is due; None while one runs (the link will wake us) or for never."""
        if self._reading.station is not None or self.stopping:
            return None
        return self._schedule.next_due_ms()

    def findings(self) -> "Sequence[BusError]":
        """What the link noticed since the last call, see `contracts.Link.findings`."""
        found = self.link.findings()
        for finding in found:
            if finding.code == "bus.two_answers":
                for station in self.stations:
                    if station.device.station == finding.fields["station"]:
                        station.conflict = CONFLICT_POLLS
        return found

    def step(self, now_ms: int) -> Poll | None:
        """Advance; return the poll that has just ended, if any."""
        station = self._reading.station
        if station is None:
            self._begin(now_ms)
            return None
        failure: TallyError | None = None
        try:
            reply = self.link.poll()
            if reply is None:
                return None
            registers = decode_read_reply(self._request, reply, self.link.is_checked)
            self._take(station, registers, now_ms)
        except (BusError, DeviceError) as error:
            failure = error
        self.done += 1
        if failure is not None:
            if self._may_repeat(station, failure, now_ms):
                return None
            self._fail(station, failure)
        return self._next(station, now_ms)

    def _begin(self, now_ms: int) -> None:
        number = None if self.stopping else self._schedule.take(now_ms)
        if number is None:
            return
        for station in self.stations:
            if station.number == number:
                self._reading.begin(station)
                self._begun_ms = now_ms
                self._pending, self._asked = station.blocks, 0
                self._ask_next(station)

    def _ask_next(self, station: "Station") -> None:
        """Ask for what comes next in the poll under way."""
        question = None if self._hunt is None else self._hunt.question()
        if question is None:
            question = self._block = self._pending[self._asked]
            self._asked += 1
        function, address, count = question
        self._request = encode_read(station.device.station, function, address, count)
        self._retried = False
        self._send(station)

    def _send(self, station: "Station") -> None:
        timeout_ms = station.patience.timeout_ms()
        self.link.start(self._request, timeout_ms, station.device.profile.gap_ms)

    def _take(self, station: "Station", registers: tuple[int, ...], now_ms: int) -> None:
        station.patience.heard(self.link.latency_us)
        self._schedule.heard(station.device.station, now_ms)
        if self._hunt is not None:
            self._hunt.answer(True)
        elif self._block is not None:
            self._reading.take(self._block, registers)

    def _may_repeat(self, station: "Station", error: TallyError, now_ms: int) -> bool:
        """Ask once more for a damaged frame, or for a lost one while the budget lasts."""
        if self._retried:
            return False
        if error.code in DAMAGED:
            self.link.distrust()
        elif error.code == "bus.timeout":
            station.patience.missed()
            cost_ms = station.patience.timeout_ms()
            if not self._schedule.may_retry(station.device.station, now_ms, cost_ms):
                return False
        else:
            return False
        self._retried = True
        self.retries += 1
        self._send(station)
        return True

    def _fail(self, station: "Station", error: TallyError) -> None:
        block = self._block
        if block is None:
            return
        if error.code in DAMAGED:
            self.link.distrust()
        refused = error.code in REFUSALS
        if self._hunt is not None:
            if refused:
                self._hunt.answer(False)
                return
            self._hunt = None  # interrupted: the block will be refused and hunted again
        if refused:
            self._hunt = _hunt_of(station, block)
        self._reading.fail(block, error)
        if error.code in GONE:
            self._pending = ()

    def _next(self, station: "Station", now_ms: int) -> Poll | None:
        """Go on with the poll, look twice at what is odd, or end it."""
        if self._hunt is not None and self._hunt.question() is None:
            from edge.app.station_plan import learn

            learn(station, self._hunt.learned(), self.bus)
            self._hunt = None
        if self._hunt is not None or self._asked < len(self._pending):
            self._ask_next(station)
            return None
        look = self._reading.decode(station)
        if self._first is not None:
            from edge.app.doubt import settled

            look = settled(self._first, look, self._suspects)
            self._first = None
        elif self._reading.error is None:
            suspects = station.confirm.suspects(look.values, now_ms)
            if suspects:
                from edge.app.doubt import read_again

                self._suspects, self._first = suspects, look
                self._pending, self._asked = read_again(self._reading, station, suspects), 0
                self._ask_next(station)
                return None
        return self._finish(station, look, now_ms)

    def _finish(self, station: "Station", look: Look, now_ms: int) -> Poll:
        values, qualities, evidence = look
        answered, error = self._reading.answered, self._reading.error
        self._reading.begin(None)
        if station.conflict:
            station.conflict -= 1
            for index, value in enumerate(values):
                if value is not None:
                    values[index] = None
                    qualities[index] = Quality.CORRUPT
        self._schedule.done(station.number, now_ms, answered, now_ms - self._begun_ms)
        if error is None:
            station.confirm.accept(values, qualities, now_ms)
        else:
            station.confirm.trouble()
            station.failures += 1
        station.polls += 1
        taught = station.taught
        if taught:
            station.taught = False
        return Poll(station.number, values, qualities, evidence, error, taught)


def _hunt_of(station: "Station", block: "Block") -> "Hunt | None":
    """Questions about a block that a station refuses, if it brings more than one point."""
    from edge.app.doubt import points_of

    if points_of(station, block) < 2:
        return None
    from edge.core.bus.holes import Hunt, points_in

    points = points_in(block, station.device.points, station.learned.missing)
    return Hunt(block, points) if len(points) > 1 else None
