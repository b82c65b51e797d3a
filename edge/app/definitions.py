"""Numbers for devices and streams that mean one thing for the life of a journal.

A poll names its device by number, an interval its streams. The meaning of a number is a TABLE
record; a number is never given another one. A changed device or stream gets the next free number,
an unchanged one keeps its own across restarts, and only what is new is written.
"""

from edge.app.config import Device, Settings
from edge.app.station import NOTHING_LEARNED
from edge.app.streams import StreamSetting
from edge.core.bus.holes import Learned
from edge.core.bus.profile import Point
from edge.core.carbon.counter import Limits
from edge.core.carbon.streams import (
    KINDS,
    Setup,
    Source,
    Stream,
    Summand,
    counter_stream,
    source_digest,
    stack_stream,
    virtual_stream,
)
from edge.core.journal.record import Part
from edge.core.numbers.fixed import power_of_ten
from edge.core.numbers.units import reduce_ratio


class Definitions:
    """The definitions of one epoch, as recorded so far and as extended now."""

    def __init__(self, parts: list[list[object]]) -> None:
        """parts: of all TABLE records of the epoch, in order."""
        self.known = list(parts)
        self.fresh: list[list[object]] = []

    def _number(self, part: int, meaning: list[object]) -> int:
        """The number of a definition; defines it when it is new."""
        highest = -1
        for body in self.known:
            if body[0] == part:
                if body[2:] == meaning:
                    return int(str(body[1]))
                highest = max(highest, int(str(body[1])))
        self._define([part, highest + 1] + meaning)
        return highest + 1

    def _define(self, body: list[object]) -> None:
        self.known.append(body)
        self.fresh.append(body)

    def config(self, digest: bytes, version: str) -> None:
        """Record the configuration in force, when it is not the one recorded last."""
        recorded = [body for body in self.known if body[0] == Part.CONFIG]
        body: list[object] = [Part.CONFIG, digest, version]
        if not recorded or recorded[-1] != body:
            self._define(body)

    def factor_set(self, set_id: str, digest: bytes) -> None:
        """Record a factor set once."""
        body: list[object] = [Part.FACTORS, set_id, digest]
        if body not in self.known:
            self._define(body)

    def device(self, device: Device) -> int:
        """The number of a device."""
        points = [[p.name, p.unit, p.places, p.point_class] for p in device.points]
        return self._number(
            Part.DEVICE,
            [
                device.name,
                device.bus,
                device.station,
                device.profile.id,
                device.profile.digest,
                device.poll_ms,
                points,
            ],
        )

    def stream(self, stream: Stream) -> int:
        """The number of a stream; its own number field is not looked at."""
        return self._number(
            Part.STREAM,
            [
                stream.name,
                stream.kind,
                KINDS[stream.kind].scope,
                stream.unit,
                stream.numerator,
                stream.denominator,
                stream.factor,
                stream.factor_digest,
                stream.method,
                stream.source_digest,
                stream.basis,
                [list(rate) for rate in stream.rates],
                stream.where,
                _limits(stream.limits),
                [list(place) for place in stream.inputs],
                [list(summand) for summand in stream.summands],
            ],
        )

    def once(self, part: int, fields: list[object]) -> None:
        """Record a swap or a fact, when it is not recorded yet."""
        body = [part] + fields
        if body not in self.known:
            self._define(body)

    def learned(self, number: int) -> tuple[Learned, int | None]:
        """What a device has taught in earlier runs: (Learned, reply timeout in ms or None)."""
        for part in reversed(self.known):
            if part[0] == Part.LEARNED and part[1] == number:
                return decode_learned(part)
        return NOTHING_LEARNED, None

    def predecessors(self, stream: Stream) -> list[int]:
        """Numbers under which the same counter was counted before, the newest first.

        Same name and same source: only factor, method or kind differ, so the count goes on.
        """
        digest = stream.source_digest
        found = [
            int(str(body[1]))
            for body in self.known
            if body[0] == Part.STREAM and body[2] == stream.name and body[11] == digest
        ]
        return list(reversed(found))


def encode_learned(number: int, learned: Learned, timeout_ms: int) -> list[object]:
    """The LEARNED part of a TABLE."""
    holes = [item for hole in learned.holes for item in hole]
    return [Part.LEARNED, number, learned.limit, holes, list(learned.missing), timeout_ms]


def decode_learned(part: list) -> tuple[Learned, int]:
    """What a LEARNED part says."""
    _, _, limit, flat, missing, timeout_ms = part
    holes = tuple((flat[at], flat[at + 1], flat[at + 2]) for at in range(0, len(flat), 3))
    return Learned(holes, tuple(missing), limit), timeout_ms


