"""What a receiver has to refuse, without being blocked by it: see `rules`."""

import secrets
from collections.abc import Callable
from functools import partial

from cloud_sync.conformance.player import BrokenRuleError, Player
from cloud_sync.conformance.plays import stored
from cloud_sync.conformance.script import NASTY, Epoch, seal
from edge.core.sync.batch import PAYLOAD_MAX_BYTES

#: Messages of the flood, and how often an honest batch is sent after it.
FLOOD = 200
FLOOD_ATTEMPTS = 3

#: For how long an answer to a large message is waited for.
_LISTEN_S = 2.0


def _put(element: int, value: object, fields: list) -> None:
    fields[element] = value


def refused(
    player: Player,
    epoch: Epoch,
    payload: bytes,
    what: str,
    is_silent: bool,
    listen_s: float = 0,
) -> None:
    """`payload` changes nothing; an honest batch after it is stored and acknowledged.

    is_silent: it must not be answered at all, because whoever sent it is not authentic.
    listen_s: for how long an answer to it is waited for, where its turn may come later.
    """
    head = len(epoch.records) - 1
    before = len(player.acks(epoch))
    player.publish(payload)
    player.listen(epoch, before, listen_s)
    last = epoch.grow(3)
    player.send(epoch, head + 1, last)
    player.expect(epoch, last, f"after {what}", after=before)
    new = [ack.seq for ack in player.acks(epoch)[before:]]
    if is_silent and new != [last]:
        raise BrokenRuleError(f"{what} was answered: acks {new}")
    # One commit may answer for both, and an answer may come twice.
    if new[-1] != last or not {head, last}.issuperset(new):
        raise BrokenRuleError(f"{what} moved the head: acks {new}")


def play_forged(player: Player) -> None:
    epoch = stored(player)
    other = Epoch(epoch.gateway, secrets.token_bytes(32), epoch.epoch)
    for record in epoch.records[1:]:
        other.add(record.kind, record.body)
    first = other.grow(1)
    refused(player, epoch, other.batch(first, first), "a batch under another key", True)
    last = len(epoch.records) - 1
    payload = bytearray(epoch.batch(last, last))
    payload[-1] ^= 1
    refused(player, epoch, bytes(payload), "a batch with a wrong MAC", True)


def play_revoked(player: Player, revoked: bytes) -> None:
    """revoked: a key of the gateway that the receiver takes no more."""
    epoch = stored(player)
    other = Epoch(epoch.gateway, revoked, epoch.epoch)
    for record in epoch.records[1:]:
        other.add(record.kind, record.body)
    first = len(other.records)
    last = other.grow(1)
    refused(player, epoch, other.batch(first, last), "a batch under a revoked key", True)


def play_flood(player: Player) -> None:
    epoch = stored(player)
    first, last = len(epoch.records), epoch.grow(3)
    for number in range(FLOOD):
        player.publish(b"flood %d" % number)
    for attempt in range(FLOOD_ATTEMPTS):
        player.send(epoch, first, last)
        try:
            player.expect(epoch, last, f"after {FLOOD} messages of nonsense")
        except BrokenRuleError:
            if attempt == FLOOD_ATTEMPTS - 1:
                raise
        else:
            return


def play_foreign(player: Player) -> None:
    epoch = stored(player)
    other = Epoch(epoch.gateway + "-other", player.key, epoch.epoch)
    refused(player, epoch, other.batch(0, 0), "a batch of another gateway", True)


def play_epoch(player: Player) -> None:
    epoch = stored(player)
    for wrong in (b"short", bytes(9), 7, None):
        payload = epoch.changed(0, 3, partial(_put, 2, wrong))
        refused(player, epoch, payload, f"the epoch {wrong!r}", False)
    # Records of one epoch under the name of another do not start from its genesis.
    payload = epoch.changed(0, 3, partial(_put, 2, secrets.token_bytes(8)))
    refused(player, epoch, payload, "records under another epoch", False)


def play_fork(player: Player) -> None:
    epoch = stored(player, 20)
    fork = epoch.fork(12)
    refused(player, epoch, fork.batch(10, 19), "another record 12", False)
    end = len(epoch.records) - 1
    fork.grow(end - 19)
    fork.grow(5)
    refused(player, epoch, fork.batch(end + 1, end + 5), "what follows another record 12", False)


def play_chain(player: Player) -> None:
    epoch = stored(player)
    epoch.grow(5)

    last = len(epoch.records) - 1
    for element, what in ((10, "a wrong last hash"), (4, "a wrong first hash")):
        head = player.acks(epoch)[-1].seq
        before = len(player.acks(epoch))
        player.publish(epoch.changed(head + 1, last, partial(_put, element, bytes(32))))
        player.send(epoch, 0, head)
        player.expect(epoch, head, f"after {what}", after=before)
    player.send(epoch, 0, last)
    player.expect(epoch, last, "the honest batch")


def play_version(player: Player) -> None:
    epoch = stored(player)
    last = len(epoch.records) - 1
    payload = epoch.changed(last, last, partial(_put, 0, 2))
    refused(player, epoch, payload, "version 2", False)
    payload = epoch.changed(last, last, lambda fields: fields[7].__setitem__(0, -7))
    refused(player, epoch, payload, "a record of kind 6", False)


def play_oversize(player: Player) -> None:
    epoch = stored(player)
    size = PAYLOAD_MAX_BYTES + 1
    payload = epoch.nasty(b"\xc6" + size.to_bytes(4, "big") + bytes(size))
    what = f"a payload of {len(payload)} bytes"
    # A receiver may take small messages before large ones.
    refused(player, epoch, payload, what, False, listen_s=min(player.wait_s, _LISTEN_S))


def play_trailing(player: Player) -> None:
    epoch = stored(player)
    last = len(epoch.records) - 1
    payload = epoch.batch(last, last)
    refused(player, epoch, payload + b"\x00", "a byte after the MAC", False)
    payload = seal(epoch.batch(0, last)[:-34] + b"\xc0", player.key)
    refused(player, epoch, payload, "an element too many", False)


def play_truncated(player: Player) -> None:
    epoch = stored(player)
    last = epoch.grow(0)
    payload = epoch.batch(0, last)
    for size in (0, 1, 34, len(payload) // 2, len(payload) - 1):
        refused(player, epoch, payload[:size], f"the first {size} bytes of a batch", True)
    half = seal(payload[: len(payload) // 2], player.key)
    refused(player, epoch, half, "half a batch under an honest MAC", False)


def play_nasty(name: str) -> Callable[[Player], None]:
    def play(player: Player) -> None:
        epoch = stored(player)
        refused(player, epoch, epoch.nasty(NASTY[name]), f"a record with {name}", False)

    return play
