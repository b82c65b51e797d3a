from edge.core.carbon import cems, eu_mrr, ratio


def test_an_hour_is_concentration_times_flow():
    # 245.5 g/Nm3 in 802 008.5 Nm3: 196 893 086.75 g
    found = eu_mrr.hour_ratio((2455, 10), (8020085, 10))
    assert ratio.rounded(found) == 196893086750


def test_the_chain_from_the_sensors_gives_the_same_hour():
    method = eu_mrr.METHOD
    stack = cems.Stack(method, (10, 0), 101325, "dry")
    # 1 m/s through 10 m2 at 0 Cel and reference pressure, dry: 36 000 Nm3
    sample = cems.Sample((10, 0), (1, 0), (0, 0), (0, 0), (0, 0))
    found = cems.mass_rate_ratio(stack, sample)
    g_per_nm3 = (440095 * 100, 22414 * 10)  # 10 % of 44.0095 g in 22.414 L, per m3
    expected = eu_mrr.hour_ratio(g_per_nm3, (36000, 1))
    assert found[0] * expected[1] == expected[0] * found[1]


def test_the_tier_of_an_uncertainty():
    assert [eu_mrr.tier(tenths) for tenths in (101, 100, 76, 75, 50, 26, 25, 0)] == [
        0, 1, 1, 2, 3, 3, 4, 4,
    ]  # fmt: skip
