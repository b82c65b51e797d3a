"""A ring log as so many minutes without the cloud leave it, of meters that are like meters."""

import random
from collections.abc import Callable

from edge.app.recorder import Recorder
from edge.core.journal.clock import ClockQuality
from edge.core.journal.record import Kind
from edge.ports.contracts import Clock
from edge.ports.esp32.ring_store import RingStore
from tests.unit.flash_doubles import NorFlash

GATEWAY = "gw-1"
DEVICES = 8
POINTS = 30
STREAMS = 12
START_MS = 1_800_000_000_000
#: The polls of a minute are committed together.
COMMIT_MS = 5_000


class _Minutes(Clock):
    """Time as the loop says."""

    mono = 0

    def mono_ms(self) -> int:
        return self.mono

    def wall_ms(self) -> int:
        return START_MS + self.mono

    def quality(self) -> int:
        return ClockQuality.SYNCED


def metered(
    minutes: int,
    size: int = 1 << 20,
    is_over: Callable[[RingStore], bool] = lambda store: False,
) -> tuple[RingStore, NorFlash]:
    """The ring, and its flash of `size` bytes, after so many minutes or once it `is_over`.

    Counters grow by almost the same, gauges move a little around where they are.
    """
    flash, clock, draw = NorFlash(size), _Minutes(), random.Random(1)
    store = RingStore(flash, GATEWAY)
    recorder = Recorder(store, clock, COMMIT_MS)
    recorder.keep_time(0)
    points = [[f"p{at}", "W.h", 2, "counter" if at < 12 else "gauge"] for at in range(POINTS)]
    for device in range(DEVICES):
        part = [1, device, f"m{device}", "bus", 1, "x/y", b"p" * 32, 60_000, points]
        recorder.add(Kind.TABLE, [part], 0)
    registers = [[10_000 * device + 77 * at for at in range(12)] for device in range(DEVICES)]
    for minute in range(1, minutes + 1):
        clock.mono = 60_000 * minute
        for device in range(DEVICES):
            registers[device] = [at + 40 + draw.randrange(3) for at in registers[device]]
            gauges = [2300 + at + int(draw.gauss(0, 2 if at % 3 else 0.2)) for at in range(18)]
            body = [device, registers[device] + gauges, [], []]
            recorder.add(Kind.POLL, body, clock.mono + 230 * device + draw.randrange(3))
        if minute % 15 == 0:
            end, each = clock.mono, range(STREAMS)
            streams = [[at, draw.randrange(4000), draw.randrange(9000), 15] for at in each]
            recorder.add(Kind.INTERVAL, [end - 900_000, end, streams, [None] * 5], end)
        assert recorder.commit(clock.mono, True)
        if is_over(store):
            break
    return store, flash
