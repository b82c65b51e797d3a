"""Block reads of compound values, scale registers and bits against every grouping there is.

Their spans overlap and contain each other, so the brute force does not only cut the row of
points: it tries every way to divide them into groups.
"""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from edge.core.bus.plan import cycle_us, line_timing, plan_blocks, plan_groups
from edge.core.bus.profile import Point, Profile, parse_profile

LINES = st.sampled_from([(1200, 11), (9600, 10), (19200, 10), (115200, 11)])
FORMS = ("plain", "terms", "exponent", "bit")


def document_of(index: int, form: str, address: int, reach: int) -> dict[str, object]:
    """A point whose span is `reach` wide; every term has even places, exponents odd ones."""
    made: dict[str, object] = {
        "name": f"p{index}",
        "unit": "1",
        "places": 0,
        "class": "gauge",
        "function": 2 if form == "bit" else 4,
    }
    place = {"address": address, "type": "bit" if form == "bit" else "u16", "scale": "1"}
    if form == "terms":
        far = {"address": address + reach - 1, "type": "u16", "scale": "10"}
        made["terms"] = [place, far] if index % 2 else [far, place]
    else:
        made.update(place)
    if form == "exponent":
        made["scale_register"] = {"address": address + reach - 1, "type": "i16"}
    return made


@st.composite
def profiles(draw) -> Profile:
    """A profile of 1..6 points whose spans may overlap, with a limit and forbidden ranges."""
    limit = draw(st.one_of(st.integers(12, 30), st.just(125)))
    points = []
    for index in range(draw(st.integers(1, 6))):
        form = draw(st.sampled_from(FORMS))
        address = draw(st.integers(0, 60)) * (1 if form != "bit" else draw(st.integers(1, 9)))
        points.append(document_of(index, form, address, draw(st.integers(2, 12))))
    document: dict[str, object] = {
        "id": "random",
        "function": 4,
        "word_order": "big",
        "byte_order": "big",
        "max_block_registers": limit,
        "points": points,
    }
    free = parse_profile(document)
    taken = {a for p in free.points for a in range(p.address, p.address + p.span)}
    banned = draw(st.sets(st.integers(0, 80), max_size=4)) - taken
    return parse_profile({**document, "forbidden": [[a, a] for a in sorted(banned)]})


def partitions(points: tuple[Point, ...]) -> Iterator[list[list[Point]]]:
    """Every way to divide `points` into groups."""
    if not points:
        yield []
        return
    for groups in partitions(points[1:]):
        yield [[points[0]], *groups]
        for index, group in enumerate(groups):
            yield [*groups[:index], [points[0], *group], *groups[index + 1 :]]


def cost_us(group: list[Point], profile: Profile, baud: int, bits: int) -> int | None:
    """Wire time of one read over the group, None when it is not allowed."""
    function = group[0].function
    first = min(p.address for p in group)
    count = max(p.address + p.span for p in group) - first
    most = profile.max_block_registers * (16 if function == 2 else 1)
    banned = {a for low, high in profile.forbidden for a in range(low, high + 1)}
    if len({p.function for p in group}) > 1 or count > most:
        return None
    if banned & set(range(first, first + count)):
        return None
    data = -(-count // 8) if function == 2 else 2 * count
    character_us = -(-bits * 1_000_000 // baud)
    silence_us = max(3 * character_us + character_us // 2, 1750)
    return (13 + data) * character_us + 2 * silence_us + 5000


@given(profiles(), LINES)
def test_no_grouping_of_the_points_takes_less_time(profile: Profile, line):
    timing = line_timing(*line)
    blocks = plan_blocks(profile.points, profile, timing)
    best = None
    for groups in partitions(profile.points):
        costs = [cost_us(group, profile, *line) for group in groups]
        if None not in costs:
            total = sum(cost or 0 for cost in costs)
            best = total if best is None else min(best, total)
    assert cycle_us(blocks, timing) == best


@given(profiles(), LINES)
def test_every_value_is_whole_in_one_block(profile: Profile, line):
    timing = line_timing(*line)
    groups = plan_groups(profile.points, profile, timing)
    assert [point for group in groups for point in group] == list(profile.points)
    for group, block in zip(groups, plan_blocks(profile.points, profile, timing), strict=True):
        assert cost_us(list(group), profile, *line) is not None
        for point in group:
            assert block.address <= point.address
            assert point.address + point.span <= block.address + block.count
