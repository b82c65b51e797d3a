"""One bus: whose turn it is, its block reads one after the other, and the poll they make."""

from collections import namedtuple

from edge.app.config import Bus, Device
from edge.core.bus.plan import Block, line_timing, plan_blocks
from edge.core.bus.profile import width
from edge.core.bus.rtu import decode_read_reply, encode_read
from edge.core.bus.schedule import Schedule
from edge.core.errors import BusError, DeviceError, TallyError
from edge.core.numbers.quality import Quality, of_error
from edge.ports.contracts import Link

#: A frame that came damaged is asked for once more within the same poll.
DAMAGED = ("bus.crc", "bus.short", "bus.mismatch")

#: A finished poll: values per point in table order, qualities by point index for those not good,
#: raw registers by point index for points marked evidence, the first error or None.
Poll = namedtuple("Poll", ("device", "values", "qualities", "evidence", "error"))


class Station:
    """One device on the bus: its plan and what is known of its health."""

    def __init__(self, number: int, device: Device, blocks: tuple[Block, ...]) -> None:
        self.number = number
        self.device = device
        self.blocks = blocks
        self.polls = 0
        self.failures = 0


class Poller:
    """Polls the devices of one bus in turn; `step` never blocks."""

    def __init__(self, bus: Bus, stations: list[Station], link: Link, now_ms: int) -> None:
        self.bus = bus
        self.link = link
        self.stations = stations
        self.stopping = False
        periods = tuple((s.number, s.device.poll_ms) for s in stations)
        self._schedule = Schedule(periods, now_ms)
        self._station: Station | None = None
        self._request = b""
        self._block = 0
        self._retried = False
        self._registers: dict[tuple[int, int], int] = {}
        self._failed: dict[int, TallyError] = {}

    @property
    def idle(self) -> bool:
        """True between two polls."""
        return self._station is None

    def next_ms(self) -> int | None:
        """When the next poll is due; None while one runs (the link will wake us) or for never."""
        if self._station is not None or self.stopping:
            return None
        return self._schedule.next_due_ms()

    def step(self, now_ms: int) -> Poll | None:
        """Advance; return the poll that has just ended, if any."""
        if self._station is None:
            self._begin(now_ms)
            return None
        try:
            reply = self.link.poll()
            if reply is None:
                return None
            self._take(decode_read_reply(self._request, reply))
        except (BusError, DeviceError) as error:
            if error.code in DAMAGED:
                self.link.distrust()
                if not self._retried:
                    self._retried = True
                    self._ask()
                    return None
            self._failed[self._block] = error
        self._block += 1
        self._retried = False
        if self._block < len(self._station.blocks) and not self._is_gone():
            self._ask()
            return None
        return self._finish(now_ms)

    def _is_gone(self) -> bool:
        """Nothing answers: the rest of this poll would only cost the others their turns."""
        error = self._failed.get(self._block - 1)
        return error is not None and error.code in ("bus.timeout", "bus.port", "bus.noise")

    def _begin(self, now_ms: int) -> None:
        number = None if self.stopping else self._schedule.take(now_ms)
        for station in self.stations:
            if station.number == number:
                self._station = station
                self._block = 0
                self._retried = False
                self._registers = {}
                self._failed = {}
                self._ask()

    def _ask(self) -> None:
        station = self._station
        if station is None:
            return
        block = station.blocks[self._block]
        self._request = encode_read(
            station.device.station, block.function, block.address, block.count
        )
        self.link.start(self._request, self.bus.reply_timeout_ms, station.device.profile.gap_ms)

    def _take(self, registers: tuple[int, ...]) -> None:
        if self._station is None:
            return
        block = self._station.blocks[self._block]
        for offset, register in enumerate(registers):
            self._registers[(block.function, block.address + offset)] = register

    def _finish(self, now_ms: int) -> Poll | None:
        station, self._station = self._station, None
        if station is None:
            return None
        error = None
        for index in range(len(station.blocks)):
            if error is None:
                error = self._failed.get(index)
        answered = bool(self._registers) or (error is not None and error.code[:7] == "device.")
        self._schedule.done(station.number, now_ms, answered)
        station.polls += 1
        station.failures += error is not None
        return self._decode(station, error)

    def _decode(self, station: Station, error: TallyError | None) -> Poll:
        values: list[int | None] = []
        qualities: dict[int, int] = {}
        evidence: dict[int, bytes] = {}
        lost = Quality.GOOD if error is None else of_error(error.code)
        profile = station.device.profile
        for index, point in enumerate(station.device.points):
            keys = [(point.function, point.address + i) for i in range(width(point))]
            if any(key not in self._registers for key in keys):
                values.append(None)
                qualities[index] = self._quality_of(station, index, lost)
                continue
            registers = tuple(self._registers[key] for key in keys)
            value, quality = profile.decode(point, registers)
            values.append(value)
            if quality != Quality.GOOD:
                qualities[index] = quality
            if point.evidence:
                evidence[index] = b"".join(bytes((r >> 8, r & 0xFF)) for r in registers)
        return Poll(station.number, values, qualities, evidence, error)

    def _quality_of(self, station: Station, index: int, lost: int) -> int:
        """Why a point was not read: the error of its own block, else what ended the poll."""
        point = station.device.points[index]
        for number, block in enumerate(station.blocks):
            if point in block.points and number in self._failed:
                return of_error(self._failed[number].code)
        return lost


def plan_station(number: int, device: Device, bus: Bus, bits: int) -> Station:
    """A station with its block reads planned for the bus; bits: per character on the wire."""
    timing = line_timing(bus.baud, bits)
    return Station(number, device, plan_blocks(device.points, device.profile, timing))
