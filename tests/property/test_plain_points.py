"""Plain points read quickly, against the rules for all points and against exact fractions."""

from fractions import Fraction

from hypothesis import example, given
from hypothesis import strategies as st

from edge.core.bus.plain import read_plain, why_none
from edge.core.bus.plain_rule import plan_rule
from edge.core.bus.profile import Point, Profile, parse_profile
from edge.core.numbers.quality import Quality
from edge.core.numbers.words import WIDTHS

PLAIN = ("u16", "i16", "u32", "i32", "f32")
SCALES = ("1", "0.1", "0.01", "0.001", "10", "0.5", "3", "0.25", "1000", "-1", "0.0001")

registers = st.integers(0, 0xFFFF)
#: Edges of every type and of IEEE 754 beside anything else.
patterns = st.one_of(
    st.integers(0, 0xFFFFFFFF),
    st.sampled_from(
        (0, 1, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x3F800000, 0x00800000)
    ),
    st.builds(lambda high, low: high << 23 | low, st.integers(0, 511), st.integers(0, 3)),
)


def profile_of(kind: str, scale: str, places: int, words: str, swapped: str, sentinel: int | None):
    """A profile of one point at address 7."""
    point = {"name": "p", "address": 7, "type": kind, "scale": scale, "unit": "1"}
    document = {
        "id": "x",
        "function": 1 if kind == "bit" else 3,
        "word_order": words,
        "byte_order": swapped,
        "max_block_registers": 10,
        "sentinels": {} if sentinel is None else {kind: [sentinel]},
        "points": [{**point, "places": places, "class": "gauge"}],
    }
    profile = parse_profile(document)
    return profile, profile.points[0]


@given(
    st.sampled_from(sorted(WIDTHS)),
    st.sampled_from(SCALES),
    st.integers(0, 9),
    st.sampled_from(("big", "little")),
    st.sampled_from(("big", "big", "little")),
    st.lists(registers, min_size=9, max_size=9),
    patterns,
    st.integers(0, 5),
    st.booleans(),
)
def test_what_is_read_quickly_is_what_the_rules_say(
    kind: str, scale: str, places: int, words: str, swapped: str, around, raw: int, at: int, is_bar
):
    profile, point = profile_of(kind, scale, places, words, swapped, raw if is_bar else None)
    pair = (raw >> 16, raw & 0xFFFF)
    around[at : at + 2] = pair if words == "big" else reversed(pair)
    rule = plan_rule(point, profile)
    if rule is None:
        return
    assert kind in (*PLAIN, "bit") and swapped == "big"
    found = read_plain(rule, around, at)
    quality = Quality.GOOD if found is not None else why_none(rule, around, at)
    assert (found, quality) == profile.decode(point, tuple(around[at : at + point.span]))


@given(patterns, st.integers(0, 6))
@example(0x4B000001, 0)
@example(0x3F000000, 0)
@example(0x3FC00000, 0)
@example(0xBFC00000, 0)
@example(0x40200000, 0)
def test_a_float_is_rounded_once_half_even(raw: int, places: int):
    profile, point = profile_of("f32", "1", places, "big", "big", None)
    exponent = raw >> 23 & 0xFF
    found = read_plain(rule_of(profile, point), (raw >> 16, raw & 0xFFFF), 0)
    if found is None:
        assert exponent > 158
        return
    fraction = raw & 0x7FFFFF | (0x800000 if exponent else 0)
    exact = Fraction(fraction) * Fraction(2) ** (max(exponent, 1) - 150) * 10**places
    assert found == round(-exact if raw >> 31 else exact)


def rule_of(profile: Profile, point: Point):
    rule = plan_rule(point, profile)
    assert rule is not None
    return rule


def test_usual_points_are_plain():
    for kind in PLAIN:
        for words in ("big", "little"):
            assert plan_rule(*reversed(profile_of(kind, "0.1", 2, words, "big", None))) is not None
