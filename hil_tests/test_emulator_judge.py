"""The judge and the registers: known bits, every type and order, and polls out of a ledger."""

import struct
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.core.errors import ProfileError, StoreError
from hil_tests.emulator.judge import expected_polls, judge_point, judge_poll
from hil_tests.emulator.ledger import Ledger, ServedReply, Unanswered, read_replies, read_run
from hil_tests.emulator.profile import (
    PROFILE_DIR,
    WIDTHS,
    Point,
    Profile,
    list_profiles,
    read_profile,
)
from hil_tests.emulator.registers import encode_value


def point(kind: str, places: int = 0, scale: str = "1", offset: str = "0") -> Point:
    return Point("p", 3, 0, kind, Fraction(scale), Fraction(offset), "1", places, "gauge")


def profile(word_order: str = "big", byte_order: str = "big", **sentinels: int) -> Profile:
    marks: dict[str, tuple[int, ...]] = {kind: (raw,) for kind, raw in sentinels.items()}
    return Profile("p", word_order, byte_order, 125, (), (), marks)


@pytest.mark.parametrize(
    ("words", "subject", "model", "mantissa"),
    [
        ([0xFFFF], point("u16"), profile(), 65535),
        ([0xFFFF], point("i16"), profile(), -1),
        ([0x8000], point("i16"), profile(i16=0x8000), None),
        ([0x8000], point("i16"), profile(u16=0x8000), -32768),
        ([0x0001, 0x0002], point("u32"), profile(), 65538),
        ([0x0001, 0x0002], point("u32"), profile("little"), 131073),
        ([0x0100, 0x0200], point("u32"), profile("big", "little"), 65538),
        ([0x0201], point("u16"), profile("little", "little"), 0x0102),
        ([1, 2, 3, 4], point("u64"), profile("little"), 0x0004_0003_0002_0001),
        ([0xFFFF] * 4, point("i64"), profile(), -1),
        ([0x0925], point("bcd16"), profile(), 925),
        ([0x0012, 0x3456], point("bcd32"), profile(), 123456),
        ([0x3456, 0x0012], point("bcd32"), profile("little"), 123456),
        ([0x09A5], point("bcd16"), profile(), None),
        ([0x7FC0, 0x0000], point("f32"), profile(), None),
        ([0x7F80, 0x0000], point("f32"), profile(), None),
        ([0xFF80, 0x0000], point("f32"), profile(), None),
        ([0x8000, 0x0000], point("f32"), profile(), 0),
        ([0x43EC, 0x7333], point("f32", 1), profile(), 4729),
        ([0x3FF8, 0, 0, 0], point("f64", 1), profile(), 15),
        # 0.5, 1.5 and 2.5 exactly: half goes to the even neighbour.
        ([0x3F00, 0x0000], point("f32"), profile(), 0),
        ([0x3FC0, 0x0000], point("f32"), profile(), 2),
        ([0x4020, 0x0000], point("f32"), profile(), 2),
        ([0xC020, 0x0000], point("f32"), profile(), -2),
        ([25], point("u16", 0, "0.1"), profile(), 2),
        ([35], point("u16", 0, "0.1"), profile(), 4),
        ([1234], point("u16", 2, "0.1"), profile(), 12340),
        ([100], point("u16", 1, "0.1", "-40"), profile(), -300),
    ],
)
def test_judge_knows_the_bits(
    words: list[int], subject: Point, model: Profile, mantissa: int | None
) -> None:
    assert judge_point(words, subject, model) == mantissa


LIMITS = {
    "u16": (0, 2**16 - 1),
    "i16": (-(2**15), 2**15 - 1),
    "u32": (0, 2**32 - 1),
    "i32": (-(2**31), 2**31 - 1),
    "u64": (0, 2**64 - 1),
    "i64": (-(2**63), 2**63 - 1),
    "bcd16": (0, 9999),
    "bcd32": (0, 99_999_999),
}
ORDERS = st.sampled_from(("big", "little"))


@given(st.sampled_from(sorted(LIMITS)), ORDERS, ORDERS, st.integers(-(2**66), 2**66))
def test_integers_come_back_or_stop_at_the_end_of_the_type(
    kind: str, word_order: str, byte_order: str, value: int
) -> None:
    model, subject = profile(word_order, byte_order), point(kind)
    low, high = LIMITS[kind]
    words = encode_value(Fraction(value), subject, model)
    assert len(words) == WIDTHS[kind]
    assert judge_point(words, subject, model) == max(low, min(high, value))


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), ORDERS, ORDERS)
def test_floats_come_back_to_the_bit(value: float, word_order: str, byte_order: str) -> None:
    model = profile(word_order, byte_order)
    for kind in ("f32", "f64"):
        words = encode_value(Fraction(value), point(kind), model)
        assert judge_point(words, point(kind, 9), model) == round(Fraction(value) * 10**9)


def test_a_float_too_large_is_held_at_the_largest() -> None:
    words = encode_value(Fraction(10) ** 400, point("f32"), profile())
    assert words == (0x7F7F, 0xFFFF)


def test_registers_never_hold_a_sentinel_by_chance() -> None:
    model = profile(u16=0xFFFF, i16=0x8000)
    assert encode_value(Fraction(10**6), point("u16"), model) == (0xFFFE,)
    assert encode_value(Fraction(-(10**6)), point("i16"), model) == (0x8001,)


