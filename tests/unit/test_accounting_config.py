"""What gateway.toml says of the account: references, boundaries, ratings, bases, facts."""

import copy
from fractions import Fraction
from typing import Any

import pytest

from edge.app.config import Library, Settings
from edge.app.definitions import Definitions, define_streams
from edge.core.carbon.streams import Stream
from edge.core.errors import ConfigError
from edge.core.journal.record import Part
from edge.ports.linux import files

GRID = {
    "name": "grid",
    "kind": "grid_import",
    "point": "main.active_energy_import",
    "factor": "electricity_fossil",
}
HALL = {
    "name": "hall",
    "kind": "grid_import",
    "point": "line.active_energy_import",
    "factor": "electricity_fossil",
}
GAS = {
    "name": "gas",
    "kind": "fuel",
    "point": "gas.volume_converted",
    "fuel": "gbt_32151_34_2024.natural_gas",
}
DOCUMENT: dict[str, Any] = {
    "gateway": {"id": "gw-1", "tenant": "t", "key_file": "k", "journal": "j"},
    "uplink": {"broker": "mqtts://h"},
    "bus": [{"name": "a", "port": "p"}],
    "device": [
        {"name": name, "bus": "a", "station": station, "profile": profile}
        for station, (name, profile) in enumerate(
            (
                ("main", "eastron_sdm630"),
                ("line", "acrel_adw300"),
                ("gas", "flonidan_uniflo_1200"),
                ("heat", "spirax_sarco_tva"),
                ("pac", "siemens_pac2200"),
            ),
            1,
        )
    ],
}


def settings_of(*streams: dict[str, Any], **tables: Any) -> Settings:
    document = copy.deepcopy({**DOCUMENT, "stream": list(streams), **tables})
    return Settings(document, "gateway.toml", Library(files.read_profile, files.read_factors))


def defined(settings: Settings) -> tuple[tuple[Stream, ...], Definitions]:
    definitions = Definitions([])
    numbers = [definitions.device(device) for device in settings.devices]
    return define_streams(settings, numbers, definitions), definitions


def refusal(*streams: dict[str, Any], **tables: Any) -> tuple[str, dict[str, object]]:
    with pytest.raises(ConfigError) as caught:
        settings_of(*streams, **tables)
    return caught.value.code, caught.value.fields


def test_a_sub_meter_and_its_parent_are_refused_with_both_names():
    code, fields = refusal(GRID, {**HALL, "within": "grid"})
    assert code == "config.double_count"
    assert (fields["key"], fields["found"]) == ("hall", "grid")
    settings_of(GRID, {"name": "hall", "kind": "memo", "point": HALL["point"], "within": "grid"})


def test_shares_above_one_are_refused():
    memo = {"name": "m", "kind": "memo", "point": GRID["point"]}
    tenants = [
        {**GRID, "name": name, "plus": ["m"], "share": share}
        for name, share in (("a", "0.6"), ("b", "0.5"))
    ]
    for tenant in tenants:
        del tenant["point"]
    code, fields = refusal(memo, *tenants)
    assert code == "config.share" and fields["found"] == "a, b"
    tenants[1]["share"] = "0.4"
    streams, _ = defined(settings_of(memo, *tenants))
    assert streams[1].summands[0].stream == streams[0].number


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"within": "gird"}, "config.reference"),
        ({"place": "nowhere"}, "config.reference"),
        ({"factor": "nosuch.electricity"}, "config.reference"),
        ({"factor": "mee_electricity_2023.nosuch"}, "config.reference"),
        ({"factor": "heat_fossil"}, "config.value"),
        ({"basis": [{"name": "other", "factor": "electricity_fossil"}]}, "config.reference"),
        ({"plus": ["grid"]}, "config.reference"),
        ({"rated": "0"}, "config.value"),
    ],
)
def test_what_cannot_be_meant_is_refused(change: dict[str, Any], code: str):
    assert refusal({**GRID, **change})[0] == code


def test_each_basis_has_to_be_named_where_electricity_emits():
    accounting = {"bases": ["national"]}
    code, fields = refusal(GRID, accounting=accounting)
    assert code == "config.missing_key" and "national" in str(fields["expected"])
    named = {"name": "national", "factor": "mee_electricity_2023.national_average"}
    heat = {
        "name": "steam",
        "kind": "heat_import",
        "point": "heat.heat_energy",
        "factor": "heat_fossil",
    }
    streams, _ = defined(settings_of({**GRID, "basis": [named]}, heat, accounting=accounting))
    (rate,) = streams[0].rates
    assert (rate.basis, rate.factor) == ("national", "national_average")
    assert Fraction(rate.numerator, rate.denominator) == Fraction(5306, 10000) * 10**6 / 10**3
    assert streams[1].rates == ()


def test_a_fuel_is_heating_value_times_carbon_times_oxidation():
    streams, _ = defined(settings_of(GAS))
    # GJ/10^4 m3 x tC/TJ x oxidation x 44/12, in mg per 0.001 m3
    exact = Fraction("389.31") * Fraction("15.3") * Fraction(99, 100) * Fraction(11, 3)
    assert Fraction(streams[0].numerator, streams[0].denominator) == exact * 10**6 / 10**7
    assert streams[0].unit == "L"


