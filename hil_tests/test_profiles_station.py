"""Stations that hold compound values, scale registers, bytes, bits and marks of identity."""

from fractions import Fraction

import pytest

from hil_tests.emulator.frame import ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, ILLEGAL_VALUE, Request
from hil_tests.emulator.judge import judge_point
from hil_tests.emulator.judge import words_of as served
from hil_tests.emulator.ledger import ServedReply
from hil_tests.emulator.profile import (
    PROFILE_DIR,
    Point,
    Profile,
    Term,
    parse_profile,
    read_profile,
)
from hil_tests.emulator.registers import encode_value
from hil_tests.emulator.station import Station


def play(name: str, **sources: int | str) -> Station:
    """A station of a shipped profile; sources are figures."""
    figures = {point: Fraction(figure) for point, figure in sources.items()}
    return Station(1, read_profile(PROFILE_DIR / f"{name}.toml"), figures)


def words_of(station: Station, function: int, address: int, count: int) -> list[int]:
    request = Request(1, function, address, count)
    assert station.check(request) is None
    data = station.read(request, 0, {})
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]


def figure(station: Station, name: str) -> int | None:
    point = station.profile.point(name)
    words = words_of(station, point.function, point.address, point.width)
    return judge_point(words, point, station.profile)


def test_a_split_counter_leaves_room_for_what_lies_between() -> None:
    station = play("deye_hybrid_1p", grid_energy_import="123456.7", frequency="49.98")
    assert words_of(station, 3, 78, 3) == [1234567 % 65536, 4998, 1234567 // 65536]
    assert figure(station, "grid_energy_import") == 1234567
    assert figure(station, "frequency") == 4998


def test_an_integer_and_its_fraction() -> None:
    station = play("tuf_2000m", volume_total_forward="98765.625")
    assert words_of(station, 3, 8, 4) == [98765 % 65536, 98765 // 65536, 0, 0x3F20]
    assert figure(station, "volume_total_forward") == 98765625


def test_a_total_of_tariffs_is_what_they_make_it_unless_it_is_told() -> None:
    told = {"active_energy_import_t1": "1000.5", "active_energy_import_t2": "2000.25"}
    assert figure(play("siemens_pac2200", **told), "active_energy_import") == 3000750
    station = play("siemens_pac2200", active_energy_import="1234.567")
    assert figure(station, "active_energy_import") == 1234567


def test_a_scale_register_keeps_the_places_that_fit() -> None:
    told = {f"channel_{n}_concentration": figure for n, figure in ((1, "20.95"), (2, 1500))}
    station = play("yokogawa_ir202", **told)
    assert words_of(station, 4, 0, 2) == [20950, 3]
    assert words_of(station, 4, 3, 2) == [15000, 1]
    assert figure(station, "channel_1_concentration") == 20950
    assert figure(station, "channel_2_concentration") == 1500000
    assert figure(station, "channel_2_decimal_places") == 1


def test_values_that_share_a_scale_register_share_its_power() -> None:
    rows = [
        f'{{ name = "{name}", address = {address}, type = "i16", scale = "1", unit = "V", '
        'places = 2, class = "gauge", scale_register = { address = 9, type = "i16" } }'
        for name, address in (("a", 2), ("b", 4))
    ]
    head = 'id = "t"\nfunction = 3\nword_order = "big"\nbyte_order = "big"\n'
    text = f"{head}max_block_registers = 20\npoints = [{', '.join(rows)}]"
    station = Station(1, parse_profile(text), {"a": Fraction("230.25"), "b": Fraction(4000)})
    assert words_of(station, 3, 2, 8) == [230, 0, 4000, 0, 0, 0, 0, 0]
    assert figure(station, "b") == 400000


@pytest.mark.parametrize("byte_order", ["big", "little"])
def test_the_bytes_of_a_register_are_set_one_by_one(byte_order: str) -> None:
    def point(kind: str) -> Point:
        return Point(kind, 3, 0, kind, Fraction(1), Fraction(0), "1", 0, "gauge")

    points = (point("u8_high"), point("u8_low"))
    profile = Profile("p", "big", byte_order, 10, points)
    station = Station(1, profile, {"u8_high": Fraction(300), "u8_low": Fraction(0x12)})
    assert words_of(station, 3, 0, 1) == [0xFF12 if byte_order == "big" else 0x12FF]
    assert [figure(station, name) for name in ("u8_high", "u8_low")] == [255, 0x12]


def test_bits_are_packed_lowest_first_and_bounded() -> None:
    station = play("teledyne_t300", source_warning=1, invalid_concentration=1, system_ok=1)
    request = Request(1, 2, 0, 19)
    assert station.check(request) is None
    assert station.read(request, 0, {}) == bytes((0b00000001, 0b01000000, 0b00000100))
    assert station.check(Request(1, 2, 0, 20)) == ILLEGAL_ADDRESS
    assert station.check(Request(1, 2, 0, 2001)) == ILLEGAL_VALUE
    assert station.check(Request(1, 1, 0, 1)) == ILLEGAL_FUNCTION


def test_a_mark_is_told_only_when_it_is_read_alone() -> None:
    station = play("carlo_gavazzi_em340", voltage_l3_l1="400.5")
    assert words_of(station, 4, 11, 1) == [341]
    assert words_of(station, 4, 10, 2) == [4005, 0]


def test_texts_say_what_the_device_is_known_by() -> None:
    station = play("seplos_bms_v3")
    data = b"".join(word.to_bytes(2, "big") for word in words_of(station, 4, 5888, 10))
    assert data == b"XZH-ElecTech Co.,Ltd"
    assert station.check(Request(1, 4, 5870, 30)) == ILLEGAL_ADDRESS
    abb = play("abb_b23_b24")
    assert words_of(abb, 3, 35168, 6) == [0x4232, 0x3320, 0, 0, 0, 0]


def test_words_of_a_reply_of_bits() -> None:
    row = ServedReply(0, 0, "b", 1, 2, 4, 11, bytes((0b10000001, 0b101)), None, None)
    assert list(served(row)) == [1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1]


def test_terms_stop_at_the_end_of_their_types() -> None:
    terms = (Term(0, "u16", Fraction(10000)), Term(1, "u16", Fraction(1)))
    point = Point("p", 3, 0, "terms", Fraction(1), Fraction(0), "1", 0, "counter", terms)
    profile = Profile("p", "big", "big", 10, (point,))
    assert encode_value(Fraction(12_345_678), point, profile) == (1234, 5678)
    assert judge_point((1234, 5678), point, profile) == 12_345_678
    assert encode_value(Fraction(10**9), point, profile) == (65535, 65535)
