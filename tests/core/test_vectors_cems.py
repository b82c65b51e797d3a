"""The worked examples of carbon_vectors.json for stacks: HJ 212-2017, EPA Part 75, EU 2018/2066.

The table repeats the file's inputs, results and tolerances; a test in `tests/property` compares
them. Every number is decimal text, as in the file.
"""

from edge.core.carbon import hj212, part75, ratio, substitute
from edge.core.numbers.fixed import parse_decimal, power_of_ten

GAS = {"Qsh": "1272150", "ts_C": "120", "Ba_Pa": "101300", "Ps_Pa": "-800", "Xsw": "0.085"}
HOURS = ("11.2", "11.6", "11.4", "11.8", "11.5", "11.3")

# id -> (inputs, expected value, tolerance)
VECTORS = {
    "HJ-19": ({"Cwet": "114375", "Xsw": "0.085"}, "125000", "1e-6"),
    "HJ-20": ({"M": "44", "Cv_umol_mol_dry": "125000"}, "245535.714286", "1e-6"),
    "HJ-27": ({"O2_dry_pct": "9"}, "1.75", "1e-6"),
    "HJ-30": ({"F_m2": "28.27", "V_m_s": "12.5"}, "1272150", "1e-6"),
    "HJ-31": (GAS, "802008.483764", "1e-6"),
    "HJ-31-27315": (GAS, "802142.986321", "1e-6"),
    "EPA-F11": ({"CO2_pct_wet": "11.5", "flow_scfh": "52340000"}, "343.1", "0"),
    "EPA-F14B": (
        {"Fc": "1800", "Fd": "9780", "H2O_pct": "9.5", "O2_wet_pct": "5.4"},
        "11.9",
        "0",
    ),
    "EPA-F15": (
        {"flow_scfh": "52340000", "CO2_pct_wet": "11.5", "Fc": "1800"},
        "3343.9",
        "0",
    ),
    "EPA-F16": (
        {"flow_scfh": "52340000", "CO2_pct_dry": "12.7", "H2O_pct": "9.5", "Fc": "1800"},
        "3342.1",
        "0",
    ),
    "EPA-F18": (
        {"flow_scfh": "52340000", "Fd": "9780", "H2O_pct": "9.5", "O2_pct_dry": "6.0"},
        "3452.9",
        "0",
    ),
    "EPA-F31": ({"O2_dry": "6.0", "O2_wet": "5.4"}, "10.0", "0"),
    "EU-MRR-45": ({"valid_hourly_CO2_pct": HOURS}, "11.898716047", "1e-9"),
}

TOLERANCES = {"0": (0, 1), "1e-6": (1, 10**6), "1e-9": (1, 10**9)}


def inputs_of(name):
    return VECTORS[name][0]


def value(inputs, key):
    return ratio.of(parse_decimal(inputs[key]))


def percent(inputs, key):
    return ratio.product(value(inputs, key), (100, 1))


def assert_near(name, found):
    """found is the vector's value within its tolerance, exactly compared."""
    _, text, tolerance = VECTORS[name]
    up, down = ratio.less(found, ratio.of(parse_decimal(text)))
    most = TOLERANCES[tolerance]
    assert abs(up) * most[1] <= most[0] * down, (name, found)


def test_hj_212_19():
    inputs = inputs_of("HJ-19")
    assert_near("HJ-19", hj212.dry(value(inputs, "Cwet"), percent(inputs, "Xsw")))


def test_hj_212_20():
    inputs = inputs_of("HJ-20")
    method = hj212.METHODS["hj212-2017/273/22.4"]
    assert value(inputs, "M") == ratio.of(method.molar_mass_g)
    assert_near("HJ-20", hj212.mass_concentration(method, value(inputs, "Cv_umol_mol_dry")))


def test_hj_212_27():
    assert_near("HJ-27", hj212.excess_air(value(inputs_of("HJ-27"), "O2_dry_pct")))


def test_hj_212_30():
    inputs = inputs_of("HJ-30")
    assert_near("HJ-30", hj212.actual_flow(value(inputs, "F_m2"), value(inputs, "V_m_s")))


def test_hj_212_31():
    for name, method in (("HJ-31", "273"), ("HJ-31-27315", "273.15")):
        inputs = inputs_of(name)
        absolute = ratio.total(value(inputs, "Ba_Pa"), value(inputs, "Ps_Pa"))
        found = hj212.standard_flow(
            hj212.METHODS["hj212-2017/" + method + "/22.4"],
            value(inputs, "Qsh"),
            value(inputs, "ts_C"),
            absolute,
            percent(inputs, "Xsw"),
        )
        assert_near(name, found)


def test_part_75_masses():
    inputs = inputs_of("EPA-F11")
    found = part75.f11_tenths(value(inputs, "CO2_pct_wet"), value(inputs, "flow_scfh"))
    assert_near("EPA-F11", (found, 10))


def test_part_75_co2_from_oxygen_and_moisture():
    inputs = inputs_of("EPA-F14B")
    wet, h2o = value(inputs, "O2_wet_pct"), value(inputs, "H2O_pct")
    found = part75.f14b(wet, h2o, value(inputs, "Fc"), value(inputs, "Fd"))
    assert_near("EPA-F14B", (part75.tenths(found), 10))
    inputs = inputs_of("EPA-F31")
    found = part75.f31(value(inputs, "O2_dry"), value(inputs, "O2_wet"))
    assert_near("EPA-F31", (part75.tenths(found), 10))


def test_part_75_heat_input():
    for name, call, keys in (
        ("EPA-F15", part75.f15_tenths, ("flow_scfh", "CO2_pct_wet", "Fc")),
        ("EPA-F16", part75.f16_tenths, ("flow_scfh", "CO2_pct_dry", "H2O_pct", "Fc")),
        ("EPA-F18", part75.f18_tenths, ("flow_scfh", "O2_pct_dry", "H2O_pct", "Fd")),
    ):
        inputs = inputs_of(name)
        found = call(*[value(inputs, key) for key in keys])
        assert_near(name, (found, 10))


def test_eu_mean_and_two_sigma():
    values = []
    for text in inputs_of("EU-MRR-45")["valid_hourly_CO2_pct"]:
        mantissa, places = parse_decimal(text)
        values.append(mantissa * power_of_ten(9 - places))
    found = substitute.eu_mean_2_sigma(values).value
    assert found == 11898716047
    assert_near("EU-MRR-45", (found, 10**9))
