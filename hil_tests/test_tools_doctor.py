"""`doctor` on lines with one fault each: it names the cause and what to do."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.app.cli.bus_causes import CAUSES, cause_text
from edge.app.cli.doctor import doctor
from edge.core.field.diagnose import MILD, RULES
from hil_tests.emulator.frame import encode_exception, encode_reply, seal
from hil_tests.ptys import play
from hil_tests.tools_line import ToolStation, tools_line

#: 40 input registers: long enough for a long reply, short enough to be quick at 19200 baud.
REGISTERS = {(4, address): 0x4142 + address for address in range(20)}


def run_doctor(
    capsys: pytest.CaptureFixture[str], port: str, **options: Any
) -> tuple[int, dict[str, Any], list[dict[str, Any]]]:
    """(exit status, the closing event, the causes)."""
    arguments: dict[str, Any] = {
        "stations": "1-2",
        "baud": 19200,
        "format": "8N1",
        "rounds": 2,
        "listen_s": 0.05,
        "timeout_ms": 60,
        "json": True,
    }
    status = doctor(port, **{**arguments, **options})
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return status, events[-1], [event for event in events if event["event"] == "cause"]


def pair(spoil: Callable[[bytes], bytes] | None = None) -> list[ToolStation]:
    """Stations 1 and 2, with station 1 (and 2 too, where `spoil` is given) spoilt."""
    return [
        ToolStation(number, dict(REGISTERS), baud=19200, turnaround_s=0.002, spoil=spoil)
        for number in (1, 2)
    ]


def flip(reply: bytes, at: int = -3) -> bytes:
    spoilt = bytearray(reply)
    spoilt[at] ^= 0x40
    return bytes(spoilt)


def spoil_long(reply: bytes) -> bytes:
    return flip(reply) if len(reply) > 7 else reply


SPOILT: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("first_lost", lambda reply: reply[1:]),
    ("last_lost", lambda reply: reply[:-1]),
    ("leading", lambda reply: b"\x00" + reply),
    ("noise_grows", spoil_long),
    ("damaged", flip),
    ("all_silent", lambda reply: b""),
    ("double", lambda reply: reply + seal(reply[:3] + bytes(len(reply) - 5))),
    ("double", lambda reply: reply + b"\x01\x04\x07"),
    ("wrong_settings", lambda reply: bytes((byte * 7 + 3) & 0xFF for byte in reply)),
    ("strangers", lambda reply: encode_reply(9, 4, b"\0\0")),
]


@pytest.mark.parametrize(("cause", "spoil"), SPOILT)
def test_names_the_cause(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], cause: Any, spoil: Any
) -> None:
    with tools_line(pair(spoil), monkeypatch) as line:
        status, _, causes = run_doctor(capsys, line.port)
    assert [found["cause"] for found in causes] == [cause]
    assert status == 75
    assert causes[0]["evidence"]
    assert causes[0]["next"] == CAUSES[cause][2]


def test_a_healthy_bus_is_status_0(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with tools_line(pair(), monkeypatch) as line:
        status, done, causes = run_doctor(capsys, line.port)
    assert status == 0
    assert [found["cause"] for found in causes] == ["healthy"]
    assert done["counts"]["good"] == done["counts"]["asked"] == 8


def test_exceptions_are_answers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refusing = [ToolStation(1, {}, baud=19200)]
    with tools_line(refusing, monkeypatch) as line:
        status, _, causes = run_doctor(capsys, line.port, stations="1")
    assert (status, [found["cause"] for found in causes]) == (0, ["healthy"])


def test_one_silent_station_is_told_from_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with tools_line(pair()[:1], monkeypatch) as line:
        status, _, causes = run_doctor(capsys, line.port)
    assert status == 75
    assert [found["cause"] for found in causes] == ["one_silent"]
    assert causes[0]["evidence"] == "silent: station 2"


def test_one_damaged_station_is_told_from_a_noisy_bus(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stations = pair()
    stations[0].spoil = flip
    with tools_line(stations, monkeypatch) as line:
        _, _, causes = run_doctor(capsys, line.port)
    assert [found["cause"] for found in causes] == ["one_damaged"]


def test_an_echo_is_named_and_harmless(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with tools_line(pair(), monkeypatch) as line:
        line.echoes = True
        status, _, causes = run_doctor(capsys, line.port)
    assert status == 0
    assert [found["cause"] for found in causes] == ["echo", "healthy"]


def test_late_replies_are_told_from_silence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stations = pair()
    for station in stations:
        station.turnaround_s = 0.15
    with tools_line(stations, monkeypatch) as line:
        status, _, causes = run_doctor(capsys, line.port, rounds=2)
    assert status == 75
    assert [found["cause"] for found in causes] == ["late"]
    assert "up to 1" in causes[0]["evidence"]  # 1xx ms


@pytest.mark.parametrize(
    ("cause", "data"),
    [
        ("foreign_master", seal(bytes((7, 3, 0, 0, 0, 2))) + encode_exception(7, 3, 2)),
        ("babble", bytes(range(0x80, 0xC0))),
    ],
)
def test_traffic_that_nobody_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], cause: Any, data: Any
) -> None:
    with tools_line(pair(), monkeypatch) as line:
        line.chatter = data
        status, _, causes = run_doctor(capsys, line.port, listen_s=0.5)
    assert status == 75
    assert causes[0]["cause"] == cause


@pytest.mark.parametrize(
    ("fault", "causes"),
    [
        ("crc = true", ["damaged"]),
        ("silent = true", ["all_silent"]),
        ("truncate = 3", ["damaged"]),
        ("late_ms = 120", ["late"]),
        ('garbage = "before"', ["leading"]),
        ('garbage = "instead"', ["wrong_settings"]),
        ("echo = true", ["echo", "healthy"]),
        ("wrong_station = 9", ["strangers"]),
        ("leading_00 = 1", ["leading"]),
        ("trailing_ff = 2", ["leading"]),
        ("drop = 1\nstation = 2", ["one_damaged"]),
        ("after_next_ms = 5", ["late"]),
    ],
)
def test_names_the_faults_of_the_emulator(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: Any, causes: Any
) -> None:
    text = f"""
