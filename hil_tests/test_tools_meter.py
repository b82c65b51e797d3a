"""`meter`: whatever fails, the meter ends at the old or the new setting, and it is said which."""

import json
import struct
from collections.abc import Callable
from typing import Any

import pytest

from edge.app.cli.meter import meter
from edge.core.errors import BusError, DeviceError, UsageError
from hil_tests.tools_line import ToolStation, tools_line

STATION_AT, BAUD_AT = 20, 28
BAUDS = {0: 2400, 1: 4800, 2: 9600, 3: 19200, 4: 38400}


def words_of(value: float) -> tuple[int, int]:
    high, low = struct.unpack(">HH", struct.pack(">f", value))
    return high, low


def value_of(words: tuple[int, ...]) -> int:
    number: float = struct.unpack(">f", struct.pack(">HH", *words))[0]
    return int(number)


def obey(station: ToolStation, address: int, words: tuple[int, ...]) -> str:
    """What a meter does with a write: keeps it and moves there at once."""
    station.registers[3, address], station.registers[3, address + 1] = words
    if address == STATION_AT:
        station.number = value_of(words)
    elif address == BAUD_AT:
        station.baud = BAUDS[value_of(words)]
    return ""


def sdm(on_write: Callable[..., Any] = obey, number: int = 3) -> ToolStation:
    """An SDM630 whose holding registers can be written."""
    registers = {}
    for address, value in ((STATION_AT, number), (BAUD_AT, 2)):
        registers[3, address], registers[3, address + 1] = words_of(value)
    return ToolStation(number, registers, turnaround_s=0.002, on_write=on_write)


def run_meter(
    capsys: pytest.CaptureFixture[str], port: str, station: int, *typed: str, **options: Any
) -> tuple[int, list[dict[str, Any]]]:
    arguments: dict[str, Any] = {
        "value": typed[1] if len(typed) > 1 else None,
        "profile": "eastron_sdm630",
        "baud": 9600,
        "format": "8N1",
        "yes": True,
        "timeout_ms": 40,
        "json": True,
    }
    status = meter(port, station, typed[0], **{**arguments, **options})
    return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A meter that is lost is looked for less long than in a cabinet."""
    monkeypatch.setattr("edge.app.cli.bus_setting.Change.__init__.__defaults__", (0.5,))


def check_truth(meter_station: ToolStation, event: dict[str, Any]) -> None:
    """Where the event says the meter answers, it does."""
    assert event["reachable"] is True
    said = (event["station"], event["baud"], event["format"])
    assert said == (meter_station.number, meter_station.baud, meter_station.format)


@pytest.mark.parametrize(
    ("action", "value", "number", "baud"),
    [
        ("set-address", "17", 17, 9600),
        ("set-station", "4", 4, 9600),
        ("set-baud", "19200", 3, 19200),
    ],
)
def test_a_setting_is_changed_and_verified(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    action: Any,
    value: Any,
    number: Any,
    baud: Any,
) -> None:
    station = sdm()
    with tools_line([station], monkeypatch) as line:
        status, events = run_meter(capsys, line.port, 3, action, value)
    assert status == 0
    assert events[-1]["event"] == "meter_setting"
    assert events[-1]["outcome"] == "changed"
    assert (station.number, station.baud) == (number, baud)
    assert len(station.writes) == 1
    check_truth(station, events[-1])


def test_what_is_so_already_is_not_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    station = sdm()
    with tools_line([station], monkeypatch) as line:
        status, events = run_meter(capsys, line.port, 3, "set-baud", "9600")
    assert (status, events[-1]["outcome"]) == (0, "already")
    assert station.writes == []


def test_a_number_that_another_station_has_is_not_given(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    station, other = sdm(), sdm(number=9)
    with tools_line([station, other], monkeypatch) as line:
        status, events = run_meter(capsys, line.port, 3, "set-address", "9")
    assert (status, events[-1]["outcome"]) == (75, "taken")
    assert station.writes == other.writes == []
    check_truth(station, events[-1])


def lose_reply(station: ToolStation, address: int, words: tuple[int, ...]) -> str:
    obey(station, address, words)
    return "lost"


def keep_wrong(station: ToolStation, address: int, words: tuple[int, ...]) -> str:
    """Keeps the first write wrongly, as one that rounds or clips; obeys the next."""
    if station.writes:
        return obey(station, address, words)
    station.registers[3, address], station.registers[3, address + 1] = words_of(1)
    return ""


def wait_for_restart(station: ToolStation, address: int, words: tuple[int, ...]) -> str:
    station.registers[3, address], station.registers[3, address + 1] = words
    return ""


@pytest.mark.parametrize("action", [("set-address", "17"), ("set-baud", "19200")])
@pytest.mark.parametrize(
    ("on_write", "outcome", "status"),
    [
        (lambda *_: 4, "unchanged", 75),
        (lambda *_: "ignored", "unchanged", 75),
        (lose_reply, "changed", 0),
        (keep_wrong, "undone", 75),
        (wait_for_restart, "pending", 0),
    ],
)
def test_a_failure_at_each_step_leaves_the_meter_reachable(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    action: Any,
    on_write: Any,
    outcome: Any,
    status: Any,
) -> None:
    station = sdm(on_write)
    with tools_line([station], monkeypatch) as line:
        found, events = run_meter(capsys, line.port, 3, *action)
    assert (found, events[-1]["outcome"]) == (status, outcome)
    check_truth(station, events[-1])
    if outcome in ("unchanged", "undone"):
        assert station.registers[3, STATION_AT] == words_of(3)[0]
        assert station.registers[3, BAUD_AT] == words_of(2)[0]


def test_a_meter_that_falls_silent_is_taken_back_blindly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It moves to a baud rate that it cannot keep up: it hears there but does not answer."""

    def go_mute(station: ToolStation, address: int, words: tuple[int, ...]) -> str:
        obey(station, address, words)
        mute = station.baud == 38400
        station.spoil = (lambda reply: b"") if mute else None
        return ""

    station = sdm(go_mute)
    with tools_line([station], monkeypatch) as line:
        status, events = run_meter(capsys, line.port, 3, "set-baud", "38400")
    assert (status, events[-1]["outcome"]) == (75, "undone")
    check_truth(station, events[-1])