def test_every_profile_of_the_package_can_be_played() -> None:
    names = list_profiles()
    assert "eastron_sdm630" in names
    for name in names:
        model = read_profile(PROFILE_DIR / f"{name}.toml")
        assert model.id == name
        for subject in model.points:
            words = encode_value(Fraction(1), subject, model)
            assert judge_point(words, subject, model) is not None


@pytest.mark.parametrize(
    "damage",
    [
        ("function = 4", ""),
        ('type = "f32"', 'type = "f31"'),
        ('word_order = "big"', "word_order = 1"),
    ],
)
def test_a_bad_profile_is_refused_with_its_name(tmp_path: Path, damage: tuple[str, str]) -> None:
    text = (PROFILE_DIR / "eastron_sdm630.toml").read_text()
    path = tmp_path / "bad.toml"
    path.write_text(text.replace(*damage))
    with pytest.raises(ProfileError) as caught:
        read_profile(path)
    assert caught.value.code == "config.profile"
    assert caught.value.fields["profile"] == str(path)


def reply(
    block: tuple[int, int, int], wall_ms: int, fill: int = 0, **other: object
) -> ServedReply:
    function, address, count = block
    registers = struct.pack(f">{count}H", *[fill] * count)
    row = ServedReply(wall_ms, 0, "b", 1, function, address, count, registers, None, None, wall_ms)
    return replace(row, **other)  # type: ignore[arg-type]


A, B, C = (3, 0, 2), (3, 10, 1), (4, 0, 2)


def test_replies_in_order_make_polls() -> None:
    rows = [reply(A, 10), reply(B, 20), reply(C, 30), reply(A, 110), reply(B, 120), reply(C, 130)]
    polls = expected_polls(rows, [A, B, C])
    assert [(p.first_wall_ms, p.wall_ms, p.complete) for p in polls] == [
        (10, 30, True),
        (110, 130, True),
    ]
    assert polls[0].reply_ids == [10, 20, 30]
    assert set(polls[0].registers) == {(3, 0), (3, 1), (3, 10), (4, 0), (4, 1)}


def test_a_missing_block_makes_an_incomplete_poll() -> None:
    spoilt = reply(B, 20, fault="crc")
    refused = replace(reply(B, 20), registers=None, exception=6)
    for row in (spoilt, refused):
        polls = expected_polls([reply(A, 10), row, reply(C, 30), reply(A, 110)], [A, B, C])
        assert [(p.complete, p.wall_ms) for p in polls] == [(False, 30), (False, 110)]
        assert (3, 10) not in polls[0].registers


def test_a_spoilt_block_asked_again_completes_its_poll() -> None:
    rows = [reply(A, 10), reply(B, 20, fault="truncate"), reply(B, 40), reply(C, 60)]
    (poll,) = expected_polls(rows, [A, B, C])
    assert poll.complete
    assert not poll.doubtful
    assert poll.reply_ids == [10, 40, 60]


def test_a_retry_replaces_the_reply_that_was_given_up() -> None:
    rows = [reply(A, 10, 1), reply(B, 20, 2), reply(B, 60, 3), reply(C, 90, 4)]
    (poll,) = expected_polls(rows, [A, B, C], retry_ms=50)
    assert poll.complete
    assert poll.registers[3, 10] == 3
    assert len(expected_polls(rows, [A, B, C])) == 2


def test_single_block_polls_are_all_apart() -> None:
    rows = [reply(A, 10), reply(A, 1010), reply(A, 2010)]
    assert [poll.wall_ms for poll in expected_polls(rows, [A])] == [10, 1010, 2010]
    assert len(expected_polls(rows, [A], retry_ms=100)) == 3


def test_late_and_noisy_replies_are_doubtful_and_foreign_reads_are_left_out() -> None:
    rows = [reply(A, 10, fault="late"), reply((3, 5, 1), 15), reply(B, 20)]
    (poll,) = expected_polls(rows, [A, B])
    assert poll.complete
    assert poll.doubtful
    assert (3, 5) not in poll.registers


def test_judge_poll_names_the_points_it_can_see() -> None:
    model = read_profile(PROFILE_DIR / "acrel_adw300.toml")
    (poll,) = expected_polls([reply((3, 20, 9), 10, 2301)], [(3, 20, 9)])
    assert judge_poll(poll, model) == {
        "voltage_l1": 2301,
        "voltage_l2": 2301,
        "voltage_l3": 2301,
        "current_l1": 2301,
        "current_l2": 2301,
        "current_l3": 2301,
    }


def test_ledger_keeps_order_and_facts_over_a_reopening(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    for turn in range(2):
        ledger = Ledger(path, {"seed": str(turn)})
        for index in range(3):
            ledger.reply(reply(A, 10 * turn + index))
        ledger.unanswered(Unanswered(1, "b", "crc", b"\x01"))
        ledger.close()
    rows = read_replies(path, "b", 1)
    assert [row.wall_ms for row in rows] == [0, 1, 2, 10, 11, 12]
    assert [row.id for row in rows] == [1, 2, 3, 4, 5, 6]
    assert len(read_replies(path, "b", 1, after_id=4)) == 2
    assert read_run(path) == {"seed": "1"}


def test_ledger_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        Ledger(tmp_path / "no" / "ledger.db", {})
    assert caught.value.code == "store.open"
