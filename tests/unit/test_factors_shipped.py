"""What ships in edge/factors: never changed, each number with its source, nothing merged."""

import json
import tomllib
from fractions import Fraction
from pathlib import Path

import pytest

from edge.app.cli.factors import Shipped, read_shipped, tonnes
from edge.core.carbon.coal import KJ_PER_G
from edge.core.carbon.factors import apply_overrides, parse_set
from edge.core.carbon.fuels import CARBON_T_PER_TJ, NCV_GJ, OXIDATION_PERCENT, fuel_factor
from edge.core.carbon.tariff import parse_tariff
from edge.core.errors import ConfigError
from edge.core.schema import check_document
from edge.ports.linux.files import FACTORS

from .docs_text import DOCS, blocks, cells

PAGE = DOCS / "factors.md"
VECTORS = Path(__file__).parents[1] / "data" / "carbon_vectors.json"

#: The first half of each digest. A set that has shipped says the same for ever: a correction is a
#: file of another name. A new set adds its line, and none is taken away.
DIGESTS = {
    "cn_coal_2589_2020": "49b7e9f1b69305666795fc0386b69b31",
    "cn_coal_equal_shandong": "6882212ac022b49a00f2d8dbbe68bfd7",
    "cn_coal_fuels": "3da865794ec3cf4375b45c5e6afb1073",
    "cn_ets_clinker": "fa06546ad85a4c925f6619290eb7a0dd",
    "cn_ets_coal_cement_kiln": "54a67be102cfc150a580416c434c3821",
    "cn_ets_coal_industrial_boiler": "c0b5282bd18b9199eaf25f79c01121d4",
    "cn_ets_coal_power_boiler": "f1b1f18830f22f7a8adf97cf0ae3d9b7",
    "cn_ets_fuels": "203050c05eb589e4951e10ea048056ad",
    "cn_park_910_2025": "e87e155a781c732c90bc7a802dbf7dc4",
    "gbt_32150_2025": "4a193aef09c5bb2fc4e2944626b82879",
    "gbt_32151_34_2024": "d8a67d84ab4e5aabb136be041303a75a",
    "ipcc_2006_energy": "ea0a5d8efff2820ccb64c6fc0a4c9f9b",
    "ipcc_2006_fuels": "a0d393737f7bb62ccfe131c1d256b70e",
    "ipcc_2006_process": "6270f452cd0fddfea20386177e02b64f",
    "local_ningbo_green_factory": "426565d63b6085893f13749e255592a0",
    "local_shanghai_electricity": "33a0f26c7d8b1cdcdc1264f7029dd8eb",
    "mee_electricity_2021": "d97b1865ca5a8e48a4eac2d0b94d8624",
    "mee_electricity_2022": "925f578a7b6085da7ef1f504ac7412e3",
    "mee_electricity_2023": "9cd167a82f8875e4341738069e01d1e1",
    "sip_electricity_base": "e4ab3aa0bce3db1bd22cbcdde34b9b35",
}

#: Confidence that may ship; what is only remembered may not.
SHIPPABLE = ("A", "B")


@pytest.fixture(scope="module")
def sets() -> dict[str, Shipped]:
    return {shipped.parsed.id: shipped for shipped in read_shipped()}


def rows(shipped: Shipped) -> list[dict]:
    return [row for name in ("factors", "fuels", "coal") for row in shipped.document.get(name, [])]


def vector(name: str) -> dict:
    return next(v for v in json.loads(VECTORS.read_text("utf-8")) if v["id"] == name)


def micrograms(shipped: Shipped) -> dict[str, int]:
    return {factor.id: factor.ug_per_unit for factor in shipped.parsed.factors}


def test_a_set_that_has_shipped_says_the_same(sets):
    assert {name: shipped.parsed.digest.hex()[:32] for name, shipped in sets.items()} == DIGESTS


def test_every_set_is_in_the_file_of_its_name(sets):
    assert sorted(sets) == sorted(path.stem for path in FACTORS.glob("*.toml"))


def test_every_number_names_its_source_and_a_confidence_that_may_ship(sets):
    for name, shipped in sets.items():
        document = shipped.document
        assert document["confidence"] in SHIPPABLE, name
        assert len(document["source"]) > 10 and len(document["document"]) > 10, name
        assert document["publisher"] and document["boundary"], name
        assert rows(shipped), name
        for row in rows(shipped):
            assert row.get("source", document["source"]), (name, row["id"])


def test_no_address_is_anything_but_a_page_of_the_publisher(sets):
    hosts = ("https://www.ndrc.gov.cn/", "https://www.mee.gov.cn/")
    for shipped in sets.values():
        address = shipped.document.get("address")
        assert address is None or address.startswith(hosts)


