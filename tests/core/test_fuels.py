from vectors_fuels import EXACT, VECTORS
from vectors_process import VECTORS as STEAM

from edge.core.carbon import fuels
from edge.core.carbon.factors import FactorSet
from edge.core.carbon.fuels import FULL, Fuel
from edge.core.errors import TallyError
from edge.core.numbers.fixed import div_round, parse_decimal, power_of_ten
from edge.core.numbers.units import reduce_ratio

#: Vectors that came out right so far.
COMPUTED = []


def refused(function, *arguments):
    try:
        function(*arguments)
    except TallyError as error:
        return error.code, error.fields.get("what", error.fields.get("key"))
    return None


def fuel(per="t", ncv="26.7", carbon="27.4", oxidation="94", name="coal"):
    burnt = None if oxidation is None else parse_decimal(oxidation)
    return Fuel(name, per, parse_decimal(ncv), parse_decimal(carbon), burnt, False)


def percent(text):
    """A fraction as text, in percent."""
    mantissa, places = parse_decimal(text)
    return mantissa * 100, places


def decimals(name, *keys):
    inputs = VECTORS[name][0]
    return [parse_decimal(inputs[key]) for key in keys]


def ratios(name, *keys):
    return [fuels.to_ratio(decimal) for decimal in decimals(name, *keys)]


def tonnes(mg):
    return fuels.multiply(mg, (1, power_of_ten(9)))


def confirm(name, found, table=VECTORS):
    """`found` is the vector's exact result and lies within its tolerance."""
    _, value, tolerance = table[name]
    if table is VECTORS:
        up, down = EXACT[name].split("/")
        assert found == (int(up), int(down)), (name, found)
    apart = fuels.add(found, fuels.negate(fuels.to_ratio(parse_decimal(value))))
    most = fuels.to_ratio(parse_decimal(tolerance))
    assert abs(apart[0]) * most[1] <= most[0] * apart[1], (name, found)
    COMPUTED.append(name)


def test_published_composite_factors_of_fuels():
    for name, per in (("CN-FUEL-1", "t"), ("CN-FUEL-2", "t"), ("CN-FUEL-3", "10*4.m3")):
        inputs = VECTORS[name][0]
        made = Fuel(
            inputs["fuel"],
            per,
            parse_decimal(inputs["NCV_GJ_per_unit"]),
            parse_decimal(inputs["CC_tC_per_TJ"]),
            percent(inputs["OF"]),
            False,
        )
        confirm(name, tonnes(fuels.emission_ratio(made, per)))


def test_published_ipcc_factors_per_heat():
    count = 0
    for name in sorted(VECTORS, key=str):
        if not name.startswith("IPCC-T14-"):
            continue
        inputs = VECTORS[name][0]
        made = fuel(carbon=inputs["CC_kg_per_GJ"], oxidation=None)
        emission = fuels.emission_ratio(made, "TJ", percent(inputs["oxidation"]))
        kilograms = fuels.multiply(emission, (1, power_of_ten(6)))
        confirm(name, kilograms)
        count += 1
    assert count == 17


def test_published_biomass_of_an_inventory():
    name = "US-CARB-2"
    grams = fuels.multiply(
        *ratios(name, "biomass_short_ton", "heat_content_btu_per_ton", "EF_g_per_btu")
    )
    confirm(name, fuels.multiply(grams, (1, power_of_ten(6))))


def test_gb_t_32151_equations_1_and_3_of_burning():
    volume, content = decimals("GBT-FML-001", "AFV_1e4Nm3", "FCV_tC")
    burnt = ratios("GBT-FML-001", "FOx")[0]
    balance = fuels.balance_ratio(((volume, content),), ())
    confirm("GBT-FML-001", fuels.multiply(balance, burnt))
    heat, carbon = ratios("GBT-FML-003", "AFh_GJ", "FCh_tC_per_GJ")
    assert carbon == (1, 50)  # 0.02 tC/GJ is 20 tC/TJ
    per_gj = fuels.emission_ratio(fuel(carbon="20", oxidation="100"), "GJ")
    confirm("GBT-FML-003", tonnes(fuels.multiply(heat, per_gj)))


def test_gb_t_32151_equations_7_and_8_of_balances():
    one = (1, 0)
    name = "GBT-FML-007"
    pm, pm_fc, g, g_fc, waste, product, product_fc = decimals(
        name, "BPM", "BPMFC", "BG", "BGFC", "BWT", "BP", "BPFC"
    )
    carbon = fuels.balance_ratio(((pm, pm_fc), (g, g_fc)), ((waste, one), (product, product_fc)))
    pm_v, g_v, k = ratios(name, "BPMVar", "BGVar", "K2")
    volatile = fuels.add(
        fuels.multiply(fuels.to_ratio(pm), pm_v), fuels.multiply(fuels.to_ratio(g), g_v)
    )
    gas = fuels.multiply(volatile, k, fuels.CO2_PER_METHANE)
    confirm(name, fuels.add(carbon, gas))
    name = "GBT-FML-008"
    pm, pm_fc, ta, ta_fc, waste, product, product_fc = decimals(
        name, "GPM", "GPMFC", "GTA", "GTAFC", "GWT", "GP", "GPFC"
    )
    carbon = fuels.balance_ratio(((pm, pm_fc), (ta, ta_fc)), ((waste, one), (product, product_fc)))
    gas = fuels.multiply(*ratios(name, "GPM", "GPMVar", "K3"), fuels.CO2_PER_METHANE)
    confirm(name, fuels.add(carbon, gas))


