"""The two forms of version 2: the deflated batch, and the answer that names a fork.

A receiver may do without either. It is held to them as soon as it takes them.
"""

import zlib
from collections.abc import Callable

from cloud_sync.conformance.player import BrokenRuleError, FormNotTakenError, Player
from cloud_sync.conformance.plays import stored
from cloud_sync.conformance.refusals import refused
from cloud_sync.conformance.script import Epoch
from edge.core.journal.record import Kind, event_body
from edge.core.sync.ack import Ack
from edge.core.sync.batch import PAYLOAD_MAX_BYTES
from edge.core.sync.deflated import MAC_BYTES, encode_deflated

#: Zeros that a few kilobytes inflate to: no batch is as large.
_BOMB_BYTES = 32 << 20


def _deflate(plain: bytes, end: int = zlib.Z_FINISH) -> bytes:
    maker = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return maker.compress(plain) + maker.flush(end)


def _frame(epoch: Epoch, body: bytes, key: bytes = b"") -> bytes:
    return encode_deflated(epoch.gateway, epoch.epoch, body, key or epoch.key)


def _deflated(epoch: Epoch, first: int, last: int) -> bytes:
    return _frame(epoch, _deflate(epoch.batch(first, last)[:-MAC_BYTES]))


def play_deflated(player: Player) -> None:
    epoch = stored(player)
    head = len(epoch.records) - 1
    last = epoch.grow(40)
    before = len(player.acks(epoch))
    player.allow(epoch, head + 1, last)
    player.publish(_deflated(epoch, head + 1, last))
    further = epoch.grow(3)
    player.send(epoch, last + 1, further)
    try:
        player.expect(epoch, further, "a deflated batch and the one above it", after=before)
    except BrokenRuleError:
        gap = (head + 1, last)
        player.expect(epoch, head, "a batch above a deflated one", gaps=gap, after=before)
        raise FormNotTakenError("it is refused: gateways have to leave it off") from None


def play_deflated_mac(player: Player) -> None:
    epoch = stored(player)
    end = len(epoch.records) - 1
    plain = _more(epoch, 5).batch(end + 1, end + 5)
    body = _deflate(plain[:-MAC_BYTES])
    refused(player, epoch, _frame(epoch, body, bytes(32)), "a frame under another key", True)
    payload = _frame(epoch, body)[:-MAC_BYTES] + plain[-MAC_BYTES:]
    refused(player, epoch, payload, "a frame with the MAC of the batch within", True)


def play_deflated_within(player: Player) -> None:
    epoch, other = stored(player), player.begin()
    other.grow(5)
    plain = other.batch(0, 5)[:-MAC_BYTES]
    refused(
        player, epoch, _frame(epoch, _deflate(plain)), "a batch of another epoch within", False
    )
    if player.acks(other):
        raise BrokenRuleError("a batch under the name of another epoch was stored")
    plain = _more(Epoch(epoch.gateway + "-other", epoch.key, epoch.epoch), 5).batch(0, 5)
    payload = _frame(epoch, _deflate(plain[:-MAC_BYTES]))
    refused(player, epoch, payload, "a batch of another gateway within", False)
    end = len(epoch.records) - 1
    plain = _more(epoch, 5).batch(end + 1, end + 5)
    refused(player, epoch, _frame(epoch, _deflate(plain)), "a batch with its MAC within", False)


def play_deflated_size(player: Player) -> None:
    epoch = stored(player)
    end = len(epoch.records) - 1
    large = _more(epoch, 1)
    while len(large.batch(end + 1, len(large.records) - 1)) <= PAYLOAD_MAX_BYTES:
        for _ in range(100):
            large.add(Kind.EVENT, event_body("kit.large", {"text": "x" * 200}))
    plain = large.batch(end + 1, len(large.records) - 1)[:-MAC_BYTES]
    what = f"a frame that inflates to {len(plain)} bytes"
    refused(player, epoch, _frame(epoch, _deflate(plain)), what, False)
    payload = _frame(epoch, _deflate(bytes(_BOMB_BYTES)))
    refused(player, epoch, payload, f"{len(payload)} bytes of {_BOMB_BYTES >> 20} MiB", False)


def play_deflated_stream(player: Player) -> None:
    epoch = stored(player)
    wrongs: tuple[tuple[Callable[[bytes], bytes], str], ...] = (
        (lambda plain: _deflate(plain, zlib.Z_SYNC_FLUSH), "deflate without an end"),
        (lambda plain: _deflate(plain) + b"\0", "a byte behind the end of deflate"),
        (lambda plain: _deflate(plain)[:-9], "a part of deflate"),
        (lambda plain: plain, "a frame of what is no deflate"),
    )
    for make, what in wrongs:
        end = len(epoch.records) - 1
        plain = _more(epoch, 5).batch(end + 1, end + 5)[:-MAC_BYTES]
        refused(player, epoch, _frame(epoch, make(plain)), what, False)


def play_fork_named(player: Player) -> None:
    epoch = stored(player, 20)
    _, last = epoch.grow(5), epoch.grow(10)
    player.send(epoch, 25, last)
    gaps: tuple[int, ...] = (20, 24)
    player.expect(epoch, 19, "a batch above a gap", gaps=gaps)
    for at, first, end in ((12, 10, 19), (22, 20, 24)):
        before = len(player.acks(epoch))
        player.publish(epoch.fork(at).batch(first, end))
        last = epoch.grow(3)
        player.send(epoch, last - 1, last)
        gaps += (last - 2, last - 2)  # no other ack names this one
        player.expect(epoch, 19, "a batch after a fork", gaps=gaps, after=before)
        _check_forks(epoch, player.acks(epoch)[before:], range(at, end + 1))
    player.send(epoch, 20, last)
    player.expect(epoch, last, "the batch that fills the gaps")
    if player.acks(epoch)[-1].fork is not None:
        raise BrokenRuleError("an honest batch was answered as a fork")


def _check_forks(epoch: Epoch, acks: list[Ack], spans: range) -> None:
    named = [ack.fork for ack in acks if ack.fork is not None]
    if not named:
        raise FormNotTakenError("no ack names a fork; a gateway finds those below the head alone")
    for seq, digest in named:
        if seq not in spans or digest != epoch.hash_at(seq):
            raise BrokenRuleError(f"a fork is named at {seq} that is stored otherwise, or not one")


def _more(epoch: Epoch, count: int) -> Epoch:
    """The same journal with so many records more, which stay a secret."""
    other = Epoch(epoch.gateway, epoch.key, epoch.epoch)
    for record in epoch.records[1:]:
        other.add(record.kind, record.body)
    other.grow(count)
    return other
