"""Scenario files: what is refused, in whose words, and that the JSON Schema says the same."""

import json
import tomllib
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from edge.core.errors import ConfigError, ProfileError
from edge.core.errors.table import describe, exit_status
from hil_tests.emulator.faults import Fault
from hil_tests.emulator.scenario import FACTORY_DAY, SCENARIO_DIR, read_scenario
from hil_tests.ptys import TINY_PROFILE

GOOD = """
seed = 1
[[bus]]
name = "b"
[[bus.station]]
station = 1
name = "s"
profile = "eastron_sdm630"
follows = "grid"
[bus.station.points]
frequency = 49.5
voltage_l1 = "pv_voltage_l1"
[[bus.fault]]
station = 1
crc = true
every = 2
"""
STATION = '[[bus.station]]\nstation = 1\nname = "t"\nprofile = "acrel_adw300"\n'

#: (text replaced in GOOD, its replacement, code, key, what the sentence must contain)
REFUSED = [
    ("seed = 1", "", "config.missing_key", "seed", "whole number"),
    ("seed = 1", "seed = -1", "config.value", "seed", "from 0"),
    ("seed = 1", "sead = 1", "config.unknown_key", "sead", "seed"),
    ('name = "b"', 'name = "b/../c"', "config.value", "bus[0].name", "letters"),
    ('name = "b"', 'name = "b"\nbaud = "9600"', "config.value", "bus[0].baud", "300 to 921600"),
    ('name = "b"', 'name = "b"\nbaud = true', "config.value", "bus[0].baud", "300 to 921600"),
    ('name = "b"', 'name = "b"\nformat = "7E1"', "config.value", "bus[0].format", "8N1"),
    ("station = 1", "station = 248", "config.value", "bus[0].station[0].station", "1 to 247"),
    ('name = "s"\n', "", "config.missing_key", "bus[0].station[0].name", "a text"),
    ("crc = true", "crc = false", "config.value", "bus[0].fault[0].crc", "True"),
    ("crc = true", "garbage = 1", "config.value", "bus[0].fault[0].garbage", "before, instead"),
    ("crc = true", "", "config.value", "bus[0].fault[0].fault", "exactly one"),
    ("crc = true", "crc = true\nsilent = true", "config.value", "bus[0].fault[0].fault", "one of"),
    ("every", "probability = 0.5\nevery", "config.value", "bus[0].fault[0].probability", "either"),
    ("every = 2", "probability = 1.5", "config.value", "bus[0].fault[0].probability", "0 to 1"),
    ("every = 2", "evry = 2", "config.unknown_key", "bus[0].fault[0].evry", "every"),
    ("frequency = 49.5", "frequency = [1]", "config.value", "bus[0].station[0].points", "signal"),
    ("crc = true", "exception = 4\non = 'request'", "config.value", "bus[0].fault[0].on", "reply"),
    ("crc = true", "echo = true\non = 'reply'", "config.value", "bus[0].fault[0].on", "no `on`"),
    (
        "crc = true",
        "crc = true\non = 'both'",
        "config.value",
        "bus[0].fault[0].on",
        "request, reply",
    ),
    ("crc = true", "bit_errors = 2", "config.value", "bus[0].fault[0].bit_errors", "0 to 1"),
    ("crc = true", "late_ms = [5]", "config.value", "bus[0].fault[0].late_ms", "[least, most]"),
    ("crc = true", "late_ms = 0.5", "config.value", "bus[0].fault[0].late_ms", "milliseconds"),
    ("crc = true", "late_ms = true", "config.value", "bus[0].fault[0].late_ms", "milliseconds"),
    (
        "crc = true",
        "crc = true\ncounters = 'restart'",
        "config.value",
        "bus[0].fault[0].counters",
        "reboot_s",
    ),
    ("every = 2", "every = 2\ntimes = 0", "config.value", "bus[0].fault[0].times", "from 1"),
    ('name = "s"', 'name = "s"\ntwin = 1', "config.value", "bus[0].station[0].twin", "True"),
    (
        "[[bus.fault]]",
        "[[bus.foreign]]\nstation = 1\n[[bus.fault]]",
        "config.missing_key",
        "bus[0].foreign[0].function",
        "3, 4",
    ),
]

#: The same for what a JSON Schema can't know.
REFUSED_BEYOND_SCHEMA = [
    ("eastron_sdm630", "eastron_sdm63", "config.reference", "bus[0].station[0].profile", "sdm630"),
    ('"grid"', '"gird"', "config.reference", "bus[0].station[0].follows", "grid"),
    ("frequency =", "frequenzy =", "config.reference", "bus[0].station[0].points.frequenzy", "cy"),
    ('"pv_v', '"pv_w', "config.reference", "bus[0].station[0].points.voltage_l1", "pv_voltage_l1"),
    (
        '"pv_voltage_l1"',
        '"pv_frequency"',
        "config.value",
        "bus[0].station[0].points.voltage_l1",
        "a signal in V, not in Hz",
    ),
    (
        "[[bus.fault]]",
        STATION + "[[bus.fault]]",
        "config.duplicate",
        "bus[0].station[1].station",
        "1",
    ),
    (
        "[[bus.fault]]\nstation = 1",
        "[[bus.fault]]\nstation = 2",
        "config.reference",
        "bus[0].fault[0].station",
        "1",
    ),
    ("crc = true", "late_ms = [9, 5]", "config.value", "bus[0].fault[0].late_ms", "least"),
    ('name = "s"', 'name = "s"\ntwin = true', "config.value", "bus[0].station[0].twin", "above"),
    (
        'name = "b"\n',
        'name = "b"\nport = "/dev/ttyUSB0"\n[[bus.fault]]\nunplug_s = 1\n',
        "config.value",
        "bus[0].fault[0].unplug_s",
        "without a port",
    ),
    ("every = 2", "from_s = 5\nto_s = 5", "config.value", "bus[0].fault[0].to_s", "more than"),
    (
        "[[bus.fault]]",
        "[bus.station.raw]\nvoltage_l1 = [1]\n[[bus.fault]]",
        "config.value",
        "bus[0].station[0].raw.voltage_l1",
        "2 registers",
    ),
]


