"""What can go wrong between the gateway and the cloud, and at the cloud's end."""

import random

import msgpack

from edge.core.journal import chain
from edge.core.sync.ack import Ack, encode_ack
from edge.core.sync.topics import ACK, BATCH, topic
from edge.ports.sim.broker import LATENCY_MS, Message
from hil_tests.soak.cloud import NAME as RECEIVER
from hil_tests.soak.faults_gateway import span
from hil_tests.soak.site import DAY_MS, GATEWAY, HOUR_MS, KEY, MINUTE_MS, TENANT, TRUTH_MS
from hil_tests.soak.world import World

#: Where a batch holds its columns: times, and the bodies' deltas.
_TIMES, _POLLS = 6, 8


def outage(world: World, rng: random.Random) -> None:
    """The gateway has no network, seconds to days."""
    most_ms = 9 * DAY_MS if rng.random() < 0.05 else DAY_MS
    world.broker.bar(GATEWAY, span(rng, 10_000, most_ms))


def cuts(world: World, rng: random.Random) -> None:
    """Connections of either end break, several times."""
    for _ in range(rng.randrange(1, 8)):
        _cut_later(world, rng.choice((GATEWAY, RECEIVER)), rng.randrange(30 * MINUTE_MS))


def _cut_later(world: World, who: str, after_ms: int) -> None:
    world.timeline.after(after_ms, lambda: world.broker.disconnect(who))


def half_open(world: World, rng: random.Random) -> None:
    """The gateway's connection is dead and neither end knows."""
    line = world.broker.lines.get(GATEWAY)
    if line is not None:
        line.is_dark = True


def deaf(world: World, rng: random.Random) -> None:
    """The broker forgets what the gateway subscribed to, and keeps the connection."""
    world.broker.wanted.pop(GATEWAY, None)


def slow(world: World, rng: random.Random) -> None:
    """Every message takes seconds for a while."""
    world.broker.latency_ms = span(rng, 500, 30_000)

    def quicken() -> None:
        world.broker.latency_ms = LATENCY_MS

    world.timeline.after(span(rng, MINUTE_MS, 2 * HOUR_MS), quicken)


def broker_restart(world: World, rng: random.Random) -> None:
    """The broker restarts, with its memory or without."""
    world.broker.restart(span(rng, 1_000, HOUR_MS), rng.random() < 0.7)


def forgetful(world: World, rng: random.Random) -> None:
    """The broker loses, doubles and delays messages that it has acknowledged."""
    until_ms = world.timeline.now_ms + span(rng, 10 * MINUTE_MS, 2 * DAY_MS)
    share = rng.choice((0.1, 0.3, 0.7))

    def fate(leg: str, message: Message) -> list[Message]:
        if rng.random() >= share:
            return [message]
        what = rng.randrange(3)
        if what == 2:
            delay_ms = span(rng, 1_000, 6 * HOUR_MS)
            world.timeline.after(delay_ms, lambda: world.publish(message))
        return [] if what != 1 else [message, message]

    world.fates.append((until_ms, fate))


def garbled(world: World, rng: random.Random) -> None:
    """Bits of messages are flipped on their way."""
    until_ms = world.timeline.now_ms + span(rng, 10 * MINUTE_MS, DAY_MS)

    def fate(leg: str, message: Message) -> list[Message]:
        payload = bytearray(message.payload)
        if not payload or rng.random() < 0.5:
            return [message]
        payload[rng.randrange(len(payload))] ^= 1 << rng.randrange(8)
        return [message._replace(payload=bytes(payload))]

    world.fates.append((until_ms, fate))


def memory_error(world: World, rng: random.Random) -> None:
    """The gateway's memory changes a value after it was chained and before it is sealed."""
    left = rng.randrange(1, 4)

    def fate(leg: str, message: Message) -> list[Message]:
        nonlocal left
        if leg != BATCH or left <= 0:
            return [message]
        left -= 1
        return [message._replace(payload=_falsified(message.payload, rng))]

    world.fates.append((world.timeline.now_ms + HOUR_MS, fate))


def _falsified(payload: bytes, rng: random.Random) -> bytes:
    """The batch with one value or time changed, under a good seal."""
    try:
        fields = msgpack.unpackb(payload, raw=False)
    except ValueError:
        return payload  # another fault was faster
    if not isinstance(fields, list) or len(fields) != 12:
        return payload
    deltas = fields[_POLLS][0][2] if fields[_POLLS] else []
    places = [at for at, delta in enumerate(deltas) if isinstance(delta, int)]
    if places:
        deltas[rng.choice(places)] += 1
    else:
        fields[_TIMES][-1] += 1
    packed: bytes = msgpack.packb([*fields[:-1], bytes(32)], use_bin_type=True)
    signed = packed[:-34]
    seal: bytes = msgpack.packb(chain.mac(KEY, chain.BATCH_PURPOSE, signed), use_bin_type=True)
    return signed + seal


def replay(world: World, rng: random.Random) -> None:
    """Old batches and acknowledgements are published again, hours or days later."""
    kept: list[Message] = []
    until_ms = world.timeline.now_ms + 6 * HOUR_MS

    def fate(leg: str, message: Message) -> list[Message]:
        if len(kept) < 20:
            kept.append(message)
        return [message]

    def again() -> None:
        for message in kept:
            if not world.is_calm:
                world.publish(message)

    world.fates.append((until_ms, fate))
    world.timeline.after(span(rng, HOUR_MS, 5 * DAY_MS), again)


def forged(world: World, rng: random.Random) -> None:
    """A stranger sends acknowledgements and batches of his own."""
    journal = world.disk.journal
    if journal is None:
        return
    key = bytes(32)
    seq = rng.choice((-1, journal.next_seq - 1, journal.next_seq + 1000))
    digest = chain.genesis(GATEWAY, journal.epoch)
    if seq in journal.rows:
        digest = journal.rows[seq].digest
    now_ms = TRUTH_MS + world.timeline.now_ms
    ack = Ack(GATEWAY, journal.epoch, seq, digest, (), now_ms, None)
    world.publish(Message(topic(TENANT, GATEWAY, ACK), encode_ack(ack, key)))
    other = Ack("gw-2", journal.epoch, seq, digest, (), now_ms, None)
    world.publish(Message(topic(TENANT, GATEWAY, ACK), encode_ack(other, KEY)))
    world.publish(Message(topic(TENANT, GATEWAY, BATCH), rng.randbytes(rng.randrange(200))))


def receiver_crash(world: World, rng: random.Random) -> None:
    """The receiver dies before its commit, after it, or between two messages."""
    doom = rng.choice(("commit", "ack", ""))
    world.cloud.doom = doom
    if not doom:
        world.cloud.crash(span(rng, 1_000, HOUR_MS))


def receiver_away(world: World, rng: random.Random) -> None:
    """The receiver has no network, or its database takes nothing."""
    for_ms = span(rng, MINUTE_MS, 8 * HOUR_MS)
    if rng.random() < 0.5:
        world.broker.bar(RECEIVER, for_ms)
    else:
        world.cloud.failing_until_ms = world.timeline.now_ms + min(for_ms, HOUR_MS)


def receiver_restore(world: World, rng: random.Random) -> None:
    """The receiver's database is put back to an older copy."""
    image = world.cloud.store.image()

    def restore() -> None:
        if not world.is_calm:
            world.restore_cloud(image)

    world.timeline.after(span(rng, HOUR_MS, 3 * DAY_MS), restore)
