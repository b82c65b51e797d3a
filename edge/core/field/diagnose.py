"""What an exchange on the bus looked like, and which causes many of them together point to.

`classify` names what happened to one request; `Evidence` counts that; `RULES` is the table from
counts to causes. The words for the causes are with the command line.
"""

from collections import namedtuple

from edge.core.bus.rtu import crc16, encode_read, read_reply_bytes
from edge.core.field.sniff import find_frame, is_whole
from edge.core.field.trace import REPLY

#: What an exchange looked like.
GOOD = "good"
EXCEPTION = "exception"
SILENT = "silent"
FIRST_LOST = "first_lost"
LAST_LOST = "last_lost"
LEADING = "leading"  # noise before or after a good reply
CRC = "crc"
SHORT = "short"
DOUBLE = "double"  # two replies to one request
FOREIGN = "foreign"  # frames that answer no request of ours
GARBAGE = "garbage"

OUTCOMES = (
    GOOD,
    EXCEPTION,
    SILENT,
    FIRST_LOST,
    LAST_LOST,
    LEADING,
    CRC,
    SHORT,
    DOUBLE,
    FOREIGN,
    GARBAGE,
)

#: One exchange. outcome: of OUTCOMES; is_echo: our request came back in front; length: bytes of
#: the reply that should have come, 0 when it cannot be told.
Exchange = namedtuple("Exchange", ("outcome", "is_echo", "length"))


def classify(request: bytes, data: bytes) -> Exchange:
    """What `data`, everything heard in the time of one exchange, makes of `request`, a read."""
    is_echo = data[: len(request)] == request
    if is_echo:
        data = data[len(request) :]
    good = read_reply_bytes(request)
    if not data:
        return Exchange(SILENT, is_echo, good)
    found = find_frame(data, 0)
    if found is not None:
        return _whole(request, data, found, is_echo)
    if _is_answer(request, data, good):
        return Exchange(CRC if len(data) >= good else _ended(data, good), is_echo, good)
    for lost in (1, 2):
        head = request[:lost] + data
        if is_whole(head) and len(head) in (5, good):
            return Exchange(FIRST_LOST, is_echo, good)
    for at in range(1, len(data)):
        later = find_frame(data, at)
        if later is not None and later[1] == REPLY and data[at] == request[0]:
            return Exchange(LEADING, is_echo, good)
    if data[0] == request[0] and data[1:2] in (request[1:2], bytes((request[1] | 0x80,))):
        return Exchange(_ended(data, good), is_echo, good)
    return Exchange(GARBAGE, is_echo, good)


def _whole(request: bytes, data: bytes, found: tuple[int, str], is_echo: bool) -> Exchange:
    """An exchange that begins with a frame whose CRC fits."""
    length, direction = found
    good = read_reply_bytes(request)
    if direction != REPLY or data[0] != request[0] or data[1] & 0x7F != request[1]:
        return Exchange(FOREIGN, is_echo, good)
    rest = data[length:]
    if rest and not rest.strip(b"\x00\xff"):
        return Exchange(LEADING, is_echo, length)
    if rest:
        second = find_frame(rest, 0)
        if second is not None and second[1] != REPLY:
            return Exchange(FOREIGN, is_echo, length)
        # What follows at once came from someone else, whole or broken.
        return Exchange(DOUBLE, is_echo, length)
    if data[1] & 0x80:
        return Exchange(EXCEPTION, is_echo, length)
    return Exchange(GOOD if length == good else FOREIGN, is_echo, good)


def _is_answer(request: bytes, data: bytes, good: int) -> bool:
    """True for the head of the reply that was asked for."""
    return data[:2] == request[:2] and len(data) > 2 and data[2] == good - 5


def _ended(data: bytes, good: int) -> str:
    """LAST_LOST when just the last byte is missing, SHORT otherwise."""
    if len(data) == good - 1 or (len(data) == 4 and data[1] & 0x80):
        if crc16(data[:-1]) & 0xFF == data[-1]:
            return LAST_LOST
    return SHORT


#: Counts over a whole examination. Per mille where a name says so. stations: asked and how many
#: never answered; short, long: damaged replies of the shortest and the longest reads.
FIELDS = (
    "asked",
    "stations",
    "silent_stations",
    "bad_stations",
    "good",
    "silent",
    "crc",
    "first_lost",
    "last_lost",
    "leading",
    "short",
    "double",
    "foreign",
    "garbage",
    "echo",
    "late",
    "short_asked",
    "short_bad",
    "long_asked",
    "long_bad",
    "idle_bytes",
    "idle_frames",
    "idle_ms",
    "latency_ms",
    "mini_uart",
    "port_missing",
    "port_denied",
    "port_busy",
    "port_failed",
)


class Evidence:
    """Counts by name, all 0 at first."""

    def __init__(self) -> None:
        self.counts = {}
        for name in FIELDS:
            self.counts[name] = 0

    def add(self, name: str, number: int = 1) -> None:
        """Count something; KeyError for a name that is not in FIELDS."""
        self.counts[name] += number

    def take(self, exchange: Exchange, size: str = "") -> None:
        """Count one exchange; size: "short", "long" or "" for what the lengths do not matter."""
        self.add("asked")
        if exchange.is_echo:
            self.add("echo")
        name = GOOD if exchange.outcome == EXCEPTION else exchange.outcome
        self.add(name)
        if size:
            self.add(size + "_asked")
            if exchange.outcome in (CRC, SHORT, GARBAGE, LEADING):
                self.add(size + "_bad")


