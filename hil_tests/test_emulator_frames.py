"""The emulator's frames against frames printed in manuals, through a real tty."""

from pathlib import Path

import pytest

from hil_tests.emulator.frame import checksum
from hil_tests.emulator.judge import judge_point
from hil_tests.emulator.profile import parse_profile
from hil_tests.ptys import TtyMaster, play, read_request

THREE_FLOATS = """
id = "three_floats"
function = 4
word_order = "big"
byte_order = "big"
max_block_registers = 80
points = [
  { name = "u", address = 1, type = "f32", scale = "1", unit = "V", places = 2, class = "gauge" },
  { name = "i", address = 3, type = "f32", scale = "1", unit = "A", places = 2, class = "gauge" },
  { name = "f", address = 5, type = "f32", scale = "1", unit = "Hz", places = 3, class = "gauge" },
]
"""

STATIONS = """
seed = 1
[[bus]]
name = "b"
baud = 115200
[[bus.station]]
station = 1
name = "printed"
profile = "three_floats.toml"
raw = { u = [0x436B, 0x5AB4], i = [0x42DC, 0x6720], f = [0x4248, 0x0C63] }
[[bus.station]]
station = 17
name = "holding"
profile = "holding.toml"
raw = { x = [0xAE41, 0x5652], y = [0x4340] }
[[bus.station]]
station = 2
name = "tiny"
profile = "tiny.toml"
points = { a = 7, b = 9 }
[[bus.station]]
station = 3
name = "fenced"
profile = "fenced.toml"
"""

HOLDING = """
id = "holding"
function = 3
word_order = "big"
byte_order = "big"
max_block_registers = 20
points = [
  { name = "x", address = 107, type = "u32", scale = "1", unit = "", places = 0, class = "gauge" },
  { name = "y", address = 109, type = "u16", scale = "1", unit = "", places = 0, class = "gauge" },
]
"""

PRINTED = [
    # Three floats of a three-phase meter: 235.35 V, 110.20 A, 50.012 Hz.
    (
        "01 04 00 01 00 06 21 C8",
        "01 04 0C 43 6B 5A B4 42 DC 67 20 42 48 0C 63 AF 7C",
    ),
    # The holding register example of the application protocol, as an RTU frame.
    ("11 03 00 6B 00 03 76 87", "11 03 06 AE 41 56 52 43 40 49 AD"),
]


def write_profiles(directory: Path) -> None:
    (directory / "three_floats.toml").write_text(THREE_FLOATS)
    (directory / "holding.toml").write_text(HOLDING)
    fence = "forbidden = [[108, 108]]\n"
    fenced = fence + HOLDING
    (directory / "fenced.toml").write_text(fenced)


@pytest.mark.parametrize(("request_hex", "reply_hex"), PRINTED)
def test_printed_request_gets_the_printed_reply(
    tmp_path: Path, request_hex: str, reply_hex: str
) -> None:
    write_profiles(tmp_path)
    reply = bytes.fromhex(reply_hex)
    with play(tmp_path, STATIONS) as emulator, TtyMaster(emulator.ports["b"]) as master:
        assert master.ask(bytes.fromhex(request_hex), len(reply)) == reply


def test_printed_floats_mean_what_the_manual_says() -> None:
    profile = parse_profile(THREE_FLOATS)
    words = ((0x436B, 0x5AB4), (0x42DC, 0x6720), (0x4248, 0x0C63))
    figures = [
        judge_point(pair, point, profile)
        for pair, point in zip(words, profile.points, strict=True)
    ]
    assert figures == [23535, 11020, 50012]


def test_checksum_of_printed_exception() -> None:
    assert checksum(bytes.fromhex("0A 81 02")) == bytes.fromhex("B0 53")


@pytest.mark.parametrize(
    ("request_frame", "code"),
    [
        (read_request(2, 4, 0, 1), 1),
        (read_request(2, 6, 0, 1), 1),
        (read_request(2, 1, 0, 1), 1),
        (read_request(2, 3, 0, 0), 3),
        (read_request(2, 3, 0, 21), 3),
        (read_request(2, 3, 0, 126), 3),
        (read_request(2, 3, 19, 2), 2),
        (read_request(2, 3, 20, 1), 2),
        (read_request(17, 3, 106, 1), 2),
        (read_request(3, 3, 107, 3), 2),
        (read_request(3, 3, 108, 1), 2),
    ],
)
def test_a_bad_request_gets_its_exception(tmp_path: Path, request_frame: bytes, code: int) -> None:
    write_profiles(tmp_path)
    body = bytes((request_frame[0], request_frame[1] | 0x80, code))
    with play(tmp_path, STATIONS) as emulator, TtyMaster(emulator.ports["b"]) as master:
        assert master.ask(request_frame, 5) == body + checksum(body)


def test_a_fenced_map_still_answers_beside_its_fence(tmp_path: Path) -> None:
    write_profiles(tmp_path)
    with play(tmp_path, STATIONS) as emulator, TtyMaster(emulator.ports["b"]) as master:
        assert len(master.ask(read_request(3, 3, 109, 1), 7)) == 7


def test_a_hole_inside_the_map_reads_zero(tmp_path: Path) -> None:
    write_profiles(tmp_path)
    with play(tmp_path, STATIONS) as emulator, TtyMaster(emulator.ports["b"]) as master:
        reply = master.ask(read_request(2, 3, 0, 20), 45)
    assert reply[3:43] == b"\x00\x07" + bytes(36) + b"\x00\x09"


@pytest.mark.parametrize(
    ("request_frame", "reason"),
    [
        (read_request(2, 3, 0, 1)[:-1] + b"\x00", "crc"),
        (read_request(9, 3, 0, 1), "no_station"),
        (read_request(0, 3, 0, 1), "broadcast"),
        (b"\x02\x03\x00", "crc"),
    ],
)
def test_silence_where_silence_is_due(tmp_path: Path, request_frame: bytes, reason: str) -> None:
    write_profiles(tmp_path)
    with play(tmp_path, STATIONS) as emulator, TtyMaster(emulator.ports["b"]) as master:
        assert master.ask(request_frame, 1, within_s=0.1) == b""
        # The next request is answered: nothing of the first is left over.
        assert len(master.ask(read_request(2, 3, 0, 1), 7)) == 7
        assert emulator.summary()["b"]["unanswered"] == {reason: 1}
