from edge.core.bus import budget
from edge.core.bus.budget import Load
from edge.core.bus.plan import block_us, line_timing

TIMING = line_timing(9600, 10)
SLOW = Load(((4, 80),), 1000)


def test_a_share_is_wire_time_over_period():
    wire_us = block_us(80, TIMING, 4)
    assert budget.poll_us(SLOW, TIMING) == wire_us
    assert budget.share_ppm((SLOW, SLOW), TIMING) == 2 * (wire_us * 1000 // 1000)
    assert budget.cycle_us((SLOW, SLOW), TIMING) == 2 * wire_us


def test_bits_cost_an_eighth_of_a_byte():
    bits = Load(((2, 160),), 1000)
    registers = Load(((3, 10),), 1000)
    assert budget.poll_us(bits, TIMING) == budget.poll_us(registers, TIMING)


def test_a_dead_station_costs_its_probes_and_no_polls():
    loads = (SLOW, SLOW, SLOW)
    with_dead = budget.dead_station_ppm(loads, TIMING, 1, 30_000)
    assert with_dead == budget.share_ppm(loads[:2], TIMING) + 30_000


def test_what_would_make_it_fit():
    loads = tuple([SLOW] * 20)
    rates = {baud: line_timing(baud, 10) for baud in budget.BAUDS}
    assert budget.share_ppm(loads, TIMING) > budget.FULL_PPM
    baud = budget.slowest_baud(loads, rates)
    assert budget.share_ppm(loads, rates[baud]) <= budget.FULL_PPM
    slower = budget.BAUDS[budget.BAUDS.index(baud) - 1]
    assert budget.share_ppm(loads, rates[slower]) > budget.FULL_PPM
    stretch = budget.stretch_permille(loads, TIMING)
    stretched = tuple(Load(load.reads, load.period_ms * stretch // 1000 + 1) for load in loads)
    assert budget.share_ppm(stretched, TIMING) <= budget.FULL_PPM
    assert budget.stretch_permille((SLOW,), TIMING) == 1000


def test_nothing_helps_a_bus_asked_for_the_impossible():
    loads = tuple([Load(((4, 80),), 100)] * 200)
    assert budget.slowest_baud(loads, {b: line_timing(b, 10) for b in budget.BAUDS}) is None
