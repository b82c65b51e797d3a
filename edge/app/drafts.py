"""Streams as the account takes them, out of settings; they get their numbers elsewhere."""

from edge.app.config import Settings
from edge.app.streams import StreamSetting
from edge.core.bus.points import Point
from edge.core.carbon.counter import Limits
from edge.core.carbon.streams import (
    Setup,
    Source,
    Stream,
    Summand,
    counter_stream,
    source_digest,
    stack_stream,
    virtual_stream,
)
from edge.core.numbers.fixed import power_of_ten
from edge.core.numbers.units import reduce_ratio


def draft_streams(settings: Settings) -> list[Stream]:
    """All streams before they have numbers: devices and streams are named by their places."""
    places = list(range(len(settings.devices)))
    drafts: list[Stream] = []
    for setting in settings.streams:
        draft = draft_stream(settings, setting, places, drafts)
        drafts.append(Stream(len(drafts), *draft[1:]))
    return drafts


def draft_stream(
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
    stack, places, status, accepted, rules = setting.stack
    inputs = tuple((numbers[place[0]], place[1], settings.point(place).places) for place in places)
    state = None
    if status is not None:
        state = (numbers[status[0]], status[1], accepted)
        places = places + [status]
    said = [_place(settings, place) for place in places]
    digest = source_digest(said, list(accepted), stack, rules)
    return stack_stream(
        0,
        setting.name,
        leading.poll_ms,
        Source(inputs, state, stack),
        digest,
        _setup(settings, setting, places),
        rules,
    )


def _setup(settings: Settings, setting: StreamSetting, places: list[tuple[int, int]]) -> Setup:
    inputs = tuple(
        (settings.devices[place[0]].owner, settings.point(place).name) for place in places
    )
    return Setup(settings.basis, setting.rates, setting.place, inputs, setting.coal)


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
        Setup(settings.basis, setting.rates, setting.place, (), setting.coal),
    )


def _place(settings: Settings, place: tuple[int, int]) -> list[object]:
    device = settings.devices[place[0]]
    return [device.name, device.profile.digest, settings.point(place).name]