def test_gb_t_32151_equations_9_and_10_of_flue_gas():
    name = "GBT-FML-009"
    flow, content, days = ratios(name, "Q_Nm3_h", "QVar_mg_Nm3", "T_d")
    inputs = VECTORS[name][0]
    assert inputs["FCh_tC_GJ"] == "0.02"
    tar = fuel(ncv=inputs["HM_GJ_t"], carbon="20", oxidation="98")
    milligrams = fuels.multiply(flow, content, days, (24, 1))
    confirm(name, tonnes(fuels.multiply(milligrams, fuels.emission_ratio(tar, "mg"))))
    confirm("GBT-FML-010", fuels.multiply(*ratios("GBT-FML-010", "CAL_t", "I", "EF1", "TR")))


def coking():
    inputs = VECTORS["CN910-3"][0]
    coal = fuel(ncv=inputs["NCV"], carbon=inputs["CC"], oxidation="90")
    coke = fuel(ncv=inputs["coke_NCV"], carbon=inputs["coke_CC"], oxidation="93", name="coke")
    gas = fuel("10*4.m3", inputs["COG_NCV"], inputs["COG_CC"], None, "gas")
    fed = ((coal, parse_decimal(inputs["coking_coal_t"]), "t"),)
    made = (
        (coke, parse_decimal(inputs["coke_t"]), "t"),
        (gas, parse_decimal(inputs["COG_1e4Nm3"]), "10*4.m3"),
    )
    return fed, made


def test_a_conversion_by_the_park_method_stays_negative():
    fed, made = coking()
    found = fuels.conversion_ratio(fed, made)
    assert found[0] < 0
    confirm("CN910-3", tonnes(found))
    assert fuels.conversion_ratio(made, fed) == fuels.negate(found)
    assert fuels.conversion_ratio(fed, fed) == (0, 1)


def test_a_conversion_does_not_know_units_apart():
    fed, made = coking()
    coal, quantity, _ = fed[0]
    kilograms = ((coal, (quantity[0] * 1000, quantity[1]), "kg"),)
    gas = made[1]
    metres = (made[0], (gas[0], (gas[1][0] * 10000, gas[1][1]), "m3"))
    assert fuels.conversion_ratio(kilograms, metres) == fuels.conversion_ratio(fed, made)


def test_every_vector_of_fuels_is_computed_here():
    COMPUTED.clear()
    test_published_composite_factors_of_fuels()
    test_published_ipcc_factors_per_heat()
    test_published_biomass_of_an_inventory()
    test_gb_t_32151_equations_1_and_3_of_burning()
    test_gb_t_32151_equations_7_and_8_of_balances()
    test_gb_t_32151_equations_9_and_10_of_flue_gas()
    test_a_conversion_by_the_park_method_stays_negative()
    assert sorted(COMPUTED, key=str) == sorted(VECTORS, key=str)


def test_units_change_no_emission():
    coal = fuel()
    tonne = fuels.emission_ratio(coal, "t")
    for unit, many in (("kg", 1000), ("g", 10**6), ("mg", 10**9)):
        assert fuels.multiply(fuels.emission_ratio(coal, unit), (many, 1)) == tonne
    assert fuels.emission_ratio(coal, "10*4.t") == fuels.multiply(tonne, (10000, 1))
    gas = fuel("10*4.m3", "389.31", "15.3", "99")
    whole = fuels.emission_ratio(gas, "10*4.m3")
    for unit, many in (("m3", 10000), ("L", 10**7)):
        assert fuels.multiply(fuels.emission_ratio(gas, unit), (many, 1)) == whole
    heat = fuels.emission_ratio(coal, "GJ")
    for unit, many in (("MJ", 1000), ("kJ", 10**6), ("J", 10**9)):
        assert fuels.multiply(fuels.emission_ratio(coal, unit), (many, 1)) == heat
    assert fuels.multiply(fuels.emission_ratio(coal, "kW.h"), (10**4, 1)) == fuels.multiply(
        heat, (36, 1)
    )
    assert fuels.multiply(heat, (267, 10)) == tonne  # 26.7 GJ/t


