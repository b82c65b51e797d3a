"""The second five of ten virtual years."""

from tests.simulation.years import check_half


def test_five_years_pass_and_nothing_is_lost_or_wrong():
    check_half(1)