def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((SCENARIO_DIR / "scenario.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(loaded)
    return loaded


def is_valid(text: str) -> bool:
    return jsonschema.Draft202012Validator(schema()).is_valid(tomllib.loads(text))


@pytest.mark.parametrize("row", REFUSED + REFUSED_BEYOND_SCHEMA)
def test_a_wrong_key_is_named(tmp_path: Path, row: tuple[str, str, str, str, str]) -> None:
    old, new, code, key, words = row
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    path = tmp_path / "scenario.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_scenario(path)
    assert caught.value.code == code
    assert caught.value.fields["file"] == str(path)
    assert caught.value.fields["key"] == key
    sentence, _ = describe(caught.value)
    assert words in sentence
    assert "{" not in sentence
    assert exit_status(code) == 78
    assert is_valid(text) == (row in REFUSED_BEYOND_SCHEMA)


def test_a_fault_without_a_bus_station_of_another_bus(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(GOOD + GOOD.replace("seed = 1", ""))
    with pytest.raises(ConfigError) as caught:
        read_scenario(path)
    assert (caught.value.code, caught.value.fields["key"]) == ("config.duplicate", "bus[1].name")


def test_files_that_are_no_scenario(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("seed = \n")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    for path, code in (
        (broken, "config.syntax"),
        (binary, "config.file"),
        (tmp_path / "absent.toml", "config.file"),
        (tmp_path, "config.file"),
    ):
        with pytest.raises(ConfigError) as caught:
            read_scenario(path)
        assert caught.value.code == code
        assert caught.value.fields["file"] == str(path)


def test_a_broken_profile_of_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(TINY_PROFILE.replace("function = 3", ""))
    path = tmp_path / "scenario.toml"
    path.write_text(GOOD.replace("eastron_sdm630", "mine.toml"))
    with pytest.raises(ProfileError) as caught:
        read_scenario(path)
    assert caught.value.fields["reason"] == "function is missing"


def test_a_good_scenario_means_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(GOOD)
    scenario = read_scenario(path)
    (bus,) = scenario.buses
    (station,) = bus.stations
    assert (bus.baud, bus.format, bus.port, station.turnaround_ms) == (9600, "8N1", None, 5)
    assert station.sources["frequency"] == Fraction("49.5")
    assert station.sources["voltage_l1"] == "pv_voltage_l1"
    assert station.sources["voltage_l2"] == "grid_voltage_l2"
    assert bus.faults == (Fault(1, "crc", True, every=2),)
    assert is_valid(GOOD)


def test_a_probability_is_read_exactly(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(GOOD.replace("every = 2", "probability = 0.1"))
    assert read_scenario(path).buses[0].faults[0].probability == Fraction(1, 10)


def test_the_factory_day_is_the_plant_it_promises() -> None:
    assert is_valid(FACTORY_DAY.read_text())
    (bus,) = read_scenario(FACTORY_DAY).buses
    assert (bus.name, bus.baud, bus.format, bus.faults) == ("bus1", 9600, "8N1", ())
    assert [(s.station, s.name, s.profile.id) for s in bus.stations] == [
        (1, "grid", "eastron_sdm630"),
        (2, "line1", "acrel_adw300"),
        (3, "pv", "carlo_gavazzi_em340"),
        (4, "steam", "spirax_sarco_tva"),
        (5, "stack", "hefeng_cems"),
        (6, "stack_pm", "treeland_tl_pmm180"),
        (7, "battery", "pylontech_powercube_m2"),
    ]
    # Nothing that counts stands still by neglect.
    for station in bus.stations:
        for point in station.profile.points:
            assert point.point_class != "counter" or point.name in station.sources, point.name


def test_removing_a_station_is_an_edit_away(tmp_path: Path) -> None:
    text = FACTORY_DAY.read_text()
    begin = text.index("[[bus.station]]\nstation = 4")
    end = text.index("[[bus.station]]\nstation = 5")
    path = tmp_path / "smaller.toml"
    path.write_text(text[:begin] + text[end:])
    assert [s.station for s in read_scenario(path).buses[0].stations] == [1, 2, 3, 5, 6, 7]


def test_decimals_never_pass_through_a_float() -> None:
    assert Fraction(Decimal("795.2")) == Fraction(7952, 10)
