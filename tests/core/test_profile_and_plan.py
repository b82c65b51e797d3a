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


def compound(name, terms, **changes):
    made = point(name, 0, **changes)
    for key in ("address", "type", "scale"):
        del made[key]
    made["terms"] = [{"address": a, "type": kind, "scale": scale} for a, kind, scale in terms]
    return made


SPLIT = [(78, "u16", "0.1"), (80, "u16", "6553.6")]


def test_the_terms_of_a_value_are_one_span_in_one_block():
    made = parse_profile(
        document([compound("import", SPLIT), point("frequency", 79)], max_block_registers=3)
    )
    assert [(p.name, p.address, p.span) for p in made.points] == [
        ("import", 78, 3),
        ("frequency", 79, 1),
    ]
    assert blocks(made) == [(4, 78, 3)]
    assert made.decode(made.points[0], (65535, 5000, 2)) == (196607, Quality.GOOD)
    assert made.points[0].kind == "terms"


def test_a_sentinel_in_one_term_is_no_value():
    made = parse_profile(
        document([compound("total", [(0, "i32", "1"), (2, "f32", "1")], places=3)])
    )
    total = made.points[0]
    assert made.decode(total, (0, 1234, 0x3F40, 0)) == (1234750, Quality.GOOD)
    assert made.decode(total, (0, 1234, 0x7FC0, 0)) == (None, Quality.SENTINEL)


def test_a_scale_register_is_read_with_its_value():
    scaled = point("a", 10, scale="1", scale_register={"address": 14, "type": "i16"})
    other = point("b", 12, scale="1", scale_register={"address": 14, "type": "i16"})
    made = parse_profile(document([scaled, other], sentinels={"u16": [65535]}))
    assert blocks(made) == [(4, 10, 5)]
    first, second = made.points
    assert made.decode(first, (2304, 0, 0, 0, 0xFFFF)) == (2304, Quality.GOOD)
    assert made.decode(second, (5, 0, 1)) == (500, Quality.GOOD)
    assert made.decode(second, (5, 0, 0x8000)) == (None, Quality.SENTINEL)
    assert made.decode(second, (65535, 0, 0)) == (None, Quality.SENTINEL)
    places = point("c", 1, scale="1", scale_register={"address": 0, "type": "places"}, places=3)
    made = parse_profile(document([places]))
    assert made.decode(made.points[0], (2, 2095)) == (20950, Quality.GOOD)


def test_own_sentinels_and_rollover_of_a_point():
    made = parse_profile(
        document(
            [
                point("a", 0, sentinels=[0], rollover="9999.9", **{"class": "counter"}),
                point("b", 1),
            ]
        )
    )
    assert made.decode(made.points[0], (0,)) == (None, Quality.SENTINEL)
    assert made.decode(made.points[1], (0,)) == (0, Quality.GOOD)
    assert [p.rollover for p in made.points] == [99999, None]


def test_bits_are_read_by_their_own_functions():
    made = parse_profile(
        document(
            [
                point("a", 0, "u16"),
                point("ok", 19, "bit", function=2, scale="1", places=0),
                point("bad", 4, "bit", function=2, scale="1", places=0),
            ],
            max_block_registers=1,
        )
    )
    assert blocks(made) == [(2, 4, 16), (4, 0, 1)]
    assert made.decode(made.points[1], (1,)) == (1, Quality.GOOD)
    # 6 bytes of data against 2 registers: 16 bits cost 2 bytes, 17 cost 3
    assert plan.block_us(17, TIMING, 1) - plan.block_us(16, TIMING, 1) == TIMING.character_us
    assert plan.block_us(2000, TIMING, 2) == plan.block_us(125, TIMING)


def test_identity_is_not_polled():
    made = parse_profile(
        document(
            [
                point("a", 0),
                {"name": "model", "address": 50, "type": "str", "count": 4, "class": "identity"},
                point("code", 60, **{"class": "identity"}),
            ]
        )
    )
    assert [p.name for p in made.points] == ["a"]
    assert [p.name for p in made.identity] == ["model", "code"]
    model = made.identity[0]
    assert made.decode_text(model, (0x4142, 0x4320, 0, 0)) == "ABC"
    assert made.decode(model, (0x4142, 0x4320, 0, 0)) == (None, Quality.CORRUPT)


def test_compound_points_that_contradict_themselves_are_refused():
    text = {"name": "t", "address": 0, "type": "str", "count": 2, "class": "identity"}
    no_scale = point("a", 0)
    del no_scale["scale"]
    for made in (
        document([compound("a", SPLIT)], max_block_registers=2),
        document([compound("a", SPLIT)], forbidden=[[79, 79]]),
        document([compound("a", SPLIT), point("b", 79, "u32")]),
        document([compound("a", [(0, "u24", "1")])]),
        document([point("a", 0, scale_register={"address": 200, "type": "i16"})]),
        document([point("a", 0, rollover="0")]),
        document([point("a", 0, rollover="1.25")]),
        document([point("a", 0, "bit")]),
        document([point("a", 0, function=1)]),
        document([dict(text, **{"class": "status"})]),
        document([no_scale]),
        document([point("a", 0, "u32"), point("b", 0)]),
    ):
        assert refused(made) == "config.profile", made
    shared = document([point("a", 0, "u8_high"), point("b", 0, "u8_low")])
    assert refused(shared) is None


def test_decoding_follows_the_profile():
    made = parse_profile(document([point("a", 0, "u16")], sentinels={"u16": [65535]}))
    assert made.decode(made.points[0], (2305,)) == (2305, Quality.GOOD)
    assert made.decode(made.points[0], (65535,)) == (None, Quality.SENTINEL)
    assert made.decode(made.points[0], (1, 2)) == (None, Quality.CORRUPT)


def test_the_digest_names_the_meaning():
    one = parse_profile(document([point("a", 0)]))
    same = parse_profile(document([point("a", 0)]))
    assert one.digest == same.digest
    for changes in (
        {"scale": "0.01"},
        {"sentinels": [0]},
        {"rollover": "100"},
        {"scale_register": {"address": 1, "type": "i16"}},
    ):
        assert parse_profile(document([point("a", 0, **changes)])).digest != one.digest, changes
    assert parse_profile(document([point("a", 0, note="x")])).digest == one.digest


def test_confidence_is_known_and_changes_no_reading():
    plain = parse_profile(document([point("a", 0)]))
    low = parse_profile(document([point("a", 0)], provenance={"confidence": "low"}))
    assert (plain.confidence, low.confidence) == ("", "low")
    assert plain.digest == low.digest


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
