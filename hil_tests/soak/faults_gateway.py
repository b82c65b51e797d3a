"""What can go wrong at the gateway: power, disk, clock, meters."""

import random

from edge.core.errors import StoreError
from edge.core.journal.clock import ClockQuality
from edge.core.journal.record import Kind
from hil_tests.soak.site import DAY_MS, GATEWAY, HOUR_MS, MINUTE_MS, NAMES
from hil_tests.soak.world import World

#: Calls after which the power may be cut, "" for any.
PLACES = ("", "", "append", "appended", "ack", "acked", "uplink.send", "link.start", "removed")

#: A register that is wrong is wrong by so much: no meter moves like that.
GROSS = 1 << 28

#: After so many rows a journal has several readings of each meter.
KNOWN_ROWS = 60

#: Room for about a day of records.
SMALL_QUOTA_BYTES = 60_000


def span(rng: random.Random, least_ms: int, most_ms: int) -> int:
    """A duration between the two, the short ones as likely as the long ones."""
    share = rng.random()
    return int(least_ms * (most_ms / least_ms) ** share)


def crash(world: World, rng: random.Random) -> None:
    """The power goes at any call of any port."""
    name = rng.choice(PLACES)
    world.doom = (name, rng.randrange(60) if name == "" else rng.randrange(3))


def brown_out(world: World, rng: random.Random) -> None:
    """The power comes and goes many times within minutes."""
    for _ in range(rng.randrange(5, 20)):
        delay_ms = rng.randrange(10 * MINUTE_MS)
        world.timeline.after(delay_ms, lambda: world.power_off(rng.randrange(100, 20_000)))


def disk_error(world: World, rng: random.Random) -> None:
    """Nothing can be written for a while: an error, or no space."""
    code = rng.choice(("store.write", "store.full"))
    _fail_writes(world, code, span(rng, 1_000, 20 * MINUTE_MS))


def _fail_writes(world: World, code: str, for_ms: int) -> None:
    until_ms = world.timeline.now_ms + for_ms

    def medium(name: str) -> None:
        if world.timeline.now_ms < until_ms and name in ("append", "ack", "remove", "renew"):
            raise StoreError(code, file="sim", reason="told")

    world.medium = medium


def disk_doubt(world: World, rng: random.Random) -> None:
    """Writes report an error although everything was written."""
    left = rng.randrange(1, 5)

    def medium(name: str) -> None:
        nonlocal left
        if left > 0 and name in ("appended", "acked", "removed"):
            left -= 1
            raise StoreError("store.write", file="sim", reason="told")

    world.medium = medium


def disk_lie(world: World, rng: random.Random) -> None:
    """Syncs report success and do nothing; then the power goes, or it is well again."""
    world.disk.begin_lying()
    world.may_lie = True
    after_ms = span(rng, 10_000, 6 * HOUR_MS)
    if rng.random() < 0.7:
        world.timeline.after(after_ms, lambda: world.power_off(60_000))
    else:
        world.timeline.after(after_ms, world.disk.sync)


def disk_copy(world: World, rng: random.Random) -> None:
    """Somebody puts an older copy of the journal back."""
    if world.disk.journal is None:
        return
    image = world.disk.image()

    def put_back() -> None:
        if not world.is_calm:
            world.power_off(60_000)
            world.put_back(image, rng.random() < 0.3)

    world.timeline.after(span(rng, 10 * MINUTE_MS, 2 * DAY_MS), put_back)


def disk_gone(world: World, rng: random.Random) -> None:
    """The journal's file is deleted."""
    world.power_off(60_000)
    world.delete_journal(rng.random() < 0.7)


def bit_flip(world: World, rng: random.Random) -> None:
    """One bit of one row is another when it is read again."""
    journal = world.disk.journal
    if journal is None or world.disk.is_lying or not journal.rows:
        return
    recent = list(journal.rows)[-200:]
    seq = rng.choice(recent)
    row = journal.rows[seq]
    if row.kind in (Kind.TABLE, Kind.TOMBSTONE):
        return
    at = rng.randrange(len(row.record))
    record = bytearray(row.record)
    record[at] ^= 1 << rng.randrange(8)
    journal.rows[seq] = row._replace(record=bytes(record))
    world.ledger.flipped.add((journal.epoch, seq))


