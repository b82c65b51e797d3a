"""Our schema check against the jsonschema package, on the schemas and documents we ship.

One difference is wanted: JSON Schema calls 60.0 an integer, TOML and this project do not.
"""

import copy
import datetime
import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import edge
from edge.core.errors import ConfigError
from edge.core.schema import check_document

EDGE = Path(edge.__file__).parent
GATEWAY = """
version = 1
[gateway]
id = "wuxi-07"
tenant = "wuxi"
key_file = "device.key"
journal = "journal.db"
commit_ms = 500
[uplink]
broker = "mqtts://broker.example:8883"
allow_plain = false
ca_file = "ca.pem"
user = "gw"
password_file = "password"
keepalive_s = 30
linger_ms = 0
[accounting]
interval_s = 60
factors = "cn_park_910_2025"
[[bus]]
name = "a"
port = "ttyUSB0"
baud = 9600
format = "8E1"
reply_timeout_ms = 300
[[device]]
name = "grid"
bus = "a"
station = 1
profile = "eastron_sdm630"
poll_ms = 1000
points = ["active_energy_import"]
[[device]]
name = "cems"
bus = "a"
station = 9
profile = "hefeng_cems"
[[stream]]
name = "import"
kind = "grid_import"
point = "grid.active_energy_import"
factor = "electricity_fossil"
[[stream]]
name = "stack"
kind = "stack_co2"
[stream.stack]
method = "hj212-2017/273/22.4"
area_m2 = "28.27"
ambient_pa = 101300
basis = "dry"
co2 = "cems.co2_concentration"
velocity = "cems.flue_gas_velocity"
temperature = "cems.stack_temperature"
pressure = "cems.stack_static_pressure"
moisture = "cems.h2o_concentration"
status = "cems.status"
status_ok = [1, 2]
"""


def shipped(folder: str) -> list[dict]:
    files = sorted((EDGE / folder).glob("*.toml"))
    return [tomllib.loads(path.read_text("utf-8")) for path in files]


def read_schema(name: str) -> dict:
    schema = json.loads((EDGE / name).read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    return schema


CASES = {
    "app/gateway.schema.json": [tomllib.loads(GATEWAY)],
    "profiles/profile.schema.json": shipped("profiles"),
    "factors/factors.schema.json": shipped("factors"),
}
SCHEMAS = {name: read_schema(name) for name in CASES}
#: Keys anywhere in the schemas and a few from nowhere: a key may be right elsewhere only.
KEYS = st.sampled_from(["id", "name", "note", "point", "forbidden", "gap_ms", "x", "", "Id"])
WRONG = st.sampled_from(
    [
        *(None, True, False, 0, 1, -1, 3, 247, 248, 65535, 65536, 10**12, 0.5, -2.25),
        *("", "x", "8N1", "9600", "dry", "UPPER", "mqtt://h", "a.b", "0.5", "1e3", "mqtts://h/x"),
        *([], [1], [1, 2], ["x"], [[1, 2]], [[1]], {}, {"id": "x"}),
        datetime.date(2026, 1, 1),
    ]
).map(copy.deepcopy)


def valid_here(document: object, schema: dict) -> bool:
    try:
        check_document(document, schema, "f.toml")
    except ConfigError as error:
        assert error.code.startswith("config.") and error.fields["file"] == "f.toml"
        assert "key" in error.fields
        return False
    return True


def assert_agree(document: object, name: str) -> bool:
    expected = Draft202012Validator(SCHEMAS[name]).is_valid(document)
    assert valid_here(document, SCHEMAS[name]) == expected, document
    return expected


@pytest.mark.parametrize("name", CASES)
def test_what_we_ship_is_valid_for_both(name: str):
    assert CASES[name]
    for document in CASES[name]:
        assert assert_agree(document, name)


def containers(value: object) -> list:
    """Every table and array in a document, the document first."""
    if isinstance(value, dict):
        return [value, *[c for item in value.values() for c in containers(item)]]
    if isinstance(value, list):
        return [value, *[c for item in value for c in containers(item)]]
    return []


@st.composite
def mutated(draw, name: str) -> object:
    """A valid document with one to three faults, or changes that happen to be none."""
    document = copy.deepcopy(draw(st.sampled_from(CASES[name])))
    for _ in range(draw(st.integers(1, 3))):
        spot = draw(st.sampled_from(containers(document)))
        action = draw(st.sampled_from(["drop", "put", "add", "nudge"]))
        where = sorted(spot, key=str) if isinstance(spot, dict) else list(range(len(spot)))
        if action == "add":
            if isinstance(spot, dict):
                spot[draw(KEYS)] = draw(WRONG)
            else:
                spot.append(draw(WRONG))
        elif where:
            at = draw(st.sampled_from(where))
            if action == "drop":
                del spot[at]
            elif action == "put":
                spot[at] = draw(WRONG)
            elif isinstance(spot[at], int) and not isinstance(spot[at], bool):
                spot[at] += draw(st.sampled_from([-(10**6), -1, 1, 300, 10**6]))
            elif isinstance(spot[at], str):
                spot[at] = draw(st.sampled_from(["{}x", "x{}", "{} ", "{}."])).format(spot[at])
    return document


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=400)
@given(data=st.data())
def test_both_agree_on_every_mutation(name: str, data):
    assert_agree(data.draw(mutated(name)), name)


def each_single_fault(document: object):
    """The document with one entry dropped, misspelt or replaced, for every entry there is."""
    for index, container in enumerate(containers(document)):
        keys = list(container) if isinstance(container, dict) else range(len(container))
        for key in keys:
            for action in ("drop", "misspell", None, True, -1, 10**9, "", "?", [], {}):
                made = copy.deepcopy(document)
                spot = containers(made)[index]
                if action == "drop":
                    del spot[key]
                elif action == "misspell":
                    if isinstance(spot, dict):
                        spot[key + "_"] = spot.pop(key)
                else:
                    spot[key] = action
                yield made


def test_both_agree_on_every_single_fault_of_the_gateway_file():
    verdicts = [
        assert_agree(made, "app/gateway.schema.json")
        for made in each_single_fault(tomllib.loads(GATEWAY))
    ]
    assert len(verdicts) > 400 and 0 < verdicts.count(True) < len(verdicts) // 2


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("accounting", "interval_s", 60.0),
        ("gateway", "commit_ms", 500.0),
        ("bus", "baud", 9600.0),
        ("device", "station", 1.0),
    ],
)
def test_a_whole_fraction_is_refused_here_though_json_schema_takes_it(table, key, value):
    document = tomllib.loads(GATEWAY)
    spot = document[table]
    (spot[0] if isinstance(spot, list) else spot)[key] = value
    schema = SCHEMAS["app/gateway.schema.json"]
    assert Draft202012Validator(schema).is_valid(document)
    assert not valid_here(document, schema)
