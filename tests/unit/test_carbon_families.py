"""The other families of methods, from registers to records and back again in the cloud."""

import copy
from fractions import Fraction
from pathlib import Path

import pytest

from cloud_sync.recompute import EQUAL, Recomputer
from edge.core.carbon import part75
from edge.core.carbon.cems import METHODS, Sample, Stack, mass_rate_ratio
from edge.core.carbon.eu_mrr import METHOD
from edge.core.carbon.interval import FIGURES, SUBSTITUTED
from edge.core.carbon.tariff import parse_tariff
from edge.core.errors import ConfigError
from edge.core.journal.record import Kind, Part

from .carbon_site import DOCUMENT, RUNNING, TARIFF, Works, rows
from .recorded_site import cloud_of, records_of

GAS = Sample((125, 1), (125, 1), (120, 0), (-800, 0), (85, 1))
PLACE = ((2827, 2), 101_300, "dry")
CALIBRATING = (125, 125, 120, -800, 85, 2)


def works_by(family: str, **stack: str) -> Works:
    document = copy.deepcopy(DOCUMENT)
    document["stream"][1]["stack"] |= {"family": family, **stack}
    return Works(document)


def eu_hour_mg() -> int:
    stack = Stack(METHOD, (2827, 2), 101_300, "dry")
    return round(Fraction(*mass_rate_ratio(stack, GAS)))


def part75_hour_mg(
    co2: Fraction = Fraction("12.5"), m3_s: Fraction = Fraction("353.375"), dry: bool = True
) -> int:
    """F-2 or F-11 in short tons with one decimal: 5.7e-7 x scfh x % CO2; then mg."""
    actual_m3_h = m3_s * 3600
    actual_cf_h = actual_m3_h / Fraction("0.3048") ** 3
    kelvin, pascal = Fraction("393.15"), Fraction(101_300 - 800)
    rankine = kelvin * Fraction(9, 5)
    inches = pascal / Fraction("3386.389")
    scfh = actual_cf_h * Fraction("527.67") / rankine * inches / Fraction("29.92")
    tons = Fraction("5.7e-7") * scfh * (1 - Fraction("0.085") if dry else 1) * co2
    return round(Fraction(round(tons * 10), 10) * Fraction(90_718_474, 100_000) * 10**6)


def hours(works: Works, at: int = -1) -> dict[tuple[str, str], int]:
    return rows(works.entry("boiler", at)[FIGURES], "hours")


def test_an_hour_of_eu_mrr_and_a_calibration_that_is_filled(tmp_path: Path):
    works = works_by("eu-mrr", method=METHOD.id)
    works.hours(4)
    assert works.entry("boiler", 2)[4] == eu_hour_mg()
    works.gas = CALIBRATING
    works.hours(1)
    assert hours(works)[("pending", "")] == 1, "gas is not valid; the flow was"
    works.gas = RUNNING
    works.hours(1)
    entry = works.entry("boiler")
    assert rows(entry[FIGURES], "filled_hours") == {("EU/mean+2sigma", ""): 1}
    # All hours alike: mean + 2 sigma is that concentration, so the mass of one such hour.
    assert abs(entry[SUBSTITUTED] - eu_hour_mg()) <= eu_hour_mg() // 10**6 + 2
    same_in_the_cloud(works, tmp_path)


def test_an_hour_of_part75_and_its_substitute(tmp_path: Path):
    works = works_by("part75", potential_percent="15.5")
    works.hours(12)
    measured = works.entry("boiler", 4)[4]
    tenth_mg = part75.hour_mg(1, 60)
    assert measured == part75_hour_mg() and measured % tenth_mg == 0
    works.gas = CALIBRATING
    works.hours(1)
    works.gas = RUNNING
    works.hours(1)
    entry = works.entry("boiler")
    (rule,) = [rule for rule, _ in rows(entry[FIGURES], "filled_hours")]
    assert rule.startswith("MODC")
    assert entry[SUBSTITUTED] == measured, "both sides were alike"
    same_in_the_cloud(works, tmp_path)


