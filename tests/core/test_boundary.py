from edge.core.carbon.boundary import Node, Place, check_boundary, flatten, place_paths
from edge.core.errors import ConfigError


def meter(name, kind="grid_import", within="", source=""):
    return Node(name, kind, source or name + ".energy", within, ())


def virtual(name, *summands, kind="grid_import"):
    return Node(name, kind, "", "", tuple((part, up, down) for part, up, down in summands))


def refused(nodes):
    """(code, key, found) of the refusal."""
    try:
        check_boundary(nodes, "gateway.toml")
    except ConfigError as error:
        return error.code, error.fields["key"], error.fields["found"]
    raise AssertionError("accepted")


def test_meters_side_by_side_count():
    check_boundary([meter("a"), meter("b"), meter("pv", "pv")], "f")


def test_a_sub_meter_and_its_parent_cannot_both_count():
    nodes = [meter("main"), meter("hall", within="main")]
    assert refused(nodes) == ("config.double_count", "hall", "main")


def test_at_any_depth_and_in_any_order():
    nodes = [
        meter("press", within="line"),
        meter("line", "memo", within="hall"),
        meter("hall", "memo", within="main"),
        meter("main"),
    ]
    assert refused(nodes) == ("config.double_count", "press", "main")
    check_boundary([meter("main"), meter("hall", "memo", within="main")], "f")


def test_the_parts_may_count_when_the_whole_does_not():
    check_boundary(
        [meter("main", "memo"), meter("a", within="main"), meter("b", within="main")], "f"
    )


def test_a_fuel_and_the_stack_it_leaves_by():
    nodes = [meter("stack", "stack_co2"), meter("gas", "fuel", within="stack")]
    assert refused(nodes) == ("config.double_count", "gas", "stack")


def test_one_register_counts_once():
    nodes = [meter("a", source="grid.energy"), meter("b", source="grid.energy")]
    assert refused(nodes) == ("config.double_count", "b", "a")


def test_a_difference_leaves_the_part_free_to_count():
    nodes = [
        meter("main", "memo"),
        meter("hall", within="main"),
        virtual("rest", ("main", 1, 1), ("hall", -1, 1)),
    ]
    check_boundary(nodes, "f")


def test_a_sum_of_what_counts_already_is_double():
    nodes = [meter("a"), meter("b"), virtual("all", ("a", 1, 1), ("b", 1, 1))]
    assert refused(nodes) == ("config.double_count", "a", "all")
    check_boundary(nodes[:2] + [virtual("all", ("a", 1, 1), ("b", 1, 1), kind="memo")], "f")


def test_a_sum_takes_nothing_twice():
    nodes = [meter("a", "memo"), virtual("sum", ("a", 1, 1), ("a", 1, 1))]
    assert refused(nodes) == ("config.double_count", "sum", "a")
    nodes = [
        meter("a", "memo"),
        virtual("half", ("a", 1, 2), kind="memo"),
        virtual("sum", ("a", 1, 1), ("half", 1, 1)),
    ]
    assert refused(nodes) == ("config.double_count", "sum", "a")


def test_a_sum_takes_no_meter_with_one_inside_it():
    nodes = [
        meter("main", "memo"),
        meter("hall", "memo", within="main"),
        virtual("sum", ("main", 1, 1), ("hall", 1, 1), kind="memo"),
    ]
    assert refused(nodes) == ("config.double_count", "sum (hall)", "main")


def test_shares_add_up_to_one_at_most():
    main = meter("main", "memo")
    one, other = virtual("one", ("main", 2, 5)), virtual("other", ("main", 3, 5))
    check_boundary([main, one, other], "f")
    more = virtual("more", ("main", 1, 1000))
    assert refused([main, one, other, more]) == ("config.share", "main", "one, other, more")


def test_a_share_of_a_part_and_the_whole():
    nodes = [
        meter("main"),
        meter("hall", "memo", within="main"),
        virtual("tenant", ("hall", 1, 10)),
    ]
    assert refused(nodes) == ("config.double_count", "tenant", "main")


def test_circles_and_names_that_are_not_there():
    circle = [meter("a", "memo", within="b"), meter("b", "memo", within="a")]
    assert refused(circle)[0] == "config.value"
    assert refused([meter("a", within="mian"), meter("main")])[0] == "config.reference"
    assert refused([virtual("v", ("later", 1, 1)), meter("later")])[0] == "config.reference"


def test_virtual_meters_flatten_to_meters():
    nodes = [
        meter("a"),
        meter("b"),
        virtual("v", ("a", 1, 2), ("b", -1, 2), kind="memo"),
        virtual("w", ("v", 1, 3), kind="memo"),
    ]
    assert flatten(nodes, "f")["w"] == [("a", 1, 6), ("b", -1, 6)]


def test_places_make_a_tree():
    places = [Place("p", "park", ""), Place("e", "enterprise", "p"), Place("l", "line", "e")]
    assert place_paths(places, "f") == {"p": "p", "e": "p/e", "l": "p/e/l"}
    for wrong, code in (
        ([Place("l", "line", ""), Place("b", "building", "l")], "config.value"),
        ([Place("l", "line", "x")], "config.reference"),
        ([Place("l", "line", ""), Place("l", "line", "")], "config.duplicate"),
    ):
        try:
            place_paths(wrong, "f")
        except ConfigError as error:
            assert error.code == code
        else:
            raise AssertionError("accepted")