def test_what_is_converted_oxidises_wholly():
    burnt, converted = (
        defined(settings_of({**GAS, "kind": kind}))[0][0] for kind in ("fuel", "conversion_input")
    )
    ratio = Fraction(converted.numerator, converted.denominator)
    assert ratio * Fraction(99, 100) == Fraction(burnt.numerator, burnt.denominator)


def test_a_fuel_for_another_unit_is_refused():
    assert refusal({**GAS, "fuel": "gbt_32151_34_2024.diesel"})[0] == "config.value"


def test_the_rating_is_what_the_register_may_move_by_in_an_hour():
    streams, _ = defined(settings_of({**GRID, "rated_kw": 250}, {**GAS, "rated": "600.5"}))
    assert streams[0].limits[1:3] == (250_000, True)  # 0.001 kW.h
    assert streams[1].limits[1:3] == (600_500, True)  # 0.001 m3
    assert refusal({**GAS, "rated_kw": 5})[0] == "config.value"
    free, _ = defined(settings_of(GRID))
    assert free[0].limits[1:3] == (500_000_000, False)


def test_the_modulus_is_the_profiles_or_the_types():
    pac = {**GRID, "point": "pac.active_energy_import_t1"}
    assert defined(settings_of(pac))[0][0].limits.modulus == 1_000_000_000_000
    assert defined(settings_of(GRID))[0][0].limits.modulus is None, "a float has none"
    line = defined(settings_of(HALL))[0][0]
    assert line.limits.modulus is None, "signed registers roll over where their maker likes"


def test_overrides_go_into_the_set_they_name():
    own = {"factor": "electricity_fossil", "value": "0.5", "unit": "kg/kW.h"}
    own |= {"reason": "measured", "evidence": "report 7"}
    gas = {"fuel": "gbt_32151_34_2024.natural_gas", "ncv": "361.7", "reason": "r", "evidence": "e"}
    settings = settings_of(GRID, GAS, override=[own, gas])
    streams, _ = defined(settings)
    assert Fraction(streams[0].numerator, streams[0].denominator) == 500
    plain, _ = defined(settings_of(GRID, GAS))
    for changed, published in zip(streams, plain, strict=True):
        assert changed.factor_digest != published.factor_digest
    assert [found.id for found in settings.factor_sets] == [
        "cn_park_910_2025+site",
        "gbt_32151_34_2024+site",
    ]
    assert refusal(GRID, override=[{"reason": "r", "evidence": "e"}])[0] == "config.value"


def test_swaps_and_facts_become_parts_once():
    swap = {"point": "main.active_energy_import", "old": "10.5", "new": "0", "at": "now"}
    fact = {"name": "area", "kind": "floor_area", "value": "12.5", "unit": "10*3.m2"}
    fact |= {"period": "2026", "vintage": "2026-01-15", "source": "land register"}
    settings = settings_of(GRID, swap=[{**swap, "why": "meter"}], fact=[fact])
    streams, definitions = defined(settings)
    wanted = [
        [Part.SWAP, "main", "active_energy_import", 10_500, 0, "now", "meter", ""],
        [
            Part.FACT,
            "area",
            "floor_area",
            125,
            1,
            "10*3.m2",
            "2026",
            "2026-01-15",
            "land register",
            1_767_196_800_000,
            1_798_732_800_000,
        ],
    ]
    fresh = list(definitions.fresh())
    assert [part for part in fresh if part[0] in (5, 6)] == wanted
    again = Definitions(fresh)
    for device in settings.devices:
        again.device(device)
    assert define_streams(settings, list(range(5)), again) == streams and list(again.fresh()) == []
    too_fine = {**swap, "new": "0.12345", "why": "meter"}
    assert refusal(GRID, swap=[too_fine])[0] == "config.value"


def test_places_are_paths():
    places = [{"name": "works", "level": "enterprise"}]
    places += [{"name": "mill", "level": "building", "within": "works"}]
    streams, _ = defined(settings_of({**GRID, "place": "mill"}, place=places))
    assert streams[0].where == "works/mill"
    upside = [{"name": "mill", "level": "line"}, {"name": "p", "level": "park", "within": "mill"}]
    assert refusal(GRID, place=upside)[0] == "config.value"


def test_a_difference_of_meters_in_different_units():
    kwh = {"name": "a", "kind": "memo", "point": GRID["point"]}
    other = {"name": "b", "kind": "memo", "point": HALL["point"]}
    rest = {"name": "rest", "kind": "memo", "plus": ["a"], "minus": ["b"], "share": "0.25"}
    streams, _ = defined(settings_of(kwh, other, rest))
    virtual = streams[2]
    weights = {part.stream: part.weight for part in virtual.summands}
    # 0.001 kW.h and 0.01 kW.h, a quarter each
    up, down = virtual.activity
    assert Fraction(weights[0] * up, down) == Fraction(1, 4)
    assert Fraction(weights[1] * up, down) == -Fraction(10, 4)
    heat = {"name": "h", "kind": "memo", "point": "gas.volume_converted"}
    assert refusal(kwh, heat, {**rest, "minus": ["h"]})[0] == "config.value"
