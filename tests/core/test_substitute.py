from edge.core.carbon import substitute
from edge.core.carbon.substitute import Availability, Filled, Ring
from edge.core.errors import TallyError


def ring_of(values):
    ring = Ring()
    for value in values:
        ring.push(value)
    return ring


def window(valid, missing, hours=2160):
    made = Availability(hours)
    for _ in range(valid):
        made.push(True)
    made.push_missing(missing)
    return made


def test_the_ring_keeps_the_newest():
    ring = Ring(3)
    assert ring.last(5) == []
    for value in (1, 2, 3, 4):
        ring.push(value)
    assert ring.last(2) == [4, 3] and ring.last(9) == [4, 3, 2] and len(ring) == 3
    assert ring_of(range(5000)).last(9999) == list(range(4999, 4999 - 2160, -1))


def test_the_longest_look_back_is_four_bytes_an_hour():
    assert len(bytes(Ring()._values)) == 4 * substitute.HOURS_MAX == 8640
    assert len(Availability(8760)._bits) == 1095


def test_a_value_that_would_wrap_is_refused():
    ring = Ring(2)
    ring.push(0xFFFFFFFF)
    for wrong in (-1, 1 << 32):
        try:
            ring.push(wrong)
        except TallyError as error:
            assert error.code == "data.range"
            continue
        raise AssertionError(wrong)
    assert ring.last(2) == [0xFFFFFFFF]


def test_availability_forgets_what_left_its_window():
    made = Availability(10)
    assert not made.reaches(0)  # an empty window reaches nothing
    pattern = [True, False, True, True, False, True, True, True, True, False, False, True, True]
    for count, valid in enumerate(pattern):
        made.push(valid)
        last = pattern[max(0, count - 9) : count + 1]
        assert (made.valid, made.count) == (len([one for one in last if one]), len(last))
    assert made.reaches(70) and not made.reaches(71)
    made.push_missing(10**6)
    assert (made.valid, made.count) == (0, 10)


def test_hj75_takes_the_largest_by_gap_and_capture():
    # newest first: 180 hours up to 10, then one of 20, then after 720 one of 30
    past = [30] + [1] * 600 + [20] + [10] * 400
    ring = ring_of(past)
    good = window(950, 50)
    assert substitute.hj75(24, ring, good) == Filled(10, "HJ75/max180")
    assert substitute.hj75(25, ring, good) == Filled(20, "HJ75/max720")
    assert substitute.hj75(1, ring, window(900, 100)).rule == "HJ75/max180"
    for hours in (1, 24, 25, 999):
        assert substitute.hj75(hours, ring, window(899, 101)) == Filled(30, "HJ75/max2160")
    assert substitute.hj75(1, ring, window(750, 250)) == Filled(30, "HJ75/max2160")
    assert substitute.hj75(1, ring, window(749, 251)) == Filled(None, "HJ75/authority")
    assert substitute.hj75(1, Ring(), good).value is None


def test_hj75_looks_back_exactly_that_far():
    for gap, far, rule in ((24, 180, "HJ75/max180"), (25, 720, "HJ75/max720")):
        good = window(100, 0)
        inside, outside = ring_of([9] + [1] * (far - 1)), ring_of([9] + [1] * far)
        assert substitute.hj75(gap, inside, good) == Filled(9, rule)
        assert substitute.hj75(gap, outside, good) == Filled(1, rule)


def test_part75_by_availability_and_length():
    ring = ring_of(range(1, 1001))  # the last 720 are 281 to 1000
    full, mid, low, worst = (
        window(95, 5, 8760), window(90, 10, 8760), window(80, 20, 8760), window(79, 21, 8760),
    )  # fmt: skip

    def fill(hours, monitor, before=1000, after=301):
        return substitute.part75(hours, before, after, ring, monitor, 5000)

    assert fill(24, full) == Filled(650, "MODC06")  # 650.5, half to even
    assert fill(25, full) == Filled(928, "MODC08")  # rank 648 of 281..1000
    assert fill(25, full, 1000, 1000) == Filled(1000, "MODC08")
    assert fill(8, mid) == Filled(650, "MODC06")
    assert fill(9, mid) == Filled(964, "MODC09")  # rank 684
    assert fill(9, window(949, 51, 8760)).rule == "MODC09"
    assert fill(1, window(899, 101, 8760)).rule == "MODC10"
    assert fill(1, window(799, 201, 8760)).rule == "MODC12"
    assert fill(1, low) == Filled(1000, "MODC10")
    assert fill(1, worst) == Filled(5000, "MODC12")
    assert substitute.part75(1, 1, 1, ring, worst, None) == Filled(None, "MODC12")
    # without both sides there is no mean of them, and none is made up
    assert fill(1, full, None, 5).value is None
    assert fill(99, full, 5, None).value is None
    assert substitute.part75(99, 5, 5, Ring(), full, 1).value is None


def test_percentiles_are_the_nearest_rank():
    assert substitute.percentile([5], 90) == 5
    assert substitute.percentile([4, 1, 3, 2], 50) == 2
    assert substitute.percentile([4, 1, 3, 2], 51) == 3
    assert substitute.percentile(list(range(1, 101)), 95) == 95
    assert substitute.percentile(list(range(1, 102)), 95) == 96


def test_the_root_is_the_smallest_integer_that_is_not_below():
    for square in list(range(300)) + [10**30, 10**30 + 1, 2**64 - 1, 2**106 + 1]:
        root = substitute.root_up(square)
        assert root * root >= square and (root == 0 or (root - 1) * (root - 1) < square)


def test_mean_and_two_sigma_is_rounded_up_once():
    assert substitute.eu_mean_2_sigma([]).value is None
    assert substitute.eu_mean_2_sigma([7]).value is None
    assert substitute.eu_mean_2_sigma([7, 7, 7]) == Filled(7, "EU/mean+2sigma")
    # 1, 3: mean 2, sigma sqrt 2: 4.83 -> 5; 0, 0, 3: 1 + 2 sqrt 3 = 4.46 -> 5
    assert substitute.eu_mean_2_sigma([1, 3]).value == 5
    assert substitute.eu_mean_2_sigma([0, 0, 3]).value == 5
    # 1, 5, 9: mean 5, sigma 4: 13 exactly, which stays
    assert substitute.eu_mean_2_sigma([1, 5, 9]).value == 13
