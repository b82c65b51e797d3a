import hashlib

from vectors_process import EXACT, VECTORS

from edge.core.carbon.factors import (
    apply_overrides,
    parse_factors,
    parse_set,
)
from edge.core.errors import TallyError
from edge.core.numbers.fixed import parse_decimal
from edge.core.numbers.units import reduce_ratio


def document(*items, **changes):
    factors = [{"id": name, "value": value, "unit": unit} for name, value, unit in items]
    made = {"id": "test_set", "factors": factors}
    made.update(changes)
    return made


GRID = ("grid", "0.8325", "kg/kW.h")
HEAT = ("heat", "0.11", "t/GJ")


def refused(made):
    try:
        parse_factors(made, "test_set")
    except TallyError as error:
        return error.code
    return None


def test_values_become_micrograms_per_canonical_unit():
    factors = parse_factors(document(GRID, HEAT), "test_set")
    assert [(f.id, f.dimension, f.ug_per_unit) for f in factors] == [
        ("grid", "energy", 832500),  # 0.8325 kg/kW.h = 832.5 mg/kW.h x 10^3 = 832 500 ug/W.h
        ("heat", "heat", 110000),  # 0.11 t/GJ = 110 mg/kJ
    ]
    assert all(f.set_id == "test_set" for f in factors)


def test_the_places_of_the_text_do_not_matter_to_the_value():
    for text, value in (("0", 0), ("1", 10**6), ("0.000001", 1), ("12.345678", 12345678)):
        found = parse_factors(document(("f", text, "kg/kW.h")), "test_set")
        assert found[0].ug_per_unit == value, text


def test_finer_than_a_microgram_is_refused():
    assert refused(document(("f", "0.0000001", "kg/kW.h"))) == "config.value"
    assert refused(document(("f", "0.1100000", "t/GJ"))) == "config.value"


def test_names_are_used_once():
    assert refused(document(GRID, GRID)) == "config.duplicate"


def test_the_digest_is_over_what_the_set_says():
    factors = parse_factors(document(GRID, HEAT), "test_set")
    # MessagePack by hand: [id, [[name, dimension, ug per unit], ...]] ascending by name
    meaning = bytes.fromhex(
        "92 a8746573745f736574 92"
        "93 a467726964 a6656e65726779 ce000cb3f4"
        "93 a468656174 a468656174 ce0001adb0"
    )
    assert [f.set_digest for f in factors] == [hashlib.sha256(meaning).digest()] * 2


def test_the_digest_knows_order_not_but_value_name_and_set():
    one = parse_factors(document(GRID, HEAT), "x")[0].set_digest
    assert one == parse_factors(document(HEAT, GRID), "y")[0].set_digest
    assert one == parse_factors(document(GRID, ("heat", "0.1100", "t/GJ")), "x")[0].set_digest
    for other in (
        document(GRID),
        document(GRID, ("heat", "0.12", "t/GJ")),
        document(GRID, ("steam", "0.11", "t/GJ")),
        document(GRID, HEAT, id="another"),
    ):
        assert parse_factors(other, "x")[0].set_digest != one


COAL = {"id": "coal", "per": "t", "ncv": "26.7", "carbon": "27.4", "oxidation_percent": "94"}
GAS = {"id": "gas", "per": "10*4.m3", "ncv": "389.31", "carbon": "15.3"}


def mixed(**changes):
    return document(GRID, HEAT, fuels=[COAL, GAS], **changes)


def told(function, *arguments):
    """(code, key) of the refusal, None for none."""
    try:
        function(*arguments)
    except TallyError as error:
        return error.code, error.fields["key"]
    return None


def test_every_unit_comes_to_micrograms_exactly():
    for value, unit, dimension, ug in (
        ("832.5", "g/kW.h", "energy", 832500),
        ("0.8325", "t/MW.h", "energy", 832500),
        ("110", "kg/GJ", "heat", 110000),
        ("98300", "kg/TJ", "heat", 98300),
        ("0.440", "t/t", "mass", 440000),
        ("0.440", "kg/kg", "mass", 440000),
        ("440", "kg/t", "mass", 440000),
        ("2.1621", "kg/m3", "volume", 2162100),
        ("21.62188", "t/10*4.m3", "volume", 2162188),
    ):
        found = parse_factors(document(("f", value, unit)), "x")[0]
        assert (found.dimension, found.ug_per_unit) == (dimension, ug), unit


