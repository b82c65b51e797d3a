from edge.core.bus.block import Block, Learned
from edge.core.bus.holes import Hunt, merge_learned
from edge.core.bus.profile import parse_profile


def points_at(places):
    document = {
        "id": "hunted",
        "function": 3,
        "word_order": "big",
        "byte_order": "big",
        "max_block_registers": 100,
        "points": [
            {
                "name": f"p{address}",
                "address": address,
                "type": kind,
                "scale": "1",
                "unit": "1",
                "places": 0,
                "class": "gauge",
            }
            for address, kind in places
        ],
    }
    return parse_profile(document).points


def hunt(places, absent, longest=125):
    """Play a station without the registers `absent` that reads at most `longest` at once."""
    points = points_at(places)
    last = max(address + (2 if kind == "u32" else 1) for address, kind in places)
    hunted = Hunt(Block(3, points[0].address, last - points[0].address), points)
    asked = 0
    while hunted.question() is not None:
        _, address, count = hunted.question()
        reached = range(address, address + count)
        hunted.answer(count <= longest and not any(register in absent for register in reached))
        asked += 1
    return hunted.learned(), asked


def test_one_hole_is_found_and_the_other_gap_stays_open():
    learned, asked = hunt([(0, "u16"), (3, "u16"), (9, "u32")], absent=(5,))
    assert learned == Learned(((3, 4, 8),), (), 0)
    assert asked == 5  # three runs, two gaps


def test_two_holes_are_two():
    learned, _ = hunt([(0, "u16"), (3, "u16"), (6, "u16"), (9, "u16")], absent=(1, 7))
    assert learned.holes == ((3, 1, 2), (3, 7, 8))


def test_a_point_the_station_does_not_have_is_named_alone():
    learned, _ = hunt([(0, "u16"), (1, "u16"), (2, "u16"), (3, "u16")], absent=(2,))
    assert learned.missing == ("p2",)


def test_a_station_that_reads_few_at_once_is_read_in_smaller_blocks():
    places = [(address, "u16") for address in range(0, 40, 4)]
    learned, _ = hunt(places, absent=(), longest=20)
    assert learned == Learned((), (), 18)


def test_what_was_known_is_kept():
    known = Learned(((3, 1, 2),), ("a",), 50)
    assert merge_learned(known, Learned(((3, 1, 2), (3, 7, 8)), ("b",), 0)) == Learned(
        ((3, 1, 2), (3, 7, 8)), ("a", "b"), 50
    )
    assert merge_learned(known, Learned((), (), 20)).limit == 20
    assert merge_learned(Learned((), (), 0), Learned((), (), 0)).limit == 0
