"""Points to block reads with the least predicted wire time.

Blocks are runs of points in address order, so the best cut is found exactly by dynamic
programming over the points: O(n x points per block). Spans may overlap or contain each other
(values with terms or a scale register); runs suffice there too: a point that another block reads
anyway moves there for nothing, and a block inside another one is not needed.
"""

from collections import namedtuple

from edge.core.bus.block import Block
from edge.core.bus.model import Model, most_in_block
from edge.core.bus.points import Point, width
from edge.core.bus.rtu import READ_HOLDING, data_bytes

#: What one byte costs and what each transaction adds, in microseconds.
Timing = namedtuple("Timing", ("character_us", "silence_us", "turnaround_us"))


def character_bits(serial_format: str) -> int:
    """Bits on the wire per character of a format such as "8E1", start bit included."""
    return 1 + int(serial_format[0]) + (serial_format[1] != "N") + int(serial_format[2])


def line_timing(baud: int, bits: int, turnaround_us: int = 5000) -> Timing:
    """Timing of a serial line.

    bits: per character, start, parity and stop included (10 or 11).
    turnaround_us: what a station takes before it answers.
    Silence is 3.5 characters with a floor of 1.75 ms (serial line guide V1.02, 2.5.1.1).
    """
    character_us = (bits * 1_000_000 + baud - 1) // baud
    return Timing(character_us, max(7 * character_us // 2, 1750), turnaround_us)


def block_us(count: int, timing: Timing, function: int = READ_HOLDING) -> int:
    """Wire time of one read of `count`: request, reply, two silences, turnaround."""
    characters = 8 + 5 + data_bytes(function, count)
    return int(characters * timing.character_us + 2 * timing.silence_us + timing.turnaround_us)


def plan_blocks(
    points: tuple[Point, ...],
    profile: Model,
    timing: Timing,
    holes: tuple[tuple[int, int, int], ...] = (),
    limit: int = 0,
) -> tuple[Block, ...]:
    """The block reads that bring `points` in the least wire time together, see `plan_groups`."""
    groups = plan_groups(points, profile, timing, holes, limit)
    return tuple([block_of(group) for group in groups])


def block_of(group: tuple[Point, ...]) -> Block:
    """The read that brings a group of points."""
    last = max([p.address + width(p) for p in group])
    return Block(group[0].function, group[0].address, last - group[0].address)


def plan_groups(
    points: tuple[Point, ...],
    profile: Model,
    timing: Timing,
    holes: tuple[tuple[int, int, int], ...] = (),
    limit: int = 0,
) -> list[tuple[Point, ...]]:
    """Cut `points` into the groups that take the least wire time as one block read each.

    points: ascending by (function, address), as Profile keeps them.
    holes: (function, first, last) ranges that this very station refuses; limit: most registers it
    takes at once, 16 times as many bits; 0: as the profile says (`bus.holes` learns both).
    Never longer than a limit, never across a hole, a forbidden range or another function.
    Returns groups in the same order; every point is in exactly one.
    """
    most = min(limit, profile.max_block_registers) if limit else profile.max_block_registers
    barred = [(function, low, high) for function, low, high in holes]
    barred += [
        (function, low, high) for low, high in profile.forbidden for function in (1, 2, 3, 4)
    ]
    total = len(points)
    best = [0] * (total + 1)  # best[i]: least time for points[i:]
    cut = [total] * (total + 1)
    for start in range(total - 1, -1, -1):
        best[start] = -1
        for end, count in _reaches(points, start, most, barred):
            time_us = block_us(count, timing, points[start].function) + best[end]
            if best[start] < 0 or time_us < best[start]:
                best[start] = time_us
                cut[start] = end
    groups = []
    start = 0
    while start < total:
        groups.append(points[start : cut[start]])
        start = cut[start]
    return groups


def _reaches(
    points: tuple[Point, ...], start: int, most: int, barred: list[tuple[int, int, int]]
) -> list[tuple[int, int]]:
    """Every (end, register count) such that points[start:end] may be one block.

    A point wider than `most` stands alone: that is what its profile says it takes.
    """
    first = points[start]
    last_address = first.address
    most = most_in_block(first.function, most)
    found = []
    for end in range(start + 1, len(points) + 1):
        point = points[end - 1]
        last_address = max(last_address, point.address + width(point))
        count = last_address - first.address
        if point.function != first.function or (count > most and end > start + 1):
            break
        if end > start + 1 and any(
            function == first.function and low < last_address and first.address <= high
            for function, low, high in barred
        ):
            break
        found.append((end, count))
    return found


def cycle_us(blocks: tuple[Block, ...], timing: Timing) -> int:
    """Predicted wire time of one poll."""
    return sum(block_us(block.count, timing, block.function) for block in blocks)
