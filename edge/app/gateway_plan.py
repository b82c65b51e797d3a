"""What a gateway runs on, resolved: the part of its settings that is left once all is checked.

`carbontally build esp32` makes it where there is memory for documents and their rules; a device
only reads it. In the bytes every value stands once, after the values that it is made of: equal
strings, shapes and scales are one object on the device. Points stay bytes, see `packed_points`.
"""

from collections import namedtuple

from edge.app.config import Broker, Bus, Device
from edge.app.packed_points import PackedPoints, PointTable
from edge.core.bus.block import Block
from edge.core.bus.model import Model
from edge.core.carbon.counter import Limits
from edge.core.carbon.sources import Rules, Source
from edge.core.carbon.streams import Coal, Rate, Stream, Summand
from edge.core.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.core.carbon.cems import Stack
    from edge.core.carbon.hj212 import Method
    from edge.core.carbon.tariff import Tariff

#: The first of these as in `Settings`. factor_sets: (id, digest); blocks: per device those of a
#: station that has taught nothing; streams: drafts, see `drafts.draft_streams`; swaps, facts and
#: windows: as `facts` lists them.
GatewayPlan = namedtuple(
    "GatewayPlan",
    (
        "gateway",
        "tenant",
        "broker",
        "user",
        "keepalive_s",
        "linger_ms",
        "commit_ms",
        "interval_ms",
        "factor_sets",
        "buses",
        "devices",
        "blocks",
        "streams",
        "tariffs",
        "swaps",
        "facts",
        "windows",
    ),
)

#: An entry is a kind, a number, and what the number counts. Numbers have seven bits in a byte,
#: the low ones first, the top bit where more follow. WHOLE: the number itself; NEGATIVE: -1 - it;
#: TEXT and BYTES: so many bytes; from MADE on one of MAKERS, of so many parts, each told by how
#: many entries back it is.
WHOLE, NEGATIVE, TEXT, BYTES, MADE = range(5)

#: What is there before the first entry.
GIVEN = (None, True, False)


def _items(*parts: object) -> tuple:
    return parts


def _profile(*parts: object) -> Model:
    """Its points are with the devices that poll them."""
    sentinels = dict(parts[6])  # type: ignore[call-overload]
    return Model(*parts[:6], sentinels, parts[7])  # type: ignore[arg-type, call-arg]


def _method(*parts: object) -> "Method":
    from edge.core.carbon.cems import Method

    return Method(*parts)


def _stack(*parts: object) -> "Stack":
    from edge.core.carbon.cems import Stack

    return Stack(*parts)


def _tariff(*parts: object) -> "Tariff":
    from edge.core.carbon.tariff import Tariff

    return Tariff(*parts)  # type: ignore[arg-type]


#: By kind from MADE on; a method and a tariff come with code that a device may do without.
MAKERS: "tuple[Callable[..., object], ...]" = (
    _items,
    GatewayPlan,
    Broker,
    Bus,
    Device,
    _profile,
    PointTable,
    PackedPoints,
    Block,
    Stream,
    Source,
    Limits,
    Summand,
    Rate,
    Coal,
    Rules,
    _stack,
    _method,
    _tariff,
)


def decode_plan(data: bytes) -> GatewayPlan:
    """The plan that `build_plan.encode_plan` wrote; raises ConfigError "config.file"."""
    made: list[object] = list(GIVEN)
    at = 0
    try:
        while at < len(data):
            kind = data[at]
            count, at = _number(data, at + 1)
            if kind == WHOLE:
                made.append(count)
            elif kind == NEGATIVE:
                made.append(-1 - count)
            elif kind < MADE:
                part = bytes(data[at : at + count])
                made.append(part.decode() if kind == TEXT else part)
                at += count
            else:
                parts = []
                for _ in range(count):
                    back, at = _number(data, at)
                    parts.append(made[len(made) - back])
                made.append(MAKERS[kind - MADE](*parts))
        plan = made[-1]
    except (IndexError, TypeError, ValueError):
        plan = None
    if not isinstance(plan, GatewayPlan):
        raise ConfigError("config.file", file="plan", reason="not a plan of this program")
    return plan


def _number(data: bytes, at: int) -> tuple[int, int]:
    """(a number, where it ends)."""
    number, shift = data[at] & 0x7F, 7
    while data[at] & 0x80:
        at += 1
        number |= (data[at] & 0x7F) << shift
        shift += 7
    return number, at + 1
