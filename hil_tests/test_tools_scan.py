"""`scan` on a line whose stations answer at their own settings only."""

import json
import struct
import time
from typing import Any

import pytest

from edge.app.cli.scan import scan
from hil_tests.tools_line import ToolStation, tools_line


def floats(*pairs: tuple[int, float], function: int = 4) -> dict[tuple[int, int], int]:
    """Registers that hold 32-bit floats, high word first."""
    registers = {}
    for address, value in pairs:
        high, low = struct.unpack(">HH", struct.pack(">f", value))
        registers[function, address], registers[function, address + 1] = high, low
    return registers


def sdm630(number: int, **setting: Any) -> ToolStation:
    values = [(2 * i, v) for i, v in enumerate((230.1, 231.2, 229.8, 5.1, 4.9, 5.3))]
    registers = floats(*values, (70, 50.02), (72, 1234.5))
    return ToolStation(number, registers, **setting)


def run_scan(
    capsys: pytest.CaptureFixture[str], port: str, **options: Any
) -> tuple[int, list[dict[str, Any]]]:
    """(exit status, events)."""
    arguments: dict[str, Any] = {
        "stations": "1-247",
        "bauds": "",
        "formats": "",
        "all_settings": False,
        "wait_ms": 60,
        "identify": False,
        "json": True,
    }
    status = scan(port, **{**arguments, **options})
    return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def found(events: list[dict[str, Any]]) -> dict[int, tuple[int, str]]:
    return {e["station"]: (e["baud"], e["format"]) for e in events if e["event"] == "found"}


def test_finds_three_stations_at_mixed_settings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stations = [
        sdm630(3, baud=2400, format="8E1"),
        sdm630(7, baud=9600, format="8N1"),
        ToolStation(12, {}, baud=19200, format="8N2"),
    ]
    with tools_line(stations, monkeypatch) as line:
        status, events = run_scan(capsys, line.port, stations="1-16", wait_ms=30)
    assert status == 0
    assert found(events) == {3: (2400, "8E1"), 7: (9600, "8N1"), 12: (19200, "8N2")}
    assert events[-1]["complete"] is True
    assert events[-1]["noise"] == []
    assert not any(station.writes for station in stations)


def test_a_whole_address_range_would_take_less_than_a_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stations = [sdm630(number) for number in (1, 25, 40)]
    with tools_line(stations, monkeypatch) as line:
        started_s = time.monotonic()
        status, events = run_scan(capsys, line.port, stations="1-40", bauds="9600", formats="8N1")
        taken_s = time.monotonic() - started_s
    assert status == 0
    assert sorted(found(events)) == [1, 25, 40]
    assert taken_s < 60 * 40 / 247
    eta_s = events[0]["eta_s"]
    assert taken_s < 1.5 * eta_s + 1, (taken_s, eta_s)


def test_a_slow_station_is_found_by_its_late_reply(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slow = sdm630(5, turnaround_s=0.15)
    with tools_line([slow], monkeypatch) as line:
        status, events = run_scan(
            capsys, line.port, stations="1-12", bauds="9600", formats="8N1", wait_ms=40
        )
    assert status == 0
    assert found(events) == {5: (9600, "8N1")}


def test_an_echoing_adapter_does_not_make_stations(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with tools_line([sdm630(4)], monkeypatch) as line:
        line.echoes = True
        status, events = run_scan(capsys, line.port, stations="1-8", bauds="9600", formats="8N1")
    assert status == 0
    assert found(events) == {4: (9600, "8N1")}
    assert events[-1]["echo"] is True


def test_nobody_there_is_status_75(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with tools_line([], monkeypatch) as line:
        status, events = run_scan(
            capsys, line.port, stations="1-4", bauds="9600", formats="8N1", wait_ms=20
        )
    assert status == 75
    assert events[-1]["found"] == 0


def test_unreadable_answers_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = sdm630(2, spoil=lambda reply: bytes(b ^ 0x5A for b in reply))
    with tools_line([broken], monkeypatch) as line:
        status, events = run_scan(capsys, line.port, stations="1-4", bauds="9600", formats="8N1")
    assert status == 75
    assert events[-1]["noise"] == [{"baud": 9600, "format": "8N1", "times": 1}]


def test_names_a_station_by_values_and_by_what_it_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    objects = {0: b"Eastron", 1: b"SDM630MCT", 2: b"1.2"}
    quick: dict[str, Any] = {"baud": 115200, "turnaround_s": 0.001}
    stations = [
        sdm630(1, **quick),
        ToolStation(9, {}, objects=objects, **quick),
        ToolStation(11, {}, **quick),
    ]
    with tools_line(stations, monkeypatch) as line:
        status, events = run_scan(
            capsys, line.port, stations="1,9,11", bauds="115200", formats="8N1", identify=True
        )
    names = {e["station"]: e for e in events if e["event"] == "identified"}
    assert status == 0
    naming = next(e for e in events if e["event"] == "naming")
    assert naming["stations"] == 3
    assert events[-1]["seconds"] < events[0]["eta_s"] + naming["eta_s"]
    assert names[9]["profile"] == "eastron_sdm630"
    assert "eastron_sdm630" in [c["profile"] for c in names[1]["candidates"]]
    assert names[1]["candidates"][0]["reason"] == "plausible"
    assert names[11]["candidates"] == []
    assert not any(station.writes for station in stations)


def test_ctrl_c_says_what_was_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    station = sdm630(2)
    with tools_line([station], monkeypatch) as line:
        real = station.answer

        def answer_then_break(frame: bytes) -> bytes:
            monkeypatch.setattr("edge.app.cli.scan.encode_probe", _interrupted)
            return real(frame)

        monkeypatch.setattr(station, "answer", answer_then_break)
        status, events = run_scan(capsys, line.port, stations="1-200", bauds="9600", formats="8N1")
    assert status == 130
    assert found(events) == {2: (9600, "8N1")}
    assert events[-1]["complete"] is False


def _interrupted(station: int) -> bytes:
    raise KeyboardInterrupt