@pytest.mark.parametrize("value", ["16.0", "0"])
def test_below_80_percent_the_potential_stands_or_nothing(value: str):
    stack = {} if value == "0" else {"potential_percent": value}
    works = works_by("part75", **stack)
    works.hours(3)
    works.gas = CALIBRATING
    works.hours(2)
    works.gas = RUNNING
    works.hours(1)
    entry = works.entry("boiler")
    if stack:
        assert rows(entry[FIGURES], "filled_hours") == {("MODC12", ""): 2}
        assert entry[SUBSTITUTED] > 2 * works.entry("boiler", 1)[4]
    else:
        assert hours(works)[("missing", "")] == 2 and entry[SUBSTITUTED] == 0


def same_in_the_cloud(works: Works, path: Path) -> None:
    works.stop()
    store, journal = cloud_of(path / "cloud.db", records_of(works))
    found = list(Recomputer(store, journal, tariffs=[parse_tariff(TARIFF, "t")]).run())
    store.close()
    assert {one.status for one in found} == {EQUAL} and len(found) == len(works.intervals())


def test_the_coefficient_of_the_velocity_field_is_in_the_mass(tmp_path: Path):
    works = works_by("hj75", velocity_coefficient="0.943")
    works.hours(3)
    slower = GAS._replace(velocity_m_s=(117_875, 4))  # 12.5 x 0.943
    stack = Stack(METHODS[works.document["stream"][1]["stack"]["method"]], *PLACE)
    assert works.entry("boiler", 1)[4] == round(Fraction(*mass_rate_ratio(stack, slower)))
    same_in_the_cloud(works, tmp_path)


@pytest.mark.parametrize("basis", ["dry", "wet"])
def test_o2_and_a_flow_stand_for_co2_and_velocity(tmp_path: Path, basis: str):
    document = copy.deepcopy(DOCUMENT)
    stack = document["stream"][1]["stack"]
    stack |= {"family": "part75", "basis": basis, "o2": "stack.o2", "fc": "1040", "fd": "8710"}
    stack["flow"] = "stack.flow"
    for key in ("co2", "velocity", "area_m2"):
        del stack[key]
    works = Works(document)
    works.hours(3)
    air, water = Fraction("20.9"), Fraction("8.5")
    left = air - 6 if basis == "dry" else air * (100 - water) / 100 - 6
    co2 = Fraction(round(100 * Fraction(1040, 8710) * left / air * 10**6), 10**6)
    wanted = part75_hour_mg(co2, Fraction("353.4"), basis == "dry")
    assert works.entry("boiler", 1)[4] == wanted
    same_in_the_cloud(works, tmp_path)


@pytest.mark.parametrize(
    ("more", "less", "key"),
    [
        ({"o2": "stack.o2"}, (), "stack.o2"),
        ({"o2": "stack.o2"}, ("co2",), "stack.o2"),
        ({"o2": "stack.o2", "family": "part75"}, ("co2",), "stack.fc"),
        ({"fc": "1040"}, (), "stack.fc"),
        ({}, ("co2",), "stack.co2"),
        ({}, ("velocity",), "stack.velocity"),
        ({"flow": "stack.flow"}, (), "stack.flow"),
        ({"flow": "stack.flow"}, ("velocity",), "stack.area_m2"),
        ({"flow": "stack.velocity"}, ("velocity", "area_m2"), "stack.flow"),
        ({}, ("area_m2",), "stack.area_m2"),
        ({"velocity_coefficient": "94"}, (), "stack.velocity_coefficient"),
    ],
)
def test_instruments_that_do_not_fit_are_refused_by_their_key(more, less, key):
    document = copy.deepcopy(DOCUMENT)
    stack = document["stream"][1]["stack"]
    stack |= more
    for name in less:
        del stack[name]
    with pytest.raises(ConfigError) as caught:
        Works(document)
    assert caught.value.fields["key"] == "stream[1]." + key


def test_a_stack_of_a_form_that_is_not_known_is_taken_as_given(tmp_path: Path):
    works = works_by("hj75")
    works.hours(2)
    works.stop()
    records = records_of(works)
    for at, record in enumerate(records):
        if record.kind == Kind.TABLE and record.body[0][:3] == [Part.STREAM, 1, "boiler"]:
            part = list(record.body[0])
            part[18] = part[18][:8]
            records[at] = record._replace(body=[part])
    store, journal = cloud_of(tmp_path / "cloud.db", records)
    found = list(Recomputer(store, journal, tariffs=[parse_tariff(TARIFF, "t")]).run())
    store.close()
    assert {(one.status, one.given) for one in found} == {(EQUAL, ("boiler",))}
