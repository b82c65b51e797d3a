"""SunSpec: the marker, the chain, the common model, and the profile that they make."""

from edge.core.field.sunspec import Model, Read, Walk, decode_common, plan_document, plan_profile
from edge.core.numbers.quality import Quality

METER = {
    "model": 203,
    "points": [
        {
            "name": "frequency",
            "address": 2,
            "type": "i16",
            "scale": "1",
            "scale_register": {"address": 3, "type": "i16"},
            "unit": "Hz",
            "places": 3,
            "class": "gauge",
        },
        {
            "name": "active_energy_import",
            "address": 4,
            "type": "u32",
            "scale": "1",
            "scale_register": {"address": 6, "type": "i16"},
            "sentinels": [0],
            "unit": "W.h",
            "places": 0,
            "class": "counter",
        },
    ],
    "sentinels": {"i16": [0x8000]},
}
OTHER = {"model": 802, "points": METER["points"][:1], "sentinels": {"u16": [0xFFFF]}}


def text(words, content, count):
    data = content + b"\x00" * (2 * count - len(content))
    return words + [(data[2 * i] << 8) | data[2 * i + 1] for i in range(count)]


def device(base, chain, marker=True):
    """The registers of a device: a dict by address."""
    words = [0x5375, 0x6E53] if marker else [0, 0]
    for number, body in chain:
        words += [number, len(body)] + list(body)
    words += [0xFFFF, 0]
    return {base + i: word for i, word in enumerate(words)}


def common_body():
    words = text([], b"Maker", 16)
    words = text(words, b"Model X", 16)
    words = text(words, b"", 8)
    words = text(words, b"1.2", 8)
    words = text(words, b"SN 42", 16)
    return words + [1, 0]


def walk_over(registers):
    walk = Walk()
    asked = 0
    while True:
        wanted = walk.wanted()
        if wanted is None:
            return walk, asked
        asked += 1
        assert asked < 200
        span = [registers.get(wanted.address + i) for i in range(wanted.count)]
        walk.take(None if None in span else tuple(span))


def test_the_marker_is_found_at_each_base():
    for base in (40000, 0, 50000):
        registers = device(base, ((1, common_body()), (203, [5001, 65534, 1, 2, 1])))
        walk, _ = walk_over(registers)
        assert (walk.state, walk.base, walk.is_complete) == ("done", base, True)
        assert walk.models == (Model(1, base + 2, 66), Model(203, base + 70, 5))
        assert walk.common is not None
        assert (walk.common.manufacturer, walk.common.model) == ("Maker", "Model X")
        assert (walk.common.version, walk.common.serial) == ("1.2", "SN 42")


def test_no_marker_costs_three_reads():
    walk, asked = walk_over(device(40000, (), marker=False))
    assert (walk.state, asked) == ("none", 3)
    walk, asked = walk_over({})
    assert (walk.state, asked) == ("none", 3)


def test_a_marker_without_models_is_none():
    walk, _ = walk_over(device(0, ()))
    assert walk.state == "none"


def test_a_chain_that_breaks_off_keeps_what_it_showed():
    registers = device(40000, ((203, [5001, 65534, 1, 2, 1]),))
    del registers[40002 + 7]
    walk, _ = walk_over(registers)
    assert (walk.state, walk.is_complete) == ("done", False)
    assert walk.models == (Model(203, 40002, 5),)


def test_an_endless_chain_ends():
    walk = Walk()
    walk.take((0x5375, 0x6E53))
    asked = 0
    while walk.state == "chain":
        walk.take((64001, 0))
        asked += 1
        assert asked < 100
    assert not walk.is_complete and len(walk.models) == 64


def test_a_length_past_the_address_space_ends_the_chain():
    walk = Walk()
    walk.take((0x5375, 0x6E53))
    walk.take((203, 60000))
    assert walk.state == "done" and walk.wanted() is None


def test_the_profile_has_wire_addresses_and_scales():
    profile = plan_profile((Model(203, 40070, 5),), {203: METER})
    assert profile is not None and profile.id == "sunspec_203"
    frequency, energy = profile.points
    assert (frequency.address, frequency.span) == (40072, 2)
    assert profile.decode(frequency, (5001, 65534)) == (50010, Quality.GOOD)
    assert profile.decode(frequency, (0x8000, 65534)) == (None, Quality.SENTINEL)
    assert profile.decode(energy, (1, 2, 1)) == (655380, Quality.GOOD)
    assert profile.decode(energy, (0, 0, 1)) == (None, Quality.SENTINEL)


def test_points_beyond_the_devices_own_length_are_left_out():
    document = plan_document((Model(203, 10, 4),), {203: METER})
    assert document is not None
    assert [point["name"] for point in document["points"]] == ["frequency"]
    assert plan_document((Model(203, 10, 1),), {203: METER}) is None


def test_names_of_further_models_say_where_they_are_from():
    models = (Model(203, 10, 5), Model(9, 20, 5), Model(802, 30, 5), Model(203, 40, 5))
    document = plan_document(models, {203: METER, 802: OTHER})
    assert document is not None and document["id"] == "sunspec_203_802_203"
    assert [point["name"] for point in document["points"]] == [
        "frequency",
        "active_energy_import",
        "m802_frequency",
        "m203_2_frequency",
        "m203_2_active_energy_import",
    ]
    assert document["sentinels"] == {"i16": [0x8000], "u16": [0xFFFF]}
    assert METER["points"][0]["address"] == 2  # the definition itself is untouched


def test_an_unknown_device_has_no_profile():
    assert plan_profile((Model(64001, 40, 5),), {203: METER}) is None


def test_hostile_names_are_made_plain():
    words = text([1, 66], b"\x1b[2J\xffM", 16) + common_body()[16:]
    assert decode_common(tuple(words)).manufacturer == "?[2J?M"


def test_the_first_read_asks_for_the_marker():
    assert Walk().wanted() == Read(40000, 2)
