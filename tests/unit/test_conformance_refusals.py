"""What the kit takes for an answer to what a receiver has to refuse."""

from typing import Any

import pytest

from cloud_sync.conformance.player import BrokenRuleError
from cloud_sync.conformance.refusals import refused
from cloud_sync.conformance.script import Epoch
from edge.core.sync.ack import Ack
from tests.unit.receiver_journal import GATEWAY, KEY

#: Seq of the epoch's last record before the refused message, and of the honest batch's after it.
HEAD, LAST = 5, 8


class Answered:
    """The end of the line of a receiver that has answered with these acks by the honest batch."""

    def __init__(self, epoch: Epoch, seqs: list[int]) -> None:
        self.told = [Ack(GATEWAY, epoch.epoch, seq, epoch.hash_at(0), (), 1, None) for seq in seqs]
        self.is_sent = False

    def acks(self, _: Epoch) -> list[Ack]:
        return self.told if self.is_sent else []

    def send(self, *_: Any) -> None:
        self.is_sent = True

    def publish(self, _: bytes) -> None:
        """Nobody listens."""

    def listen(self, *_: Any) -> None:
        """Everything has been said."""

    def expect(self, *_: Any, **__: Any) -> None:
        """It has come."""


def broken(seqs: list[int], is_silent: bool) -> bool:
    epoch = Epoch(GATEWAY, KEY)
    epoch.grow(HEAD + 1 - len(epoch.records))
    try:
        refused(Answered(epoch, seqs), epoch, b"", "it", is_silent)  # type: ignore[arg-type]
    except BrokenRuleError:
        return True
    assert len(epoch.records) == LAST + 1
    return False


@pytest.mark.parametrize("seqs", [[LAST], [HEAD, LAST], [LAST, LAST], [HEAD, HEAD, LAST]])
def test_one_commit_may_answer_for_both_and_an_answer_may_come_twice(seqs: list[int]) -> None:
    assert not broken(seqs, False)


@pytest.mark.parametrize(
    "seqs", [[HEAD + 1, LAST], [LAST, HEAD], [HEAD, LAST + 1], [HEAD - 1, LAST]]
)
def test_a_head_that_moves_by_what_is_refused_is_found(seqs: list[int]) -> None:
    assert broken(seqs, False)


@pytest.mark.parametrize("seqs", [[HEAD, LAST], [LAST, LAST]])
def test_a_stranger_gets_no_answer_at_all(seqs: list[int]) -> None:
    assert broken(seqs, True) and not broken([LAST], True)
