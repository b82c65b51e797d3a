import hashlib

from edge.core.carbon.factors import parse_factors
from edge.core.errors import TallyError


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
