"""`read`: by profile from emulated stations, raw with trial decode, SunSpec by its own chain."""

import json
from pathlib import Path
from typing import Any

import pytest

from edge.app.cli.bus_identify import read_sunspec_models
from edge.app.cli.read import read
from edge.core.errors import DeviceError, ProfileError, UsageError
from edge.core.errors.table import describe, exit_status
from hil_tests.ptys import play
from hil_tests.tools_line import ToolStation, tools_line

SCENARIO = """
seed = 1
[[bus]]
name = "bus1"
[[bus.station]]
station = 1
name = "grid"
profile = "eastron_sdm630"
points = { voltage_l1 = 230.5, frequency = 50, active_energy_import = 1234.5 }
"""


def run_read(
    capsys: pytest.CaptureFixture[str], port: str, station: int, **options: Any
) -> tuple[int, list[dict[str, Any]]]:
    arguments: dict[str, Any] = {
        "profile": None,
        "address": None,
        "label_address": None,
        "count": 2,
        "function": 3,
        "type": None,
        "baud": 9600,
        "format": "8N1",
        "timeout_ms": 500,
        "json": True,
    }
    status = read(port, station, **{**arguments, **options})
    return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def by_point(events: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {event["point"]: event for event in events}


def test_reads_every_point_of_a_profile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with play(tmp_path, SCENARIO) as emulator:
        status, events = run_read(capsys, emulator.ports["bus1"], 1, profile="eastron_sdm630")
    points = by_point(events)
    assert status == 0
    assert (points["voltage_l1"]["value"], points["voltage_l1"]["unit"]) == ("230.50", "V")
    assert points["frequency"]["value"] == "50.000"
    assert points["active_energy_import"]["value"] == "1234.500"
    assert {event["quality"] for event in events} == {"good"}


def test_raw_registers_come_with_the_plausible_reading_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with play(tmp_path, SCENARIO) as emulator:
        status, events = run_read(
            capsys, emulator.ports["bus1"], 1, label_address="30001", count=2
        )
    assert status == 0
    head, best = events[0], events[1]
    assert (head["function"], head["address"], head["label_address"]) == (4, 0, "30001")
    assert head["registers"] == [0x4366, 0x8000]
    assert (best["type"], best["word_order"], best["reason"]) == ("f32", "big", "voltage")
    assert best["values"] == ["230.5"]


def test_people_see_both_forms_of_the_address(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with play(tmp_path, SCENARIO) as emulator:
        read_text(emulator.ports["bus1"])
        out = capsys.readouterr().out
    assert "wire address 70 is input register 30071" in out
    assert "mains frequency" in out


def read_text(port: str) -> None:
    read(
        port,
        1,
        profile=None,
        address=70,
        label_address=None,
        count=2,
        function=4,
        type=None,
        baud=9600,
        format="8N1",
        timeout_ms=500,
        json=False,
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"profile": "eastron_sdm630", "address": 0},
        {"address": 65535, "count": 5},
        {"label_address": "465536", "count": 2},
        {"address": 0, "type": "f64"},
        {"address": 0, "type": "float"},
    ],
)
def test_a_wrong_question_is_refused_before_the_port_is_opened(
    capsys: pytest.CaptureFixture[str], options: Any
) -> None:
    with pytest.raises(UsageError):
        run_read(capsys, "no-port", 1, **options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "what to read is missing; expected exactly one of --profile, --address, "),
        ({"profile": "sunspec", "address": 0}, "--profile with --address is too much; expected "),
    ],
)
def test_what_to_read_is_asked_for_in_plain_words(
    capsys: pytest.CaptureFixture[str], options: Any, said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        run_read(capsys, "no-port", 1, **options)
    assert describe(caught.value)[0].startswith(said)


@pytest.mark.parametrize("label", ["1", "50001", "40000", "4x001", "99999", "4000²"])
def test_a_label_that_says_nothing_is_refused(
    capsys: pytest.CaptureFixture[str], label: Any
) -> None:
    with pytest.raises(UsageError):
        run_read(capsys, "no-port", 1, label_address=label)


def sunspec_station(base: int) -> ToolStation:
    """A station with the common model, meter 203 whose length is longer than defined, and 802."""
    words = [0x5375, 0x6E53, 1, 66]
    for text, count in (("Maker", 16), ("Model X", 16), ("", 8), ("1.0", 8), ("SN42", 16)):
        data = text.encode().ljust(2 * count, b"\0")
        words += [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]
    words += [1, 0]
    meter = [0x8000] * 111  # not implemented
    meter[:2] = [203, 109]
    models = read_sunspec_models()
    points = {point["name"]: point for point in models[203]["points"]}
    set_scaled(meter, points["frequency"], [5001], -2)
    set_scaled(meter, points["voltage_l1"], [2305], -1)
    set_scaled(meter, points["active_energy_import"], [1, 2], 1)
    words += [*meter, 64999, 3, 1, 2, 3, 0xFFFF, 0]
    return ToolStation(5, {(3, base + i): word for i, word in enumerate(words)})


def set_scaled(model: list[int], point: dict[str, Any], words: list[int], exponent: int) -> None:
    model[point["address"] : point["address"] + len(words)] = words
    model[point["scale_register"]["address"]] = exponent & 0xFFFF


@pytest.mark.parametrize("base", [40000, 0, 50000])
def test_a_sunspec_station_is_read_without_a_profile(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], base: Any
) -> None:
    with tools_line([sunspec_station(base)], monkeypatch) as line:
        status, events = run_read(capsys, line.port, 5, profile="sunspec", timeout_ms=150)
    points = by_point(events)
    assert status == 0
    assert (points["frequency"]["value"], points["frequency"]["unit"]) == ("50.010", "Hz")
    assert points["voltage_l1"]["value"] == "230.50"
    assert int(points["active_energy_import"]["value"]) == (65536 + 2) * 10
    assert points["voltage_l2"]["value"] is None
    assert points["voltage_l2"]["quality"] == "sentinel"


def test_a_station_without_the_marker_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        tools_line([ToolStation(5, {})], monkeypatch) as line,
        pytest.raises(ProfileError) as caught,
    ):
        run_read(capsys, line.port, 5, profile="sunspec", timeout_ms=150)
    assert "marker" in str(caught.value.fields["reason"])


def test_a_station_that_refuses_every_point_ends_with_its_exception(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        tools_line([ToolStation(5, {})], monkeypatch) as line,
        pytest.raises(DeviceError) as caught,
    ):
        run_read(capsys, line.port, 5, profile="siemens_pac2200", timeout_ms=150)
    assert exit_status(caught.value.code) == 76
    events = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert {event["quality"] for event in events} == {"exception"}
