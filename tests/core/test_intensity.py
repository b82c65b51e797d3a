from edge.core.carbon import intensity
from edge.core.errors import DataError

HOUR = 3_600_000


def test_nothing_consumed_is_no_intensity():
    assert intensity.mg_per_kwh(5, 0) is None
    assert intensity.mg_per_kwh(5, -3) is None
    assert intensity.mg_per_kwh(None, 3) is None
    assert intensity.mg_per_kwh(0, 3) == 0


def test_net_export_is_negative_and_stays_so():
    assert intensity.mg_per_kwh(-832_500, 1000) == -832_500


def test_an_all_grid_park_per_tonne_of_standard_coal():
    # 0.8325 kg/kW.h over 0.1229 or 0.305 kgce/kW.h: 6.774 and 2.730 tCO2/tce
    emission_mg = 832_500 * 1_000_000
    for kgce, mantissa in (((1229, 10_000), 67738), ((305, 1000), 27295)):
        grams = intensity.coal_grams([(1_000_000_000, kgce)])
        assert intensity.per_coal(emission_mg, grams) == mantissa


def test_coal_of_several_energies_adds_exactly():
    grams = intensity.coal_grams([(1000, (1, 3)), (1000, (1, 6)), (-500, (1, 2))])
    assert grams[0] * 4 == grams[1] * 1000
    assert intensity.per_coal(5, (0, 1)) is None


def test_per_product_area_and_value_added():
    # 1 t over 12,500 m2 is 0.08 kg/m2
    assert intensity.per_fact(10**9, 12_500, 0) == 80_000
    assert intensity.per_fact(10**9, 125_000, 1) == 80_000
    assert intensity.per_fact(-(10**9), 12_500, 0) == -80_000
    assert intensity.per_fact(1, 0, 0) is None
    try:
        intensity.per_fact(1, -1, 0)
    except DataError as error:
        assert error.code == "data.range"
    else:
        raise AssertionError("accepted")


def test_surplus_of_one_hour_covers_no_other():
    match = intensity.HourlyMatch()
    match.add(0, 500, 100)
    match.add(HOUR // 4, 100, 100)  # same hour: 600 against 200
    match.add(HOUR, 0, 600)
    match.settle()
    assert (match.green_wh, match.consumed_wh, match.matched_wh) == (600, 800, 200)
    assert match.score_ppm() == 250_000  # daily netting would say 75 %


def test_an_hour_of_net_supply_counts_no_consumption():
    match = intensity.HourlyMatch()
    match.add(0, 500, -50)
    match.settle()
    assert match.score_ppm() is None
    try:
        match.add(-HOUR, 1, 1)
    except DataError as error:
        assert error.code == "data.range"
    else:
        raise AssertionError("accepted")


def test_certificates_are_recognised_up_to_the_offtake():
    assert intensity.cover(1000, 300, 400) == (700, 0)
    assert intensity.cover(1000, 300, 900) == (1000, 200)
    assert intensity.cover(-5, 0, 10) == (0, 10)


def test_the_grid_has_a_share_of_what_nothing_covers():
    up, down = intensity.non_fossil_wh(200, 300, 1000, 350_000)
    assert (up, down) == (200_000_000 + 300_000_000 + 700 * 350_000, 1_000_000)


def test_the_loss_of_a_store_is_shown():
    assert intensity.round_trip(1000, 900) == (100, 900_000)
    assert intensity.round_trip(0, 0) == (0, None)
