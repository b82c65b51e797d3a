"""Groups of points at their own rate, and profiles that are not trusted unasked."""

from pathlib import Path

from .test_config import read, refusal

GROUPS = """poll_ms = 1000
points = ["active_power_total", "frequency"]
[[device.group]]
name = "energy"
poll_ms = 60000
points = ["active_energy_import"]
"""


def test_a_group_is_polled_by_itself_and_found_under_its_device(tmp_path: Path):
    made = read(tmp_path, ("poll_ms = 1000\n", GROUPS))
    names = [(device.name, device.poll_ms, len(device.points)) for device in made.devices[:2]]
    assert names == [("grid", 1000, 2), ("grid-energy", 60000, 1)]
    assert made.devices[1].station == made.devices[0].station
    assert made.streams[0].input == (1, 0)


def test_points_left_over_stay_with_the_device(tmp_path: Path):
    made = read(tmp_path, ("poll_ms = 1000\n", GROUPS.replace('points = ["active_p', '#["', 1)))
    rest = [point.name for point in made.devices[0].points]
    assert "voltage_l1" in rest and "active_energy_import" not in rest


def test_a_point_is_in_one_place(tmp_path: Path):
    twice = GROUPS.replace('["active_energy_import"]', '["active_energy_import", "frequency"]')
    code, line = refusal(tmp_path, ("poll_ms = 1000\n", twice))
    assert code == "config.duplicate" and "frequency" in line


def test_a_group_names_points_that_exist(tmp_path: Path):
    wrong = GROUPS.replace('["active_energy_import"]', '["active_enrgy_import"]')
    code, line = refusal(tmp_path, ("poll_ms = 1000\n", wrong))
    assert code == "config.reference" and "active_energy_import" in line


def test_an_unproved_profile_is_used_only_when_asked_for(tmp_path: Path):
    low = ('profile = "hefeng_cems"\n', 'profile = "airoptic_gaseye"\n')
    cut = ('[[stream]]\nname = "chimney"', '[[unused]]\nname = "chimney"')
    code, line = refusal(tmp_path, low)
    assert code == "config.value" and "accept_low_confidence = true" in line
    accepted = (low[0], low[1] + "accept_low_confidence = true\n")
    code, line = refusal(tmp_path, accepted, cut)
    assert "low_confidence" not in line
