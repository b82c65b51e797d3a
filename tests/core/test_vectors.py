"""Worked examples with known results, through the modules that compute them in the field.

The table repeats `tests/data/carbon_vectors.json`, where each one has its source; a test in
`tests/property` keeps the two equal. Every number is decimal text, as in the file.
"""

from edge.core.carbon import cems
from edge.core.carbon.account import Accountant
from edge.core.carbon.factors import parse_factors
from edge.core.carbon.streams import counter_stream
from edge.core.numbers.fixed import parse_decimal, power_of_ten, rescale

# id -> (inputs, expected value, tolerance)
VECTORS = {
    "CN-VR-A1": (
        {"electricity_MWh": "8157", "EF_tCO2_per_MWh": "0.7921"},
        "6461.16",
        "0.005",
    ),
    "CN-VR-B2": (
        {"electricity_MWh": "2129.4", "EF_tCO2_per_MWh": "0.64", "diesel_tCO2": "10.16"},
        "1372.98",
        "0.005",
    ),
    "CN-VR-C": (
        {"electricity_MWh": "173.502", "EF_tCO2_per_MWh": "0.5366"},
        "93.1",
        "0.05",
    ),
    "CN910-2": ({"in_GJ": "120000", "out_GJ": "15000"}, "11550", "0"),
    "GBT-FML-012": ({"QGe_MWh": "100", "EF2": "0.5"}, "50", "0.0000001"),
    "GBT-FML-013": (
        {"BGd_kg": "1000", "HM_kJ_kg": "2800", "EF3_tCO2_GJ": "0.11"},
        "0.308",
        "0.0000001",
    ),
    "GBT-FML-015": (
        {"EGe": "50", "EGd": "0.308", "ESe": "5", "ESd": "0.0616"},
        "45.2464",
        "0.0000001",
    ),
    "GBT-FML-016": ({"ES": "19.3", "EI": "45.2464"}, "64.5464", "0.0000001"),
    "HJ-19": ({"Cwet": "114375", "Xsw": "0.085"}, "125000", "1e-6"),
    "HJ-20": ({"M": "44", "Cv_umol_mol_dry": "125000"}, "245535.714286", "1e-6"),
    "HJ-30": ({"F_m2": "28.27", "V_m_s": "12.5"}, "1272150", "1e-6"),
    "HJ-31": (
        {"Qsh": "1272150", "ts_C": "120", "Ba_Pa": "101300", "Ps_Pa": "-800", "Xsw": "0.085"},
        "802008.483764",
        "1e-6",
    ),
    "HJ-31-27315": (
        {"Qsh": "1272150", "ts_C": "120", "Ba_Pa": "101300", "Ps_Pa": "-800", "Xsw": "0.085"},
        "802142.986321",
        "1e-6",
    ),
    "SEED-GEELY": ({"kWh": "47500000", "EF": "0.5703"}, "27000", "500"),
    "SEED-GEC-NEG": ({"GEC": "120000", "EF_max_fossil": "0.8426"}, "101112", "0.5"),
    "US-CARB-3-NEG": (
        {"us_emission_t": "4471000", "ratio": "0.121556918861121"},
        "541638",
        "2000",
    ),
}

T0 = 1800000000000
INTERVAL_MS = 3600000
#: The quantities of reports are those of a year: in less they could not have flowed.
YEAR_MS = 365 * 24 * INTERVAL_MS


def mg(tonnes):
    """Decimal text in tonnes, exactly, in mg."""
    return rescale(*parse_decimal(tonnes), 9)


def factor(value, unit):
    made = {"id": "test_set", "factors": [{"id": "f", "value": value, "unit": unit}]}
    return parse_factors(made, "test_set")[0]


def close(*sources):
    """(entries, totals) of counters that went from 0 to their quantity in one interval.

    sources: (kind, quantity as text, its unit, factor).
    """
    streams, values = [], []
    for index, (kind, quantity, unit, found) in enumerate(sources):
        mantissa, places = parse_decimal(quantity)
        streams.append(
            counter_stream(index, "s", kind, found, unit, places, 1000, (0, index), b"")
        )
        values.append(mantissa)
    account = Accountant(tuple(streams), INTERVAL_MS)
    account.observe(0, 1, 0, T0, [0] * len(values), {})
    account.observe(0, 1, YEAR_MS, T0 + YEAR_MS, values, {})
    _, _, entries, totals = account.close(T0 + YEAR_MS)
    return entries, totals


def electricity_mg(quantity, unit, factor_text):
    source = ("grid_import", quantity, unit, factor(factor_text, "kg/kW.h"))
    return close(source)[1][1]


def assert_near(found_mg, name):
    _, value, tolerance = VECTORS[name]
    assert abs(found_mg - mg(value)) <= mg(tolerance), (name, found_mg)


def test_published_electricity_of_verification_reports():
    for name in ("CN-VR-A1", "CN-VR-B2", "CN-VR-C"):
        inputs = VECTORS[name][0]
        found = electricity_mg(inputs["electricity_MWh"], "MW.h", inputs["EF_tCO2_per_MWh"])
        assert_near(found + mg(inputs.get("diesel_tCO2", "0")), name)


def test_the_factor_a_report_misprinted_does_not_give_its_result():
    inputs, value, tolerance = VECTORS["CN-VR-C"]
    found = electricity_mg(
        inputs["electricity_MWh"], "MW.h", "0.5633"
    )  # 0.5366 with digits swapped
    assert abs(found - mg(value)) > mg(tolerance)


