from edge.core.carbon import part75, ratio
from edge.core.errors import TallyError
from edge.core.numbers.fixed import div_round, parse_decimal


def number(text):
    return ratio.of(parse_decimal(text))


def test_f11_rounds_half_away_to_one_decimal():
    # 5.7e-7 x 1 x 87 719.298... is 0.05; exactly half a tenth goes up, a little less does not
    half = (50000000, 570)
    assert part75.f11_tenths((1, 1), half) == 1
    assert part75.f11_tenths((1, 1), (half[0] * 1000 - 1, 570000)) == 0
    assert part75.tenths((-25, 100)) == -3
    assert part75.tenths((25, 100)) == 3


def test_f2_is_f11_of_what_is_dry():
    flow = number("52340000")
    wet = part75.f11_tenths(number("11.4935"), flow)
    assert part75.f2_tenths(number("12.7"), flow, number("9.5")) == wet == 3429


def test_the_constant_is_that_of_its_standard_state():
    # 44.01 lb/lbmol over 385.35 scf/lbmol, percent and 2000 lb: 5.7104e-7
    ideal = ratio.quotient(number("44.01"), ratio.product(number("385.35"), (200000, 1)))
    assert div_round(ideal[0] * 10**11, ideal[1]) == 57104


def test_an_hour_is_the_rounded_rate_times_operating_time():
    assert part75.hour_mg(10, 60) == 907184740  # a short ton
    assert part75.hour_mg(3431, 60) == 3431 * 90718474
    assert part75.hour_mg(3431, 15) == div_round(3431 * 90718474, 4, 2)
    assert part75.hour_mg(3431, 0) == 0


def test_co2_from_o2():
    fc, fd = (1800, 1), (9780, 1)
    assert part75.tenths(part75.f14a(number("6.0"), fc, fd)) == 131
    assert part75.tenths(part75.f14b(number("5.4"), number("9.5"), fc, fd)) == 119
    # dry gas: the two are one
    assert part75.f14b(number("6.0"), (0, 1), fc, fd)[0] > 0
    a, b = part75.f14a(number("6"), fc, fd), part75.f14b(number("6"), (0, 1), fc, fd)
    assert a[0] * b[1] == b[0] * a[1]
    # more oxygen than air is no carbon dioxide, not a negative one
    assert part75.f14a(number("21.5"), fc, fd) == (0, 1)
    assert part75.f14b(number("20.0"), number("9.5"), fc, fd) == (0, 1)


def test_moisture_of_two_analyzers_keeps_its_sign():
    assert part75.tenths(part75.f31(number("6.0"), number("5.4"))) == 100
    assert part75.tenths(part75.f31(number("6.0"), number("6.3"))) == -50


def test_a_flow_in_standard_cubic_feet():
    # 1 m3/h at 68 F and 29.92 inHg is 35.3147 scfh
    at_standard = part75.flow_scfh((1, 1), number("293.15"), number("101320.75888"))
    assert div_round(at_standard[0] * 10**4, at_standard[1]) == 353147
    hot = part75.flow_scfh((1, 1), number("586.3"), number("50660.37944"))
    assert hot[0] * 4 * at_standard[1] == at_standard[0] * hot[1]


def test_impossible_inputs_are_refused():
    for call, arguments in (
        (part75.dry_part, ((100, 1),)),
        (part75.dry_part, ((-1, 1),)),
        (part75.f31, ((0, 1), (0, 1))),
        (part75.flow_scfh, ((1, 1), (0, 1), (101325, 1))),
    ):
        try:
            call(*arguments)
        except TallyError as error:
            assert error.code == "data.range"
            continue
        raise AssertionError(call)
