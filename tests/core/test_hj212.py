from edge.core.carbon import cems, hj212, ratio
from edge.core.errors import TallyError
from edge.core.numbers.fixed import parse_decimal

METHOD = hj212.METHODS["hj212-2017/273/22.4"]


def number(text):
    return ratio.of(parse_decimal(text))


def same(found, expected):
    return found[0] * expected[1] == expected[0] * found[1]


def code_of(call, *arguments):
    try:
        call(*arguments)
    except TallyError as error:
        return error.code
    return None


def test_18_brings_a_concentration_to_the_reference_state():
    # 100 at 273 Cel (twice as warm) and half the pressure is 400 at the reference
    found = hj212.standard_concentration(METHOD, (100, 1), (101325, 2), (273, 1))
    assert same(found, (400, 1))


def test_19_dries_and_refuses_pure_steam():
    assert same(hj212.dry(number("114375"), number("8.5")), (125000, 1))
    assert code_of(hj212.dry, (1, 1), (100, 1)) == "data.range"
    assert code_of(hj212.dry, (1, 1), (-1, 1)) == "data.range"


def test_20_and_its_way_back():
    mass = hj212.mass_concentration(METHOD, (125000, 1))
    assert same(mass, (1718750, 7))
    assert same(hj212.volume_concentration(METHOD, mass), (125000, 1))


def test_each_constant_is_in_the_id_and_moves_the_result():
    assert len(hj212.METHODS) == 8
    for name in hj212.METHODS:
        method = hj212.METHODS[name]
        assert method.id == name
        assert ("273.15" in name) == (method.kelvin_offset == (27315, 2))
        assert ("22.414" in name) == (method.molar_volume_l == (22414, 3))
        assert ("44.0095" in name) == (method.molar_mass_g == (440095, 4))
    sample = cems.Sample((125, 1), (125, 1), (120, 0), (-800, 0), (85, 1))

    def rate(name):
        stack = cems.Stack(hj212.METHODS["hj212-2017/" + name], (2827, 2), 101300, "dry")
        return cems.mass_rate_mg_per_h(stack, sample)

    plain = rate("273/22.4")
    assert plain == 196921725924
    for name, millionths in (
        ("273.15/22.4", 167),
        ("273/22.414", -625),
        ("273/22.4/44.0095", 215),
        ("273.15/22.414", -458),
        ("273.15/22.4/44.0095", 383),
        ("273/22.414/44.0095", -409),
        ("273.15/22.414/44.0095", -242),
    ):
        assert rate(name) * 10**6 // plain - 10**6 == millionths, name


def test_27_is_the_excess_air():
    assert same(hj212.excess_air((9, 1)), (7, 4))
    assert code_of(hj212.excess_air, (21, 1)) == "data.range"


def test_26_and_28_compare_with_a_limit_exactly():
    found = hj212.MassConcentration(20, 1)
    # O2 6 % is alpha 1.4: both ways give 20 x 1.75/1.4 = 25 mg/m3
    for limit in (
        hj212.limit_by_excess_air(found, (9, 1), (14, 10)),
        hj212.limit_by_o2(found, (9, 1), (6, 1)),
    ):
        assert not limit.exceeds((25, 0))
        assert limit.exceeds((24999999, 6))
        assert limit.shown(1) == 250
    above = hj212.limit_by_o2(hj212.MassConcentration(200000001, 10**7), (9, 1), (6, 1))
    assert above.shown(2) == 2500 and above.exceeds((25, 0))


def test_no_mass_is_made_of_a_limit_concentration():
    good = hj212.mass_concentration(METHOD, (125000, 1))
    limit = hj212.limit_by_o2(good, (9, 1), (6, 1))
    assert hj212.mass_rate(good, (1, 1))
    for wrong in (limit, (good.numerator, good.denominator)):
        try:
            hj212.mass_rate(wrong, (1, 1))
        except TypeError:
            continue
        raise AssertionError(wrong)
    for call in (ratio.product, ratio.total):
        try:
            call(limit, (1, 1))
        except TypeError:
            continue
        raise AssertionError(call)


def test_29_30_31_32_33_are_the_worked_chain():
    speed = hj212.velocity(number("1.25"), number("10"))
    actual = hj212.actual_flow(number("28.27"), speed)
    assert same(actual, (1272150, 1))
    flow = hj212.standard_flow(METHOD, actual, (120, 1), (100500, 1), number("8.5"))
    assert same(flow, (20277180495, 25283))
    assert same(hj212.day_flow([flow, flow, (1, 2)]), (20277180495 * 4 + 25283, 2 * 25283))
    rate = hj212.mass_rate(hj212.mass_concentration(METHOD, (125000, 1)), flow)
    assert ratio.rounded(rate) == 196921725924


def test_34_adds_up_hours_without_the_misprinted_power():
    # (33) has brought Gh to a mass already; the printed 10^-6 would leave 4.7 g of 4726 t.
    hour = 196921725924
    assert hj212.day_mass([hour] * 24) == 24 * hour


def test_impossible_states_are_refused():
    flow = hj212.standard_flow
    assert code_of(flow, METHOD, (1, 1), (-273, 1), (101325, 1), (0, 1)) == "data.range"
    assert code_of(hj212.standard_concentration, METHOD, (1, 1), (0, 1), (0, 1)) == "data.range"
