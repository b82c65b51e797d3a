from edge.core.bus import plan
from edge.core.bus.profile import parse_profile
from edge.core.errors import TallyError
from edge.core.numbers.quality import Quality

TIMING = plan.line_timing(9600, 10)


def document(points, **changes):
    made = {
        "id": "test_meter",
        "function": 4,
        "word_order": "big",
        "byte_order": "big",
        "max_block_registers": 80,
        "points": points,
    }
    made.update(changes)
    return made


def point(name, address, kind="u16", **changes):
    made = {
        "name": name,
        "address": address,
        "type": kind,
        "scale": "0.1",
        "unit": "V",
        "places": 1,
        "class": "gauge",
    }
    made.update(changes)
    return made


def blocks(profile):
    found = plan.plan_blocks(profile.points, profile, TIMING)
    return [(b.function, b.address, b.count) for b in found]


def refused(made):
    try:
        parse_profile(made)
    except TallyError as error:
        return error.code
    return None


def test_line_timing_has_the_floor_of_the_standard():
    assert TIMING.character_us == 1042
    assert TIMING.silence_us == 3647
    assert plan.line_timing(115200, 11).silence_us == 1750


def test_a_short_gap_is_read_over_and_a_long_one_is_not():
    near = parse_profile(document([point("a", 0), point("b", 12)]))
    assert blocks(near) == [(4, 0, 13)]
    far = parse_profile(document([point("a", 0), point("b", 60)]))
    assert blocks(far) == [(4, 0, 1), (4, 60, 1)]


def test_limits_forbidden_ranges_and_functions_cut():
    limit = parse_profile(document([point("a", 0), point("b", 5)], max_block_registers=5))
    assert blocks(limit) == [(4, 0, 1), (4, 5, 1)]
    hole = parse_profile(document([point("a", 0), point("b", 2)], forbidden=[[1, 1]]))
    assert blocks(hole) == [(4, 0, 1), (4, 2, 1)]
    functions = parse_profile(document([point("a", 0), point("b", 1, function=3)]))
    assert blocks(functions) == [(3, 1, 1), (4, 0, 1)]


def test_wide_points_stay_whole():
    made = parse_profile(
        document([point("a", 0, "f64"), point("b", 4, "u32")], max_block_registers=4)
    )
    assert blocks(made) == [(4, 0, 4), (4, 4, 2)]


def test_profiles_that_contradict_themselves_are_refused():
    for made in (
        document([point("a", 0), point("a", 1)]),
        document([point("a", 0, "u32"), point("b", 1)]),
        document([point("a", 65535, "u32")]),
        document([point("a", 0, scale="0")]),
        document([point("a", 0, scale="1e3")]),
        document([point("a", 0, "f32")], max_block_registers=1),
        document([point("a", 0)], max_block_registers=126),
        document([point("a", 3)], forbidden=[[0, 9]]),
    ):
        assert refused(made) == "config.profile", made


def test_decoding_follows_the_profile():
    made = parse_profile(document([point("a", 0, "u16")], sentinels={"u16": [65535]}))
    assert made.decode(made.points[0], (2305,)) == (2305, Quality.GOOD)
    assert made.decode(made.points[0], (65535,)) == (None, Quality.SENTINEL)
    assert made.decode(made.points[0], (1, 2)) == (None, Quality.CORRUPT)


def test_the_digest_names_the_meaning():
    one = parse_profile(document([point("a", 0)]))
    same = parse_profile(document([point("a", 0)]))
    other = parse_profile(document([point("a", 0, scale="0.01")]))
    assert one.digest == same.digest
    assert one.digest != other.digest


def test_selected_points_keep_their_order():
    made = parse_profile(document([point("a", 0), point("b", 1), point("c", 2)]))
    assert [p.name for p in made.select(("c", "a"))] == ["a", "c"]
    assert len(made.select(())) == 3
    try:
        made.select(("nope",))
    except TallyError as error:
        assert error.code == "config.profile"
    else:
        raise AssertionError("accepted")