def test_conflicting_sources_are_sets_of_their_own(sets):
    keys = [
        (s.document["standard"], s.document["edition"], s.document["sector"])
        for s in sets.values()
    ]
    assert len(set(keys)) == len(keys)
    lng = {
        name: fuel.carbon
        for name, shipped in sets.items()
        for fuel in shipped.parsed.fuels
        if fuel.id == "lng"
    }
    assert lng == {"gbt_32151_34_2024": (153, 1), "cn_ets_fuels": (172, 1)}  # 12 % apart


def test_the_park_factor_stays_when_newer_ones_are_published(sets):
    park = micrograms(sets["cn_park_910_2025"])
    assert park["electricity_fossil"] == 832500
    assert micrograms(sets["mee_electricity_2022"])["national_fossil"] == 832500
    assert micrograms(sets["mee_electricity_2023"])["national_fossil"] == 827300


def test_grid_factors_are_ordered_as_what_they_leave_out(sets):
    for year in (2021, 2022, 2023):
        shipped = sets[f"mee_electricity_{year}"]
        assert shipped.document["data_year"] == year
        ug = micrograms(shipped)
        average, residual = ug["national_average"], ug["national_residual"]
        assert average < residual < ug["national_fossil"]
        regions = [value for name, value in ug.items() if name.startswith("region_")]
        assert len(regions) == 7 and min(regions) < average < max(regions)


def test_the_factor_that_a_report_misprinted_is_in_no_set(sets):
    assert "0.5633" in vector("CN-VR-C")["note"]
    shipped = {ug for each in sets.values() for ug in micrograms(each).values()}
    assert 536600 in shipped and 563300 not in shipped


def test_composite_factors_that_another_publication_prints(sets):
    found = {fuel.id: tonnes(fuel) for fuel in sets["gbt_32151_34_2024"].parsed.fuels}
    for name, fuel in (
        ("CN-FUEL-1", "gasoline"),
        ("CN-FUEL-2", "diesel"),
        ("CN-FUEL-3", "natural_gas"),
    ):
        assert found[fuel] == vector(name)["expected"]["value"]


def test_factors_of_the_ipcc_are_those_of_its_carbon_rounded_to_three_digits(sets):
    printed = micrograms(sets["ipcc_2006_energy"])  # ug/kJ is kg/TJ
    shipped = sets["ipcc_2006_fuels"].parsed
    assert {fuel.id for fuel in shipped.fuels} == set(printed) - {"lng"}
    for fuel in shipped.fuels:
        exact = Fraction(*fuel_factor(sets["ipcc_2006_fuels"].parsed, fuel.id, "kJ")) * 1000
        half = 50 if printed[fuel.id] < 100_000 else 500
        assert abs(exact - printed[fuel.id]) <= half, fuel.id


def test_the_vectors_of_the_ipcc_are_rows_of_its_sets(sets):
    printed = micrograms(sets["ipcc_2006_energy"])
    carbon = {fuel.id: fuel.carbon for fuel in sets["ipcc_2006_fuels"].parsed.fuels}
    names = {
        "motor_gasoline": "gasoline",
        "other_kerosene": "kerosene",
        "gas_diesel_oil": "diesel",
        "residual_fuel_oil": "fuel_oil",
        "LPG": "lpg",
        "other_bituminous": "bituminous_coal",
        "coke_oven_coke": "coke",
    }
    found = [v for v in json.loads(VECTORS.read_text("utf-8")) if v["id"].startswith("IPCC-T14-")]
    assert len(found) == 17
    for item in found:
        name = item["id"].removeprefix("IPCC-T14-")
        name = names.get(name, name)
        assert printed[name] == int(item["expected"]["value"])
        mantissa, places = carbon[name]
        assert Fraction(mantissa, 10**places) == Fraction(item["inputs"]["CC_kg_per_GJ"])


def test_printed_carbonates_are_rows_of_the_standard(sets):
    found = micrograms(sets["gbt_32151_34_2024"])
    names = {"CaMg(CO3)2": "dolomite"}
    vectors = [v for v in json.loads(VECTORS.read_text("utf-8")) if v["id"].startswith("GBT-C2-")]
    for item in vectors:
        carbonate = item["inputs"]["carbonate"]
        name = "carbonate_" + names.get(carbonate, carbonate.lower())
        assert found[name] == Fraction(item["expected"]["value"]) * 10**6


def test_default_coke_holds_more_carbon_than_default_washed_coal(sets):
    shipped = sets["gbt_32151_34_2024"].parsed
    held = {f.id: Fraction(f.ncv[0], 10 ** f.ncv[1]) * f.carbon[0] for f in shipped.fuels}
    assert held["coke"] * 10 > held["washed_coal"]  # 29.5 has one place, 25.41 has two


#: Goods that GB/T 2589 and GB/T 32151.34 give different heating values.
DIFFERENT = {"briquette", "other_washed_coal", "other_gas", "blast_furnace_gas", "converter_gas"}


