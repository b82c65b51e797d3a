from edge.core.carbon import cems
from edge.core.errors import TallyError
from edge.core.numbers.fixed import div_round

METHOD = cems.METHODS["hj212-2017/273/22.4"]


def stack(method=METHOD, basis="dry", area=(2827, 2), ambient=101300):
    return cems.Stack(method, area, ambient, basis)


def sample(
    co2=(125, 1), velocity=(125, 1), temperature=(120, 0), pressure=(-800, 0), moisture=(85, 1)
):
    return cems.Sample(co2, velocity, temperature, pressure, moisture)


def refused(made):
    try:
        cems.mass_rate_mg_per_h(stack(), made)
    except TallyError as error:
        return error.code
    return None


def test_the_worked_chain_of_hj_212():
    # 28.27 m2, 12.5 m/s, 120 Cel, -800 Pa, 8.5 %, 12.5 % CO2 dry: 196 921.725924 kg/h (D.2, 33).
    assert cems.mass_rate_mg_per_h(stack(), sample()) == 196921725924


def test_the_flow_alone_is_equation_31():
    # Qsn = 802 008.483764 m3/h; mass rate over it is M/22.4 x 125 000 mg/m3 (20): 245 535.714286
    numerator, denominator = cems.mass_rate_ratio(stack(), sample())
    assert div_round(numerator * 7 * 10**6, denominator * 1718750) == 802008483764


def test_a_wet_analyzer_of_the_same_gas_gives_the_same_mass():
    # (19): 12.5 % dry is 11.4375 % wet at 8.5 % moisture
    wet = sample(co2=(114375, 4))
    assert cems.mass_rate_mg_per_h(stack(basis="wet"), wet) == 196921725924


def test_the_kelvin_offset_is_part_of_the_method():
    other = cems.METHODS["hj212-2017/273.15/22.4"]
    numerator, denominator = cems.mass_rate_ratio(stack(other), sample())
    # Qsn with 273.15: 802 142.986321 m3/h
    assert div_round(numerator * 7 * 10**6, denominator * 1718750) == 802142986321


def test_impossible_gas_is_no_sample():
    for made in (
        sample(co2=(1001, 1)),
        sample(co2=(-1, 1)),
        sample(velocity=(-1, 0)),
        sample(temperature=(-273, 0)),
        sample(pressure=(-101300, 0)),
        sample(moisture=(100, 0)),
    ):
        assert refused(made) == "data.range", made
    assert refused(sample(velocity=(0, 0))) is None