def test_a_fuel_factor_is_milligrams_per_canonical_unit():
    coal, gas = fuel(), fuel("10*4.m3", "389.31", "15.3", "99", "gas")
    found = FactorSet("a_set", b"", (), (coal, gas), ())
    assert fuels.fuel_factor(found, "coal", "t") == reduce_ratio(25215124, 10000)  # 2.5215124 t/t
    assert fuels.fuel_factor(found, "coal", "kg") == fuels.fuel_factor(found, "coal", "t")
    up, down = fuels.fuel_factor(found, "gas", "m3")
    assert div_round(up * 10**6, down) == 2162188809
    assert fuels.fuel_factor(found, "coal", "MW.h") == fuels.emission_ratio(coal, "kJ")
    assert refused(fuels.fuel_factor, found, "cole", "t") == ("config.reference", "fuel")


def test_a_fuel_is_not_measured_in_what_it_is_not_sold_in():
    gas = fuel("10*4.m3", "389.31", "15.3", "99")
    for made, unit in ((fuel(), "m3"), (gas, "t"), (gas, "W"), (fuel(), "")):
        assert refused(fuels.emission_ratio, made, unit)[0] == "data.range", unit


def test_a_wrong_power_of_ten_lies_outside_and_the_ends_inside():
    for key, good, bad in (
        ("ncv", ("2", "55", "55.000"), ("1.999", "55.001", "0", "26700")),
        ("carbon", ("12", "75"), ("11.99", "75.01", "0.0274", "27400")),
        ("oxidation", ("0", "100"), ("100.0001", "940")),
    ):
        for text in good:
            assert refused(fuels.emission_ratio, fuel(**{key: text}), "t") is None, text
        for text in bad:
            found = refused(fuels.emission_ratio, fuel(**{key: text}), "t")
            assert found is not None and found[0] == "data.range" and key in found[1], text
    for text, good in (("30", True), ("400", True), ("29.999", False), ("3.8931", False)):
        gas = fuel("10*4.m3", text, "15.3", "99")
        assert (refused(fuels.emission_ratio, gas, "m3") is None) == good, text


def test_oxidation_comes_from_the_fuel_or_from_who_asks():
    half = fuels.emission_ratio(fuel(oxidation="50"), "t")
    assert fuels.multiply(half, (2, 1)) == fuels.emission_ratio(fuel(), "t", FULL)
    bare = fuel(oxidation=None)
    assert refused(fuels.emission_ratio, bare, "t") == (
        "data.range",
        "oxidation_percent of coal",
    )
    assert fuels.emission_ratio(bare, "t", (94, 0)) == fuels.emission_ratio(fuel(), "t")
    assert refused(fuels.emission_ratio, bare, "t", (101, 0))[0] == "data.range"
    assert refused(fuels.emission_ratio, bare, "t", (-1, 0))[0] == "data.range"


def test_eleven_thirds_are_divided_once():
    # 1/3 of a mg per kg is left over a hundred times and not lost once.
    coal = fuel(ncv="10", carbon="20", oxidation="100")
    up, down = fuels.emission_ratio(coal, "mg")
    assert down % 3 == 0
    once = div_round(up * 1000000, down)
    parts = sum([div_round(up * 10000, down) for _ in range(100)])
    assert once == 733333 and parts == 733300


def test_gas_is_brought_to_the_state_of_its_factor():
    assert fuels.normal_volume_ratio((0, 0), 101325) == (1, 1)
    assert fuels.normal_volume_ratio((20, 0), 101325) == reduce_ratio(27315, 29315)
    assert fuels.normal_volume_ratio((200, 1), 101325) == reduce_ratio(27315, 29315)
    assert fuels.normal_volume_ratio((0, 0), 202650) == (2, 1)
    for celsius, pascal in (((-27315, 2), 101325), ((20, 0), 0)):
        assert refused(fuels.normal_volume_ratio, celsius, pascal)[0] == "data.range"


def test_steam_carries_its_enthalpy_less_what_the_guide_deducts():
    whole = fuels.steam_heat_ratio((2800, 0), (0, 0))
    assert whole == (14, 5)  # 2.8 kJ/g
    less = fuels.steam_heat_ratio((2800, 0), (8374, 2))
    assert fuels.multiply(less, (1000, 1)) == reduce_ratio(271626, 100)


def test_rows_of_a_steam_table_are_joined_by_a_line():
    for name, low, high in (
        ("GBT-PAR-001T", ("1.70", "204.3"), ("1.80", "207.1")),
        ("GBT-PAR-001H", ("1.70", "2793.8"), ("1.80", "2795.1")),
    ):
        rows = [(parse_decimal(x), parse_decimal(y)) for x, y in (low, high)]
        at = parse_decimal(STEAM[name][0]["p_MPa"])
        confirm(name, fuels.interpolate(at, rows[0], rows[1]), STEAM)
        for row in rows:
            assert fuels.interpolate(row[0], rows[0], rows[1]) == fuels.to_ratio(row[1])
        for outside in ((169, 2), (181, 2)):
            assert refused(fuels.interpolate, outside, rows[0], rows[1])[0] == "data.range"
        assert refused(fuels.interpolate, at, rows[1], rows[0])[0] == "data.range"
        assert refused(fuels.interpolate, at, rows[0], rows[0])[0] == "data.range"