def test_standard_coal_stands_for_the_heating_values_where_the_publications_agree(sets):
    fuels = {fuel.id: fuel for fuel in sets["gbt_32151_34_2024"].parsed.fuels}
    near, far = set(), set()
    for item in sets["cn_coal_fuels"].parsed.equivalents:
        if item.id not in fuels:
            continue
        fuel = fuels[item.id]
        ncv = Fraction(fuel.ncv[0], 10 ** fuel.ncv[1]) / (1 if fuel.per == "t" else 10)
        heat = Fraction(item.numerator, item.denominator) * Fraction(*KJ_PER_G)
        (near if abs(heat / ncv - 1) < Fraction(2, 1000) else far).add(item.id)
    assert far == DIFFERENT and len(near) == 10


def test_steel_of_a_converter_is_iron_and_an_increment(sets):
    found = micrograms(sets["ipcc_2006_process"])
    inputs = vector("IPCC-P-BOF")["inputs"]
    assert found["pig_iron"] == Fraction(inputs["pig_iron_tCO2_t"]) * 10**6
    assert found["steel_bof"] == found["pig_iron"] + Fraction(inputs["increment"]) * 10**6


def test_the_page_lists_what_ships(sets):
    holds = (("factors", "factors"), ("fuels", "fuels"), ("coal", "coal equivalents"))
    expected = []
    for name, shipped in sets.items():
        document = shipped.document
        counts = [f"{len(document[key])} {word}" for key, word in holds if key in document]
        year = str(document.get("data_year", ""))
        link = f"[{name}](../edge/factors/{name}.toml)"
        row = [link, document["document"], year, document["confidence"], ", ".join(counts)]
        expected.append(row)
    assert cells(PAGE, "sets") == expected


def test_the_ranges_of_the_page_are_those_of_the_code():
    expected = [["ncv", *map(str, NCV_GJ[per]), f"GJ/{per}"] for per in ("t", "10*4.m3")]
    expected.append(["carbon", *map(str, CARBON_T_PER_TJ), "t/TJ"])
    expected.append(["oxidation_percent", *map(str, OXIDATION_PERCENT), "%"])
    assert cells(PAGE, "ranges") == expected


def test_every_set_tariff_and_override_of_the_page_is_accepted(sets):
    for kind in ("factors", "tariff", "override"):
        rules = json.loads((FACTORS / f"{kind}.schema.json").read_text("utf-8"))
        found = [tomllib.loads(b.text) for b in blocks(f"toml {kind}") if b.page == PAGE]
        assert found, kind
        for document in found:
            check_document(document, rules, "factors.md")
            if kind == "factors":
                parse_set(document, "factors.md")
            elif kind == "tariff":
                assert parse_tariff(document, "factors.md").series
            else:
                name = "gbt_32151_34_2024" if "fuel" in document else "cn_park_910_2025"
                apply_overrides(sets[name].parsed, [document], "factors.md")


GOOD_TARIFF = """
id = "site_2026_r1"
publisher = "the site"
document = "hourly factors 2026, revision 1"
boundary = "electricity from the public grid"
confidence = "S"
source = "supplier portal"
evidence = "TOU-2026-1"
intensity = "average"
unit = "kg/kW.h"
annual = "0.5827"
utc_offset_min = 480
weekly = [{ days = ["mon", "sun"], from = "08:00", value = "0.61" }]
series = [{ from = "2026-01-01T00:00Z", step_min = 60, values = ["0.61", "", "0.6"] }]
"""

GOOD_OVERRIDE = """
factor = "heat_fossil"
value = "0.1043"
unit = "t/GJ"
reason = "boiler 3, measured"
evidence = "LAB-2026-0113"
"""


@pytest.mark.parametrize(
    ("schema", "text", "wrong"),
    [
        ("tariff", GOOD_TARIFF, {"intensity": "mean"}),
        ("tariff", GOOD_TARIFF, {"utc_offset_min": 841}),
        ("tariff", GOOD_TARIFF, {"series": [{"from": "2026-01-01", "step_min": 60}]}),
        ("tariff", GOOD_TARIFF, {"weekly": [{"days": ["monday"], "from": "08:00", "value": "1"}]}),
        ("tariff", GOOD_TARIFF, {"weekley": []}),
        ("override", GOOD_OVERRIDE, {"unit": "lb/GJ"}),
        ("override", GOOD_OVERRIDE, {"reason": ""}),
        ("override", GOOD_OVERRIDE, {"value": "1e-1"}),
        ("override", GOOD_OVERRIDE, {"oxydation_percent": "98"}),
    ],
)
def test_the_other_schemas_take_what_is_right_and_no_more(schema: str, text: str, wrong: dict):
    rules = json.loads((FACTORS / f"{schema}.schema.json").read_text("utf-8"))
    document = tomllib.loads(text)
    check_document(document, rules, "x.toml")
    with pytest.raises(ConfigError):
        check_document({**document, **wrong}, rules, "x.toml")