def test_heat_in_less_heat_out_of_the_park_method():
    inputs = VECTORS["CN910-2"][0]
    heat = factor("0.11", "t/GJ")
    _, totals = close(
        ("heat_import", inputs["in_GJ"], "GJ", heat),
        ("heat_export", inputs["out_GJ"], "GJ", heat),
    )
    assert totals[1] == mg(VECTORS["CN910-2"][1])


def test_bought_electricity_and_steam_of_gb_t_32151():
    inputs = VECTORS["GBT-FML-012"][0]
    assert_near(electricity_mg(inputs["QGe_MWh"], "MW.h", inputs["EF2"]), "GBT-FML-012")
    inputs = VECTORS["GBT-FML-013"][0]
    kilojoules = str(int(inputs["BGd_kg"]) * int(inputs["HM_kJ_kg"]))
    heat = factor(inputs["EF3_tCO2_GJ"], "t/GJ")
    assert_near(close(("heat_import", kilojoules, "kJ", heat))[1][1], "GBT-FML-013")


def test_exports_are_deducted_as_gb_t_32151_does():
    grid, heat = factor("0.5", "kg/kW.h"), factor("0.11", "t/GJ")
    entries, totals = close(
        ("grid_import", "100", "MW.h", grid),
        ("heat_import", "2.8", "GJ", heat),
        ("grid_export", "10", "MW.h", grid),
        ("heat_export", "0.56", "GJ", heat),
    )
    inputs = VECTORS["GBT-FML-015"][0]
    expected = [mg(inputs["EGe"]), mg(inputs["EGd"]), -mg(inputs["ESe"]), -mg(inputs["ESd"])]
    assert [entry[4] for entry in entries] == expected
    assert_near(totals[1], "GBT-FML-015")
    assert_near(totals[1] + mg(VECTORS["GBT-FML-016"][0]["ES"]), "GBT-FML-016")


def test_an_approximate_claim_is_near_and_an_inconsistent_one_is_not():
    inputs = VECTORS["SEED-GEELY"][0]
    assert_near(electricity_mg(inputs["kWh"], "kW.h", inputs["EF"]), "SEED-GEELY")
    inputs = VECTORS["SEED-GEC-NEG"][0]
    most = electricity_mg(inputs["GEC"], "MW.h", inputs["EF_max_fossil"])
    assert_near(most, "SEED-GEC-NEG")
    assert 7 * most < mg("800000")  # what the document claims for these certificates


def test_a_published_product_that_is_not_the_product_of_its_factors():
    inputs, printed, _ = VECTORS["US-CARB-3-NEG"]
    mantissa, places = parse_decimal(inputs["ratio"])
    tonnes = rescale(int(inputs["us_emission_t"]) * mantissa, places, 0)
    assert tonnes == 543481
    assert abs(tonnes - int(printed)) > 1000


def rate(method, co2, area, velocity, celsius, ambient_pa, pressure, moisture, basis="dry"):
    """CO2 mass rate in mg/h as (numerator, denominator); percent and metres as text."""
    stack = cems.Stack(cems.METHODS[method], parse_decimal(area), ambient_pa, basis)
    parts = [parse_decimal(text) for text in (co2, velocity, celsius, pressure, moisture)]
    return cems.mass_rate_ratio(stack, cems.Sample(*parts))


def assert_ratio(numerator, denominator, name):
    """numerator / denominator is the vector's value within 10^-6."""
    mantissa, places = parse_decimal(VECTORS[name][1])
    assert VECTORS[name][2] == "1e-6"
    scale = power_of_ten(places)
    difference = abs(numerator * scale - mantissa * denominator)
    assert difference * 1000000 <= scale * denominator, name


PLAIN = "hj212-2017/273/22.4"
NORMAL = ("0", 101325, "0", "0")  # 0 Cel, reference pressure, dry gas


def test_hj_212_equation_20_volume_to_mass():
    # 12.5 % is 125 000 umol/mol; 1 m2 at 1 m/s is 3600 m3/h.
    numerator, denominator = rate(PLAIN, "12.5", "1", "1", *NORMAL)
    assert_ratio(numerator, denominator * 3600, "HJ-20")


def test_hj_212_equation_30_flow_at_stack_conditions():
    inputs = VECTORS["HJ-30"][0]
    numerator, denominator = rate(PLAIN, "12.5", inputs["F_m2"], inputs["V_m_s"], *NORMAL)
    assert_ratio(numerator * 7, denominator * 1718750, "HJ-30")


def test_hj_212_equation_31_dry_standard_flow():
    for name, method in (("HJ-31", PLAIN), ("HJ-31-27315", "hj212-2017/273.15/22.4")):
        inputs = VECTORS[name][0]
        ambient = int(inputs["Ba_Pa"])
        gas = (inputs["ts_C"], ambient, inputs["Ps_Pa"], "8.5")
        numerator, denominator = rate(method, "12.5", "28.27", "12.5", *gas)
        assert_ratio(numerator * 7, denominator * 1718750, name)


def test_hj_212_equation_19_wet_to_dry():
    gas = ("120", 101300, "-800", "8.5")
    wet = rate(PLAIN, "11.4375", "28.27", "12.5", *gas, basis="wet")
    dry = rate(PLAIN, "12.5", "28.27", "12.5", *gas)
    assert wet[0] * dry[1] == dry[0] * wet[1]
