"""Each rule of gateway.toml: the code, and one line that says where, what and what instead."""

from pathlib import Path

import pytest

from edge.app.config import Settings
from edge.app.service import read_settings
from edge.core.errors import TallyError
from edge.core.errors.table import describe, exit_status

GATEWAY = """
version = 1
[gateway]
id = "wuxi-07"
tenant = "wuxi"
key_file = "device.key"
journal = "journal.db"
[uplink]
broker = "mqtts://broker.example"
[accounting]
interval_s = 60
[[bus]]
name = "a"
port = "ttyUSB0"
baud = 19200
[[bus]]
name = "b"
port = "ttyUSB1"
[[device]]
name = "grid"
bus = "a"
station = 1
profile = "eastron_sdm630"
poll_ms = 1000
[[device]]
name = "stack"
bus = "b"
station = 1
profile = "hefeng_cems"
[[stream]]
name = "import"
kind = "grid_import"
point = "grid.active_energy_import"
factor = "electricity_fossil"
[[stream]]
name = "chimney"
kind = "stack_co2"
[stream.stack]
method = "hj212-2017/273/22.4"
area_m2 = "28.27"
ambient_pa = 101300
basis = "dry"
co2 = "stack.co2_concentration"
velocity = "stack.flue_gas_velocity"
temperature = "stack.stack_temperature"
pressure = "stack.stack_static_pressure"
moisture = "stack.h2o_concentration"
"""


def read(folder: Path, *changes: tuple[str, str]) -> Settings:
    text = GATEWAY
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path = folder / "gateway.toml"
    path.write_text(text, "utf-8")
    return read_settings(path)[0]


def refusal(folder: Path, *changes: tuple[str, str]) -> tuple[str, str]:
    """(code, what a person reads) of the error; it names the file and is one line."""
    with pytest.raises(TallyError) as caught:
        read(folder, *changes)
    line = describe(caught.value)[0]
    assert exit_status(caught.value.code) == 78
    assert "gateway.toml" in line and "\n" not in line and "?}" not in line
    assert "{" not in line.replace("%{vol}", "").replace("{reactive}", "")
    return caught.value.code, line


def test_a_good_file_has_its_values_and_defaults(tmp_path: Path):
    made = read(tmp_path)
    assert (made.gateway, made.tenant, made.interval_ms) == ("wuxi-07", "wuxi", 60_000)
    assert [tuple(bus) for bus in made.buses] == [
        ("a", "ttyUSB0", 19200, "8N1", 300),
        ("b", "ttyUSB1", 9600, "8N1", 300),
    ]
    assert [(d.name, d.bus, d.station, d.poll_ms) for d in made.devices] == [
        ("grid", "a", 1, 1000),
        ("stack", "b", 1, 10_000),  # the same station number on another bus
    ]
    assert tuple(made.broker) == ("broker.example", 8883, True)
    assert made.quota_bytes is None
    assert (made.commit_ms, made.keepalive_s, made.linger_ms) == (1000, 30, 5000)
    assert [stream.name for stream in made.streams] == ["import", "chimney"]
    assert made.streams[0].factor.ug_per_unit == 832_500


