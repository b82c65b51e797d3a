"""The tables of a scenario that say what goes wrong: as written, as the schema has them."""

from fractions import Fraction
from pathlib import Path

import pytest

from edge.core.errors import ConfigError
from hil_tests.emulator.effects import KINDS
from hil_tests.emulator.faults import Fault
from hil_tests.emulator.scenario import SCENARIO_DIR, read_scenario
from hil_tests.emulator.talkers import ForeignSpec
from hil_tests.test_emulator_scenario import GOOD, is_valid

TROUBLE = """
[[bus.station]]
station = 1
name = "t"
profile = "acrel_adw300"
twin = true
jitter_ms = 30
[[bus.fault]]
bit_errors = 0.0001
on = "request"
times = 3
[[bus.fault]]
late_ms = [5, 9]
[[bus.fault]]
reboot_s = 1.5
counters = "restart"
[[bus.fault]]
echo = true
[[bus.foreign]]
station = 7
function = 4
address = 2
count = 3
every_ms = 500
to_s = 1.5
"""


def test_trouble_is_read_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(GOOD.replace('name = "b"', 'name = "b"\njitter_ms = 4') + TROUBLE)
    (bus,) = read_scenario(path).buses
    first, twin = bus.stations
    assert (first.station, first.is_twin, first.jitter_ms) == (1, False, 4)
    assert (twin.station, twin.is_twin, twin.jitter_ms) == (1, True, 30)
    assert bus.faults[1:] == (
        Fault(None, "bit_errors", Fraction(1, 10_000), works_on="request", times=3),
        Fault(None, "late_ms", (5, 9)),
        Fault(None, "reboot_s", Fraction(3, 2), restarts=True),
        Fault(None, "echo", True, works_on="adapter"),
    )
    assert bus.foreign == (ForeignSpec(7, 4, 2, 3, 500, to_s=Fraction(3, 2)),)
    assert is_valid(path.read_text())


#: A value that each kind of fault may have.
ALLOWED = {
    "garbage": '"before"',
    "bit_errors": "0.5",
    "gap_characters": "1.5",
    "late_ms": "[1, 60000]",
    "babble_s": "0.5",
    "reboot_s": "2",
    "unplug_s": "86400",
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_knows_every_kind_of_fault(tmp_path: Path, kind: str) -> None:
    rule = KINDS[kind].rule
    value = ALLOWED.get(kind, "true" if rule.accepts(True) else "1")
    path = tmp_path / "scenario.toml"
    for on in ("", 'on = "reply"', 'on = "request"'):
        text = GOOD.replace("crc = true", f"{kind} = {value}\n{on}")
        path.write_text(text)
        is_allowed = not on or on[6:-1] in KINDS[kind].works_on
        assert is_valid(text) == is_allowed
        if is_allowed:
            assert read_scenario(path).buses[0].faults[0].kind == kind
        else:
            with pytest.raises(ConfigError):
                read_scenario(path)
    assert not is_valid(GOOD.replace("crc = true", f"{kind} = -1"))


def test_the_shipped_troubles_are_all_there_are() -> None:
    path = SCENARIO_DIR / "every_trouble.toml"
    assert is_valid(path.read_text())
    (bus,) = read_scenario(path).buses
    assert {fault.kind for fault in bus.faults} == set(KINDS)
    assert bus.foreign
    assert any(station.is_twin for station in bus.stations)