def _limits(limits: Limits | None) -> list[object] | None:
    if limits is None:
        return None
    return [limits.modulus, limits.most_per_h, 1 if limits.is_rated else 0, limits.step]


def define_streams(
    settings: Settings, numbers: list[int], definitions: Definitions
) -> tuple[Stream, ...]:
    """The streams of a gateway with their numbers; swaps and facts are recorded with them.

    numbers: the device number per device of the settings.
    """
    streams: list[Stream] = []
    for setting in settings.streams:
        draft = _draft(settings, setting, numbers, streams)
        streams.append(Stream(definitions.stream(draft), *draft[1:]))
    for swap in settings.swaps:
        definitions.once(Part.SWAP, list(swap))
    for fact in settings.facts:
        definitions.once(Part.FACT, list(fact))
    return tuple(streams)


def _draft(
    settings: Settings, setting: StreamSetting, numbers: list[int], streams: list[Stream]
) -> Stream:
    """A stream before it has its number; streams: those before it, which it may sum."""
    if setting.summands:
        return _virtual(settings, setting, streams)
    leading = settings.devices[setting.input[0]]
    if setting.stack is None:
        point = settings.point(setting.input)
        return counter_stream(
            0,
            setting.name,
            setting.kind,
            setting.factor,
            point.unit,
            point.places,
            leading.poll_ms,
            (numbers[setting.input[0]], setting.input[1]),
            source_digest([_place(settings, setting.input)], [], None),
            _setup(settings, setting, [setting.input]),
            counter_limits(point, setting.most_per_h),
        )
    stack, places, status, accepted = setting.stack
    inputs = tuple((numbers[place[0]], place[1], settings.point(place).places) for place in places)
    state = None
    if status is not None:
        state = (numbers[status[0]], status[1], accepted)
        places = places + [status]
    digest = source_digest([_place(settings, place) for place in places], list(accepted), stack)
    return stack_stream(
        0,
        setting.name,
        leading.poll_ms,
        Source(inputs, state, stack),
        digest,
        _setup(settings, setting, places),
    )


def _setup(settings: Settings, setting: StreamSetting, places: list[tuple[int, int]]) -> Setup:
    inputs = tuple(
        (settings.devices[place[0]].owner, settings.point(place).name) for place in places
    )
    return Setup(settings.basis, setting.rates, setting.place, inputs)


def counter_limits(point: Point, most_per_h: int | None) -> Limits | None:
    """How a register may move; None where nothing at all is known of it.

    most_per_h: the rating as a mantissa, None for the largest that any park has.
    """
    step, exact = _step(point)
    modulus = point.rollover
    if modulus is None and exact and point.kind in _MODULI:
        modulus = step * _MODULI[point.kind]
    if most_per_h is not None:
        return Limits(modulus, most_per_h, True, step)
    return Limits(modulus, 0, False, step)


#: Integer types -> how many values a register of the type has.
_MODULI = {
    "u16": 1 << 16,
    "u32": 1 << 32,
    "bcd16": 10**4,
    "bcd32": 10**8,
}


def _step(point: Point) -> tuple[int, bool]:
    """(what one count of the register is as a mantissa, whether exactly)."""
    mantissa, places = point.scale
    if point.kind[0] == "f" or point.kind == "terms" or point.exponent is not None:
        return 1, False
    up, down = abs(mantissa) * power_of_ten(point.places), power_of_ten(places)
    return max(1, -(-up // down)), up % down == 0 and point.offset[0] == 0


def _virtual(settings: Settings, setting: StreamSetting, streams: list[Stream]) -> Stream:
    """A virtual meter over the streams before it, at one common denominator."""
    by_name = {stream.name: stream for stream in streams}
    ratios = []
    denominator = 1
    for name, up, down in setting.summands:
        activity = by_name[name].activity
        ratio = reduce_ratio(up * activity[0], down * activity[1])
        ratios.append(ratio)
        # Least common multiple: what the new one adds to what is there.
        denominator = denominator * reduce_ratio(ratio[1], denominator)[0]
    summands = []
    places = []
    for (name, _, _), (up, down) in zip(setting.summands, ratios):
        weight = up * (denominator // down)
        summands.append(Summand(by_name[name].number, weight))
        places.append([name, by_name[name].source_digest, weight])
    first = by_name[setting.summands[0][0]]
    return virtual_stream(
        0,
        setting.name,
        setting.kind,
        setting.factor,
        setting.dimension,
        denominator,
        first.poll_ms,
        tuple(summands),
        source_digest(places, [], None),
        Setup(settings.basis, setting.rates, setting.place, ()),
    )


def _place(settings: Settings, place: tuple[int, int]) -> list[object]:
    device = settings.devices[place[0]]
    return [device.name, device.profile.digest, settings.point(place).name]
