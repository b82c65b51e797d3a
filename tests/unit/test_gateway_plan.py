"""The plan that a device runs on: what Linux makes of the same settings, value by value."""

import tempfile
import tomllib
from pathlib import Path

import pytest

from edge.app.cli.build_plan import encode_plan, pack_points, plan_of
from edge.app.config import Settings
from edge.app.definitions import Definitions, define_streams, number_streams, state_facts
from edge.app.gateway_plan import GatewayPlan, decode_plan
from edge.app.packed_points import PackedPoints
from edge.app.reading import Reading
from edge.app.service import read_settings
from edge.app.station import Station
from edge.app.station_plan import plan_station
from edge.core.bus.block import Learned
from edge.core.bus.model import Model
from edge.core.bus.profile import Point, parse_profile
from edge.core.carbon.tariff import Tariff
from edge.core.errors import ConfigError

from .test_docs_configs import gateway_texts, place_site

PROFILES = Path(__file__).resolve().parents[2] / "edge" / "profiles"


def docs_settings(text: str) -> Settings:
    with tempfile.TemporaryDirectory() as folder:
        return read_settings(place_site(Path(folder), text))[0]


def docs_plan() -> GatewayPlan:
    """Of the example that has every key: stacks, tariffs, coal, swaps, facts, windows."""
    return plan_of(docs_settings(gateway_texts()[0]))


def bare(value: object) -> object:
    """A value down to its builtins, types told, lists as tuples."""
    if isinstance(value, Model):
        rules = (value.id, value.word_order, value.byte_order, value.digest, value.gap_ms)
        return ("Profile", *rules, value.max_block_registers, value.forbidden, value.sentinels)
    if isinstance(value, Tariff):
        return ("Tariff", value.digest)
    if isinstance(value, PackedPoints):
        return bare(tuple(value))
    if isinstance(value, tuple | list):
        name = "tuple" if isinstance(value, list) else type(value).__name__
        return (name, *(bare(part) for part in value))
    return (type(value).__name__, value)


@pytest.mark.parametrize("text", gateway_texts())
def test_a_plan_comes_back_as_it_was(text: str):
    plan = plan_of(docs_settings(text))
    data = encode_plan(plan)
    back = decode_plan(data)
    assert bare(back) == bare(plan)
    assert encode_plan(back) == data


def test_the_example_has_what_a_plan_can_hold():
    plan = docs_plan()
    assert plan.tariffs and plan.swaps and plan.facts and plan.windows
    assert any(stream.summands for stream in plan.streams)
    assert any(stream.source.stack for stream in plan.streams)
    assert any(stream.coal for stream in plan.streams)


@pytest.mark.parametrize("text", gateway_texts())
def test_a_gateway_of_the_plan_defines_what_one_of_the_settings_does(text: str):
    settings = docs_settings(text)
    plan = decode_plan(encode_plan(plan_of(settings)))
    told = []
    for stated in (settings, plan):
        definitions = Definitions([])
        # Numbers of an epoch that has seen others: places and numbers differ.
        definitions.device(settings.devices[-1])
        numbers = [definitions.device(device) for device in stated.devices]
        if isinstance(stated, Settings):
            streams = define_streams(stated, numbers, definitions)
        else:
            streams = number_streams(stated.streams, numbers, definitions)
            state_facts(stated, definitions)
        told.append((bare(streams), list(definitions.fresh())))
    assert told[0] == told[1]
    assert [found.id for found in settings.factor_sets] == [name for name, _ in plan.factor_sets]


@pytest.mark.parametrize("text", gateway_texts())
def test_a_device_reads_as_linux_does(text: str):
    settings = docs_settings(text)
    plan = decode_plan(encode_plan(plan_of(settings)))
    buses = {bus.name: bus for bus in settings.buses}
    assert plan.buses == tuple(settings.buses)
    changed = 0
    for device, planned, blocks in zip(settings.devices, plan.devices, plan.blocks, strict=True):
        bus = buses[device.bus]
        linux = plan_station(0, device, bus)
        esp32 = plan_station(0, planned, bus, blocks=blocks)
        assert esp32.blocks is blocks and bare(blocks) == bare(linux.blocks)
        assert reading(esp32) == reading(linux)
        learned = Learned((), (device.points[0].name,), 8)
        taught = [
            plan_station(0, of, bus, learned, blocks=given).blocks
            for of, given in ((device, ()), (planned, blocks))
        ]
        assert bare(taught[0]) == bare(taught[1])
        changed += bare(taught[0]) != bare(blocks)
    assert changed


def reading(station: Station) -> object:
    """What a station makes of registers that are all different."""
    read = Reading()
    read.begin(station)
    for block in station.blocks:
        read.take(block, tuple((block.address + at) % 251 for at in range(block.count)))
    return bare(read.decode(station).values)


def test_equal_values_are_one_object():
    plan = decode_plan(encode_plan(docs_plan()))
    tables = [device.points.table for device in plan.devices]
    assert len({id(table) for table in tables}) == 1, "one table for all devices"
    shapes = tables[0].shapes
    assert len(set(shapes)) == len(shapes) < sum(len(d.points) for d in plan.devices) // 2
    scales: dict[tuple, set[int]] = {}
    for shape in shapes:
        scales.setdefault(tuple(shape[3]), set()).add(id(shape[3]))
    assert len(scales) > 1 and all(len(found) == 1 for found in scales.values())


def test_devices_of_one_model_have_their_points_once():
    plan = docs_plan()
    twice = plan._replace(devices=plan.devices * 2, blocks=plan.blocks * 2)
    back = decode_plan(encode_plan(twice))
    half = len(plan.devices)
    for one, other in zip(back.devices[:half], back.devices[half:], strict=True):
        assert (one.points.first, one.points.count) == (other.points.first, other.points.count)


def every_point() -> list[Point]:
    """Of every profile that comes with it, identity included, and of one of each other form."""
    points = []
    for path in sorted(PROFILES.glob("*.toml")):
        profile = parse_profile(tomllib.loads(path.read_text()))
        points += [*profile.points, *profile.identity]
    return points


def test_every_point_comes_back_as_it_was():
    points = every_point()
    assert {len(point.terms) for point in points} >= {0, 1, 2}
    assert any(p.exponent for p in points) and any(p.sentinels for p in points)
    plan = docs_plan()
    device = plan.devices[0]._replace(points=tuple(points))
    packed = pack_points(plan._replace(devices=(device,), blocks=((),)))
    assert bare(packed.devices[0].points) == bare(tuple(points))
    for at in (-1, len(points)):
        with pytest.raises(IndexError):
            packed.devices[0].points[at]


def test_what_is_cut_short_is_no_plan():
    data = encode_plan(docs_plan())
    for end in range(len(data)):
        with pytest.raises(ConfigError) as caught:
            decode_plan(data[:end])
        assert caught.value.code == "config.file"
