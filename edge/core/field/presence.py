"""Finding stations: which address is asked at which line setting, when, and who has answered.

One read of one register is asked of each address; any whole reply proves a station, an exception
too, because its CRC and address could not come from anything else. Nothing here writes.
"""

from collections import namedtuple

from edge.core.bus.plan import character_bits, line_timing
from edge.core.bus.rtu import READ_HOLDING, encode_read
from edge.core.field.sniff import find_frame
from edge.core.field.trace import REPLY

#: Line settings in the order of how often they are met.
LIKELY_SETTINGS = (
    (9600, "8N1"),
    (9600, "8E1"),
    (2400, "8E1"),
    (19200, "8N1"),
    (19200, "8E1"),
    (19200, "8N2"),
    (9600, "8N2"),
    (2400, "8N1"),
    (4800, "8N1"),
    (4800, "8E1"),
    (38400, "8N1"),
    (115200, "8N1"),
    (57600, "8N1"),
    (38400, "8E1"),
    (1200, "8E1"),
    (9600, "8O1"),
    (19200, "8O1"),
    (1200, "8N1"),
)

#: Rates that every serial driver knows; one that is none of them opens on some adapters only.
STANDARD_BAUDS = (
    (300, 600, 1200, 1800, 2400, 4800, 9600, 19200)
    + (38400, 57600, 115200, 230400)
    + (460800, 500000, 576000, 921600)
)

#: Asked at every setting before any setting is searched to its end.
LIKELY_STATIONS_MAX = 16

#: From the end of a request to the first byte of a reply; slower stations are caught late.
WAIT_MS = 60
WAIT_MAX_MS = 500

_PROBE_CHARACTERS = 8
_REPLY_CHARACTERS = 7

#: One stretch of a scan: a line setting and the stations asked at it, in order.
Stretch = namedtuple("Stretch", ("baud", "format", "stations"))

#: What a probe brought. stations: who answered, whoever was asked; is_echo: our own request came
#: back; requests: another master's requests; noise: bytes that belong to no frame.
Heard = namedtuple("Heard", ("stations", "is_echo", "requests", "noise"))


def order_settings(
    bauds: tuple[int, ...], formats: tuple[str, ...]
) -> tuple[tuple[int, str], ...]:
    """The line settings to try, the likeliest first; empty tuples stand for any."""
    chosen = [
        pair
        for pair in LIKELY_SETTINGS
        if (not bauds or pair[0] in bauds) and (not formats or pair[1] in formats)
    ]
    if bauds and formats:
        for baud in bauds:
            chosen += [(baud, f) for f in formats if (baud, f) not in chosen]
    elif bauds or formats:
        known_bauds = bauds or (9600, 19200, 2400)
        for baud in known_bauds:
            for form in formats or ("8N1", "8E1", "8N2"):
                if (baud, form) not in chosen:
                    chosen.append((baud, form))
    return tuple(chosen)


def plan_scan(
    stations: tuple[int, ...], settings: tuple[tuple[int, str], ...], likely: tuple[int, ...]
) -> tuple[Stretch, ...]:
    """Likely stations at every setting first, then the others at every setting.

    likely: station numbers that devices leave the factory with, beside 1..16.
    """
    early = [s for s in stations if s <= LIKELY_STATIONS_MAX or s in likely]
    rest = [s for s in stations if s not in early]
    passes = [group for group in (early, rest) if group]
    return tuple(
        [Stretch(baud, form, tuple(group)) for group in passes for baud, form in settings]
    )


def stretch_us(stretch: Stretch, wait_ms: int) -> int:
    """What a stretch takes when no one answers."""
    timing = line_timing(stretch.baud, character_bits(stretch.format))
    probe = _PROBE_CHARACTERS * timing.character_us + timing.silence_us + wait_ms * 1000
    return len(stretch.stations) * int(probe)


def scan_us(plan: tuple[Stretch, ...], wait_ms: int) -> int:
    """What the whole scan takes when no one answers; each station found adds a reply's time."""
    return sum([stretch_us(stretch, wait_ms) for stretch in plan])


def reply_us(baud: int, serial_format: str) -> int:
    """Wire time of the longest reply to a probe, with the silence that ends it."""
    timing = line_timing(baud, character_bits(serial_format))
    return int(_REPLY_CHARACTERS * timing.character_us + timing.silence_us)


def encode_probe(station: int) -> bytes:
    """The request of the presence scan: one holding register at address 0."""
    return encode_read(station, READ_HOLDING, 0, 1)


def hear(request: bytes, data: bytes) -> Heard:
    """What `data`, heard after `request` was sent, says."""
    is_echo = data.startswith(request)
    at = len(request) if is_echo else 0
    stations: list[int] = []
    requests = noise = 0
    while at < len(data):
        found = find_frame(data, at)
        if found is None:
            noise += 1
            at += 1
            continue
        length, direction = found
        if direction != REPLY:
            requests += 1
        elif data[at] not in stations and 1 <= data[at] <= 247:
            stations.append(data[at])
        at += length
    return Heard(tuple(stations), is_echo, requests, noise)


class Wait:
    """How long to wait for a first byte; it grows when a station proves slower."""

    def __init__(self, wait_ms: int = WAIT_MS) -> None:
        self.wait_ms = wait_ms

    def late(self, taken_ms: int) -> None:
        """A reply came `taken_ms` after its request had ended, later than was waited for."""
        self.wait_ms = max(self.wait_ms, min(WAIT_MAX_MS, 3 * taken_ms // 2))
