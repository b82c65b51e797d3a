"""The judge of readings in the demonstration, whether or not the machine keeps time."""

from hil_tests.demo.readings import CloudPoll, Served, judge_polls, pair_polls
from hil_tests.emulator.ledger import ServedReply

TIMEOUT = 3


def reply(number: int, wall_ms: int, address: int, register: int) -> ServedReply:
    registers = register.to_bytes(2, "big")
    return ServedReply(wall_ms, 0, "bus1", 1, 4, address, 1, registers, None, None, number)


def served(value: int, next_ms: int = 1000, is_repeated: bool = False) -> Served:
    return Served({"power": value}, {"power": value}, next_ms, is_repeated)


def stored(seq: int, value: int | None) -> CloudPoll:
    return CloudPoll(seq, {"power": (value, 0 if value is not None else TIMEOUT)})


def faults(truth: list[Served], polls: list[CloudPoll]) -> tuple[int, int, int, int]:
    count = judge_polls(truth, polls)
    assert (
        count.served == count.unread + count.lost + count.stored - count.duplicated - count.wrong
    )
    return count.lost, count.duplicated, count.wrong, count.unread


def test_a_counter_that_was_read_again_is_judged_by_both_replies() -> None:
    replies = [
        reply(1, 1000, 0, 1),
        reply(2, 1050, 1, 1),
        reply(3, 1120, 1, 2),
        reply(4, 2000, 0, 1),
        reply(5, 2050, 1, 1),
    ]
    found = [(last.registers[4, 1], first.registers[4, 1]) for last, first in pair_polls(replies)]
    assert found == [(2, 1), (1, 1)]


def test_a_late_retry_of_a_second_read_is_of_the_same_poll() -> None:
    replies = [
        reply(1, 1000, 0, 1),
        reply(2, 1050, 1, 1),
        reply(3, 1804, 1, 2),
        reply(4, 2000, 0, 3),
        reply(5, 2050, 1, 3),
    ]
    found = [(last.registers[4, 0], last.registers[4, 1]) for last, _ in pair_polls(replies)]
    assert found == [(1, 2), (3, 3)]


def test_each_poll_once_and_right_has_no_fault() -> None:
    truth = [served(1), served(2), served(3)]
    assert faults(truth, [stored(0, 1), stored(1, 2), stored(2, 3)]) == (0, 0, 0, 0)


def test_a_poll_that_is_nowhere_is_lost() -> None:
    assert faults([served(1), served(2), served(3)], [stored(0, 1), stored(1, 3)]) == (1, 0, 0, 0)
    assert faults([served(1), served(2)], [stored(0, 1)]) == (1, 0, 0, 0)


def test_a_poll_that_the_gateway_says_it_has_not_read_is_not_lost() -> None:
    polls = [stored(0, 1), stored(1, None), stored(2, 3)]
    assert faults([served(1), served(2), served(3)], polls)[:3] == (0, 0, 0)


def test_a_reply_that_was_asked_for_again_is_not_lost() -> None:
    assert faults([served(1), served(2, 754), served(3)], [stored(0, 1), stored(1, 3)]) == (
        0,
        0,
        0,
        1,
    )


def test_a_value_that_was_not_served_is_wrong_and_one_that_comes_twice_is_duplicated() -> None:
    assert faults([served(1)], [stored(0, 1), stored(1, 1)]) == (0, 1, 0, 0)
    assert faults([served(1), served(2)], [stored(0, 1), stored(1, 7)])[2] == 1


def test_two_polls_that_look_like_a_retry_are_stored_twice_at_most() -> None:
    truth = [served(1, is_repeated=True)]
    assert judge_polls(truth, [stored(0, 1), stored(1, 1)]).duplicated == 0
    truth = [served(1, is_repeated=True)]
    assert judge_polls(truth, [stored(0, 1), stored(1, 1), stored(2, 1)]).duplicated == 1