def test_a_meter_that_dies_is_called_lost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def die(station: ToolStation, address: int, words: tuple[int, ...]) -> str:
        station.spoil = lambda reply: b""
        return "lost"

    with tools_line([sdm(die)], monkeypatch) as line:
        status, events = run_meter(capsys, line.port, 3, "set-baud", "19200")
    assert (status, events[-1]["outcome"], events[-1]["reachable"]) == (75, "lost", False)
    assert events[-1]["baud"] == 9600


def test_nothing_is_written_when_the_meter_cannot_be_read_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    station = sdm()
    station.spoil = lambda reply: b""
    with tools_line([station], monkeypatch) as line, pytest.raises(BusError):
        run_meter(capsys, line.port, 3, "set-baud", "19200")
    assert station.writes == []
    with (
        tools_line([ToolStation(3, {}, on_write=obey)], monkeypatch) as line,
        pytest.raises(DeviceError),
    ):
        run_meter(capsys, line.port, 3, "set-baud", "19200")


def test_without_consent_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    station = sdm()
    with tools_line([station], monkeypatch) as line:
        status = meter(
            line.port,
            3,
            "set-baud",
            "19200",
            profile="eastron_sdm630",
            baud=9600,
            format="8N1",
            yes=False,
            timeout_ms=40,
            json=False,
        )
    assert status == 130
    assert station.writes == []
    assert "nothing was written" in capsys.readouterr().out


def test_show_reads_every_setting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    station = sdm()
    with tools_line([station], monkeypatch) as line:
        status, events = run_meter(capsys, line.port, 3, "show")
    assert status == 0
    assert {e["setting"]: e["value"] for e in events} == {"station": "3", "baud": "9600"}
    assert station.writes == []


@pytest.mark.parametrize(
    ("typed", "options", "error"),
    [
        (("set-ratio", "100"), {}, UsageError),
        (("show",), {"profile": ""}, UsageError),
        (("set-baud",), {}, UsageError),
        (("set-baud", "19200"), {"yes": False}, UsageError),
        (("set-baud", "19200"), {"profile": "hefeng_cems"}, UsageError),
    ],
)
def test_a_wrong_wish_is_refused_before_the_port_is_opened(
    capsys: pytest.CaptureFixture[str], typed: Any, options: Any, error: Any
) -> None:
    with pytest.raises(error):
        run_meter(capsys, "no-port", 3, *typed, **options)


@pytest.mark.parametrize(
    "typed", [("set-baud", "1234"), ("set-address", "0"), ("set-address", "248")]
)
def test_a_value_that_the_profile_does_not_know_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: Any
) -> None:
    station = sdm()
    with tools_line([station], monkeypatch) as line, pytest.raises(UsageError) as caught:
        run_meter(capsys, line.port, 3, *typed)
    assert caught.value.code == "usage.value"
    assert station.asked == 0


def test_show_with_a_map_that_the_meter_refuses_ends_with_its_exception(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with tools_line([ToolStation(3, {})], monkeypatch) as line:
        status, events = run_meter(capsys, line.port, 3, "show")
    assert status == 76
    assert {event["error"] for event in events} == {"device.illegal_address"}


def test_a_missing_profile_is_said_to_be_missing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError) as caught:
        run_meter(capsys, "no-port", 3, "show", profile="")
    assert caught.value.fields["found"] == "missing"
