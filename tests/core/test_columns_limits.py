"""A column block cannot make the receiver allocate more than the payload is worth."""

from edge.core.errors import DataError
from edge.core.sync.columns import decode_columns


def refused(columns: list) -> bool:
    try:
        decode_columns(0, columns)
    except DataError as error:
        return error.code == "data.record"
    return False


def test_a_block_without_values_is_refused_whatever_width_it_claims():
    for points in (1, 30, 1 << 40):
        columns = [[1, 1, 0, 0], [0], [-4], [[7, points, [], [], []]], [["boot", []]]]
        assert refused(columns)
    assert not refused([[1, 1, 0, 0], [0], [-4], [], [["boot", []]]])
