"""What a good gateway does, and what it has to be answered: see `rules`.

Each play has an epoch of its own, so that none depends on another.
"""

from cloud_sync.conformance.player import BrokenRuleError, Player
from cloud_sync.conformance.script import Epoch
from edge.core.errors import TallyError
from edge.core.journal.record import Kind
from edge.core.sync.ack import decode_ack


def stored(player: Player, count: int = 10) -> Epoch:
    """A new epoch of which the receiver has acknowledged `count` records."""
    epoch = player.begin()
    last = epoch.grow(count - 1)
    player.send(epoch, 0, last)
    player.expect(epoch, last, "the first batch")
    return epoch


def play_cumulative(player: Player) -> None:
    epoch = player.begin()
    last = -1
    for _ in range(3):
        first, last = last + 1, epoch.grow(7)
        player.send(epoch, first, last)
        player.expect(epoch, last, "a batch in order")


def play_retained(player: Player) -> None:
    epoch = stored(player)
    last = len(epoch.records) - 1
    found = player.retained(lambda: None)
    if not found:
        raise BrokenRuleError("a new subscriber is handed no ack: it is not retained")
    try:
        ack = decode_ack(found[-1], player.gateway, player.key)
    except TallyError as error:
        raise BrokenRuleError(f"the retained ack cannot be used: {error.code}") from error
    if (ack.epoch, ack.seq) != (epoch.epoch, last):
        raise BrokenRuleError(f"the retained ack is of seq {ack.seq}, not {last}")


def play_duplicate(player: Player) -> None:
    epoch = stored(player)
    last = len(epoch.records) - 1
    for _ in range(2):
        before = len(player.acks(epoch))
        player.send(epoch, 0, last)
        player.expect(epoch, last, "the same batch again", after=before)


def play_overlap(player: Player) -> None:
    epoch = stored(player)
    last = epoch.grow(10)
    player.send(epoch, 5, last - 5)
    player.expect(epoch, last - 5, "a batch cut anew over what is stored")
    player.send(epoch, 0, last)
    player.expect(epoch, last, "a batch around what is stored")


def play_gap(player: Player) -> None:
    epoch = stored(player)
    end = len(epoch.records) - 1
    last = epoch.grow(20)
    player.send(epoch, end + 11, last)
    player.expect(epoch, end, "a batch above a gap", gaps=(end + 1, end + 10))
    player.send(epoch, end + 1, end + 10)
    player.expect(epoch, last, "the batch that fills the gap")


def play_reorder(player: Player) -> None:
    epoch = player.begin()
    last = epoch.grow(49)
    spans = [(first, min(first + 9, last)) for first in range(0, last + 1, 10)]
    for first, end in reversed(spans):
        player.send(epoch, first, end)
    player.expect(epoch, last, "batches in reverse order")


def play_epochs(player: Player) -> None:
    one = stored(player)
    two = player.begin()
    last = two.grow(5)
    player.send(two, 0, last)
    player.expect(two, last, "a second epoch")
    end = len(one.records) - 1
    further = one.grow(5)
    player.send(one, end + 1, further)
    player.expect(one, further, "the first epoch again")


def play_large(player: Player) -> None:
    epoch = player.begin()
    last = epoch.grow(1023)
    player.send(epoch, 0, last)
    player.expect(epoch, last, "a batch of 1,024 records")


def play_tombstone(player: Player) -> None:
    epoch = stored(player)
    end = len(epoch.records) - 1
    last = epoch.grow(8)
    times = (epoch.records[end + 1].wall_ms, epoch.records[last].wall_ms)
    hashes = (epoch.hash_at(end), epoch.hash_at(last))
    seq = epoch.add(Kind.TOMBSTONE, [end + 1, last, "dropped", *times, last - end, *hashes])
    player.allow(epoch, end + 1, last)
    player.send(epoch, seq, seq)
    player.expect(epoch, seq, "the tombstone of a removed range")


def play_cut(player: Player) -> None:
    epoch = stored(player)
    end = len(epoch.records) - 1
    last = epoch.grow(200)
    payload = epoch.batch(end + 1, last)
    for sent in (5, len(payload) // 2, len(payload) - 1):
        player.cut(payload, sent)
    player.send(epoch, end + 1, last)
    player.expect(epoch, last, "a batch after connections that were cut in it")


def play_unacked(player: Player) -> None:
    epoch = player.begin()
    last = epoch.grow(30)
    player.send(epoch, 0, last)
    player.close()  # the ack goes to nobody
    player.connect()
    before = len(player.acks(epoch))
    player.send(epoch, 0, last)
    player.expect(epoch, last, "a batch sent again after a reconnect", after=before)
