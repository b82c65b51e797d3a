"""The schedule of the pair: when characters are due, who collides with whom, and what is left."""

from hil_tests.emulator.wire import COLLISION, UNPLUG, Sending, Wire

CHARACTER_S = 0.001


def say(data: bytes, start_s: float, sender: object = "a", **options: object) -> Sending:
    return Sending(data, start_s, lambda *_: None, sender, **options)  # type: ignore[arg-type]


def hear_all(wire: Wire) -> list[tuple[int, bytes]]:
    """(tenth of a ms, bytes) of everything that becomes due."""
    heard = []
    while (due_s := wire.next_s(is_paced=True)) != float("inf"):
        data = wire.take_due(due_s)
        wire.take_over(due_s)
        if data:
            heard.append((round(due_s * 10_000), data))
    return heard


def test_each_character_is_due_at_its_end() -> None:
    wire = Wire(CHARACTER_S)
    wire.put(say(b"abc", 1.0))
    assert wire.take_due(1.0009) == b""
    assert hear_all(wire) == [(10_010, b"a"), (10_020, b"b"), (10_030, b"c")]
    assert round(wire.busy_until_s, 6) == 1.003
    assert wire.is_idle


def test_a_pause_moves_the_rest_of_the_frame() -> None:
    wire = Wire(CHARACTER_S)
    sending = say(b"abc", 1.0, pause=(2, 3.5))
    wire.put(sending)
    assert hear_all(wire) == [(10_010, b"a"), (10_020, b"b"), (10_065, b"c")]
    assert round(sending.end_s, 6) == 1.0065


def test_one_sender_never_talks_over_itself() -> None:
    wire = Wire(CHARACTER_S)
    for text in (b"abc", b"de"):
        wire.put(say(text, 1.0))
    assert b"".join(data for _, data in hear_all(wire)) == b"abcde"


def test_where_two_senders_meet_the_pair_carries_the_and_of_both() -> None:
    wire = Wire(CHARACTER_S)
    first, second = say(b"\x0f\xf3\x3c", 1.0), say(b"\xaa\x3c\xff", 1.001, "b")
    wire.put(first)
    wire.put(second)
    # 0xAA falls on 0xF3 and 0x3C on 0x3C, which leaves it; 0xFF comes after the first is over.
    assert hear_all(wire) == [
        (10_010, b"\x0f"),
        (10_020, b"\xa2"),
        (10_030, b"\x3c"),
        (10_040, b"\xff"),
    ]
    assert first.spoilt_by == second.spoilt_by == COLLISION


def test_the_same_bytes_at_the_same_time_do_not_harm_each_other() -> None:
    wire = Wire(CHARACTER_S)
    first, second = say(b"same", 1.0), say(b"same", 1.0, "b")
    wire.put(first)
    wire.put(second)
    assert b"".join(data for _, data in hear_all(wire)) == b"same"
    assert (first.spoilt_by, second.spoilt_by) == (None, COLLISION)


def test_senders_that_only_touch_are_whole() -> None:
    wire = Wire(1 / 9600)
    first = say(bytes(range(100)), 1.0)
    wire.put(first)
    second = say(bytes(range(100, 200)), first.end_s, "b")
    wire.put(second)
    earlier = say(b"\xff" * 10, 1.0 - 10 / 9600, "c")
    wire.put(earlier)
    assert b"".join(data for _, data in hear_all(wire)) == b"\xff" * 10 + bytes(range(200))
    assert (first.spoilt_by, second.spoilt_by, earlier.spoilt_by) == (None, None, None)


def test_a_request_over_a_reply_spoils_both() -> None:
    wire = Wire(CHARACTER_S)
    reply = say(b"\x01\x02\x03\x04", 1.0)
    wire.put(reply)
    assert wire.take_due(1.0015) == b"\x01"
    # 0xFF would change nothing by AND alone.
    wire.hear(b"\xff\xff", 1.0015)
    spoilt = b"".join(data for _, data in hear_all(wire))
    assert len(spoilt) == 3
    assert all(left != sent for left, sent in zip(spoilt, b"\x02\x03\x04", strict=True))
    assert reply.spoilt_by == COLLISION
    assert wire.take_spoilt()
    assert not wire.take_spoilt()


def test_a_reply_that_begins_in_a_request_spoils_both() -> None:
    wire = Wire(CHARACTER_S)
    wire.hear(b"12345678", 1.0)
    reply = say(b"abc", 1.006)
    wire.put(reply)
    assert wire.take_spoilt()
    assert reply.spoilt_by == COLLISION
    # What fell on the request is not heard; the master's own driver held the pair.
    assert hear_all(wire) == [(10_090, b"c")]


def test_requests_in_parts_follow_each_other() -> None:
    wire = Wire(CHARACTER_S)
    assert wire.hear(b"1234", 1.0) == 1.0
    assert round(wire.hear(b"5678", 1.001), 6) == 1.004
    assert round(wire.busy_until_s, 6) == 1.008
    assert wire.hear(b"1", 2.0) == 2.0


def test_what_an_adapter_makes_up_meets_nothing() -> None:
    wire = Wire(CHARACTER_S)
    wire.hear(b"12", 1.0)
    wire.put(say(b"12", 1.0, "adapter", is_on_pair=False))
    reply = say(b"ab", 1.002)
    wire.put(reply)
    assert b"".join(data for _, data in hear_all(wire)) == b"12ab"
    assert not wire.take_spoilt()
    assert reply.spoilt_by is None


def test_a_port_with_a_clock_gets_whole_runs() -> None:
    wire = Wire(CHARACTER_S)
    wire.put(say(b"abcd", 1.0, pause=(2, 5.0)))
    assert wire.next_s(is_paced=False) == 1.0
    assert wire.take_run(0.9) == b""
    assert wire.take_run(1.0) == b"ab"
    assert wire.take_run(1.003) == b""
    assert wire.take_run(1.0071) == b"cd"
    assert wire.take_over(1.008) == []
    assert len(wire.take_over(1.0091)) == 1


def test_clearing_names_what_was_cut_off() -> None:
    wire = Wire(CHARACTER_S)
    cut = say(b"abc", 1.0)
    wire.put(cut)
    assert wire.clear() == [cut]
    assert cut.spoilt_by == UNPLUG
    assert hear_all(wire) == []