#: cause -> conditions that must all hold: (count, operator, number or other count, factor). Of
#: causes of one group only the first that holds is named, since the others follow from it.
#: operators: "ge" count >= number; "share" count x 100 >= number x other count; "more" count's
#: share is larger than another pair's by a factor.
RULES = (
    ("port_missing", "port", (("ge", "port_missing", 1),)),
    ("port_denied", "port", (("ge", "port_denied", 1),)),
    ("port_busy", "port", (("ge", "port_busy", 1),)),
    ("port_failed", "port", (("ge", "port_failed", 1),)),
    ("babble", "idle", (("ge", "idle_bytes", 20), ("idle", "idle_bytes", "idle_frames"))),
    ("foreign_master", "idle", (("ge", "idle_frames", 2),)),
    ("foreign_master", "idle", (("ge", "foreign", 2), ("ge", "idle_frames", 1))),
    ("echo", "echo", (("share", "echo", 50, "asked"),)),
    ("first_lost", "edge", (("ge", "first_lost", 2), ("share", "first_lost", 20, "asked"))),
    ("last_lost", "edge", (("ge", "last_lost", 2), ("share", "last_lost", 20, "asked"))),
    ("late", "time", (("ge", "late", 1),)),
    ("double", "double", (("ge", "double", 1),)),
    ("noise_grows", "damage", (("ge", "long_bad", 2), ("grows", "short_bad", "long_bad"))),
    ("one_damaged", "damage", (("ge", "bad_stations", 1), ("fewer", "bad_stations", "stations"))),
    ("wrong_settings", "damage", (("ge", "garbage", 2), ("share", "garbage", 50, "asked"))),
    ("damaged", "damage", (("ge", "crc", 1),)),
    ("damaged", "damage", (("ge", "short", 1),)),
    ("damaged", "damage", (("ge", "garbage", 1),)),
    ("strangers", "damage", (("ge", "foreign", 1),)),
    ("leading", "leading", (("ge", "leading", 2),)),
    ("all_silent", "silence", (("ge", "stations", 1), ("same", "silent_stations", "stations"))),
    ("one_silent", "silence", (("ge", "silent_stations", 1),)),
    ("unsteady", "silence", (("ge", "silent", 1),)),
    ("usb_latency", "host", (("ge", "latency_ms", 3),)),
    ("mini_uart", "uart", (("ge", "mini_uart", 1),)),
)

#: What makes the others follow: (cause, groups that are then not named).
_EXPLAINS = (
    ("port_missing", ("silence",)),
    ("port_denied", ("silence",)),
    ("port_busy", ("silence",)),
    ("port_failed", ("silence",)),
    ("babble", ("damage", "double", "silence", "leading", "edge", "time")),
    ("foreign_master", ("damage", "double", "silence", "leading", "edge", "time")),
    ("echo", ("edge",)),
    ("first_lost", ("damage", "leading")),
    ("last_lost", ("damage",)),
    ("late", ("silence", "damage", "double")),
    ("double", ("damage",)),
    ("wrong_settings", ("silence",)),
)

#: Causes that slow a bus down but let it work.
MILD = ("usb_latency", "mini_uart", "echo")


def find_causes(evidence: Evidence) -> tuple[str, ...]:
    """The causes that the evidence points to, the one to look at first in front."""
    counts = evidence.counts
    causes: list[str] = []
    closed: list[str] = []
    for cause, group, conditions in RULES:
        if group in closed or cause in causes:
            continue
        if all([_holds(condition, counts) for condition in conditions]):
            causes.append(cause)
            closed.append(group)
            for explaining, groups in _EXPLAINS:
                if explaining == cause:
                    closed += list(groups)
    return tuple(causes)


def _holds(condition: tuple, counts: dict) -> bool:
    operator = condition[0]
    count = counts[condition[1]]
    if operator == "ge":
        return bool(count >= condition[2])
    if operator == "share":
        return bool(count > 0 and count * 100 >= condition[2] * counts[condition[3]])
    other = counts[condition[2]]
    if operator == "same":
        return bool(count == other)
    if operator == "fewer":
        return bool(count < other)
    if operator == "idle":
        # Frames are at most 256 bytes: what is heard beyond them belongs to no one.
        return bool(count > 40 * other)
    # "grows": the long reads fail at least twice as often as the short ones.
    share_short = count * counts["long_asked"]
    return bool(other * counts["short_asked"] >= 2 * share_short and other > count)


def examination_reads(station: int, function: int, most: int) -> tuple[tuple[str, bytes], ...]:
    """The harmless reads of one round: (size, request), one short and one as long as allowed."""
    reads = [("short", encode_read(station, function, 0, 1))]
    if most > 1:
        reads.append(("long", encode_read(station, function, 0, most)))
    return tuple(reads)
