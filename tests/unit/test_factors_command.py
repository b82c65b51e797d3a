"""`carbontally factors`, as a process where the exit status counts, else as a function."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge.app.cli.factors import check_file, factors, read_shipped
from edge.core.carbon.factors import FactorSet, apply_overrides
from edge.core.carbon.streams import Factor
from edge.core.errors import ConfigError, UsageError
from edge.ports.linux.files import FACTORS

from .source_tree import ROOT

SITE = """
id = "site_heat"
publisher = "the site"
document = "measured heat factor 2026"
standard = "own measurement"
edition = "2026"
sector = "this park"
gas = "CO2"
boundary = "heat from boiler 3"
confidence = "S"
source = "laboratory report"
evidence = "LAB-2026-0113"
factors = [{ id = "heat", value = "0.1043", unit = "t/GJ" }]
"""

TARIFF = """
id = "grid_hours"
publisher = "the site"
document = "hourly factors 2026, revision 1"
boundary = "electricity from the public grid"
confidence = "S"
source = "supplier portal"
evidence = "TOU-2026-1"
intensity = "average"
unit = "kg/kW.h"
annual = "0.5827"
series = [{ from = "2026-01-01T00:00Z", step_min = 60, values = ["0.61", "", "0.6"] }]
"""


def run(*arguments: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "CARBONTALLY_LANG": "en", "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, "-m", "edge", "factors", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def write(folder: Path, text: str, name: str = "site_heat.toml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_the_list_tells_each_set_with_publication_year_confidence_and_digest():
    done = run("list", "--json")
    assert done.returncode == 0, done.stderr
    rows = lines(done.stdout)
    assert [row["id"] for row in rows] == sorted(path.stem for path in FACTORS.glob("*.toml"))
    grid = next(row for row in rows if row["id"] == "mee_electricity_2023")
    assert (grid["data_year"], grid["confidence"], grid["factors"]) == (2023, "B", 17)
    assert "公告2025年第47号" in grid["document"] and grid["publisher"] == "MEE, NBS"
    digests = {shipped.parsed.id: shipped.parsed.digest.hex() for shipped in read_shipped()}
    assert {row["id"]: row["digest"] for row in rows} == digests


def test_the_list_for_people_says_the_same(capsys):
    assert factors("list") == 0
    text = capsys.readouterr().out
    for shipped in read_shipped():
        assert f"\n{shipped.parsed.id} " in "\n" + text
        assert shipped.parsed.digest.hex()[:12] in text
        assert f"{shipped.document['publisher']}: {shipped.document['document']}" in text


def test_show_tells_the_source_and_what_is_computed_with(capsys):
    assert factors("show", ["gbt_32151_34_2024"], json=True) == 0
    [found] = lines(capsys.readouterr().out)
    fuels = {row["id"]: row for row in found["fuels"]}
    assert fuels["diesel"]["t_co2_per_unit"] == "3.095910"
    assert fuels["natural_gas"]["t_co2_per_unit"] == "21.621888"
    rows = {row["id"]: row for row in found["factors"]}
    assert (rows["heat"]["ug_per_unit"], rows["heat"]["per"]) == (110000, "kJ")
    assert found["source"] and len(found["digest"]) == 64
    assert factors("show", ["cn_ets_fuels", "cn_coal_2589_2020"]) == 0
    text = capsys.readouterr().out
    for word in ("173.854", "焦炉煤气", "0.1229", "kg{ce}/kW.h", "equivalent", "confidence: B"):
        assert word in text


def test_a_fuel_without_oxidation_has_no_emission_to_show(capsys):
    factors("show", ["cn_ets_fuels"], json=True)
    [found] = lines(capsys.readouterr().out)
    shown = {row["id"]: row["t_co2_per_unit"] for row in found["fuels"]}
    assert shown["lng"] is None and shown["petroleum_coke"] == "3.211542"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("lst",), "expected list"),
        (("show", "cn_park_910"), "expected cn_park_910_2025"),
        (("show",), "at least one"),
        (("check",), "at least one"),
    ],
)
def test_wrong_use_is_told_with_what_is_near(arguments: tuple, said: str):
    done = run(*arguments)
    assert done.returncode == 2 and "error[usage.value]" in done.stderr
    assert said in done.stderr and not done.stdout


def test_a_site_own_set_is_checked(tmp_path: Path):
    path = write(tmp_path, SITE)
    done = run("check", str(path), "--json")
    assert done.returncode == 0, done.stderr
    [report] = lines(done.stdout)
    assert (report["kind"], report["id"], report["confidence"]) == ("set", "site_heat", "S")
    assert (report["factors"], report["warnings"]) == (1, []) and len(report["digest"]) == 64
    plain = run("check", str(path))
    assert plain.stdout == f"{path}: good, digest {report['digest']}\n"


def test_a_tariff_is_checked_by_its_own_rules(tmp_path: Path):
    report = check_file(write(tmp_path, TARIFF, "grid_hours.toml"))
    assert (report["kind"], report["id"], report["warnings"]) == ("tariff", "grid_hours", [])
    high = TARIFF.replace('"0.61"', '"610"')
    report = check_file(write(tmp_path, high, "grid_hours.toml"))
    assert report["warnings"] == ["610000000 ug/W.h is more than any energy has"]


def test_a_lost_power_of_ten_is_a_warning(tmp_path: Path, capsys):
    path = write(tmp_path, SITE.replace("0.1043", "104.3"))
    assert factors("check", [str(path)]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"warning {path}: heat: 104300000 ug/kJ is more than any heat has\n")


@pytest.mark.parametrize(
    ("change", "code", "key"),
    [
        (('evidence = "LAB-2026-0113"\n', ""), "config.missing_key", "evidence"),
        (('confidence = "S"', 'confidence = "C"'), "config.value", "confidence"),
        (("0.1043", "0,1043"), "config.value", "factors[0].value"),
        (("t/GJ", "t/MJ"), "config.value", "factors[0].unit"),
        (('id = "site_heat"', 'id = "site"'), "config.value", "id"),
        (("publisher", "publishr"), "config.unknown_key", "publishr"),
        (('id = "site_heat"', "id = site_heat"), "config.syntax", None),
    ],
)
def test_a_faulty_set_is_refused_with_its_key(tmp_path: Path, change: tuple, code: str, key: str):
    assert change[0] in SITE
    path = write(tmp_path, SITE.replace(*change, 1))
    with pytest.raises(ConfigError) as refused:
        check_file(path)
    assert refused.value.code == code and refused.value.fields.get("key") == key
    assert str(refused.value.fields["file"]) == str(path)


def test_the_exit_status_of_a_faulty_set_is_that_of_configurations(tmp_path: Path):
    done = run("check", str(write(tmp_path, SITE.replace("t/GJ", "t/MJ"))))
    assert done.returncode == 78 and "error[config.value]" in done.stderr


def test_the_name_of_a_shipped_set_is_taken(tmp_path: Path):
    text = SITE.replace("site_heat", "cn_park_910_2025")
    with pytest.raises(ConfigError) as refused:
        check_file(write(tmp_path, text, "cn_park_910_2025.toml"))
    assert refused.value.fields["expected"] == "a name that no shipped set has"
    for path in sorted(FACTORS.glob("*.toml")):
        assert check_file(path)["warnings"] == []


def test_an_unknown_action_is_usage():
    with pytest.raises(UsageError):
        factors("lint")


def test_new_versions_leave_old_factors_as_they_are():
    """What was computed with one set is computed again from it, whatever came after."""
    sets = {shipped.parsed.id: shipped.parsed for shipped in read_shipped()}
    old, new = (
        factor_of(sets[f"mee_electricity_{year}"], "province_jiangsu") for year in (2022, 2023)
    )
    assert (old.ug_per_unit, new.ug_per_unit) == (597800, 582700)
    assert old.set_digest != new.set_digest and old.set_id != new.set_id
    measured = {"factor": "heat_fossil", "value": "0.1043", "unit": "t/GJ"}
    why = {"reason": "boiler 3, measured", "evidence": "LAB-2026-0113"}
    park = sets["cn_park_910_2025"]
    site = apply_overrides(park, [{**measured, **why}], "gateway.toml")
    assert factor_of(site, "heat_fossil").ug_per_unit == 104300
    assert factor_of(park, "heat_fossil").ug_per_unit == 110000


def factor_of(found: FactorSet, name: str) -> Factor:
    return next(factor for factor in found.factors if factor.id == name)