def test_fuels_are_read_and_their_range_is_checked():
    found = parse_set(mixed(), "x")
    assert [fuel.id for fuel in found.fuels] == ["coal", "gas"]
    assert found.fuels[0].oxidation == (94, 0) and found.fuels[1].oxidation is None
    assert not found.fuels[0].biogenic
    wood = dict(COAL, biogenic="yes")
    assert parse_set(document(fuels=[wood]), "x").fuels[0].biogenic
    for key, text in (("ncv", "26700"), ("carbon", "0.0274"), ("oxidation_percent", "100.1")):
        made = document(fuels=[dict(COAL, **{key: text})])
        assert told(parse_set, made, "x") == ("config.value", "coal." + key)
    assert told(parse_set, document(fuels=[COAL, COAL]), "x") == ("config.duplicate", "fuels.id")
    clash = document(("coal", "1", "t/t"), fuels=[COAL])
    assert told(parse_set, clash, "x") == ("config.duplicate", "fuels.id")


def test_a_set_of_nothing_or_of_no_day_or_without_evidence_is_refused():
    assert told(parse_set, {"id": "x"}, "x") == ("config.missing_key", "factors")
    days = {"valid_from": "2026-01-02", "valid_to": "2026-01-01"}
    assert told(parse_set, document(GRID, **days), "x") == ("config.value", "valid_to")
    days["valid_to"] = "2026-01-02"
    assert told(parse_set, document(GRID, **days), "x") is None
    own = document(GRID, confidence="S")
    assert told(parse_set, own, "x") == ("config.missing_key", "evidence")
    assert told(parse_set, dict(own, evidence=" "), "x") == ("config.missing_key", "evidence")
    assert told(parse_set, dict(own, evidence="LAB-1"), "x") is None


def test_the_digest_covers_fuels_by_value():
    one = parse_set(mixed(), "x").digest
    turned = document(HEAT, GRID, fuels=[GAS, dict(COAL, ncv="26.700")], note="words")
    assert one == parse_set(turned, "y").digest
    plain = parse_set(document(GRID, HEAT), "x").digest
    seen = [one, plain]
    for changes in (
        [COAL],
        [dict(COAL, ncv="26.8"), GAS],
        [dict(COAL, oxidation_percent="95"), GAS],
        [COAL, dict(GAS, oxidation_percent="0")],
        [dict(COAL, biogenic="yes"), GAS],
    ):
        digest = parse_set(document(GRID, HEAT, fuels=changes), "x").digest
        assert digest not in seen
        seen.append(digest)


WHY = {"reason": "boiler 3, measured", "evidence": "LAB-2026-0113"}


def test_a_measured_number_replaces_a_published_one_under_another_digest():
    base = parse_set(mixed(), "x")
    before = [list(factor) for factor in base.factors]
    items = [
        dict(WHY, factor="heat", value="0.1043", unit="t/GJ"),
        dict(WHY, fuel="coal", ncv="25.1", oxidation_percent="98.5"),
    ]
    site = apply_overrides(base, items, "g.toml")
    assert site.id == "test_set+site" and site.digest != base.digest
    assert [(f.id, f.ug_per_unit) for f in site.factors] == [("grid", 832500), ("heat", 104300)]
    assert all(f.set_id == site.id and f.set_digest == site.digest for f in site.factors)
    coal = site.fuels[0]
    assert (coal.ncv, coal.carbon, coal.oxidation) == ((251, 1), (274, 1), (985, 1))
    assert site.fuels[1] == base.fuels[1]
    assert [list(factor) for factor in base.factors] == before
    assert apply_overrides(base, [], "g.toml") == base


def test_the_reason_and_the_evidence_are_in_the_digest():
    base = parse_set(mixed(), "x")
    item = dict(WHY, factor="heat", value="0.11", unit="t/GJ")
    digests = [base.digest]
    for changes in ({}, {"reason": "other"}, {"evidence": "LAB-2"}, {"value": "0.12"}):
        digest = apply_overrides(base, [dict(item, **changes)], "g").digest
        assert digest not in digests
        digests.append(digest)


