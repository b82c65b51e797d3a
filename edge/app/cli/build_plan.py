"""Settings to the plan that a device runs on, and the plan to bytes; `gateway_plan` reads them."""

import struct

from edge.app.config import Device, Settings
from edge.app.definitions import Definitions
from edge.app.drafts import draft_streams
from edge.app.gateway_plan import BYTES, GIVEN, MADE, MAKERS, NEGATIVE, TEXT, WHOLE, GatewayPlan
from edge.app.packed_points import ROW, PackedPoints, PointTable
from edge.core.bus.block import Block
from edge.core.bus.model import Model
from edge.core.bus.plan import character_bits, line_timing, plan_blocks
from edge.core.bus.points import Point
from edge.core.bus.profile import Profile
from edge.core.carbon.cems import Method, Stack
from edge.core.carbon.tariff import Tariff
from edge.core.numbers import pack
from edge.ports.esp32.segments import PAYLOAD_MAX

#: Of a record, beside its body: kind, times and seq.
_RECORD_BYTES = 64

_KINDS = {maker: MADE + at for at, maker in enumerate(MAKERS)}
_PLACES = {getattr(maker, "__name__", ""): MADE + at for at, maker in enumerate(MAKERS)}
_MADE_BY = {
    Profile: "_profile",
    Model: "_profile",
    Method: "_method",
    Stack: "_stack",
    Tariff: "_tariff",
}


def plan_of(settings: Settings) -> GatewayPlan:
    """What a gateway with these settings runs on. Raises ConfigError as the streams do."""
    if settings.deflate:
        settings.refuse("uplink.deflate", True, "false: this board can only inflate")
    for device in settings.devices:
        _check_definition(settings, device)
    buses = {bus.name: bus for bus in settings.buses}
    return GatewayPlan(
        settings.gateway,
        settings.tenant,
        settings.broker,
        settings.user,
        settings.keepalive_s,
        settings.linger_ms,
        settings.commit_ms,
        settings.interval_ms,
        tuple((found.id, found.digest) for found in settings.factor_sets),
        tuple(settings.buses),
        tuple(settings.devices),
        tuple(_blocks(device, buses) for device in settings.devices),
        tuple(draft_streams(settings)),
        tuple(settings.tariffs),
        tuple(tuple(swap) for swap in settings.swaps),
        tuple(tuple(fact) for fact in settings.facts),
        tuple(tuple(window) for window in settings.windows),
    )


def _check_definition(settings: Settings, device: Device) -> None:
    """What says the points of a device is one record, which is one entry of a board's journal."""
    definitions = Definitions([])
    definitions.device(device)
    size = len(pack.encode(list(definitions.fresh()))) + _RECORD_BYTES
    if size > PAYLOAD_MAX:
        found = f"{len(device.points)} points, {size} bytes to tell what they are"
        expected = f"fewer: this board stores {PAYLOAD_MAX} bytes in one record"
        settings.refuse(f"points of device {device.name}", found, expected)


def _blocks(device: Device, buses: dict) -> tuple[Block, ...]:
    bus = buses[device.bus]
    timing = line_timing(bus.baud, character_bits(bus.format))
    return plan_blocks(device.points, device.profile, timing)


def encode_plan(plan: GatewayPlan) -> bytes:
    """The bytes that `decode_plan` reads; the same for the same plan."""
    writer = _Writer()
    writer.put(pack_points(plan))
    return bytes(writer.out)


def pack_points(plan: GatewayPlan) -> GatewayPlan:
    """The plan with the points of its devices in one table; equal ones stand once."""
    packer = _Packer()
    of_devices = [tuple(device.points) for device in plan.devices]
    firsts = [packer.put(points) for points in of_devices]
    table = PointTable(bytes(packer.rows), packer.names.encode("ascii"), tuple(packer.shapes))
    devices = [
        device._replace(points=PackedPoints(table, first, len(points)))
        for device, points, first in zip(plan.devices, of_devices, firsts)
    ]
    return plan._replace(devices=tuple(devices))


class _Packer:
    """Makes a `PointTable`."""

    def __init__(self) -> None:
        self.rows = bytearray()
        self.names = ""
        self.shapes: list[tuple[object, ...]] = []
        self.count = 0
        self.known: dict[tuple[Point, ...], int] = {}

    def put(self, points: tuple[Point, ...]) -> int:
        """The number of the first of these points."""
        if points not in self.known:
            self.known[points] = self.count
            self.count += len(points)
            for point in points:
                self._add(point)
        return self.known[points]

    def _add(self, point: Point) -> None:
        if point.name not in self.names:
            self.names += point.name
        shape = _shape(point)
        if shape not in self.shapes:
            self.shapes.append(shape)
        name_at, number = self.names.index(point.name), self.shapes.index(shape)
        self.rows += struct.pack(ROW, point.address, name_at, number, len(point.name))


def _shape(point: Point) -> tuple[object, ...]:
    """What `packed_points.make_point` makes a point of, beside name and address."""
    exponent = point.exponent
    if exponent is not None:
        exponent = (exponent[0] - point.address, exponent[1])
    terms = tuple((t.address - point.address, t.kind, t.scale) for t in point.terms)
    if terms == ((0, point.kind, point.scale),):
        terms = ()
    head = (point.function, point.span, point.kind, point.scale, point.offset, point.unit)
    middle = (point.places, point.point_class, point.evidence, terms, exponent)
    return head + middle + (point.sentinels, point.rollover)


class _Writer:
    """known: what an entry is, kind and contents -> its place."""

    def __init__(self) -> None:
        self.out = bytearray()
        self.count = len(GIVEN)
        self.known: dict[tuple[int, object], int] = {}

    def put(self, value: object) -> int:
        """The place of a value, which is written where it has none yet."""
        for at, given in enumerate(GIVEN):
            if value is given:
                return at
        if isinstance(value, int):
            number = value if value >= 0 else -1 - value
            return self._entry(WHOLE if value >= 0 else NEGATIVE, number, number, b"")
        if isinstance(value, str | bytes):
            data = value.encode() if isinstance(value, str) else value
            return self._entry(TEXT if isinstance(value, str) else BYTES, data, len(data), data)
        places = [self.put(part) for part in _parts(value)]
        # How far back a part is depends on where this entry stands, so that is not what it is.
        key = (_kind(value), tuple(places))
        if key in self.known:
            return self.known[key]
        body = b"".join(_number(self.count - place) for place in places)
        return self._entry(key[0], key[1], len(places), body)

    def _entry(self, kind: int, what: object, number: int, body: bytes) -> int:
        if (kind, what) not in self.known:
            self.known[kind, what] = self.count
            self.count += 1
            self.out += bytes((kind,)) + _number(number) + body
        return self.known[kind, what]


def _kind(value: object) -> int:
    """The kind of a value that is made of others; lists are told as tuples."""
    if type(value) in _MADE_BY:
        return _PLACES[_MADE_BY[type(value)]]
    return _KINDS.get(type(value), MADE)


def _parts(value: object) -> list[object]:
    if isinstance(value, Model):
        sentinels = tuple((kind, value.sentinels[kind]) for kind in sorted(value.sentinels))
        head = (value.id, value.word_order, value.byte_order, value.max_block_registers)
        return [*head, value.gap_ms, value.forbidden, sentinels, value.digest]
    if isinstance(value, PackedPoints):
        return [value.table, value.first, value.count]
    if isinstance(value, Tariff):
        return [value.id, value.series, value.pattern, value.offset_minutes, value.annual]
    if not isinstance(value, tuple | list):
        raise TypeError(type(value).__name__)
    return list(value)


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes((value,))