def long_night(world: World, rng: random.Random) -> None:
    """Days without a network on a small disk: retention takes what the cloud has not seen."""
    world.disk.quota_bytes = SMALL_QUOTA_BYTES
    for_ms = span(rng, 2 * DAY_MS, 5 * DAY_MS)
    world.broker.bar(GATEWAY, for_ms)

    def morning() -> None:
        world.disk.quota_bytes = None

    world.timeline.after(for_ms, morning)


def small_disk(world: World, rng: random.Random) -> None:
    """The journal may take little space for some days: retention works."""
    world.disk.quota_bytes = SMALL_QUOTA_BYTES

    def grow() -> None:
        world.disk.quota_bytes = None

    world.timeline.after(span(rng, HOUR_MS, 6 * DAY_MS), grow)


def clock_step(world: World, rng: random.Random) -> None:
    """The clock is set wrong, forward or back, and right again later."""
    size_ms = span(rng, 100, HOUR_MS)
    if rng.random() < 0.05:
        size_ms = rng.choice((2, 400)) * DAY_MS
    quality = rng.choice((ClockQuality.SYNCED, ClockQuality.HELD))
    world.clock.set(rng.choice((-1, 1)) * size_ms, quality)
    world.timeline.after(span(rng, MINUTE_MS, DAY_MS), lambda: put_right(world))


def put_right(world: World) -> None:
    """The clock is set to the truth."""
    world.clock.set(0, ClockQuality.SYNCED)


def clock_drift(world: World, rng: random.Random) -> None:
    """The clock runs fast or slow, until it is set right."""
    world.clock.set(0, ClockQuality.HELD, rng.choice((-1, 1)) * rng.randrange(1, 500))
    world.timeline.after(span(rng, HOUR_MS, 2 * DAY_MS), lambda: put_right(world))


def no_clock(world: World, rng: random.Random) -> None:
    """The gateway starts without a clock; time comes minutes or days later, or not before."""
    world.has_rtc = world.sets_clock = False
    world.power_off(10_000)

    def learn() -> None:
        world.has_rtc = world.sets_clock = True

    world.timeline.after(span(rng, MINUTE_MS, 5 * DAY_MS), learn)


def silent(world: World, rng: random.Random) -> None:
    """A meter says nothing, or always too late."""
    station = rng.choice(sorted(NAMES))
    how = rng.choice(("silent", "late"))
    _trouble(world, station, span(rng, MINUTE_MS, 8 * HOUR_MS), lambda: how)


def noisy(world: World, rng: random.Random) -> None:
    """A share of the replies is damaged, short, foreign, an exception, or lost."""
    station = rng.choice(sorted(NAMES))
    kinds = ("damaged", "short", "noise", "port", "stranger", "late", 2, 4, 6)
    share = rng.random()

    def trouble() -> str | int | None:
        return rng.choice(kinds) if rng.random() < share else None

    _trouble(world, station, span(rng, MINUTE_MS, 8 * HOUR_MS), trouble)


def _trouble(world: World, station: int, for_ms: int, asked: "object") -> None:
    until_ms = world.timeline.now_ms + for_ms

    def trouble() -> str | int | None:
        if world.timeline.now_ms >= until_ms or not callable(asked):
            return None
        found: str | int | None = asked()
        return found

    world.trouble[station] = trouble


def wrong(world: World, rng: random.Random) -> None:
    """A meter's counter shows something else, once or for hours, in frames that are good."""
    meter = world.meters[rng.choice(sorted(NAMES))]
    gateway = world.gateway
    if gateway is None or gateway.recorder.store.next_seq < KNOWN_ROWS:
        return  # there is nothing yet that it could be held against
    meter.error = rng.choice((-1, 1)) * (GROSS + rng.randrange(GROSS))
    meter.error_reads = 1 if rng.random() < 0.7 else rng.randrange(2, 100)
