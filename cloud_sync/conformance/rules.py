"""The rules of the kit: where each one stands in the contract, and what plays it."""

from collections.abc import Callable
from typing import NamedTuple

from cloud_sync.conformance import forms, plays, refusals
from cloud_sync.conformance.player import BrokenRuleError, Player
from cloud_sync.conformance.script import NASTY


class Rule(NamedTuple):
    """One rule of the contract. section: where it stands; text: what is expected.

    play: raises BrokenRuleError.
    """

    name: str
    section: str
    text: str
    play: Callable[[Player], None]


_REFUSALS = "batch.md#refusals"
_VALUES = "batch.md#values"
_ACK = "batch.md#ack"
_DEFLATED = "batch.md#deflated"

RULES = (
    Rule(
        "cumulative",
        _ACK,
        "each committed batch is acknowledged, with its hash",
        plays.play_cumulative,
    ),
    Rule("retained", _ACK, "a new subscriber is handed the last ack", plays.play_retained),
    Rule("duplicate", _ACK, "the same batch again is acknowledged again", plays.play_duplicate),
    Rule("overlap", _ACK, "identity is the record: a batch may be cut anew", plays.play_overlap),
    Rule("gap", _ACK, "an ack stays below a gap and names it", plays.play_gap),
    Rule("reorder", _ACK, "batches may come in any order", plays.play_reorder),
    Rule("tombstone", "batch.md#records", "a tombstone closes its hole", plays.play_tombstone),
    Rule("epochs", "batch.md#chain", "epochs do not mix", plays.play_epochs),
    Rule(
        "forged-mac",
        "batch.md#macs",
        "what is not authentic is not answered",
        refusals.play_forged,
    ),
    Rule("foreign-gateway", "batch.md#macs", "a gateway speaks for itself", refusals.play_foreign),
    Rule("wrong-epoch", _REFUSALS, "an epoch is 8 bytes and has its genesis", refusals.play_epoch),
    Rule("fork", _REFUSALS, "a stored record is never replaced", refusals.play_fork),
    Rule(
        "chain", _REFUSALS, "records hash to element 10, from the stored ones", refusals.play_chain
    ),
    Rule(
        "version",
        "batch.md#versions",
        "an unknown version or kind is refused",
        refusals.play_version,
    ),
    Rule("oversize", "batch.md#limits", "more than 64 KiB is refused", refusals.play_oversize),
    Rule("large", "batch.md#limits", "a full batch is taken", plays.play_large),
    Rule("trailing-bytes", _REFUSALS, "nothing stands after the MAC", refusals.play_trailing),
    Rule("truncated", _REFUSALS, "a part of a batch is refused", refusals.play_truncated),
    *(
        Rule(name, _VALUES, "refused, and it blocks nothing", refusals.play_nasty(name))
        for name in NASTY
    ),
    Rule("cut", "batch.md#topics", "a connection may be cut in a batch", plays.play_cut),
    Rule("unacked", _ACK, "what no ack covered is taken again", plays.play_unacked),
    Rule(
        "flood",
        _ACK,
        "a gateway that sent too much is taken again",
        refusals.play_flood,
    ),
    Rule("deflated", _DEFLATED, "a deflated batch is a batch (optional)", forms.play_deflated),
    Rule("deflated-mac", _DEFLATED, "the MAC is over what travels", forms.play_deflated_mac),
    Rule(
        "deflated-size", _DEFLATED, "inflated to a batch and no further", forms.play_deflated_size
    ),
    Rule(
        "deflated-stream",
        _DEFLATED,
        "one deflate stream, whole and alone",
        forms.play_deflated_stream,
    ),
    Rule(
        "deflated-within",
        _DEFLATED,
        "of the same gateway and epoch, without a MAC",
        forms.play_deflated_within,
    ),
    Rule(
        "fork-named", _ACK, "a fork is answered with its place (optional)", forms.play_fork_named
    ),
)


def revoked_rule(revoked: bytes) -> Rule:
    """A key that was taken back opens nothing; revoked: it."""

    def play(player: Player) -> None:
        refusals.play_revoked(player, revoked)

    return Rule("revoked-key", _REFUSALS, "what a revoked key signed is not answered", play)


def restart_rule(restart: Callable[[], None]) -> Rule:
    """What was acknowledged is there after the receiver was killed; restart: does that."""

    def play(player: Player) -> None:
        epoch = player.begin()
        last = epoch.grow(300)
        for first in range(0, last + 1, 60):
            player.send(epoch, first, min(first + 59, last))
        player.expect(epoch, last, "five batches")
        restart()
        before = len(player.acks(epoch))
        further = epoch.grow(5)
        player.send(epoch, last + 1, further)
        player.expect(epoch, further, "a batch after the restart", after=before)
        new = [ack.seq for ack in player.acks(epoch)[before:]]
        if min(new) < last:
            raise BrokenRuleError(f"acknowledged up to {last}, after the restart {min(new)}")

    return Rule("committed", _ACK, "an ack follows the commit: a kill takes nothing back", play)
