"""Block reads against every way there is to cut the points."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from edge.core.bus.plan import cycle_us, line_timing, plan_blocks, plan_groups
from edge.core.bus.profile import Profile, parse_profile

WIDTHS = {"u16": 1, "f32": 2, "f64": 4}
LINES = st.sampled_from([(1200, 11), (9600, 10), (9600, 11), (19200, 10), (115200, 11)])


@st.composite
def profiles(draw) -> Profile:
    """A profile of 1..9 points of two functions, with gaps, a limit and forbidden ranges."""
    points, forbidden = [], []
    address = draw(st.integers(0, 50))
    for index in range(draw(st.integers(1, 9))):
        gap = draw(st.one_of(st.integers(0, 4), st.integers(0, 60)))
        if gap > 2 and draw(st.booleans()):
            low = address + draw(st.integers(0, gap - 1))
            forbidden.append([low, draw(st.integers(low, address + gap - 1))])
        address += gap
        kind = draw(st.sampled_from(sorted(WIDTHS)))
        points.append(
            {
                "name": f"p{index}",
                "address": address,
                "type": kind,
                "function": draw(st.sampled_from([3, 4, 4, 4])),
                "scale": "1",
                "unit": "1",
                "places": 0,
                "class": "gauge",
            }
        )
        address += WIDTHS[kind]
    return parse_profile(
        {
            "id": "random",
            "function": 4,
            "word_order": "big",
            "byte_order": "big",
            "max_block_registers": draw(st.one_of(st.integers(4, 20), st.just(125))),
            "forbidden": forbidden,
            "points": points,
        }
    )


def cost_us(count: int, baud: int, bits: int, turnaround_us: int) -> int:
    """Request of 8 bytes, reply of 5 + 2 n, 3.5 characters of silence after each, turnaround."""
    character_us = -(-bits * 1_000_000 // baud)
    silence_us = max(3 * character_us + character_us // 2, 1750)
    return (13 + 2 * count) * character_us + 2 * silence_us + turnaround_us


def block_of(group, profile: Profile) -> int | None:
    """Registers of one read over a group, or None when the profile does not allow it."""
    first = min(p.address for p in group)
    end = max(p.address + WIDTHS[p.kind] for p in group)
    registers = set(range(first, end))
    banned = {a for low, high in profile.forbidden for a in range(low, high + 1)}
    if len({p.function for p in group}) > 1 or registers & banned:
        return None
    return len(registers) if len(registers) <= profile.max_block_registers else None


def best_us(profile: Profile, baud: int, bits: int, turnaround_us: int) -> int:
    """The least time over all cuts of the points into runs."""
    points = profile.points
    times = []
    inner = range(1, len(points))
    for size in range(len(points)):
        for cuts in combinations(inner, size):
            bounds = [0, *cuts, len(points)]
            groups = [points[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]
            counts = [block_of(group, profile) for group in groups]
            if None not in counts:
                times.append(sum(cost_us(n or 0, baud, bits, turnaround_us) for n in counts))
    return min(times)


@given(profiles(), LINES, st.sampled_from([0, 5000, 80_000]))
def test_no_cut_of_the_points_takes_less_time(profile: Profile, line, turnaround_us: int):
    timing = line_timing(*line, turnaround_us)
    blocks = plan_blocks(profile.points, profile, timing)
    assert cycle_us(blocks, timing) == best_us(profile, *line, turnaround_us)
    planned = sum(cost_us(block.count, *line, turnaround_us) for block in blocks)
    assert planned == cycle_us(blocks, timing)


@given(profiles(), LINES)
def test_every_point_is_read_once_within_what_the_profile_allows(profile: Profile, line):
    timing = line_timing(*line)
    groups = plan_groups(profile.points, profile, timing)
    assert [point for group in groups for point in group] == list(profile.points)
    for group, block in zip(groups, plan_blocks(profile.points, profile, timing), strict=True):
        assert block_of(group, profile) == block.count
        assert block.address == min(point.address for point in group)
        assert {point.function for point in group} == {block.function}


@given(profiles(), st.data())
def test_a_selection_is_planned_as_well_as_the_whole(profile: Profile, data):
    names = data.draw(st.sets(st.sampled_from([p.name for p in profile.points]), min_size=1))
    chosen = profile.select(tuple(names))
    timing = line_timing(9600, 10)
    groups = plan_groups(chosen, profile, timing)
    assert [point for group in groups for point in group] == list(chosen)
    counts = [block.count for block in plan_blocks(chosen, profile, timing)]
    assert [block_of(group, profile) for group in groups] == counts