seed = 3
[[bus]]
name = "bus1"
baud = 19200
[[bus.station]]
station = 1
name = "a"
profile = "tiny.toml"
[[bus.station]]
station = 2
name = "b"
profile = "tiny.toml"
[[bus.fault]]
{fault}
"""
    with play(tmp_path, text) as emulator:
        status, _, found = run_doctor(capsys, emulator.ports["bus1"], rounds=3)
    assert [cause["cause"] for cause in found] == causes
    assert status == (0 if "healthy" in causes else 75)


TWINS = """
[[bus.station]]
station = 1
name = "c"
profile = "tiny.toml"
twin = true
turnaround_ms = 25
"""
FOREIGN = """
[[bus.foreign]]
station = 40
function = 3
address = 0
count = 2
every_ms = 60
"""


@pytest.mark.parametrize(("extra", "cause"), [(TWINS, "double"), (FOREIGN, "foreign_master")])
def test_names_who_should_not_be_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], extra: str, cause: str
) -> None:
    text = f"""
seed = 3
[[bus]]
name = "bus1"
baud = 19200
[[bus.station]]
station = 1
name = "a"
profile = "tiny.toml"
{extra}
"""
    with play(tmp_path, text) as emulator:
        status, _, found = run_doctor(
            capsys, emulator.ports["bus1"], stations="1", listen_s=0.4, rounds=3
        )
    assert found[0]["cause"] == cause
    assert status == 75


def test_a_port_that_is_not_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, _, causes = run_doctor(capsys, str(tmp_path / "ttyUSB9"))
    assert (status, causes[0]["cause"]) == (75, "port_missing")


def test_a_port_that_another_program_holds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from edge.ports.linux.serial_probe import ProbeLine

    with tools_line(pair(), monkeypatch) as line, ProbeLine(line.port):
        status, _, causes = run_doctor(capsys, line.port)
    assert (status, causes[0]["cause"]) == (75, "port_busy")


def test_chinese_is_spoken_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CARBONTALLY_LANG", "zh")
    with tools_line(pair(lambda reply: b""), monkeypatch) as line:
        _, _, causes = run_doctor(capsys, line.port, rounds=1)
    assert causes[0]["next"] == CAUSES["all_silent"][3]


def test_every_cause_has_its_words() -> None:
    named = {rule[0] for rule in RULES}
    assert named | {"healthy"} == set(CAUSES)
    assert set(MILD) < named
    for cause in CAUSES:
        assert all(cause_text(cause, "en")) and all(cause_text(cause, "zh"))