def test_an_override_that_says_too_little_or_the_wrong_thing_is_refused():
    base = parse_set(mixed(), "x")
    heat = dict(WHY, factor="heat", value="0.1043", unit="t/GJ")
    coal = dict(WHY, fuel="coal", ncv="25.1")
    for items, code, key in (
        ([dict(heat, reason="")], "config.missing_key", "override[0].reason"),
        ([dict(heat, evidence="  ")], "config.missing_key", "override[0].evidence"),
        ([dict(heat, factor="heet")], "config.reference", "override[0].factor"),
        ([dict(coal, fuel="cool")], "config.reference", "override[0].fuel"),
        ([dict(WHY, value="1", unit="t/GJ")], "config.reference", "override[0].factor"),
        ([dict(WHY, factor="heat", unit="t/GJ")], "config.missing_key", "override[0].value"),
        ([dict(WHY, factor="heat", value="0.1")], "config.missing_key", "override[0].unit"),
        ([dict(heat, unit="kg/kW.h")], "config.value", "override[0].unit"),
        ([dict(heat, unit="lb/GJ")], "config.value", "override[0].unit"),
        ([dict(heat, value="0.1234567")], "config.value", "override[0].value"),
        ([coal, dict(WHY, fuel="gas")], "config.missing_key", "override[1]"),
        ([dict(coal, ncv="251")], "config.value", "override[0].ncv"),
        ([coal, dict(coal, ncv="26")], "config.duplicate", "override"),
    ):
        assert told(apply_overrides, base, items, "g.toml") == (code, key), items
    # A factor and a fuel may be overridden side by side.
    assert told(apply_overrides, base, [heat, coal], "g.toml") is None


#: Standard atomic weights in ug/mol; the carbonates of GB/T 32151.34-2024 Table C.2 as printed.
CO3, CO2, HYDROGEN = 60008000, 44009000, 1008000
CARBONATES = {
    "CaCO3": (40078000 + CO3, 1, "0.440"),
    "MgCO3": (24305000 + CO3, 1, "0.522"),
    "Na2CO3": (2 * 22989770 + CO3, 1, "0.415"),
    "NaHCO3": (22989770 + HYDROGEN + CO3, 1, "0.524"),
    "MnCO3": (54938000 + CO3, 1, "0.383"),
    "BaCO3": (137327000 + CO3, 1, "0.223"),
    "Li2CO3": (2 * 6940000 + CO3, 1, "0.595"),
    "SrCO3": (87620000 + CO3, 1, "0.298"),
    "CaMg(CO3)2": (40078000 + 24305000 + 2 * CO3, 2, "0.477"),
}


def test_printed_carbonates_are_the_ratios_of_their_masses():
    names = ["GBT-C2-" + VECTORS[v][0]["carbonate"] for v in VECTORS if v[:7] == "GBT-C2-"]
    assert sorted(names, key=str) == sorted(["GBT-C2-" + c for c in CARBONATES], key=str)
    for carbonate in CARBONATES:
        mass, many, text = CARBONATES[carbonate]
        name = "GBT-C2-" + carbonate
        up, down = EXACT[name].split("/")
        exact = reduce_ratio(CO2 * many, mass)
        assert exact == (int(up), int(down)), name
        _, value, tolerance = VECTORS[name]
        assert value == text
        factor = parse_factors(document(("c", text, "t/t")), "x")[0].ug_per_unit
        apart = abs(factor * exact[1] - exact[0] * 10**6)
        mantissa, places = parse_decimal(tolerance)
        assert apart * 10**places <= mantissa * 10**6 * exact[1], name


def test_steel_of_a_converter_is_iron_and_an_increment():
    inputs, value, _ = VECTORS["IPCC-P-BOF"]
    rows = [("iron", inputs["pig_iron_tCO2_t"]), ("more", inputs["increment"]), ("steel", value)]
    found = parse_factors(document(*[(name, text, "t/t") for name, text in rows]), "x")
    ug = {factor.id: factor.ug_per_unit for factor in found}
    assert ug["iron"] + ug["more"] == ug["steel"] == 1460000