# name -> (changes, code, words of the line)
CASES = {
    "unknown key": (
        [("baud = 19200", "bauds = 19200")],
        "config.unknown_key",
        ("bus[0].bauds", "did you mean baud?"),
    ),
    "unknown table": (
        [("[accounting]", "[acounting]")],
        "config.unknown_key",
        ("acounting", "did you mean accounting?"),
    ),
    "missing key": (
        [('port = "ttyUSB1"\n', "")],
        "config.missing_key",
        ("bus[1].port is missing", "string"),
    ),
    "wrong type": (
        [("station = 1", 'station = "1"')],
        "config.value",
        ('device[0].station is "1"', "expected an integer"),
    ),
    "fraction": (
        [("interval_s = 60", "interval_s = 60.0")],
        "config.value",
        ("accounting.interval_s is 60.0", "expected one of 1, 2, 5"),
    ),
    "out of range": (
        [("station = 1", "station = 248")],
        "config.value",
        ("device[0].station is 248", "expected 0 to 247"),
    ),
    "wrong choice": (
        [("baud = 19200", "baud = 19201")],
        "config.value",
        ("bus[0].baud is 19201", "19200"),
    ),
    "bus name twice": (
        [('name = "b"', 'name = "a"')],
        "config.duplicate",
        ("bus.name is used twice: a",),
    ),
    "port twice": (
        [('"ttyUSB1"', '"ttyUSB0"')],
        "config.duplicate",
        ("bus.port is used twice: ttyUSB0",),
    ),
    "device name twice": (
        [('name = "stack"', 'name = "grid"')],
        "config.duplicate",
        ("device.name is used twice: grid",),
    ),
    "station twice on one bus": (
        [('bus = "b"', 'bus = "a"')],
        "config.duplicate",
        ("device.bus/station is used twice: a/1",),
    ),
    "stream name twice": (
        [('name = "chimney"', 'name = "import"')],
        "config.duplicate",
        ("stream.name is used twice: import",),
    ),
    "unknown bus": (
        [('bus = "b"', 'bus = "line-7"')],
        "config.reference",
        ("device[1].bus names line-7", "one of a, b"),
    ),
    "unknown profile": (
        [('"eastron_sdm630"', '"eastron_sdm360"')],
        "config.reference",
        ("device[0].profile names eastron_sdm360", "did you mean eastron_sdm"),
    ),
    "unknown selected point": (
        [("poll_ms = 1000", 'points = ["frequenzy"]')],
        "config.reference",
        ("device[0].points names frequenzy", "did you mean frequency?"),
    ),
    "point of a stream that is not read": (
        [("poll_ms = 1000", 'points = ["frequency"]')],
        "config.reference",
        ("stream[0].point names grid.active_energy_import",),
    ),
    "unknown device of a stream": (
        [('"grid.active_energy_import"', '"gird.active_energy_import"')],
        "config.reference",
        ("stream[0].point names gird", "did you mean grid?"),
    ),
    "unknown point of a stream": (
        [('"grid.active_energy_import"', '"grid.active_energy_imprt"')],
        "config.reference",
        ("stream[0].point", "did you mean grid.active_energy_import?"),
    ),
    "unknown factor": (
        [('"electricity_fossil"', '"electricity_fosil"')],
        "config.reference",
        ("stream[0].factor names electricity_fosil", "did you mean electricity_fossil?"),
    ),
    "unknown factor set": (
        [("interval_s = 60", 'factors = "cn_park_910_2052"')],
        "config.reference",
        ("accounting.factors names cn_park_910_2052", "did you mean cn_park_910_2025?"),
    ),
    "stream without a factor": (
        [('factor = "electricity_fossil"\n', "")],
        "config.missing_key",
        ("stream[0].factor is missing", "a factor id"),
    ),
    "stream without a point": (
        [('point = "grid.active_energy_import"\n', "")],
        "config.missing_key",
        ("stream[0].point is missing", "device.point"),
    ),
    "a gauge to count": (
        [('"grid.active_energy_import"', '"grid.frequency"')],
        "config.value",
        ("stream[0].point is grid.frequency", "a point of class counter"),
    ),
    "a counter of something else": (
        [('"grid.active_energy_import"', '"grid.reactive_energy_import"')],
        "config.value",
        ("stream[0].point", "kV.A.h{reactive}", "a counter of energy"),
    ),
    "a factor of something else": (
        [('"electricity_fossil"', '"heat_fossil"')],
        "config.value",
        ("stream[0].factor is heat_fossil", "a factor for energy"),
    ),
    "stack without its table": (
        [('kind = "grid_import"', 'kind = "stack_co2"')],
        "config.missing_key",
        ("stream[0].stack is missing",),
    ),
    "stack with points swapped": (
        [("stack.flue_gas_velocity", "stack.stack_temperature")],
        "config.value",
        ("stream[1].stack.velocity is stack_temperature in Cel", "a point in m/s"),
    ),
    "stack point that does not exist": (
        [("stack.co2_concentration", "stack.co2_concentratoin")],
        "config.reference",
        ("stream[1].stack.co2", "did you mean stack.co2_concentration?"),
    ),
    "stack table that is incomplete": (
        [('moisture = "stack.h2o_concentration"\n', "")],
        "config.missing_key",
        ("stream[1].stack.moisture is missing", "device.point"),
    ),
    "status without its values": (
        [('basis = "dry"', 'basis = "dry"\nstatus = "stack.o2_concentration"')],
        "config.missing_key",
        ("stream[1].stack.status_ok is missing",),
    ),
    "area finer than any drawing": (
        [('"28.27"', '"28.2700000000000000000"')],
        "config.value",
        ("stream[1].stack.area_m2", "at most 18 decimal places"),
    ),
    "a stack without an area": (
        [('"28.27"', '"0.00"')],
        "config.value",
        ("stream[1].stack.area_m2", "more than 0"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_fault_is_one_line_with_place_and_remedy(tmp_path: Path, name: str):
    changes, code, words = CASES[name]
    found, line = refusal(tmp_path, *changes)
    assert found == code, line
    for word in words:
        assert word in line, line


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_language_has_file_and_key(tmp_path: Path, language: str):
    for changes, _, words in CASES.values():
        with pytest.raises(TallyError) as caught:
            read(tmp_path, *changes)
        happened, remedy = describe(caught.value, language)
        assert "gateway.toml" in happened and words[0].split(" ")[0] in happened
        assert remedy and "\n" not in happened


def test_a_memo_needs_no_factor(tmp_path: Path):
    made = read(
        tmp_path,
        ('kind = "grid_import"', 'kind = "memo"'),
        ('factor = "electricity_fossil"\n', ""),
    )
    assert made.streams[0].factor is None


def test_selected_points_keep_the_order_of_the_profile(tmp_path: Path):
    names = '["active_energy_import", "voltage_l1", "frequency"]'
    made = read(tmp_path, ("poll_ms = 1000", "points = " + names))
    found = [point.name for point in made.devices[0].points]
    assert found == ["voltage_l1", "frequency", "active_energy_import"]
