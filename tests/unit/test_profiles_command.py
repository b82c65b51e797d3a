"""`carbontally profiles`: what it prints, for people and for machines, and how it ends."""

import json
from pathlib import Path

import pytest

from edge.__main__ import main
from edge.core.errors.table import exit_status


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(["profiles", *arguments])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_list_is_filtered_by_class_and_text(capsys):
    status, out, _ = run(capsys, "list", "--class", "battery")
    assert status == 0
    assert "pylontech_force_h" in out and "eastron_sdm630" not in out
    status, out, _ = run(capsys, "list", "--text", "eastron", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert len(rows) == 5
    assert {row["vendor"] for row in rows} == {"Eastron"}
    [row] = [row for row in rows if row["id"] == "eastron_sdm630"]
    assert row["points"] == 58 and row["confidence"] == "high"


def test_show_has_wire_and_label_addresses_sources_and_quirks(capsys):
    status, out, _ = run(capsys, "show", "deye_hybrid_1p")
    assert status == 0
    [line] = [line for line in out.splitlines() if "grid_energy_import" in line]
    assert "78+80" in line and "40079+40081" in line and "0.1+6553.6" in line
    assert "LOW WORD FIRST" in out and "ha-solarman" in out and "confidence high" in out


def test_show_for_machines_adds_the_label_addresses(capsys):
    _, out, _ = run(capsys, "show", "schneider_iem3000", "eastron_sdm630", "--json")
    schneider, eastron = (json.loads(line) for line in out.splitlines())
    labels = {point["name"]: point["label_address"] for point in schneider["points"]}
    assert labels["current_l1"] == 3000
    labels = {point["name"]: point["label_address"] for point in eastron["points"]}
    assert labels["voltage_l1"] == 30001 and labels["active_energy_import"] == 30073


def test_a_sunspec_model_is_shown_too(capsys):
    status, out, _ = run(capsys, "show", "sunspec_103")
    assert status == 0
    assert "10^[6]" in out


def test_lint_and_test_of_everything_that_ships(capsys):
    status, out, _ = run(capsys, "lint")
    assert status == 0
    assert " 0 errors" in out.splitlines()[-1]
    status, out, _ = run(capsys, "test", "--json")
    assert status == 0
    assert all(json.loads(line)["failed"] == 0 for line in out.splitlines())
    status, out, _ = run(capsys, "test", "jk_pb_bms", "sunspec_203")
    assert status == 0
    assert out.startswith("2 profiles: ")


def test_a_new_profile_lints_and_tests_and_is_never_overwritten(capsys, tmp_path: Path):
    status, out, _ = run(capsys, "new", 'Foo "& Söhne"', "X-1", "--out", str(tmp_path), "--json")
    assert status == 0
    file = json.loads(out)["file"]
    assert Path(file).name == "foo_s_hne_x_1.toml"
    assert run(capsys, "lint", file)[0] == 0
    assert run(capsys, "test", file)[1] == "1 profiles: 3 vectors, 0 failed\n"
    before = Path(file).read_text("utf-8")
    status, _, err = run(capsys, "new", 'Foo "& Söhne"', "X-1", "--out", str(tmp_path))
    assert status == 78 and "error[config.file]" in err
    assert Path(file).read_text("utf-8") == before


def test_a_wrong_profile_ends_with_78(capsys, tmp_path: Path):
    run(capsys, "new", "Foo", "X", "--out", str(tmp_path))
    file = tmp_path / "foo_x.toml"
    file.write_text(file.read_text("utf-8").replace('"230.5"', '"230.6"'), "utf-8")
    status, out, err = run(capsys, "test", str(file))
    assert status == 78 and "error[config.profile]" in err
    assert "foo_x.voltage_l1: 230.5, not 230.6" in out
    status, out, err = run(capsys, "lint", str(file), "--json")
    assert status == 78
    assert {"profile": "foo_x", "rule": "vector"}.items() <= json.loads(
        out.splitlines()[0]
    ).items()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["lst"], "usage.value", "ACTION is lst; expected list"),
        (["show"], "usage.value", "carbontally profiles list has them"),
        (["show", "eastron_sdm63"], "usage.value", "expected eastron_sdm630"),
        (["show", "nowhere.toml"], "config.file", "nowhere.toml"),
        (["new", "only_vendor"], "usage.value", "expected VENDOR MODEL"),
        (["new", "--", "-", "-"], "usage.value", "names with letters or digits"),
        (["lint", "/nowhere"], "usage.value", "expected a file that ends in .toml, or a name"),
        (["lint", "pyproject.toml"], "config.profile", "lint"),
    ],
)
def test_bad_arguments_are_coded(capsys, arguments, code, said):
    found, _, err = run(capsys, *arguments)
    assert found == exit_status(code), err
    assert f"error[{code}]" in err and said in err
